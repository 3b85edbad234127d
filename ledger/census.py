"""What the ledger knows at a moment: counts and ages for those who watch, cheap enough to be asked every few seconds.

Every query is answered from an index, or looks at rows of which there are few; none walks the events or the series.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import distinct, func, select
from sqlalchemy.orm import Session

from ledger.clock import now
from ledger.database import Ledger
from ledger.states import EDGES, HELD, TERMINAL
from ledger.tables import CheckpointRow, DatasetRow, EventRow, JobRow, ModelRow, WorkerRow
from ledger.workers import FRESH_SECONDS

Labels = tuple[str, ...]
Samples = Mapping[Labels, float]


class Family(NamedTuple):
    """A name, what it means, the names of its labels, and the query."""

    name: str
    words: str
    labels: Labels
    read: Callable[[Session], Samples]
    counter: bool = False


def _rows(session: Session, statement: Any) -> dict[Labels, float]:
    """(labels …, value) rows as samples; a value that is NULL is 0."""
    return {tuple(map(str, labels)): float(value or 0) for *labels, value in session.execute(statement)}


def _jobs(session: Session) -> Samples:
    return _rows(session, select(JobRow.queue, JobRow.status, func.count()).group_by(JobRow.queue, JobRow.status))


def _oldest_queued(session: Session) -> Samples:
    heads = select(func.min(JobRow.number)).where(JobRow.status == "queued").group_by(JobRow.queue)
    return _rows(session, select(JobRow.queue, now() - JobRow.created_at).where(JobRow.number.in_(heads)))


def _failures(session: Session) -> Samples:
    code = JobRow.error["code"].as_string()
    return _rows(session, select(code, func.count()).where(JobRow.status == "failed").group_by(code))


def _attempts(session: Session) -> Samples:
    live = JobRow.status.in_(sorted(EDGES.keys() - TERMINAL))
    return _rows(session, select(JobRow.queue, func.sum(JobRow.attempt)).where(live).group_by(JobRow.queue))


def _leases_passed(session: Session) -> Samples:
    held = JobRow.status.in_(HELD), JobRow.lease_until < now()
    return _rows(session, select(func.count()).select_from(JobRow).where(*held))


def _rate(session: Session) -> Samples:
    rate = JobRow.progress["images_per_second"].as_float()
    running = JobRow.queue == "train", JobRow.status == "running"
    return _rows(session, select(func.sum(rate)).where(*running))


def _events(session: Session) -> Samples:
    return _rows(session, select(func.max(EventRow.number)))


def _workers(session: Session) -> Samples:
    alive = WorkerRow.heartbeat > now() - FRESH_SECONDS
    return dict.fromkeys([("train",), ("light",)], 0.0) | _rows(
        session, select(WorkerRow.queue, func.count()).where(alive).group_by(WorkerRow.queue)
    )


def _heartbeats(session: Session) -> Samples:
    return _rows(session, select(WorkerRow.queue, WorkerRow.id, now() - WorkerRow.heartbeat))


def _datasets(session: Session) -> Samples:
    return _rows(session, select(DatasetRow.status, func.count()).group_by(DatasetRow.status))


def _dataset_bytes(session: Session) -> Samples:
    """Datasets of the same content share their files."""
    packed = select(DatasetRow.path, func.max(DatasetRow.bytes).label("bytes")).group_by(DatasetRow.path).subquery()
    return _rows(session, select(func.sum(packed.c.bytes)).where(packed.c.path.is_not(None)))


def _models(session: Session) -> Samples:
    return _rows(session, select(func.count()).select_from(ModelRow))


def _checkpoints(session: Session) -> Samples:
    return _rows(session, select(func.count(distinct(CheckpointRow.number))))


def _checkpoint_bytes(session: Session) -> Samples:
    parts = func.sum(CheckpointRow.bytes), func.sum(CheckpointRow.state_bytes)
    model, state = session.execute(select(*parts)).one()
    return {("model",): float(model or 0), ("state",): float(state or 0)}


FAMILIES: Final = (
    Family("jobs", "Jobs in the ledger.", ("queue", "status"), _jobs),
    Family(
        "queue_oldest_seconds", "Seconds since the oldest of the waiting jobs was made.", ("queue",), _oldest_queued
    ),
    Family("jobs_failed", "Failed jobs in the ledger, by the code of their failure.", ("code",), _failures),
    Family("jobs_attempts", "Deaths charged to jobs that have not ended.", ("queue",), _attempts),
    Family("jobs_leases_passed", "Held jobs whose lease has passed.", (), _leases_passed),
    Family("training_images_per_second", "Images a second of all trainings that run, as last reported.", (), _rate),
    Family("events", "Events that were ever written.", (), _events, counter=True),
    Family("workers", "Workers that said within half a minute that they live.", ("queue",), _workers),
    Family("worker_heartbeat_age_seconds", "Seconds since a worker last beat.", ("queue", "worker"), _heartbeats),
    Family("datasets", "Datasets in the ledger.", ("status",), _datasets),
    Family("dataset_bytes", "Bytes of packed datasets, shared ones once.", (), _dataset_bytes),
    Family("models", "Models in the ledger.", (), _models),
    Family("checkpoints", "Checkpoints in the ledger.", (), _checkpoints),
    Family("checkpoint_bytes", "Bytes of checkpoints: model parts, training states.", ("part",), _checkpoint_bytes),
)
"""What is told, in the order in which it is told; every name stands in docs/operations.md."""

Census = Mapping[str, Samples]
"""Name → samples."""


def census(ledger: Ledger) -> Census:
    """All of it, in one snapshot on SQLite. Raises Unavailable when the database is away."""
    with ledger.reading() as session:
        return {family.name: family.read(session) for family in FAMILIES}
