"""From a claimed job to what its child is told."""

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gan.errors import CheckpointCorrupt, DatasetMissing, DatasetUnusable, NotFound
from ledger.datasets import Datasets
from ledger.models import Models
from ledger.records import Dataset, Job
from ledger.settings import Settings
from worker.devices import Device
from worker.jobs.limits import Limits, Preparation
from worker.protocol import Assignment, Bounds, StateFile


def assign(
    job: Job, settings: Settings, models: Models, datasets: Datasets, device: Device, deadline: float
) -> Assignment:
    """The assignment of a job held until `deadline` (CLOCK_MONOTONIC).

    Raises DatasetMissing, DatasetUnusable, CheckpointCorrupt.
    """
    resume = _states(job, models)
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
        resume=resume,
        start=None if resume else _start(job, models),
        changes=(job.measured or {}).get("changes", []),
        bounds=_bounds(settings) if job.type == "prepare" else None,
        evaluation=_evaluated(job, settings, models, datasets) if job.type in ("evaluate", "project") else None,
    )


def _states(job: Job, models: Models) -> list[StateFile]:
    """The training states that are the job's own: those beyond what the model had seen when it was made."""
    if job.type != "train" or job.model_id is None:
        return []
    before = (job.spec.get("resume_from") or {}).get("before", 0)
    return [StateFile(**asdict(state)) for state in models.newest_states(job.model_id, before)]


def _start(job: Job, models: Models) -> StateFile | None:
    """The checkpoint that a training goes on from, if it does. CheckpointCorrupt where it is gone."""
    origin = job.spec.get("resume_from")
    if origin is None:
        return None
    try:
        found = models.checkpoint(origin["checkpoint"], origin["sha256"])
    except NotFound as error:
        raise CheckpointCorrupt(f"{error.message}, which the job goes on from: it was retired or deleted") from error
    return StateFile(checkpoint=found.id, path=found.path, sha256=found.sha256, images=found.images)


def threads(queue: str, settings: Settings) -> int:
    """CPU threads of a child: work on the side takes one; training what is set, else all cores but one.

    The one left over serves. A team of OpenMP threads that shares its cores with another busy process waits for its
    slowest member at every operation: on two cores two threads were up to ten times slower than one.
    """
    if queue != "train":
        return 1
    return settings.train_threads or max(1, len(os.sched_getaffinity(0)) - 1)


def _bounds(settings: Settings) -> Bounds:
    """Of a child that decodes an upload."""
    return Bounds(memory_bytes=settings.prepare_memory_bytes, cpu_seconds=settings.prepare_cpu_seconds)


def _packed(job: Job, _settings: Settings) -> dict[str, Any] | None:
    """A prepared dataset, if the job works on one."""
    if job.dataset_id is None:
        return None
    return _described(_data(job))


def _described(data: Dataset) -> dict[str, Any]:
    if data.status != "ready":
        raise DatasetMissing(f"dataset {data.name} is {data.status}, not ready")
    facts = data.facts().model_dump(mode="json")
    return {"id": data.id, "digest": data.digest, "path": data.path, "facts": facts}


def _evaluated(job: Job, settings: Settings, models: Models, datasets: Datasets) -> dict[str, Any]:
    """What an evaluation compares the dataset with, and the extractor's weights."""
    checkpoint, against, weights = job.spec.get("checkpoint"), job.spec.get("against"), settings.inception_weights
    return {
        "checkpoint": None if checkpoint is None else _checkpoint(checkpoint, models),
        "against": None if against is None else _against(against, datasets),
        "inception": None if weights is None else str(weights),
    }


def _checkpoint(id: str, models: Models) -> dict[str, Any]:
    try:
        _, found = models.resolve(id)
    except NotFound as error:
        raise CheckpointCorrupt(f"checkpoint {id} was retired or deleted before it was evaluated") from error
    return {"id": found.id, "images": found.images, "path": found.path, "sha256": found.sha256}


def _against(id: str, datasets: Datasets) -> dict[str, Any]:
    try:
        return _described(datasets.get(id))
    except NotFound as error:
        raise DatasetMissing(f"dataset {id} was deleted: upload it again") from error


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
