"""What a job will take, told before it is queued, and refused where the memory it needs is nowhere.

Counted from its network (`gan.costs`), and brought to this server's own pace by the jobs that were measured here.
"""

from statistics import median
from typing import Any, Final

from gan.costs import Estimate, estimated, too_large
from gan.errors import InvalidRequest
from gan.spec import DatasetFacts, TrainingSpec
from ledger.records import Job
from ledger.workers import memory_of
from service.house import House

LOOKED_AT: Final = 50
"""Measured jobs, newest first, among which those of the same network and device are looked for."""
COMPARED: Final = 5
LONG_ENOUGH: Final = 5.0
"""Seconds of training below which a job's pace is that of its beginning."""


def refuse_too_large(house: House, spec: TrainingSpec, facts: DatasetFacts, device: str) -> None:
    """InvalidRequest, naming the field to lower, where no live worker's device can hold the job, as far as known."""
    known = [memory_of(worker) for worker in house.workers.devices()]
    if not known or None in known:
        return
    wrong = too_large(spec, facts, device, max(memory for memory in known if memory is not None))
    if wrong is not None:
        field, reason = wrong
        raise InvalidRequest(reason, param=field)


def estimate_for(house: House, spec: TrainingSpec, facts: DatasetFacts, device: str) -> dict[str, Any] | None:
    """The `estimate` of a job's resource; None where its network is not counted."""
    found = estimated(spec, facts, device)
    if found is None:
        return None
    pace = pace_of(house, spec, facts, device)
    return words(found, spec, pace)


def words(found: Estimate, spec: TrainingSpec, pace: float | None) -> dict[str, Any]:
    """An estimate as the API has it; `pace` is how many times longer than counted such jobs took here."""
    seconds = found.seconds * (pace or 1.0)
    if spec.max_seconds is not None:
        seconds = min(seconds, spec.max_seconds)
    return {
        "seconds": round(seconds, 1),
        "memory_bytes": found.memory_bytes,
        "checkpoint_bytes": found.checkpoint_bytes,
        "basis": "counted" if pace is None else "measured_jobs",
    }


def pace_of(house: House, spec: TrainingSpec, facts: DatasetFacts, device: str) -> float | None:
    """How many times longer than counted jobs with such a network took on such a device: a median, or None."""
    alike = [job for job in house.jobs.measured_trainings(LOOKED_AT) if comparable(job, spec, device)]
    paces = [found for job in alike[:COMPARED] if (found := measured_pace(job, facts, device)) is not None]
    return median(paces) if paces else None


def comparable(job: Job, spec: TrainingSpec, device: str) -> bool:
    """Whether a measured job trained the same kind of network on the same kind of device, for long enough."""
    same = job.spec["network"]["architecture"] == spec.network.architecture
    measured = job.measured or {}
    paced = measured.get("images_per_second") and measured.get("seconds", 0) >= LONG_ENOUGH
    return bool(same and paced and (job.device or "cpu").startswith("cuda") == device.startswith("cuda"))


def measured_pace(job: Job, facts: DatasetFacts, device: str) -> float | None:
    """Measured seconds an image over counted ones."""
    assert job.measured is not None
    images = 1_000_000
    spec = TrainingSpec.model_validate(job.spec).model_copy(update={"images": images, "max_seconds": None})
    counted = estimated(spec, facts, device)
    return None if counted is None else images / job.measured["images_per_second"] / counted.seconds
