"""Waiting without threads: one task follows the ledger's events and wakes whoever waits for a change of that job.

The task polls only while somebody waits. A waiter is a future; a hundred of them cost one query in 0.2 s.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from gan.errors import Unavailable
from ledger.records import Event

T = TypeVar("T")

POLL_SECONDS: Final = 0.2
"""How often the ledger is asked for new events while somebody waits."""

ANY_JOB: Final = ""
"""What who waits for an event of any job waits for."""

NOTHING_SEEN: Final = -1
"""Before the first look at the event table."""


class Watcher:
    """Wakes those who wait for a job, as its events appear in the ledger. Belongs to one event loop.

    `newest` gives the highest event number, `after` the events beyond one (oldest first, perhaps only the first few).
    """

    def __init__(
        self,
        newest: Callable[[], Awaitable[int]],
        after: Callable[[int], Awaitable[list[Event]]],
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._newest = newest
        self._after = after
        self._poll_seconds = poll_seconds
        self._waiters: dict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None
        self._seen = NOTHING_SEEN
        self._closed = False

    async def until(self, job: str, look: Callable[[], Awaitable[T]], done: Callable[[T], bool], seconds: float) -> T:
        """Look again after every event of `job` (`ANY_JOB`: of any) until `done`, or until `seconds` have passed; the
        last look counts.

        Raises what `look` raises.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            waiter = self._enter(job)
            try:
                seen = await look()
                left = deadline - loop.time()
                if done(seen) or left <= 0 or self._closed:
                    return seen
                await asyncio.wait((waiter,), timeout=left)
            finally:
                self._leave(job, waiter)

    def close(self) -> None:
        """Wake everybody for a last look, and let nobody wait any more: the service is ending."""
        self._closed = True
        self._wake(list(self._waiters))

    async def stop(self) -> None:
        """Close, and end the task."""
        self.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _enter(self, job: str) -> asyncio.Future[None]:
        """A future that the job's next event resolves; made before looking, so that no event falls between the two."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[job].add(waiter)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow(), name="watcher")
        return waiter

    def _leave(self, job: str, waiter: asyncio.Future[None]) -> None:
        waiter.cancel()
        waiters = self._waiters[job]
        waiters.discard(waiter)
        if not waiters:
            del self._waiters[job]

    async def _follow(self) -> None:
        """While anyone waits: new events wake their jobs; after a pause or an outage everybody looks once."""
        while self._waiters:
            try:
                await self._step()
            except Unavailable:
                self._seen = NOTHING_SEEN
                self._wake(list(self._waiters))
            await asyncio.sleep(self._poll_seconds)
        self._seen = NOTHING_SEEN

    async def _step(self) -> None:
        if self._seen == NOTHING_SEEN:
            self._seen = await self._newest()
            self._wake(list(self._waiters))
            return
        events = await self._after(self._seen)
        if events:
            self._seen = events[-1].number
            self._wake({ANY_JOB, *(event.job_id for event in events)})

    def _wake(self, jobs: Iterable[str]) -> None:
        for job in jobs:
            for waiter in [waiter for waiter in self._waiters.get(job, ()) if not waiter.done()]:
                waiter.set_result(None)
