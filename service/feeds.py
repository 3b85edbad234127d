"""What happens to jobs, told to all who watch: one feed a watched job, filled by one task, whoever reads it.

A watcher has no queue: it holds a place in each of its feeds' frames, which all watchers share, encoded once. Frames
that are too old are forgotten; who has not read them by then has to come again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from itertools import accumulate
from operator import itemgetter
from typing import Final, NamedTuple

from gan.errors import NotFound, Unavailable
from ledger.following import Mark, Story
from ledger.records import Event, MetricsRow
from ledger.states import TERMINAL
from service import schemas
from service.readings import heard
from service.standing import Standing

logger = logging.getLogger("service")

POLL_SECONDS: Final = 0.25
"""How often the ledger is asked what is new while anybody watches."""
MOST_EVENTS: Final = 1000
"""Events of a job that are kept to be replayed (older ones are read for who asks for them), and of all read at once."""
MOST_FRAMES: Final = 256
"""Frames by which a watcher may lie behind."""
ENDS: Final = frozenset(f"job.{status}" for status in TERMINAL)
"""The types of events that are a job's last."""


class Frame(NamedTuple):
    """A message of a stream; `number` is that of the event it tells, None of one that is not replayed."""

    number: int | None
    content: bytes


def frame(event: str, data: bytes, number: int | None = None) -> Frame:
    """A server-sent event of one line of data (HTML standard, section 9.2)."""
    id = b"" if number is None else b"id: %d\n" % number
    return Frame(number, b"%sevent: %s\ndata: %s\n\n" % (id, event.encode(), data))


def event_frame(row: Event) -> Frame:
    """A ledger's event, under its number."""
    return frame(row.type, schemas.Event.of(row).model_dump_json().encode(), row.number)


def metrics_frame(job: str, rows: Sequence[MetricsRow]) -> Frame:
    """Rows of a job's series."""
    return frame("metrics", schemas.Metrics.of(job, rows).model_dump_json().encode())


class Lagging(Exception):
    """A watcher's place is no longer among the frames that are kept."""


class Feed:
    """What is known of one watched job. `frames` are the newest of all, `events` the newest that can be replayed."""

    def __init__(self, job: str) -> None:
        self.job = job
        self.watchers = 0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ready.add_done_callback(heard)
        self.news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.frames: deque[Frame] = deque(maxlen=MOST_FRAMES)
        self.end = 0
        self.events: deque[Frame] = deque(maxlen=MOST_EVENTS)
        self.whole = True
        self.last = 0
        self.ended = False
        self.gone = False
        self.mark = Mark()
        self.standing: Standing | None = None
        self.standing_frame = Frame(None, b"")

    def begin(self, story: Story, standing: Standing) -> None:
        """The story so far."""
        self.whole, self.mark = story.whole, story.mark
        self._keep(story.events)
        self._stand(standing)

    @property
    def going(self) -> bool:
        """Whether it has begun and more is to come."""
        return self.standing is not None and not (self.ended or self.gone)

    def tell(self, rows: Sequence[MetricsRow], standing: Standing, events: Sequence[Event]) -> None:
        """What is new: rows, how the job stands now, and events, which come last so that the last of all is the end."""
        before, place = self.standing, self.end
        if rows:
            self.mark = self.mark.beyond(rows)
            self._add(metrics_frame(self.job, rows))
        if before is None or before.etag != standing.etag:
            self._stand(standing)
            self._add(self.standing_frame)
        for told in self._keep([event for event in events if event.number > self.last]):
            self._add(told)
        if self.end != place:
            self.wake()

    def leave(self) -> None:
        """Nothing more is known of the job: it was deleted."""
        self.gone = True
        if not self.ready.done():
            self.ready.set_result(None)
        self.wake()

    def wake(self) -> None:
        """Have all watchers look."""
        self.news.set_result(None)
        self.news = asyncio.get_running_loop().create_future()

    def replayed(self, after: int) -> list[Frame]:
        """The kept events beyond a number."""
        return [told for told in self.events if told.number is not None and told.number > after]

    @property
    def floor(self) -> int:
        """The number below which events have to be read from the ledger; 0 where all are kept."""
        first = self.events[0].number if self.events else None
        return 0 if self.whole or first is None else first

    def since(self, place: int) -> list[Frame]:
        """The frames beyond a place; of how the job stood, the newest alone. Raises Lagging."""
        missed = self.end - place
        if missed > len(self.frames):
            raise Lagging
        news = [self.frames[i] for i in range(len(self.frames) - missed, len(self.frames))]
        return [told for told in news if told is self.standing_frame or not is_standing(told)]

    def _keep(self, events: Sequence[Event]) -> Iterator[Frame]:
        told = [event_frame(event) for event in events]
        if len(self.events) + len(told) > MOST_EVENTS:
            self.whole = False
        self.events.extend(told)
        if events:
            self.last = events[-1].number
            self.ended = events[-1].type in ENDS
        return iter(told)

    def _stand(self, standing: Standing) -> None:
        self.standing, self.standing_frame = standing, frame("job", standing.body)

    def _add(self, told: Frame) -> None:
        self.frames.append(told)
        self.end += 1


