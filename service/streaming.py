"""Jobs' events as a stream of server-sent events: what was missed, then what happens, until the jobs have ended; or
what happens to any job, for as long as somebody listens.

Formatted here and not by a library: a message is encoded once for all who watch (`service.feeds`), which neither
sse-starlette nor FastAPI's own class can do, and neither bounds what a watcher that does not read may cost.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gan.errors import Unavailable
from ledger.jobs import Jobs
from ledger.records import Event
from service.connections import hang_up
from service.feeds import Feed, Feeds, Frame, Lagging, event_frame, in_order, metrics_frame
from service.watcher import ANY_JOB, Watcher

EVENT_STREAM: Final = "text/event-stream"
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Accept"}
"""Nobody on the way keeps a stream, or holds it back."""

HEARTBEAT_SECONDS: Final = 15.0
"""After so long without a message a comment is sent: who lies between does not take the connection for dead."""
PATIENCE_SECONDS: Final = 30.0
"""How long a watcher may leave what was sent unread before it is let go."""
PAGE: Final = 500
"""Events that are read at once for who begins further back than the feed remembers."""

OPENING: Final = b"retry: 1000\n\n"
"""Milliseconds after which a browser comes again."""
HEARTBEAT: Final = b":\n\n"

Earlier = Callable[[int, int], Awaitable[list[Event]]]
"""(number, most) → the jobs' events beyond that number, oldest first."""
Series = Callable[[str], Awaitable[bytes]]
"""`job_… 6400` → the message that tells the job's rows beyond so many images; empty where there are none."""


def series_of(jobs: Jobs, asked: Sequence[str]) -> Mapping[str, bytes]:
    """What `Series` says, for all who ask at once."""
    return {one: series_message(jobs, *one.split()) for one in asked}


def series_message(jobs: Jobs, job: str, after: str) -> bytes:
    """A job's rows beyond so many images as a message."""
    rows = jobs.metrics(job, int(after))
    return metrics_frame(job, rows).content if rows else b""


def news_beyond(jobs: Jobs, asked: Sequence[str]) -> Mapping[str, Frame]:
    """Of each number the events of any job beyond it, at most a page, as one frame of the last one's number; an empty
    frame of that number where there are none."""
    return {number: joined(int(number), jobs.events_after(None, int(number), PAGE)) for number in asked}


def joined(number: int, events: Sequence[Event]) -> Frame:
    """Events as one frame; the number is that of the last, or the one that was given."""
    return Frame(events[-1].number if events else number, b"".join(event_frame(event).content for event in events))


Contents = Callable[["asyncio.Task[None]"], AsyncIterator[bytes]]
"""What is sent, in its order, until that task, which waits for the watcher to hang up, has ended."""


