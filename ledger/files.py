"""Which files the ledger names: what a backup takes along, and what a doctor looks for."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.database import Ledger
from ledger.tables import CheckpointRow, DatasetRow, JobRow, PreviewRow


class Named(NamedTuple):
    """A file or folder below the storage root; its size and checksum where the ledger has them."""

    path: str
    bytes: int | None = None
    sha256: str | None = None


def named(ledger: Ledger) -> list[Named]:
    """Everything that the ledger names, in one snapshot on SQLite, the newest checkpoints first."""
    with ledger.reading() as session:
        return named_in(session)


def named_in(session: Session) -> list[Named]:
    """`named`, by a session's own snapshot."""
    return list(dict.fromkeys(name for kind in KINDS for name in kind(session)))


def _checkpoints(session: Session) -> Iterator[Named]:
    table = CheckpointRow.__table__.c
    model, state = (table.path, table.bytes, table.sha256), (table.state_path, table.state_bytes, table.state_sha256)
    for row in session.execute(select(*model, *state).order_by(table.number.desc())):
        yield Named(*row[:3])
        if row[3] is not None:
            yield Named(*row[3:])


def _datasets(session: Session) -> Iterator[Named]:
    for path in session.scalars(select(DatasetRow.path).where(DatasetRow.path.is_not(None))):
        yield Named(str(path))


def _uploads(session: Session) -> Iterator[Named]:
    """Of datasets that are still to be prepared; one whose preparation failed may be tried again."""
    for source in session.scalars(select(DatasetRow.source).where(DatasetRow.status != "ready")):
        if source.get("kind") == "upload":
            yield Named(str(source["path"]))


def _projections(session: Session) -> Iterator[Named]:
    """The images that projections look for: a retry needs them again."""
    for path in session.scalars(select(JobRow.spec["images"].as_string()).where(JobRow.type == "project")):
        if path:
            yield Named(path)


def _previews(session: Session) -> Iterator[Named]:
    for path in session.scalars(select(PreviewRow.path)):
        yield Named(path)


KINDS = (_checkpoints, _datasets, _uploads, _projections, _previews)
