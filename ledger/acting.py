"""Who acts: what the service knows of the caller while a request is served, for the rows that the request makes.

It travels beside the arguments, in a context variable, which threads that the request starts see as well: nothing that
is made on the way needs to know that there are keys. Workers and commands act for nobody.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class Claim:
    """A claim on an `Idempotency-Key`: the number of its `IdempotencyRow`, and the sha256 of the body once it was read.

    What is made first under it is noted in that row, in the same transaction (`ledger.idempotency.note`).
    """

    number: int
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """A caller: the id of its API key (None where keys are off), and its claim on an `Idempotency-Key`, if any."""

    key: str | None = None
    claim: Claim | None = None


NOBODY: Final = Actor()

ACTOR: Final[ContextVar[Actor]] = ContextVar("actor", default=NOBODY)


def acting_key() -> str | None:
    """The id of the key that what is made now belongs to, if any."""
    return ACTOR.get().key
