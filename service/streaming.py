"""A job's events as a stream of server-sent events: what was missed, then what happens, until the job has ended.

Formatted here and not by a library: a message is encoded once for all who watch (`service.feeds`), which neither
sse-starlette nor FastAPI's own class can do, and neither bounds what a watcher that does not read may cost.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gan.errors import Unavailable
from ledger.jobs import Jobs
from ledger.records import Event
from service.connections import hang_up
from service.feeds import Feed, Feeds, Lagging, event_frame, metrics_frame

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
"""(number, most) → the job's events beyond that number, oldest first."""
Series = Callable[[str], Awaitable[bytes]]
"""`job_… 6400` → the message that tells the job's rows beyond so many images; empty where there are none."""


def series_of(jobs: Jobs, asked: Sequence[str]) -> Mapping[str, bytes]:
    """What `Series` says, for all who ask at once."""
    return {one: series_message(jobs, *one.split()) for one in asked}


def series_message(jobs: Jobs, job: str, after: str) -> bytes:
    """A job's rows beyond so many images as a message."""
    rows = jobs.metrics(job, int(after))
    return metrics_frame(job, rows).content if rows else b""


class EventStream(Response):
    """The events of a job with numbers above `after`, and its rows from now on, or beyond `metrics_after` images.

    204 where the job has ended and its last event is not above `after`. Raises NotFound, Unavailable before it begins.
    """

    media_type = EVENT_STREAM

    def __init__(
        self,
        feeds: Feeds,
        job: str,
        after: int,
        metrics_after: int | None,
        earlier: Earlier,
        series: Series,
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._feeds, self._job, self._after = feeds, job, after
        self._metrics_after, self._earlier, self._series = metrics_after, earlier, series

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream, until the job has ended, the watcher hangs up or does not read, or the service ends."""
        async with self._feeds.watching(self._job) as feed:
            if feed.ended and feed.last <= self._after:
                await Response(status_code=204, headers=HEADERS)(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if scope.get("state", {}).get("head"):
                await send({"type": "http.response.body"})
                return
            await self._stream(feed, scope, receive, send)

    async def _stream(self, feed: Feed, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(hung_up(receive))
        try:
            async for content in self._contents(feed, gone):
                async with self._feeds.within(PATIENCE_SECONDS):
                    await send({"type": "http.response.body", "body": content, "more_body": True})
            async with self._feeds.within(PATIENCE_SECONDS):
                await send({"type": "http.response.body"})
        except TimeoutError:  # it does not read
            if hang_up(scope):
                await gone
        finally:
            gone.cancel()

    async def _contents(self, feed: Feed, gone: "asyncio.Task[None]") -> AsyncIterator[bytes]:
        """What is sent, in its order."""
        place, replayed = feed.end, feed.replayed(self._after)
        floor, standing = feed.floor, feed.standing_frame
        yield OPENING
        try:
            async for content in self._before(floor):
                yield content
        except Unavailable:  # the watcher comes again
            return
        yield standing.content
        for told in replayed:
            yield told.content
        while not (gone.done() or self._feeds.closed):
            try:
                news, place = feed.since(place), feed.end
            except Lagging:
                return
            for told in news:
                yield told.content
            if place == feed.end and (feed.ended or feed.gone):
                return
            if place == feed.end and not await newer(feed, gone):
                yield HEARTBEAT

    async def _before(self, floor: int) -> AsyncIterator[bytes]:
        """What has to be read for this watcher: rows that it lacks, and events from before those that are kept."""
        if self._metrics_after is not None and (rows := await self._series(f"{self._job} {self._metrics_after}")):
            yield rows
        number = self._after
        while number < floor:
            events = [event for event in await self._earlier(number, PAGE) if event.number < floor]
            for event in events:
                yield event_frame(event).content
            number = events[-1].number if events else floor


async def newer(feed: Feed, gone: "asyncio.Task[None]") -> bool:
    """Wait for what is new in a feed, or for the watcher to hang up; False where neither happened for a while."""
    done, _ = await asyncio.wait((feed.news, gone), timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


async def hung_up(receive: Receive) -> None:
    """Returns once the watcher has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
