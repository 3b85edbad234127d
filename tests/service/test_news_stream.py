"""The events of all jobs: in pages, and as a stream that goes on for as long as somebody listens."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from service_kit import Running, serving, settings_in
from test_event_stream import STREAM, Message, counting, ended, own, parsed, waiting_for

from service import streaming
from service.watcher import ANY_JOB

__all__ = ["own"]

URL = "/v1/events"
LISTENERS = 60


@contextmanager
def listening(service: Running, known: int | None = None, **query: int) -> Iterator[Iterator[Message]]:
    """The messages of the stream of all jobs; `known` is the browser's last."""
    headers = STREAM if known is None else STREAM | {"Last-Event-ID": str(known)}
    with service.http.stream("GET", URL, params=query, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        yield (one for one in parsed(answer.iter_lines()) if isinstance(one, Message))


def first(messages: Iterator[Message], count: int) -> list[Message]:
    return list(itertools.islice(messages, count))


def listed(service: Running, **query: Any) -> list[dict[str, Any]]:
    """All events, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        page = service.http.get(URL, params={"after": found[-1]["id"] if found else 0, **query}).json()
        found += page["data"]
        if not page["has_more"]:
            return found


def test_jobs_that_are_queued_later_are_told_of_too(service: Running) -> None:
    ended(service, "before")
    with listening(service) as messages:
        jobs = [service.running(f"news-{n}") for n in range(2)]
        service.jobs.finish(jobs[0].id, jobs[0].epoch, "succeeded", ended_by="images")
        told = first(messages, 5)
    wanted = [(n, event) for n in range(2) for event in ("job.queued", "job.running")] + [(0, "job.succeeded")]
    assert [(one.data["job"], one.event) for one in told] == [(jobs[n].id, event) for n, event in wanted]
    assert [one.data for one in told] == listed(service, limit=100)[-5:]


def test_a_stream_from_the_beginning_has_what_the_pages_have(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "PAGE", 3)
    job = service.running("pages")
    for n in range(20):
        service.jobs.note(job.id, job.epoch, "warning", {"n": n})
    found = listed(service, limit=7)
    assert [one["id"] for one in found] == sorted({one["id"] for one in found})
    assert len(found) >= 22
    with listening(service, after=0) as messages:
        assert [one.data for one in first(messages, len(found))] == found
    some = listed(service, job=[job.id])
    assert {one["job"] for one in some} == {job.id}
    assert len(some) == 22


def test_who_comes_again_misses_nothing_though_it_had_heard_nothing(service: Running) -> None:
    with service.http.stream("GET", URL, headers=STREAM) as answer:
        lines = answer.iter_lines()
        [id] = [line for line in itertools.islice(lines, 4) if line.startswith("id: ")]
    newest = int(id.removeprefix("id: "))
    assert newest == listed(service)[-1]["id"]
    job = service.running("meanwhile")
    for known, wanted in ((newest, ["job.queued", "job.running"]), (newest + 1, ["job.running"])):
        with listening(service, known, after=0) as messages:
            assert [one.event for one in first(messages, len(wanted))] == wanted
    assert job.id == listed(service)[-1]["job"]


def test_a_comment_is_sent_where_nothing_happens(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.05)
    with service.http.stream("GET", URL, headers=STREAM) as answer:
        said = itertools.islice((one for one in parsed(answer.iter_lines()) if isinstance(one, str)), 3)
        assert list(said) == [":"] * 3


def test_the_head_of_the_stream_comes_without_it(service: Running) -> None:
    answer = service.http.head(URL, headers=STREAM)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_many_who_listen_share_what_is_read_and_are_forgotten_when_they_hang_up(own: tuple[Running, Any]) -> None:
    service, app = own
    waiting = app.state.house.watcher._waiters
    threads = threading.active_count()

    async def one(client: httpx.AsyncClient, began: asyncio.Semaphore) -> list[str]:
        async with client.stream("GET", URL, headers=STREAM) as answer:
            told: list[str] = []
            async for line in answer.aiter_lines():
                if line.startswith("id: ") and not told:
                    began.release()
                told += [line] if line.startswith(("id: ", "event: ")) else []
                if line == "event: job.succeeded":
                    return told[1:]
        raise AssertionError("the stream ended")

    async def crowd() -> list[list[str]]:
        limits = httpx.Limits(max_connections=LISTENERS + 1)
        async with httpx.AsyncClient(base_url=service.url, limits=limits, timeout=60) as client:
            began = asyncio.Semaphore(0)
            listeners = [asyncio.create_task(one(client, began)) for _ in range(LISTENERS)]
            for _ in listeners:
                await asyncio.wait_for(began.acquire(), 60)
            assert threading.active_count() < threads + 30
            with counting(app) as asked:
                job = await asyncio.to_thread(service.running, "crowded")
                await asyncio.to_thread(service.jobs.finish, job.id, job.epoch, "succeeded", ended_by="images")
                told = await asyncio.gather(*listeners)
            assert len(asked) < LISTENERS
            return told

    told = asyncio.run(crowd())
    assert len({tuple(one) for one in told}) == 1
    waiting_for(lambda: not waiting[ANY_JOB])


def test_the_service_ends_though_somebody_listens(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with serving(settings_in(tmp_path)) as service:
            answer = stack.enter_context(httpx.stream("GET", service.url + URL, headers=STREAM, timeout=60))
            lines = answer.iter_lines()
            assert next(lines).startswith("retry: ")
        assert [line for line in lines if line.strip(":")] == ["id: 0"]  # the end, in order


def test_what_is_neither_a_page_nor_a_stream_is_refused(service: Running, is_problem: Any) -> None:
    is_problem(service.http.get(URL, headers={"Accept": "text/html"}), 406, "not_acceptable")
    is_problem(service.http.get(URL, params={"job": f"job_{'0' * 24}"}), 404, "not_found")
    is_problem(service.http.get(URL, params={"limit": 101}), 422, "invalid_request", "limit")
