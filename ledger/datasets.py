"""Datasets: made with the job that prepares them, named, deleted when nothing needs them."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gan.errors import Conflict, LostClaim, NotFound
from ledger.database import Ledger, mint
from ledger.idempotency import note
from ledger.jobs import add_job, live_job, succeed
from ledger.mapping import dataset_record
from ledger.queries import by_reference, page
from ledger.quotas import check_bytes
from ledger.records import Dataset, Packed, Page
from ledger.tables import DatasetRow, JobRow


class Datasets:
    """The datasets of a ledger. Every method is one transaction; all raise Unavailable when the database is away."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @staticmethod
    def new_id() -> str:
        """An id to store an upload under before `create`."""
        return mint("ds")

    def create(
        self,
        name: str,
        source: dict[str, Any],
        width: int | None = None,
        height: int | None = None,
        *,
        id: str | None = None,
    ) -> Dataset:
        """Make a dataset and the job that prepares it (`job_id`). Raises Conflict when the name is taken.

        `source` is `{"kind": "upload", "path": below the storage root}` or `{"kind": "folder", "path": below the import
        directory}`; `width` and `height` ask for a resolution.
        """
        with self._ledger.writing() as session:
            check_bytes(session)
            _refuse_failed(session, name)
            row = DatasetRow(id=id or mint("ds"), name=name, source=source, asked_width=width, asked_height=height)
            session.add(row)
            _flush_named(session, name)
            note(session, row.id)
            spec = {"dataset": name, "source": source, "width": width, "height": height}
            row.job_id = add_job(session, type="prepare", spec=spec, dataset_id=row.id, dataset=name).id
            session.flush()
            return dataset_record(row)

    def get(self, reference: str) -> Dataset:
        """A dataset by id or name. Raises NotFound."""
        with self._ledger.reading() as session:
            return dataset_record(_find(session, reference))

    def exists(self, name: str) -> bool:
        """Whether the name is taken: asked before an upload is read."""
        with self._ledger.reading() as session:
            return session.scalars(select(DatasetRow.number).where(DatasetRow.name == name)).first() is not None

    def finish_prepare(self, job_id: str, epoch: int, packed: Packed) -> Dataset:
        """Publish what a preparation packed, and end its job as succeeded. Raises LostClaim."""
        with self._ledger.writing() as session:
            job = succeed(session, job_id, epoch)
            row = session.scalars(select(DatasetRow).where(DatasetRow.id == job.dataset_id)).one_or_none()
            if row is None:
                raise LostClaim(f"the dataset of job {job_id} is gone")
            for name, value in asdict(packed).items():
                setattr(row, name, value)
            row.status, row.error = "ready", None
            session.flush()
            return dataset_record(row)

    def delete(self, reference: str) -> list[str]:
        """Delete a dataset; returns the paths to remove from storage (packed data stays where another dataset
        shares it, or a preparation that has not ended may come to).

        Raises NotFound, or Conflict while a job that has not ended needs it.
        """
        with self._ledger.writing() as session:
            row = _find(session, reference, lock=True)
            against = (JobRow.type == "evaluate") & (JobRow.spec["against"].as_string() == row.name)
            job = live_job(session, or_(JobRow.dataset_id == row.id, against))
            if job is not None:
                raise Conflict(f"dataset {row.name} is in use by job {job}")
            note(session, row.id)
            session.delete(row)
            session.flush()
            return [f"uploads/{row.id}", *_unshared(session, row)]

    # last in its class: below it, `list` would mean this method
    def list(self, *, after: str | None = None, limit: int = 20, order: str = "desc") -> Page[Dataset]:
        """A page of datasets, newest first (`order="asc"`: oldest first), beginning after the dataset `after`."""
        with self._ledger.reading() as session:
            rows = page(session, select(DatasetRow), DatasetRow, after=after, limit=limit, order=order)
            return Page([dataset_record(row) for row in rows[:limit]], len(rows) > limit)


def _find(session: Session, reference: str, *, lock: bool = False) -> DatasetRow:
    row: DatasetRow | None = by_reference(session, DatasetRow, reference, lock=lock)
    if row is None:
        raise NotFound(f"there is no dataset {reference}")
    return row


def _refuse_failed(session: Session, name: str) -> None:
    """Raises Conflict where the name is held by a dataset that is of no use, and says how to free it."""
    failed = select(DatasetRow.number).where(DatasetRow.name == name, DatasetRow.status == "failed")
    if session.scalars(failed).first() is not None:
        remedy = f"`ganymede datasets rm {name}` (DELETE /v1/datasets/{name}) frees the name"
        raise Conflict(f"a dataset named {name} exists, whose preparation failed: {remedy}", param="name")


def _flush_named(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(f"a dataset named {name} exists already: choose another name", param="name") from error


def _unshared(session: Session, row: DatasetRow) -> list[str]:
    if row.path is None:
        return []
    shared = session.scalars(select(DatasetRow.number).where(DatasetRow.path == row.path)).first()
    # What a preparation packs may have this address, known only at its end. A folder left over costs space alone.
    kept = shared is not None or live_job(session, JobRow.type == "prepare") is not None
    return [] if kept else [row.path]
