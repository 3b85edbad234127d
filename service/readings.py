"""What the ledger says now: asked once for all requests that came before it was asked, and not again while it holds.

A request never gets an answer from before it came, so that a checkpoint which has just been published, or a model which
has just been deleted, is seen by every request after that. Under load, requests that arrive while the ledger is read
share the next reading, whatever they ask for. Where the database says that nothing was committed since
(`ledger.stamp`), what was read then is the answer still.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")

Read = Callable[[Sequence[str]], Awaitable[Mapping[str, T | Exception]]]
"""Keys → what the ledger says of each, or what it raises."""
REST: Final = 0.004
"""Seconds from a reading that several shared to the next: more then share that one, and the database has less to do."""
MOST_KNOWN: Final = 20_000
"""Answers that are remembered at most."""


class Readings(Generic[T]):
    """Belongs to the event loop. `read` asks the ledger; `stamp` is equal to an earlier one while its answers hold."""

    def __init__(self, read: Read[T], stamp: Callable[[], Hashable | None]) -> None:
        self._read = read
        self._stamp = stamp
        self._asked: dict[str, asyncio.Future[T]] = {}
        self._task: asyncio.Task[None] | None = None
        self._known: dict[str, T] = {}
        self._known_at: Hashable | None = None
        self._fresh = False
        self._rested_at = 0.0

    async def __call__(self, key: str) -> T:
        """What the ledger says of the key. Raises what reading raises."""
        if key in self._known and self._known_holds():
            return self._known[key]
        if key not in self._asked:
            self._asked[key] = asyncio.get_running_loop().create_future()
            self._asked[key].add_done_callback(heard)
        answer = self._asked[key]
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name="readings")
        return await asyncio.shield(answer)

    def _known_holds(self) -> bool:
        """Whether nothing was committed since. Asked once for all requests that the event loop was told of at once: all
        of these had come before it was asked."""
        if not self._fresh:
            self._fresh = self._holds(self._stamp())
            asyncio.get_running_loop().call_soon(self._look_again)
        return self._fresh

    def _look_again(self) -> None:
        self._fresh = False

    def _holds(self, stamp: Hashable | None) -> bool:
        """Whether what is known was read at that stamp."""
        return stamp is not None and stamp == self._known_at

    async def _follow(self) -> None:
        """Reads until nobody has asked for anything meanwhile."""
        loop = asyncio.get_running_loop()
        try:
            while self._asked:
                await asyncio.sleep(max(0.0, self._rested_at - loop.time()))
                asked, self._asked = self._asked, {}
                await self._answer(asked)
                self._rested_at = loop.time() + REST * (len(asked) > 1)
        finally:
            self._task = None

    async def _answer(self, asked: dict[str, asyncio.Future[T]]) -> None:
        stamp = self._stamp()
        try:
            found = await self._read(list(asked))
        except Exception as error:  # the database is away: whoever waits is told
            found = dict.fromkeys(asked, error)
        if not self._holds(stamp) or len(self._known) > MOST_KNOWN:
            self._known, self._known_at = {}, stamp
        for key, answer in asked.items():
            said = found[key]
            if isinstance(said, Exception):
                answer.set_exception(said)
            else:
                self._known[key] = said
                answer.set_result(said)


def heard(answer: asyncio.Future[T]) -> None:
    """A failure that nobody waits for any more is no news for the log."""
    if not answer.cancelled():
        answer.exception()
