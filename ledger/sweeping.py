"""What processes that were killed left in storage: found by asking the ledger what it refers to, and removed."""

from typing import Any

from sqlalchemy import ColumnElement, Select, select

from ledger.database import Ledger
from ledger.storage import ABANDONED_SECONDS, SCRATCH, Storage
from ledger.tables import DatasetRow, JobRow, ModelRow


def _below(folder: str, id: Any, *wanted: ColumnElement[bool]) -> Select[Any]:
    return select(f"{folder}/" + id).where(*wanted)


KEPT: dict[str, Select[Any]] = {
    "uploads": _below("uploads", DatasetRow.id, DatasetRow.status != "ready"),
    "checkpoints": _below("checkpoints", ModelRow.id),
    "previews": _below("previews", JobRow.id),
    "projections": select(JobRow.spec["images"].as_string()).where(JobRow.type == "project"),
}
"""Folder of the storage → the paths in it that are somebody's. Packed datasets are not here: a preparation may be about
to come to the address of one that nobody has at the moment."""


def sweep(ledger: Ledger, storage: Storage) -> list[str]:
    """Remove scratch that nobody fills any more, and what was stored for things that never came to be, or are gone.

    Nothing that was written within the hour is touched: whoever is at work writes. Returns the paths. Raises
    Unavailable, OSError, StorageFull.
    """
    before = storage.clock() - ABANDONED_SECONDS
    swept = storage.sweep(SCRATCH, (), before)
    for folder, wanted in KEPT.items():
        with ledger.reading() as session:
            kept: set[str] = set(session.scalars(wanted))
        swept += storage.sweep(folder, kept, before)
    return swept
