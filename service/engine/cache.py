"""Networks in memory, bounded in bytes: the least recently used leaves, one in use never does.

Belongs to the event loop: every method is called there, and only the loading itself happens in a thread.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ledger.records import Checkpoint
from service.engine.runtime import Loaded, Part
from service.meters import Meters

Load = Callable[[Checkpoint, Part], Awaitable[Loaded]]
Key = tuple[str, Part]
"""A checkpoint's id, and which of its networks."""


@dataclass(eq=False)
class Entry:
    """A network that is loaded or loading, and how many requests use it right now."""

    loading: asyncio.Task[Loaded]
    users: int = 0

    @property
    def ready(self) -> bool:
        """Whether it lies in memory."""
        return self.loading.done() and not self.loading.cancelled() and self.loading.exception() is None

    @property
    def bytes(self) -> int:
        """What it takes; one still loading is not weighed yet."""
        return self.loading.result().bytes if self.ready else 0


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
        if not self._entries[key].ready:
            del self._entries[key]
        self._shrink()

    def _shrink(self) -> None:
        """Lets the least recently used go until the rest fits; those in use and those loading stay."""
        idle = [key for key, entry in self._entries.items() if entry.users == 0 and entry.ready]
        for key in idle:
            if self.bytes <= self._max_bytes:
                break
            del self._entries[key]
            self._meters.evicted.inc()
