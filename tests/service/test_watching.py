"""Waiting: answered by the change, not by polling; and nothing that waits holds a thread."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from service_kit import Running

from gan.errors import Unavailable
from ledger.records import Event
from service.watcher import Watcher

SOON = 20.0
"""What an answer may take that nobody has to wait for; whoever waits here would do so for longer."""

# ---- the watcher alone ----


class Table:
    """An event table in memory that counts the questions it is asked."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.asked = 0
        self.away = False

    def add(self, job: str) -> None:
        self.events.append(Event(len(self.events) + 1, job, "status", {}, 0.0))

    async def newest(self) -> int:
        self._ask()
        return len(self.events)

    async def after(self, number: int) -> list[Event]:
        self._ask()
        return self.events[number:]

    def _ask(self) -> None:
        self.asked += 1
        if self.away:
            raise Unavailable("away")


def watching(table: Table) -> Watcher:
    return Watcher(table.newest, table.after, poll_seconds=0.01)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not condition():
            await asyncio.sleep(0.005)


def test_a_waiter_is_woken_by_its_own_job_only() -> None:
    table, looks = Table(), {"a": 0, "b": 0}

    async def scene() -> None:
        watcher = watching(table)

        async def look(job: str) -> int:
            looks[job] += 1
            return looks[job]

        waits = [
            asyncio.create_task(watcher.until(job, lambda job=job: look(job), lambda _: False, 60)) for job in "ab"
        ]
        await eventually(lambda: looks == {"a": 2, "b": 2})  # at once, and when the watcher knew where events begin
        for heard in range(3, 6):
            table.add("a")
            await eventually(lambda heard=heard: looks["a"] >= heard)
        assert looks == {"a": 5, "b": 2}
        for wait in waits:
            wait.cancel()
        await watcher.stop()

    asyncio.run(scene())


def test_a_change_while_looking_is_not_missed() -> None:
    table = Table()

    async def scene() -> None:
        watcher, looks = watching(table), 0

        async def look() -> int:
            nonlocal looks
            looks += 1
            value = len(table.events)
            if looks == 1:
                table.add("a")
                await asyncio.sleep(0.1)  # the watcher, which runs already, sees the event before this look is over
            return value

        other = asyncio.create_task(watcher.until("b", table.newest, lambda _: False, 60))
        await asyncio.sleep(0.05)
        found = watcher.until("a", look, lambda value: value > 0, 60)
        assert await asyncio.wait_for(found, SOON) == 1
        assert looks == 2
        other.cancel()
        await watcher.stop()

    asyncio.run(scene())


def test_nobody_asks_the_ledger_while_nobody_waits() -> None:
    table = Table()

    async def scene() -> None:
        watcher = watching(table)

        async def look() -> None:
            return None

        await watcher.until("a", look, lambda _: False, 0.05)
        await asyncio.sleep(0.05)
        asked = table.asked
        await asyncio.sleep(0.1)
        assert table.asked == asked
        await watcher.stop()

    asyncio.run(scene())


def test_a_waiter_hears_of_a_database_that_is_away_and_goes_on_when_it_is_back() -> None:
    table = Table()

    async def scene() -> None:
        watcher = watching(table)

        async def look() -> int:
            return await table.newest()

        lost = asyncio.create_task(watcher.until("a", look, lambda _: False, 60))
        await asyncio.sleep(0.05)
        table.away = True
        with pytest.raises(Unavailable):
            await lost
        table.away = False
        found = asyncio.create_task(watcher.until("a", look, lambda value: value > 0, 60))
        await asyncio.sleep(0.05)
        table.add("a")
        assert await asyncio.wait_for(found, SOON) == 1
        await watcher.stop()

    asyncio.run(scene())


def test_closing_answers_everybody_at_once() -> None:
    table = Table()

    async def scene() -> None:
        watcher = watching(table)

        async def look() -> str:
            return "as it is"

        waits = [asyncio.create_task(watcher.until(f"{n}", look, lambda _: False, 60)) for n in range(20)]
        await asyncio.sleep(0.05)
        watcher.close()
        assert set(await asyncio.wait_for(asyncio.gather(*waits), SOON)) == {"as it is"}
        assert await asyncio.wait_for(watcher.until("late", look, lambda _: False, 60), SOON) == "as it is"
        await watcher.stop()

    asyncio.run(scene())


