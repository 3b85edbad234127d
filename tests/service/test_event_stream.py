"""Event streams: replayed, live, ended; hundreds of watchers of a job cost one feed."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from service_kit import Running, serving, settings_in
from sqlalchemy import event

from gan.errors import NotFound, Unavailable
from ledger.following import Mark, Story
from ledger.records import Event, MetricsRow
from service import feeds, streaming
from service.feeds import Feeds
from service.standing import Standing

STREAM = {"Accept": "text/event-stream"}
SOON = 20.0


@dataclass
class Message:
    """A server-sent event as a browser has it."""

    id: int | None
    event: str
    data: Any


def parsed(lines: Iterator[str]) -> Iterator[Message | str]:
    """Messages, and comments as text."""
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            yield line
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            id = int(fields["id"]) if "id" in fields else None
            yield Message(id, fields.get("event", "message"), json.loads(fields["data"]))
            fields = {}
        else:
            fields = {}


def streamed(service: Running, job: str, query: str = "", **headers: str) -> list[Message]:
    """All messages of a stream that ends."""
    with service.http.stream("GET", f"/v1/jobs/{job}/events{query}", headers=STREAM | headers) as answer:
        assert answer.status_code == 200, answer.read()
        return [one for one in parsed(answer.iter_lines()) if isinstance(one, Message)]


def ended(service: Running, model: str) -> Any:
    job = service.running(model)
    service.jobs.started(job.id, job.epoch, "cpu")
    service.jobs.add_metrics(job.id, job.epoch, 100, {"v": -1.0})
    service.jobs.add_metrics(job.id, job.epoch, 200, {"v": -0.5})
    service.jobs.finish(job.id, job.epoch, "succeeded", ended_by="images")
    return job


TOLD = ["job.queued", "job.running", "job.started", "job.succeeded"]


def numbered(messages: list[Message]) -> list[Message]:
    return [one for one in messages if one.id is not None]


# ---- what a stream tells ----


def test_a_stream_of_an_ended_job_tells_all_of_it_and_ends(service: Running) -> None:
    job = ended(service, "told")
    url = f"/v1/jobs/{job.id}/events"
    with service.http.stream("GET", url, headers=STREAM) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-length" not in answer.headers
        messages = [one for one in parsed(answer.iter_lines()) if isinstance(one, Message)]
    assert messages[0].event == "job"
    assert messages[0].data == service.http.get(f"/v1/jobs/{job.id}").json()
    told = numbered(messages)
    assert [one.event for one in told] == TOLD
    assert [one.data for one in told] == service.http.get(url).json()["data"]
    assert all(one.id == one.data["id"] for one in told)


def test_a_stream_goes_on_after_the_last_event_that_is_known(service: Running) -> None:
    job = ended(service, "replayed")
    ids = [one.id for one in numbered(streamed(service, job.id))]
    assert [one.id for one in numbered(streamed(service, job.id, f"?after={ids[1]}"))] == ids[2:]
    assert [one.id for one in numbered(streamed(service, job.id, **{"Last-Event-ID": str(ids[0])}))] == ids[1:]
    both = streamed(service, job.id, f"?after={ids[2]}", **{"Last-Event-ID": str(ids[0])})
    assert [one.id for one in numbered(both)] == ids[1:]


@pytest.mark.parametrize("beyond", [0, 1, 1000])
def test_who_knows_the_end_already_is_told_not_to_come_again(service: Running, beyond: int) -> None:
    job = ended(service, f"known-{beyond}")
    last = numbered(streamed(service, job.id))[-1].id
    assert last is not None
    for asked in ({"headers": STREAM | {"Last-Event-ID": str(last + beyond)}}, {"params": {"after": last + beyond}}):
        answer = service.http.get(f"/v1/jobs/{job.id}/events", **{"headers": STREAM, **asked})
        assert (answer.status_code, answer.content) == (204, b"")


def test_metrics_from_before_are_told_to_who_asks(service: Running) -> None:
    job = ended(service, "series-streamed")
    assert [one for one in streamed(service, job.id) if one.event == "metrics"] == []
    rows = [one.data for one in streamed(service, job.id, "?metrics_after=-1") if one.event == "metrics"]
    assert rows == [service.http.get(f"/v1/jobs/{job.id}/metrics").json()]
    [later] = [one.data for one in streamed(service, job.id, "?metrics_after=100") if one.event == "metrics"]
    assert [row["images"] for row in later["data"]] == [200]


def test_events_from_before_those_in_memory_are_read_and_none_is_told_twice(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "MOST_EVENTS", 5)
    monkeypatch.setattr(streaming, "PAGE", 3)
    job = service.running("long")
    for n in range(20):
        service.jobs.note(job.id, job.epoch, "warning", {"n": n})
    service.jobs.finish(job.id, job.epoch, "succeeded", ended_by="images")
    told = numbered(streamed(service, job.id))
    assert [one.data["data"]["n"] for one in told if one.event == "warning"] == list(range(20))
    assert [one.id for one in told] == sorted({one.id for one in told})
    after = told[7].id
    assert [one.id for one in numbered(streamed(service, job.id, f"?after={after}"))] == [one.id for one in told[8:]]


def test_what_happens_is_told_as_it_happens(service: Running) -> None:
    job = service.running("live")
    seen: list[Message] = []
    with service.http.stream("GET", f"/v1/jobs/{job.id}/events", headers=STREAM) as answer:
        messages = (one for one in parsed(answer.iter_lines()) if isinstance(one, Message))

        def until(condition: Callable[[Message], bool]) -> Message:
            for one in messages:
                seen.append(one)
                if condition(one):
                    return one
            raise AssertionError("the stream ended")

        until(lambda one: one.event == "job.running")
        service.jobs.add_metrics(job.id, job.epoch, 300, {"v": -1.0, "w": None})
        rows = until(lambda one: one.event == "metrics").data
        assert rows == {"object": "metrics", "job": job.id, "data": [{"images": 300, "v": -1.0, "w": None}]}
        progress = {"images": 300, "total_images": 600, "percent": 50.0}
        service.jobs.heartbeat(job.id, job.epoch, 30, progress=progress)
        assert until(lambda one: one.event == "job").data["progress"]["images"] == 300
        service.jobs.add_metrics(job.id, job.epoch, 300, {"v": -0.25})  # recovered: the row is written anew
        assert until(lambda one: one.event == "metrics").data["data"] == [{"images": 300, "v": -0.25}]
        service.jobs.note(job.id, job.epoch, "warning", {"message": "it saturates"})
        assert until(lambda one: one.event == "warning").id is not None
        service.jobs.finish(job.id, job.epoch, "failed", error={"code": "diverged", "message": "NaN", "param": None})
        until(lambda one: one.event == "job.failed")
        assert next(messages, None) is None
    assert seen[-2].event == "job"
    assert seen[-2].data["status"] == "failed"
    assert [one.event for one in seen].count("metrics") == 2


def test_silence_is_broken_by_comments(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.1)
    job = service.running("silent")
    with service.http.stream("GET", f"/v1/jobs/{job.id}/events", headers=STREAM) as answer:
        told = parsed(answer.iter_lines())
        assert next(one for one in told if isinstance(one, str)) == ":"
        service.jobs.finish(job.id, job.epoch, "succeeded", ended_by="images")
        assert [one.event for one in told if isinstance(one, Message) and one.id][-1] == "job.succeeded"


# ---- what is refused ----


@pytest.mark.parametrize(
    ("query", "headers", "param"),
    [
        ("", {"Last-Event-ID": "newest"}, "Last-Event-ID"),
        ("", {"Last-Event-ID": "-1"}, "Last-Event-ID"),
        ("?metrics_after=-2", {}, "metrics_after"),
        ("?after=x", {}, "after"),
    ],
)
def test_what_is_no_number_is_named(service: Running, is_problem: Any, query: str, headers: Any, param: str) -> None:
    job = service.queued(f"refused-{len(query)}{headers.get('Last-Event-ID', '')}")
    answer = service.http.get(f"/v1/jobs/{job['id']}/events{query}", headers=STREAM | headers)
    is_problem(answer, 422, "invalid_request", param)


def test_a_job_that_is_not_there_has_no_stream(service: Running, is_problem: Any) -> None:
    answer = service.http.get(f"/v1/jobs/job_{'0' * 24}/events", headers=STREAM)
    is_problem(answer, 404, "not_found")


def test_the_head_of_a_stream_comes_without_it(service: Running) -> None:
    job = service.running("head")
    answer = service.http.head(f"/v1/jobs/{job.id}/events", headers=STREAM)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


# ---- many watchers ----

WATCHERS = 300


@contextmanager
def counting(app: Any) -> Iterator[list[str]]:
    """The statements that an application sends to its database."""
    asked: list[str] = []
    engine = app.state.house.ledger._engine

    def count(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    yield asked
    event.remove(engine, "before_cursor_execute", count)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Running, Any]]:
    """A service of its own, and its application."""
    apps: list[Any] = []
    with serving(settings_in(tmp_path), apps.append) as running:
        yield running, apps[0]


def test_hundreds_who_watch_cost_one_feed_and_no_thread(own: tuple[Running, Any]) -> None:
    service, app = own
    job = service.running("crowd")
    limits = httpx.Limits(max_connections=WATCHERS + 10)

    async def crowd() -> list[list[str]]:
        async with httpx.AsyncClient(base_url=service.url, limits=limits, timeout=120) as client:
            began = asyncio.Semaphore(0)

            async def watcher() -> list[str]:
                async with client.stream("GET", f"/v1/jobs/{job.id}/events?metrics_after=-1", headers=STREAM) as answer:
                    began.release()
                    return [line async for line in answer.aiter_lines() if line.startswith(("event:", "id:"))]

            with counting(app) as at_first:
                watchers = [asyncio.create_task(watcher()) for _ in range(WATCHERS)]
                for _ in watchers:
                    await asyncio.wait_for(began.acquire(), 60)
            assert app.state.house.feeds.watchers == WATCHERS
            assert len(at_first) < WATCHERS  # of which 4 begin the feed, some a second follow it
            threads = threading.active_count()
            assert threads < 60
            with counting(app) as asked:
                for images in range(10):
                    await asyncio.to_thread(service.jobs.add_metrics, job.id, job.epoch, images, {"v": 0.5})
                await asyncio.to_thread(service.jobs.finish, job.id, job.epoch, "succeeded", ended_by="images")
                told = await asyncio.wait_for(asyncio.gather(*watchers), 60)
            assert len(asked) < WATCHERS
            return told

    began = threading.active_count()
    told = asyncio.run(crowd())
    assert app.state.house.feeds.watchers == 0
    assert threading.active_count() <= began + 20
    assert all(one[-1] == "event: job.succeeded" for one in told)
    assert len({tuple(line for line in one if line.startswith("id:")) for one in told}) == 1
    assert all("event: metrics" in one for one in told)


def test_who_hangs_up_is_forgotten(own: tuple[Running, Any]) -> None:
    service, app = own
    job = service.running("hung-up")
    watched = app.state.house.feeds
    url = httpx.URL(service.url)
    request = f"GET /v1/jobs/{job.id}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    callers = [socket.create_connection((url.host, url.port)) for _ in range(20)]
    for caller in callers:
        caller.sendall(request.encode())
        assert caller.recv(100).startswith(b"HTTP/1.1 200")
    assert watched.watchers == 20
    for caller in callers:
        caller.close()
    waiting_for(lambda: watched.watchers == 0)
    assert watched._feeds == {}


def test_who_does_not_read_loses_the_connection(
    own: tuple[Running, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service, app = own
    monkeypatch.setattr(streaming, "PATIENCE_SECONDS", 0.5)
    job = service.running("unread")
    url = httpx.URL(service.url)
    request = f"GET /v1/jobs/{job.id}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    with socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect((url.host, url.port))
        caller.sendall(request.encode())
        waiting_for(lambda: app.state.house.feeds.watchers == 1)
        for n in range(200):  # more than the kernel keeps for it
            service.jobs.note(job.id, job.epoch, "warning", {"n": n, "text": "x" * 50_000})
        waiting_for(lambda: app.state.house.feeds.watchers == 0)
        caller.settimeout(SOON)
        parts = list(iter(lambda: caller.recv(1 << 16), b""))  # what the kernel had, then the end
    assert not b"".join(parts).endswith(b"0\r\n\r\n")
    assert "without completing" not in caplog.text


def waiting_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 3 * SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---- the feeds alone ----


class Book:
    """A ledger of one job in memory, which can be away."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.version = 0
        self.asked = 0
        self.away = self.deleted = False

    def add(self, type: str = "warning") -> None:
        self.events.append(Event(len(self.events) + 1, "job", type, {}, 0.0))

    def look(self) -> None:
        self.asked += 1
        if self.away:
            raise Unavailable("away")

    async def begin(self, jobs: Any, most: int) -> tuple[int, dict[str, Story]]:
        self.look()
        return len(self.events), {job: Story(self.events[-most:], True, Mark()) for job in jobs}

    async def go_on(self, marks: Any, after: int, most: int) -> tuple[list[Event], dict[str, list[MetricsRow]]]:
        self.look()
        return self.events[after:][:most], {}

    async def standing(self, job: str) -> Standing:
        if self.deleted:
            raise NotFound("there is no such job")
        return Standing("running", f"{self.version}", b"{}")