STANDING: Final = b"event: job\n"


def is_standing(told: Frame) -> bool:
    """Whether a frame says how its job stands."""
    return told.content.startswith(STANDING)


def in_order(parts: Iterable[Sequence[Frame]]) -> list[Frame]:
    """Frames of several feeds by their numbers; what has none follows what stood before it in its own feed."""
    keyed = [(accumulate((told.number or 0 for told in part), max), part) for part in parts]
    placed = [pair for numbers, part in keyed for pair in zip(numbers, part, strict=True)]
    return [told for _, told in sorted(placed, key=itemgetter(0))]


Begin = Callable[[Collection[str], int], Awaitable[tuple[int, dict[str, Story]]]]
GoOn = Callable[[Mapping[str, Mark], int, int], Awaitable[tuple[list[Event], dict[str, list[MetricsRow]]]]]


class Feeds:
    """The feeds of all jobs that anybody watches. Belongs to one event loop.

    `begin` and `go_on` are those of `ledger.following.Following`, `standing` says how a job stands, `stamp` is equal to
    an earlier one while nothing was committed. The ledger is asked while a watched job goes on, and not otherwise.
    """

    def __init__(
        self,
        begin: Begin,
        go_on: GoOn,
        standing: Callable[[str], Awaitable[Standing]],
        stamp: Callable[[], Hashable | None],
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._begin, self._go_on, self._standing, self._stamp = begin, go_on, standing, stamp
        self._poll_seconds = poll_seconds
        self._feeds: dict[str, Feed] = {}
        self._task: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()
        self._seen = 0
        self._seen_at: Hashable | None = None
        self._sending: set[asyncio.Timeout] = set()
        self.closed = False

    @property
    def watchers(self) -> int:
        """How many watch."""
        return sum(feed.watchers for feed in self._feeds.values())

    @asynccontextmanager
    async def watching(self, *jobs: str) -> AsyncIterator[list[Feed]]:
        """The feeds of these jobs, once all have begun: of what follows, each event has a number above all that they
        have told. Raises NotFound, Unavailable."""
        feeds = [self._feeds.get(job) or self._feeds.setdefault(job, Feed(job)) for job in jobs]
        for feed in feeds:
            feed.watchers += 1
        try:
            for feed in feeds:
                self._follow_on(feed)
            for feed in feeds:
                await asyncio.shield(feed.ready)
            yield feeds
        finally:
            for feed in feeds:
                self._let_go(feed)

    def _let_go(self, feed: Feed) -> None:
        feed.watchers -= 1
        if not feed.watchers and self._feeds.get(feed.job) is feed:
            del self._feeds[feed.job]

    @asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        """What is done within must not take longer, nor outlast the feeds. Raises TimeoutError."""
        async with asyncio.timeout(0 if self.closed else seconds) as limit:
            self._sending.add(limit)
            try:
                yield
            finally:
                self._sending.discard(limit)

    def close(self) -> None:
        """End all streams, also those whose watchers do not read: the service is ending."""
        self.closed = True
        now = asyncio.get_running_loop().time()
        for limit in (limit for limit in self._sending if not limit.expired()):
            limit.reschedule(now)
        for feed in self._feeds.values():
            if not feed.ready.done():
                feed.ready.set_exception(Unavailable("the server is ending"))
            feed.wake()

    async def stop(self) -> None:
        """Close, and end the task."""
        self.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _follow_on(self, feed: Feed) -> None:
        if self.closed:
            raise Unavailable("the server is ending")
        if not feed.ready.done():
            self._asked.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow(), name="feeds")

    async def _follow(self) -> None:
        """While anybody watches: new feeds begin, then all are told what is new. An outage is waited out."""
        while self._feeds and not self.closed:
            self._asked.clear()
            try:
                await self._begin_new()
                if await self._tell_news():
                    self._open()
            except Unavailable as error:
                self._seen_at = None
                self._refuse([feed for feed in self._feeds.values() if not feed.ready.done()], error)
            except Exception:
                logger.exception("following jobs failed")
                self._leave(list(self._feeds.values()))
            await self._rest()

    def _leave(self, feeds: Iterable[Feed]) -> None:
        """End the streams of these jobs; who comes again is told why."""
        for feed in feeds:
            self._feeds.pop(feed.job, None)
            feed.leave()

    async def _rest(self) -> None:
        """Until it is time to ask again, or somebody watches another job."""
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._asked.wait()
        except TimeoutError:
            return

    def _open(self) -> None:
        """Let in those who wait for feeds that have begun, now that all feeds have been read equally far: who watches
        several is told what happened in its order."""
        for feed in self._feeds.values():
            if feed.standing and not feed.ready.done():
                feed.ready.set_result(None)

    async def _begin_new(self) -> None:
        new = [feed for feed in self._feeds.values() if not (feed.standing or feed.ready.done())]
        if not new:
            return
        try:
            number, stories = await self._begin([feed.job for feed in new], MOST_EVENTS)
            standings = await self._standings(new)
        except Exception as error:
            self._refuse(new, error)
            return
        if not self._going():
            self._seen = number
        for feed in new:
            self._started(feed, stories[feed.job], standings[feed.job])

    def _started(self, feed: Feed, story: Story, standing: Standing | Exception) -> None:
        if isinstance(standing, Exception):
            self._refuse([feed], standing)
        elif not feed.ready.done():
            feed.begin(story, standing)
            self._seen_at = None

    def _refuse(self, feeds: Sequence[Feed], error: Exception) -> None:
        """Whoever waits for these is told; the next who asks begins anew."""
        for feed in feeds:
            if self._feeds.get(feed.job) is feed:
                del self._feeds[feed.job]
            if not feed.ready.done():
                feed.ready.set_exception(error)

    def _going(self) -> list[Feed]:
        """The feeds of jobs that have not ended."""
        return [feed for feed in self._feeds.values() if feed.going]

    async def _tell_news(self) -> bool:
        """Whether that is all. Events are read before the rest, which therefore is at least as new as they are."""
        going, stamp = self._going(), self._stamp()
        if not going or (stamp is not None and stamp == self._seen_at):
            return True
        events, series = await self._go_on({feed.job: feed.mark for feed in going}, self._seen, MOST_EVENTS)
        standings = await self._standings(going)
        for feed in going:
            standing = standings[feed.job]
            if isinstance(standing, Exception):
                self._leave([feed])
            else:
                feed.tell(series.get(feed.job, ()), standing, [event for event in events if event.job_id == feed.job])
        self._seen = events[-1].number if events else self._seen
        whole = len(events) < MOST_EVENTS
        self._seen_at = stamp if whole else None
        return whole

    async def _standings(self, feeds: Sequence[Feed]) -> dict[str, Standing | Exception]:
        """How these jobs stand, or that there is no such job. Raises Unavailable."""
        found = await asyncio.gather(*(self._standing(feed.job) for feed in feeds), return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException) and not isinstance(one, NotFound):
                raise one
        return {feed.job: one for feed, one in zip(feeds, found, strict=True) if isinstance(one, Standing | NotFound)}
