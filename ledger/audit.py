"""The audit record: which writes were asked for, by whom, and how they were answered."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Final

from sqlalchemy import delete, select

from ledger.clock import now
from ledger.database import Ledger
from ledger.mapping import write_record
from ledger.records import Write
from ledger.tables import AuditRow

DAY: Final = 86_400.0


class Audit:
    """The audit record. Every method is one transaction; all raise Unavailable when the database is away."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def add(self, writes: Iterable[Write]) -> None:
        """Put writes down, in their order."""
        with self._ledger.writing() as session:
            session.add_all(AuditRow(**asdict(write)) for write in writes)

    def list(self, key_id: str | None = None, limit: int = 100) -> Sequence[Write]:
        """The newest writes, of one key if asked for, newest first."""
        wanted = select(AuditRow).order_by(AuditRow.number.desc()).limit(limit)
        if key_id is not None:
            wanted = wanted.where(AuditRow.key_id == key_id)
        with self._ledger.reading() as session:
            return [write_record(row) for row in session.scalars(wanted)]

    def forget(self, days: float) -> None:
        """Delete what is older than so many days."""
        with self._ledger.writing() as session:
            session.execute(delete(AuditRow).where(AuditRow.created_at < now() - days * DAY))