# ---- over HTTP ----


def timed(act: Callable[[], httpx.Response]) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    return act(), time.monotonic() - began


def test_a_long_poll_is_answered_by_the_change(service: Running) -> None:
    job = service.queued("polled")
    later = threading.Timer(0.5, lambda: service.claim("train"))
    later.start()
    answer, seconds = timed(lambda: service.http.get(job["urls"]["self"], headers={"Prefer": "wait=30"}))
    later.join()
    assert answer.json()["status"] == "running"
    assert answer.headers["preference-applied"] == "wait=30"
    assert seconds < SOON


def test_a_long_poll_without_a_change_ends_in_time_and_can_be_304(service: Running) -> None:
    job = service.queued("still")
    url = job["urls"]["self"]
    etag = service.http.get(url).headers["etag"]
    headers = {"Prefer": "respond-async, wait=1", "If-None-Match": etag}
    answer, seconds = timed(lambda: service.http.get(url, headers=headers))
    assert answer.status_code == 304
    assert 0.9 < seconds < SOON


def test_progress_alone_does_not_end_a_long_poll(service: Running) -> None:
    job = service.running("steady")
    progress = {"images": 1, "total_images": 2, "percent": 50.0}
    later = threading.Timer(0.3, lambda: service.jobs.heartbeat(job.id, job.epoch, 30, progress=progress))
    later.start()
    answer, seconds = timed(lambda: service.http.get(f"/v1/jobs/{job.id}", headers={"Prefer": "wait=3"}))
    later.join()
    assert answer.json()["progress"]["images"] == 1
    assert seconds > 2.9


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [("wait=0", "wait=0"), ("wait=soon", None), ("wait=-3", None), ("return=minimal", None), ("", None)],
)
def test_a_wish_that_is_none_is_answered_at_once(service: Running, prefer: str, applied: str | None) -> None:
    job = service.queued(f"now-{len(prefer)}{prefer[-1:]}".replace("=", ""))
    answer, seconds = timed(lambda: service.http.get(job["urls"]["self"], headers={"Prefer": prefer}))
    assert answer.status_code == 200
    assert answer.headers.get("preference-applied") == applied
    assert seconds < SOON


def test_an_ended_job_does_not_keep_anybody_waiting(service: Running) -> None:
    job = service.queued("over")
    service.http.post(job["urls"]["cancel"])
    answer, seconds = timed(lambda: service.http.get(job["urls"]["self"], headers={"Prefer": "wait=60"}))
    assert answer.json()["status"] == "cancelled"
    assert seconds < SOON


def test_a_hundred_who_wait_leave_the_service_as_quick_as_before(service: Running) -> None:
    job = service.queued("crowd")
    limits = httpx.Limits(max_connections=200)

    async def crowd() -> list[dict[str, Any]]:
        async with httpx.AsyncClient(base_url=service.url, limits=limits, timeout=60) as client:
            url, headers = job["urls"]["self"], {"Prefer": "wait=30"}
            waiting = [asyncio.create_task(client.get(url, headers=headers)) for _ in range(100)]
            await asyncio.sleep(1.0)
            before = threading.active_count()
            seconds = []
            for _ in range(10):
                began = time.monotonic()
                assert (await client.get("/v1/jobs?limit=1")).status_code == 200
                seconds.append(time.monotonic() - began)
            assert sorted(seconds)[5] < 3
            assert not any(task.done() for task in waiting)
            assert before < 60
            await asyncio.to_thread(service.claim, "train")
            return [answer.json() for answer in await asyncio.gather(*waiting)]

    with ThreadPoolExecutor(1) as pool:
        answers = pool.submit(lambda: asyncio.run(crowd())).result()
    assert {answer["status"] for answer in answers} == {"running"}
