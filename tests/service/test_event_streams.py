"""Several jobs in one stream: as the streams of each, in one order, and taken up again by one number."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from service_kit import Running
from test_event_stream import STREAM, TOLD, Message, ended, parsed

from ledger.states import EDGES
from service import feeds, streaming
from service.feeds import Frame, in_order
from service.routes.events import MOST_JOBS

URL = "/v1/events"


@contextmanager
def watching(service: Running, *jobs: str, after: int = 0, **query: int) -> Iterator[Iterator[Message]]:
    """The messages of several jobs' stream."""
    asked: Any = {"job": list(jobs), "after": after, **query}
    with service.http.stream("GET", URL, params=asked, headers=STREAM) as answer:
        assert answer.status_code == 200, answer.read()
        yield (one for one in parsed(answer.iter_lines()) if isinstance(one, Message))


def told(service: Running, *jobs: str, **query: int) -> list[Message]:
    with watching(service, *jobs, **query) as messages:
        return list(messages)


def numbers(messages: Iterable[Message]) -> list[int]:
    return [one.id for one in messages if one.id is not None]


def of(messages: list[Message], job: str) -> list[Message]:
    return [one for one in messages if (one.data["id"] if one.event == "job" else one.data["job"]) == job]


def test_a_stream_of_several_is_the_streams_of_each(service: Running) -> None:
    jobs = [ended(service, f"several-{n}") for n in range(3)]
    messages = told(service, *(job.id for job in jobs), metrics_after=100)
    for job in jobs:
        own = of(messages, job.id)
        assert [one.event for one in own] == ["metrics", "job", *TOLD]
        assert [row["images"] for row in own[0].data["data"]] == [200]
        assert own[1].data == service.http.get(f"/v1/jobs/{job.id}").json()
        assert [one.data for one in own[2:]] == service.http.get(f"/v1/jobs/{job.id}/events").json()["data"]


def test_events_of_several_have_one_order_and_one_number_stands_for_all(service: Running) -> None:
    one, two = service.running("order-one"), service.running("order-two")
    for n in range(6):
        job = (one, two)[n % 2]
        service.jobs.note(job.id, job.epoch, "warning", {"n": n})
    for job in (two, one):
        service.jobs.finish(job.id, job.epoch, "succeeded", ended_by="images")
    ids = numbers(told(service, one.id, two.id))
    assert ids == sorted(ids)
    assert len(ids) == 2 * 3 + 6
    for place, id in enumerate(ids[:-1]):
        assert numbers(told(service, one.id, two.id, after=id)) == ids[place + 1 :]
    answer = service.http.get(URL, params={"job": [one.id, two.id]}, headers=STREAM | {"Last-Event-ID": f"{ids[-1]}"})
    assert (answer.status_code, answer.content) == (204, b"")


def test_what_happens_to_any_is_told_as_it_happens_until_all_have_ended(service: Running) -> None:
    past, one, two = ended(service, "live-past"), service.running("live-one"), service.running("live-two")
    with watching(service, past.id, one.id, two.id) as messages:
        seen: list[Message] = []

        def until(event: str, job: Any) -> Message:
            for message in messages:
                seen.append(message)
                if message.event == event and of([message], job.id):
                    return message
            raise AssertionError("the stream ended")

        until("job.running", two)
        service.jobs.add_metrics(one.id, one.epoch, 300, {"v": -1.0})
        assert until("metrics", one).data["data"] == [{"images": 300, "v": -1.0}]
        service.jobs.finish(one.id, one.epoch, "succeeded", ended_by="images")
        until("job.succeeded", one)
        service.jobs.note(two.id, two.epoch, "warning", {"code": "exploding"})
        until("warning", two)
        service.jobs.finish(two.id, two.epoch, "failed", error={"code": "internal", "message": "", "param": None})
        until("job.failed", two)
        assert next(messages, None) is None
    ids = numbers(seen)
    assert ids == sorted(set(ids))


def test_one_that_begins_late_does_not_run_ahead_of_the_others(service: Running) -> None:
    one, two = service.running("late-one"), service.running("late-two")
    with watching(service, one.id) as first:
        next(first)
        for n in range(20):  # while the feed of one is a moment behind, that of two begins
            service.jobs.note(one.id, one.epoch, "warning", {"n": n})
            service.jobs.note(two.id, two.epoch, "warning", {"n": n})
        with watching(service, two.id, one.id) as both:
            for job in (one, two):
                service.jobs.finish(job.id, job.epoch, "succeeded", ended_by="images")
            ids = numbers(both)
    assert ids == sorted(ids)
    assert len(ids) == 2 * (20 + len(TOLD) - 1)


def test_events_from_before_those_in_memory_are_in_order_too(service: Running, monkeypatch: Any) -> None:
    monkeypatch.setattr(feeds, "MOST_EVENTS", 5)
    monkeypatch.setattr(streaming, "PAGE", 3)
    long, short = service.running("far-long"), service.running("far-short")
    for n in range(20):
        service.jobs.note(long.id, long.epoch, "warning", {"n": n})
        if n % 8 == 0:
            service.jobs.note(short.id, short.epoch, "warning", {"n": n})
    for job in (short, long):
        service.jobs.finish(job.id, job.epoch, "succeeded", ended_by="images")
    ids = numbers(told(service, long.id, short.id))
    assert ids == sorted(set(ids))
    assert len(ids) == 23 + 2 * 3


def test_frames_of_several_feeds_keep_the_order_of_each() -> None:
    random = Random(0)
    parts: list[list[Frame]] = [[], [], []]
    for number in range(60):
        parts[random.randrange(3)].append(Frame(None if random.random() < 0.4 else number, b"%d" % number))
    merged = in_order(parts)
    assert all([frame for frame in merged if frame in part] == part for part in parts)
    told = [frame.number for frame in merged if frame.number is not None]
    assert told == sorted(told)


def test_what_cannot_be_streamed_is_refused(service: Running, is_problem: Any) -> None:
    job, unknown = service.queued("refused")["id"], f"job_{'0' * 24}"
    problem = service.http.get(URL, params={"job": [job, unknown]}, headers=STREAM)
    is_problem(problem, 404, "not_found")
    assert unknown in problem.json()["detail"]
    is_problem(service.http.get(URL, params={"job": job}, headers={"Accept": "text/html"}), 406, "not_acceptable")
    many = {"job": [f"job_{n:024d}" for n in range(MOST_JOBS + 1)]}
    is_problem(service.http.get(URL, params=many, headers=STREAM), 422, "invalid_request", "job")
    twice = service.http.get(URL, params={"job": job, "after": [1, 2]}, headers=STREAM)
    is_problem(twice, 422, "invalid_request", "after")


# ---- what the studio listens to ----

ROOT = Path(__file__).parents[2]
TOLD_BY = re.compile(r"""(?:Note\(\s*type=|Told\(|record\(session, [\w.]+, )"([a-z._]+)\"""")


def types_told() -> set[str]:
    """The types of events that the server's source writes: those it spells out, and one a status."""
    files = [path for room in ("ledger", "worker") for path in (ROOT / room).rglob("*.py")]
    spelt = {type for path in files for type in TOLD_BY.findall(path.read_text())}
    return spelt | {f"job.{status}" for status in EDGES}


def test_the_studio_listens_to_every_type_of_event() -> None:
    listed = set(re.findall(r'^  "([a-z._]+)",$', (ROOT / "studio/src/api/event-types.ts").read_text(), re.MULTILINE))
    assert len(types_told()) > 20
    assert listed == types_told() | {"job", "metrics"}