@asynccontextmanager
async def following(book: Book) -> AsyncIterator[Feeds]:
    watched = Feeds(book.begin, book.go_on, book.standing, lambda: None, poll_seconds=0.01)
    try:
        yield watched
    finally:
        await watched.stop()


class Wire:
    """A connection: what was sent on it; `read` unset, nothing more goes through."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.read = asyncio.Event()
        self.ended = False

    async def send(self, message: Any) -> None:
        await self.read.wait()
        self.sent.append(message.get("body", b""))
        self.ended = message["type"] == "http.response.body" and not message.get("more_body", False)

    async def receive(self) -> Any:
        await asyncio.Event().wait()


def watch(watched: Feeds, wire: Wire, *jobs: str) -> "asyncio.Task[None]":
    async def nothing(*_: Any) -> Any:
        return []

    stream = streaming.EventStream(watched, jobs or ("job",), 0, None, nothing, nothing)
    return asyncio.create_task(stream({"type": "http"}, wire.receive, wire.send))


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not condition():
            await asyncio.sleep(0.005)


def test_an_outage_is_waited_out_by_those_who_watch_and_told_to_those_who_come() -> None:
    async def scene() -> None:
        book, wire = Book(), Wire()
        wire.read.set()
        async with following(book) as watched:
            stream = watch(watched, wire)
            await eventually(lambda: len(wire.sent) >= 3)
            book.away = True
            asked = book.asked
            await eventually(lambda: book.asked > asked + 2)
            with pytest.raises(Unavailable):
                async with watched.watching("another"):
                    pass
            assert not stream.done()
            book.add("job.succeeded")
            book.away = False
            await asyncio.wait_for(stream, SOON)
            assert b"event: job.succeeded" in b"".join(wire.sent)
            assert wire.ended

    asyncio.run(scene())


def test_a_job_that_is_deleted_ends_its_streams() -> None:
    async def scene() -> None:
        book, wire = Book(), Wire()
        wire.read.set()
        async with following(book) as watched:
            stream = watch(watched, wire)
            await eventually(lambda: len(wire.sent) >= 3)
            book.deleted = True
            await asyncio.wait_for(stream, SOON)
            assert wire.ended
            with pytest.raises(NotFound):
                async with watched.watching("job"):
                    pass

    asyncio.run(scene())


def test_who_lies_too_far_behind_is_let_go_and_the_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        book, quick, slow = Book(), Wire(), Wire()
        quick.read.set()
        slow.read.set()
        async with following(book) as watched:
            streams = [watch(watched, wire) for wire in (quick, slow)]
            await eventually(lambda: len(quick.sent) >= 3 and len(slow.sent) >= 3)
            slow.read.clear()
            for _ in range(feeds.MOST_FRAMES + 10):
                book.add()
                heard = len(quick.sent)
                await eventually(lambda heard=heard: len(quick.sent) > heard)
            slow.read.set()
            await asyncio.wait_for(streams[1], SOON)
            assert slow.ended
            assert len(slow.sent) < 10
            assert not streams[0].done()
            assert len(watched._feeds["job"].frames) == feeds.MOST_FRAMES

    asyncio.run(scene())


def test_who_does_not_read_at_all_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "PATIENCE_SECONDS", 0.05)

    async def scene() -> None:
        book, wire = Book(), Wire()
        wire.read.set()
        async with following(book) as watched:
            stream = watch(watched, wire)
            await eventually(lambda: len(wire.sent) >= 3)
            wire.read.clear()
            book.add()
            await asyncio.wait_for(stream, SOON)
            assert not wire.ended
            assert watched.watchers == 0

    asyncio.run(scene())


def test_closing_ends_all_streams_at_once_also_those_that_nobody_reads() -> None:
    async def scene() -> None:
        book, wires = Book(), [Wire() for _ in range(20)]
        for wire in wires:
            wire.read.set()
        async with following(book) as watched:
            streams = [watch(watched, wire) for wire in wires]
            await eventually(lambda: all(len(wire.sent) >= 3 for wire in wires))
            for wire in wires[::2]:
                wire.read.clear()
            book.add()
            await eventually(lambda: all(len(wire.sent) >= 4 for wire in wires[1::2]))
            watched.close()
            await asyncio.wait_for(asyncio.gather(*streams), SOON)
            assert [wire.ended for wire in wires] == [False, True] * 10
            with pytest.raises(Unavailable):
                async with watched.watching("job"):
                    pass

    asyncio.run(scene())


def test_nobody_asks_the_ledger_while_nobody_watches() -> None:
    async def scene() -> None:
        book = Book()
        async with following(book) as watched:
            async with watched.watching("job"):
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.05)
            asked = book.asked
            await asyncio.sleep(0.1)
            assert book.asked == asked > 1

    asyncio.run(scene())
