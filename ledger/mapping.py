"""Rows → records: a record takes the row's columns of the same names."""

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

from ledger.records import Checkpoint, Dataset, Event, Job, Key, MetricsRow, Model, Preview, Worker, Write
from ledger.tables import (
    AuditRow,
    CheckpointRow,
    DatasetRow,
    EventRow,
    JobRow,
    KeyRow,
    MetricsTable,
    ModelRow,
    PreviewRow,
    Table,
    WorkerRow,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    R = TypeVar("R", bound=DataclassInstance)


def _copied(kind: "type[R]", row: Table, **given: Any) -> "R":
    names, take = _taken(kind, frozenset(given))
    return kind(**given, **dict(zip(names, take(row), strict=True)))


@cache
def _taken(kind: "type[DataclassInstance]", given: frozenset[str]) -> tuple[tuple[str, ...], Callable[[Any], Any]]:
    """The fields of a record that are a row's columns, and what takes them from it."""
    names = tuple(field.name for field in fields(kind) if field.name not in given)
    return names, attrgetter(*names)


def job_record(row: JobRow, data: Dataset | None = None, request_id: str | None = None) -> Job:
    """A job, with its dataset and the request that made it where a claim needs them."""
    return _copied(Job, row, metadata=row.labels, data=data, request_id=request_id)


def dataset_record(row: DatasetRow) -> Dataset:
    """A dataset."""
    return _copied(Dataset, row)


def model_record(row: ModelRow) -> Model:
    """A model."""
    return _copied(Model, row)


def checkpoint_record(row: CheckpointRow) -> Checkpoint:
    """A checkpoint."""
    return _copied(Checkpoint, row)


def event_record(row: EventRow) -> Event:
    """An event."""
    return _copied(Event, row)


def metrics_record(row: MetricsTable) -> MetricsRow:
    """A row of a series."""
    return _copied(MetricsRow, row)


def preview_record(row: PreviewRow) -> Preview:
    """A preview."""
    return _copied(Preview, row)


def worker_record(row: WorkerRow) -> Worker:
    """A worker."""
    return _copied(Worker, row)


def key_record(row: KeyRow) -> Key:
    """An API key."""
    return _copied(Key, row)


def write_record(row: AuditRow) -> Write:
    """A row of the audit record."""
    return _copied(Write, row)
