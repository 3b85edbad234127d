"""`Idempotency-Key`s: who asked for what under which key, what that made first, and how it was answered.

A row is there before the request is served. What the request makes first is noted in it by the transaction that makes
it, so that a service which dies between that commit and its answer has left what the answer was about. While a request
is served its row is renewed; one that was not for `DEAD_SECONDS` and made nothing belongs to a service that has died.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Update, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gan.errors import LostClaim
from ledger.acting import ACTOR
from ledger.clock import now
from ledger.database import Ledger
from ledger.tables import IdempotencyRow

KEPT_SECONDS: Final = 24 * 3600.0
"""How long an answer is given again."""
RENEW_SECONDS: Final = 5.0
DEAD_SECONDS: Final = 20.0
"""How often the row of a request that is being served is renewed, and after how long without it is free again."""

CLAIM_TRIES: Final = 3
"""Two who claim one key at once: one of them has to look again."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """A row. `status` is None until the request was answered, `body` also where the answer was too large to keep."""

    number: int
    call: str
    digest: str | None
    resource: str | None
    status: int | None
    headers: dict[str, str]
    body: str | None


class IdempotencyKeys:
    """The idempotency keys of a ledger. Every method is one transaction; all raise Unavailable while it is away."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def claim(self, owner: str, key: str, call: str) -> tuple[Keyed, bool]:
        """The row of an owner's key, and whether it was made now, for this call: the caller then has to serve it.

        Rows that are older than a day go on the way.
        """
        for _ in range(CLAIM_TRIES):
            try:
                return self._claimed(owner, key, call)
            except IntegrityError:  # somebody else's row came between looking and writing
                continue
        raise LostClaim("the same Idempotency-Key is claimed by many at once")

    def _claimed(self, owner: str, key: str, call: str) -> tuple[Keyed, bool]:
        with self._ledger.writing() as session:
            session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < now() - KEPT_SECONDS))
            own = (IdempotencyRow.owner == owner) & (IdempotencyRow.key == key)
            session.execute(delete(IdempotencyRow).where(own, *_abandoned()))
            row = session.scalars(select(IdempotencyRow).where(own)).one_or_none()
            if row is not None:
                return _keyed(row), False
            row = IdempotencyRow(owner=owner, key=key, call=call)
            session.add(row)
            session.flush()
            return _keyed(row), True

    def renew(self, number: int) -> None:
        """The request of this row is still being served."""
        with self._ledger.writing() as session:
            session.execute(_row(number).values(created_at=now()))

    def answer(self, number: int, digest: str, status: int, headers: dict[str, str], body: str | None) -> None:
        """Keep how a request was answered, with the sha256 of its body."""
        with self._ledger.writing() as session:
            session.execute(_row(number).values(digest=digest, status=status, headers=headers, body=body))

    def free(self, number: int) -> None:
        """Let the key of a request that failed be used anew; one that has made something stays."""
        with self._ledger.writing() as session:
            made_nothing = IdempotencyRow.resource.is_(None)
            session.execute(delete(IdempotencyRow).where(IdempotencyRow.number == number, made_nothing))


def note(session: Session, resource: str) -> None:
    """Note in this transaction what a request under an `Idempotency-Key` makes, if it is the first thing.

    Raises LostClaim where the request was taken for dead and its key claimed by another: nothing is made twice.
    """
    claim = ACTOR.get().claim
    if claim is None:
        return
    wanted = select(IdempotencyRow).where(IdempotencyRow.number == claim.number).with_for_update()
    row = session.scalars(wanted).one_or_none()
    if row is None:
        raise LostClaim("this request took so long that its Idempotency-Key was claimed again")
    if row.resource is None:
        row.resource, row.digest = resource, claim.digest


def _abandoned() -> tuple[ColumnElement[bool], ...]:
    """The condition of a row whose service has died before it made anything."""
    unanswered = IdempotencyRow.status.is_(None), IdempotencyRow.resource.is_(None)
    return *unanswered, IdempotencyRow.created_at < now() - DEAD_SECONDS


def _row(number: int) -> Update:
    return update(IdempotencyRow).where(IdempotencyRow.number == number)


def _keyed(row: IdempotencyRow) -> Keyed:
    return Keyed(row.number, row.call, row.digest, row.resource, row.status, row.headers, row.body)