class Stream(Response):
    """Contents sent one after the other to who hangs up one day, or does not read; the feeds' end is its end."""

    media_type = EVENT_STREAM

    def __init__(self, feeds: Feeds) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._feeds = feeds

    async def _serve(self, contents: Contents, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.setdefault("state", {})
        state["answered"] = perf_counter()  # what follows takes as long as somebody listens
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if state.get("head"):
            await send({"type": "http.response.body"})
            return
        gone = asyncio.create_task(hung_up(receive))
        try:
            async for content in contents(gone):
                async with self._feeds.within(PATIENCE_SECONDS):
                    await send({"type": "http.response.body", "body": content, "more_body": True})
            async with self._feeds.within(PATIENCE_SECONDS):
                await send({"type": "http.response.body"})
        except TimeoutError:  # it does not read
            if hang_up(scope):
                await gone
        finally:
            gone.cancel()


class NewsStream(Stream):
    """The events of all jobs with numbers above `after`, for as long as the watcher listens.

    It begins with a message of that number alone: a browser that comes again begins there, though it heard nothing.
    """

    def __init__(self, feeds: Feeds, watcher: Watcher, after: int, news: Callable[[str], Awaitable[Frame]]) -> None:
        super().__init__(feeds)
        self._watcher, self._after, self._news = watcher, after, news

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream, until the watcher hangs up or does not read, the database is away, or the service ends."""
        await self._serve(self._contents, scope, receive, send)

    async def _contents(self, gone: "asyncio.Task[None]") -> AsyncIterator[bytes]:
        number = self._after
        yield OPENING + b"id: %d\n\n" % number
        while not (gone.done() or self._feeds.closed):
            told = await self._beyond(number, gone)
            if told is None:
                return
            yield told.content or HEARTBEAT
            number = told.number or number

    async def _beyond(self, number: int, gone: "asyncio.Task[None]") -> Frame | None:
        """What any job's events beyond that number are, once there are some or a while has passed; None where the
        watcher has to come again."""
        look = partial(self._news, str(number))
        waiting = self._watcher.until(ANY_JOB, look, lambda told: bool(told.content), HEARTBEAT_SECONDS)
        coming = asyncio.create_task(waiting)
        await asyncio.wait((coming, gone), return_when=asyncio.FIRST_COMPLETED)
        if not coming.done():
            coming.cancel()
            return None
        return None if isinstance(coming.exception(), Unavailable) else coming.result()


class EventStream(Stream):
    """The events of jobs with numbers above `after`, and their rows from now on, or beyond `metrics_after` images.

    204 where all have ended and none has an event above `after`. Raises NotFound, Unavailable before it begins.
    """

    def __init__(
        self,
        feeds: Feeds,
        jobs: Sequence[str],
        after: int,
        metrics_after: int | None,
        earlier: Earlier,
        series: Series,
    ) -> None:
        super().__init__(feeds)
        self._jobs, self._after = jobs, after
        self._metrics_after, self._earlier, self._series = metrics_after, earlier, series

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream, until the jobs have ended, the watcher hangs up or does not read, or the service ends."""
        async with self._feeds.watching(*self._jobs) as feeds:
            if all(feed.ended and feed.last <= self._after for feed in feeds):
                await Response(status_code=204, headers=HEADERS)(scope, receive, send)
                return
            await self._serve(partial(self._contents, feeds), scope, receive, send)

    async def _contents(self, feeds: Sequence[Feed], gone: "asyncio.Task[None]") -> AsyncIterator[bytes]:
        """What is sent, in its order. The places in all feeds are taken at one moment, and so is what is new in them:
        events have their order over all of them, so that the last number that was told says what is known."""
        places, floor = [feed.end for feed in feeds], max(feed.floor for feed in feeds)
        standings = [feed.standing_frame for feed in feeds]
        replayed = in_order(feed.replayed(max(self._after, floor - 1)) for feed in feeds)
        yield OPENING
        try:
            async for content in self._before(floor):
                yield content
        except Unavailable:  # the watcher comes again
            return
        for told in (*standings, *replayed):
            yield told.content
        async for content in self._from(places, feeds, gone):
            yield content

    async def _from(self, places: list[int], feeds: Sequence[Feed], gone: "asyncio.Task[None]") -> AsyncIterator[bytes]:
        """What the feeds have beyond these places, until the end of all."""
        while not (gone.done() or self._feeds.closed):
            try:
                news = in_order([feed.since(place) for feed, place in zip(feeds, places, strict=True)])
            except Lagging:
                return
            places = [feed.end for feed in feeds]
            for told in news:
                yield told.content
            if places != [feed.end for feed in feeds]:
                continue
            waiting = [feed for feed in feeds if not (feed.ended or feed.gone)]
            if not waiting:
                return
            if not await newer(waiting, gone):
                yield HEARTBEAT

    async def _before(self, floor: int) -> AsyncIterator[bytes]:
        """What has to be read for this watcher: rows that it lacks, and events from before those that are kept."""
        if self._metrics_after is not None:
            for job in self._jobs:
                if rows := await self._series(f"{job} {self._metrics_after}"):
                    yield rows
        number = self._after
        while number < floor:
            events = [event for event in await self._earlier(number, PAGE) if event.number < floor]
            for event in events:
                yield event_frame(event).content
            number = events[-1].number if events else floor


async def newer(feeds: Sequence[Feed], gone: "asyncio.Task[None]") -> bool:
    """Wait for what is new in any feed, or for the watcher to hang up; False where neither happened for a while."""
    news = [feed.news for feed in feeds]
    done, _ = await asyncio.wait((*news, gone), timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


async def hung_up(receive: Receive) -> None:
    """Returns once the watcher has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
