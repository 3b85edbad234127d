"""From a claimed job to what its child is told."""

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gan.errors import DatasetMissing, DatasetUnusable
from ledger.models import Models
from ledger.records import Dataset, Job
from ledger.settings import Settings
from worker.devices import Device
from worker.jobs.limits import Limits, Preparation
from worker.protocol import Assignment, StateFile


def assign(job: Job, settings: Settings, models: Models, device: Device, deadline: float) -> Assignment:
    """The assignment of a job held until `deadline` (CLOCK_MONOTONIC). Raises DatasetMissing, DatasetUnusable."""
    return Assignment(
        job=job.id,
        epoch=job.epoch,
        type=job.type,
        spec=job.spec,
        storage=str(settings.storage.absolute()),
        device=device.torch,
        threads=threads(job.queue, settings),
        deadline=deadline,
        model=job.model_id,
        dataset=DATA.get(job.type, _packed)(job, settings),
        precision=settings.train_precision,
        capture=settings.train_capture,
        resume=[StateFile(**asdict(state)) for state in models.newest_states(job.model_id)] if job.model_id else [],
        changes=(job.measured or {}).get("changes", []),
    )


def threads(queue: str, settings: Settings) -> int:
    """CPU threads of a child: work on the side takes one; training what is set, else all cores but one.

    The one left over serves. A team of OpenMP threads that shares its cores with another busy process waits for its
    slowest member at every operation: on two cores two threads were up to ten times slower than one.
    """
    if queue != "train":
        return 1
    return settings.train_threads or max(1, len(os.sched_getaffinity(0)) - 1)


def _packed(job: Job, _settings: Settings) -> dict[str, Any] | None:
    """A prepared dataset, if the job works on one."""
    if job.dataset_id is None:
        return None
    data = _data(job)
    if data.status != "ready":
        raise DatasetMissing(f"dataset {job.dataset} is {data.status}, not ready")
    facts = data.facts().model_dump(mode="json")
    return {"id": data.id, "digest": data.digest, "path": data.path, "facts": facts}


def _unpacked(job: Job, settings: Settings) -> dict[str, Any]:
    """What there is to prepare."""
    data = _data(job)
    limits = Limits(**{name: getattr(settings, name) for name in Limits.model_fields})
    source = SOURCES[data.source["kind"]](data.source["path"], settings)
    asked = Preparation(id=data.id, source=str(source), width=data.asked_width, height=data.asked_height, limits=limits)
    return asked.model_dump()


DATA: dict[str, Callable[[Job, Settings], dict[str, Any] | None]] = {"prepare": _unpacked}
"""Job type → the `dataset` of its assignment; the others work on a prepared one."""


def _data(job: Job) -> Dataset:
    if job.data is None:
        raise DatasetMissing(f"dataset {job.dataset} was deleted: upload it again")
    return job.data


def _uploaded(path: str, settings: Settings) -> Path:
    return settings.storage.absolute() / path


def _imported(path: str, settings: Settings) -> Path:
    """Links inside the import directory may point anywhere: what counts is where they lead."""
    if settings.import_dir is None:
        raise DatasetUnusable("folder import is switched off: GANYMEDE_IMPORT_DIR is not set", param="source")
    root = settings.import_dir.resolve()
    folder = (root / path).resolve()
    if not folder.is_relative_to(root):
        raise DatasetUnusable(f"{path} leads out of the import directory", param="source")
    return folder


SOURCES: dict[str, Callable[[str, Settings], Path]] = {"upload": _uploaded, "folder": _imported}
"""Kind of source → where it lies."""
