"""Which checkpoint a reference means now: asked of the ledger once for all requests that came before it was asked.

A request never gets an answer from before it came, so that a checkpoint which has just been published, or a model which
has just been deleted, is seen by every request after that. Under load, requests that arrive while the ledger is read
share the next reading.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ledger.records import Checkpoint, Model

Found = tuple[Model, Checkpoint]
Read = Callable[[str], Awaitable[Found]]


@dataclass
class Turns:
    """Of one reference: the reading that is under way, and the next, which has not begun."""

    now: asyncio.Task[Found] | None = None
    next: asyncio.Task[Found] | None = None


def heard(reading: asyncio.Task[Found]) -> None:
    """A failure that nobody waits for any more is no news for the log."""
    if not reading.cancelled():
        reading.exception()


class Resolving:
    """Belongs to the event loop, as the cache does. `read` asks the ledger."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._turns: dict[str, Turns] = {}

    async def __call__(self, reference: str) -> Found:
        """What the reference means. Raises what reading raises: NotFound, Conflict, Unavailable."""
        turns = self._turns.setdefault(reference, Turns())
        if turns.next is None:
            turns.next = asyncio.ensure_future(self._turn(reference, turns))
            turns.next.add_done_callback(heard)
        return await asyncio.shield(turns.next)

    async def _turn(self, reference: str, turns: Turns) -> Found:
        if turns.now is not None:
            await asyncio.wait([turns.now])
        turns.now, turns.next = turns.next, None
        try:
            return await self._read(reference)
        finally:
            if turns.next is None:
                del self._turns[reference]
