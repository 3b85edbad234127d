"""What a key may have at most of what the ledger counts: jobs that have not ended, and bytes that are stored.

Both are asked for the key that acts (`ledger.acting`), inside the transaction that makes more of them, with the key's
row locked, so that two requests at once cannot both have the last place.
"""

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gan.errors import QuotaExceeded
from ledger.acting import acting_key
from ledger.states import TERMINAL
from ledger.tables import CheckpointRow, DatasetRow, JobRow, KeyRow, ModelRow

JOBS_RETRY_AFTER: Final = 10
BYTES_RETRY_AFTER: Final = 60
"""Seconds after which it may be tried again: a job may have ended, something may have been deleted."""


def check_jobs(session: Session) -> None:
    """Raises QuotaExceeded where the acting key has as many jobs that have not ended as it may."""
    key = _acting(session)
    if key is None or key.concurrent_jobs is None:
        return
    live = select(func.count()).where(JobRow.key_id == key.id, JobRow.status.not_in(TERMINAL))
    if session.scalars(live).one() >= key.concurrent_jobs:
        raise QuotaExceeded(
            f"this key may have {key.concurrent_jobs} jobs at once (concurrent_jobs), and has as many: "
            "wait for one to end, or cancel one",
            retry_after=JOBS_RETRY_AFTER,
        )


def check_bytes(session: Session, more: int = 0) -> None:
    """Raises QuotaExceeded where what the acting key has stored, and `more` bytes, are more than it may have."""
    key = _acting(session)
    if key is None or key.stored_bytes is None:
        return
    stored = stored_bytes(session, key.id)
    if stored + more > key.stored_bytes or stored == key.stored_bytes:
        raise QuotaExceeded(
            f"this key may store {key.stored_bytes} bytes (stored_bytes) and has {stored}: "
            "delete datasets, models or checkpoints",
            retry_after=BYTES_RETRY_AFTER,
        )


def stored_bytes(session: Session, key_id: str) -> int:
    """The bytes of a key's datasets that are prepared, and of the checkpoints of its models."""
    datasets = select(func.coalesce(func.sum(DatasetRow.bytes), 0)).where(DatasetRow.key_id == key_id)
    both = func.coalesce(CheckpointRow.bytes, 0) + func.coalesce(CheckpointRow.state_bytes, 0)
    checkpoints = (
        select(func.coalesce(func.sum(both), 0))
        .join(ModelRow, ModelRow.id == CheckpointRow.model_id)
        .where(ModelRow.key_id == key_id)
    )
    return sum(int(session.scalars(summed).one() or 0) for summed in (datasets, checkpoints))


def _acting(session: Session) -> KeyRow | None:
    """The acting key, locked where the transaction writes; None where nobody acts, or nothing of it is limited."""
    id = acting_key()
    if id is None:
        return None
    return session.scalars(select(KeyRow).where(KeyRow.id == id).with_for_update()).one_or_none()
