"""Networks in memory, bounded in bytes: the least recently used leaves, one in use never does.

Belongs to the event loop: every method is called there, and only the loading itself happens in a thread.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from gan.errors import LimitExceeded
from ledger.records import Checkpoint
from service.engine.runtime import Loaded, Part
from service.meters import Meters

Load = Callable[[Checkpoint, Part], Awaitable[Loaded]]
Key = tuple[str, Part]
"""A checkpoint's id, and which of its networks."""


@dataclass(eq=False)
class Entry:
    """A network that is loaded or loading, how many requests use it right now, and whether it must not make room."""

    loading: asyncio.Task[Loaded]
    users: int = 0
    kept: bool = False

    @property
    def ready(self) -> bool:
        """Whether it lies in memory."""
        return self.loading.done() and not self.loading.cancelled() and self.loading.exception() is None

    @property
    def bytes(self) -> int:
        """What it takes; one still loading is not weighed yet."""
        return self.loading.result().bytes if self.ready else 0


class Held(NamedTuple):
    """Bytes that a network takes in memory, 0 where it does not lie there, and whether it stays there."""

    bytes: int
    kept: bool


class Cache:
    """Checkpoint and part → network, the most recently used last. `load` is called once for all who ask."""

    def __init__(self, load: Load, max_bytes: int, meters: Meters) -> None:
        self._load = load
        self._max_bytes = max_bytes
        self._meters = meters
        self._entries: OrderedDict[Key, Entry] = OrderedDict()

    @property
    def ids(self) -> frozenset[str]:
        """The checkpoints that lie in memory."""
        return frozenset(id for (id, _), entry in self._entries.items() if entry.ready)

    def __len__(self) -> int:
        """How many networks lie in memory."""
        return sum(entry.ready for entry in list(self._entries.values()))

    @property
    def bytes(self) -> int:
        """What all of them take."""
        return sum(entry.bytes for entry in list(self._entries.values()))

    def held(self, id: str, part: Part = None) -> Held:
        """What of a checkpoint's network lies in memory."""
        entry = self._entries.get((id, part))
        return Held(entry.bytes, entry.kept) if entry is not None and entry.ready else Held(0, kept=False)

    async def keep(self, checkpoint: Checkpoint, part: Part, *, kept: bool) -> Held:
        """Has a network in memory, and has it stay there or not. Raises what loading raises, and LimitExceeded where
        what is kept would fill more than half of the bound."""
        async with self.using(checkpoint, part):
            entry = self._entry(checkpoint, part)
            others = sum(other.bytes for other in self._entries.values() if other.kept and other is not entry)
            if kept and 2 * (others + entry.bytes) > self._max_bytes:
                raise LimitExceeded(
                    f"{others} bytes are kept already, and this takes {entry.bytes}: networks that stay in memory may "
                    f"fill half of {self._max_bytes} bytes (GANYMEDE_MAX_LOADED_BYTES)"
                )
            entry.kept = kept
            return Held(entry.bytes, kept)

    def drop(self, ids: Collection[str]) -> None:
        """Lets all networks of these checkpoints go: now, or with the last request that uses them."""
        for key in [key for key in self._entries if key[0] in ids]:
            del self._entries[key]

    @asynccontextmanager
    async def using(self, checkpoint: Checkpoint, part: Part = None) -> AsyncIterator[Loaded]:
        """A network of a checkpoint's, in memory at least until the block ends. Raises what loading raises."""
        entry = self._entry(checkpoint, part)
        entry.users += 1
        try:
            yield await asyncio.shield(entry.loading)
        finally:
            entry.users -= 1
            self._shrink()

    def _entry(self, checkpoint: Checkpoint, part: Part) -> Entry:
        key = (checkpoint.id, part)
        if key not in self._entries:
            loading = asyncio.ensure_future(self._load(checkpoint, part))
            loading.add_done_callback(lambda _: self._settle(key))
            self._entries[key] = Entry(loading)
        self._entries.move_to_end(key)
        return self._entries[key]

    def _settle(self, key: Key) -> None:
        """A load has ended: a failed one is forgotten, so that the next request tries anew."""
        entry = self._entries.get(key)
        if entry is not None and entry.loading.done() and not entry.ready:
            del self._entries[key]
        self._shrink()

    def _shrink(self) -> None:
        """Lets the least recently used go until the rest fits; those in use and those loading stay."""
        idle = [key for key, entry in self._entries.items() if entry.users == 0 and entry.ready and not entry.kept]
        for key in idle:
            if self.bytes <= self._max_bytes:
                break
            del self._entries[key]
            self._meters.evicted.inc()
