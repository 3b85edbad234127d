"""One transaction's steps along the edges of a job's states, and the guard of everything that a holder writes."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Update, case, select, update
from sqlalchemy.orm import Session

from gan.errors import Conflict, LostClaim, WorkerLost
from ledger.clock import now
from ledger.database import record
from ledger.states import ATTEMPTS, EDGES, HELD, LET_GO, TERMINAL, before
from ledger.tables import DatasetRow, JobRow


def held_under(id: str, epoch: int) -> list[ColumnElement[bool]]:
    """The condition that guards a holder's writes."""
    return [JobRow.id == id, JobRow.epoch == epoch, JobRow.status.in_(HELD)]


def lock(session: Session, id: str, epoch: int) -> None:
    """Hold the row for this transaction without changing it. Raises LostClaim."""
    if session.scalars(select(JobRow.number).where(*held_under(id, epoch)).with_for_update()).one_or_none() is None:
        raise LostClaim(f"job {id} is no longer held under epoch {epoch}")


def hold(session: Session, id: str, epoch: int, **values: Any) -> JobRow:
    """Change a held row. Raises LostClaim."""
    for row in _run(session, update(JobRow).where(*held_under(id, epoch)).values(**values)):
        return row
    raise LostClaim(f"job {id} is no longer held under epoch {epoch}")


def _run(session: Session, statement: Update) -> list[JobRow]:
    """Execute an UPDATE and return the rows as it left them."""
    returned = statement.returning(JobRow).execution_options(populate_existing=True, synchronize_session=False)
    return list(session.scalars(returned))


def move(
    session: Session, statement: Update, edges: dict[str, str], data: dict[str, Any], **values: Any
) -> list[JobRow]:
    """Take rows along edges of `EDGES`, with all that follows: version, times, events, a preparation's dataset.

    Rows in other statuses stay as they are: the statement is guarded by the statuses that `edges` begins with.
    """
    assert all(later in EDGES[earlier] for earlier, later in edges.items()), edges
    guarded = statement.where(JobRow.status.in_(edges))
    moved = _run(session, guarded.values(_consequences(edges) | values))
    for row in moved:
        _tell(session, row, data)
    return moved


def _consequences(edges: dict[str, str]) -> dict[str, Any]:
    """Column → value of every row that moves along `edges`; a job that nobody holds any more has no lease or worker."""
    ending = [earlier for earlier, later in edges.items() if later in TERMINAL]
    holding = [earlier for earlier, later in edges.items() if later in HELD]
    waiting = [earlier for earlier, later in edges.items() if later not in TERMINAL | HELD]
    return {
        "status": case(edges, value=JobRow.status),
        "version": JobRow.version + 1,
        "finished_at": case((JobRow.status.in_(ending), now())),
        "lease_until": case((JobRow.status.in_(holding), JobRow.lease_until)),
        "worker": case((JobRow.status.in_(waiting), None), else_=JobRow.worker),
        "device": case((JobRow.status.in_(waiting), None), else_=JobRow.device),
    }


def _tell(session: Session, row: JobRow, data: dict[str, Any]) -> None:
    told = {"status": row.status, "epoch": row.epoch, "attempt": row.attempt, **data}
    if row.error is not None:
        told["error"] = row.error
    record(session, row.id, "job.requeued" if row.status == "queued" else f"job.{row.status}", told)
    if row.type == "prepare" and row.status in TERMINAL - {"succeeded"}:
        _fail_dataset(session, row)


def _fail_dataset(session: Session, job: JobRow) -> None:
    """A preparation that did not succeed leaves a failed dataset, with the reason."""
    error = job.error or {"code": "cancelled", "message": "its preparation was cancelled", "param": None}
    preparing = update(DatasetRow).where(DatasetRow.id == job.dataset_id, DatasetRow.status == "preparing")
    session.execute(preparing.values(status="failed", error=error))


def end(session: Session, id: str, epoch: int, status: str, values: dict[str, Any]) -> JobRow:
    """End a held job. Raises LostClaim, or Conflict where its status has no edge to that end."""
    edges = dict.fromkeys(sorted(before(status) & HELD), status)
    mine, told = update(JobRow).where(*held_under(id, epoch)), {"ended_by": values.get("ended_by")}
    for row in move(session, mine, edges, told, **values):
        return row
    lock(session, id, epoch)
    raise Conflict(f"job {id} cannot become {status} now")


def lose(session: Session, condition: Iterable[ColumnElement[bool]], reason: str) -> list[JobRow]:
    """Take held jobs that meet the condition from their holders: back to the queue, or failed the third time."""
    held = select(JobRow.number).where(JobRow.status.in_(HELD), *condition).order_by(JobRow.number)
    numbers = list(session.scalars(held.with_for_update(skip_locked=True)))
    if not numbers:
        return []
    taken = update(JobRow).where(JobRow.number.in_(numbers))
    message = f"the worker died {ATTEMPTS} times without a new checkpoint; the machine's log may say why"
    error = {"code": WorkerLost.code, "message": message, "param": None}
    data, attempt = {"reason": reason}, JobRow.attempt + 1
    worn = taken.where(JobRow.attempt >= ATTEMPTS - 1)
    failed = move(session, worn, {"running": "failed"}, data, attempt=attempt, error=error)
    return failed + move(session, taken, LET_GO, data, attempt=attempt)
