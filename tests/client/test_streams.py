"""Streams taken up again where they broke off; what is printed of them."""

import itertools
import json
from pathlib import Path

import pytest
from fake_server import Answer, Fake, happened, job, lost, problem, stream

from ganymede import Client, Event, Job, NotFound, NotStreamed, Series, ServerUnreachable
from ganymede.cli import run
from ganymede.streams import Message, messages

EVENTS = "GET /v1/jobs/job_1/events"


def test_messages_are_read_as_the_standard_says() -> None:
    lines = [
        ": a comment",
        "",
        "id: 7",
        "event: job.queued",
        "data: {",
        "data:}",
        "",
        "data: plain",
        "",
        "retry: 10",
        "",
        "id: 9",
        "",
    ]
    assert list(messages([*lines, "data: cut off"])) == [
        Message("7", "job.queued", "{\n}"),
        Message(None, "message", "plain"),
        Message("9", "message", ""),
    ]


def test_a_stream_is_records_of_three_kinds(fake: Fake) -> None:
    rows = {"object": "metrics", "job": "job_1", "data": [{"images": 10, "v": None}]}
    last = happened(2, "job.succeeded")
    fake.on(EVENTS, stream((None, "job", job("running").body), happened(1, "warning"), (None, "metrics", rows), last))
    with Client() as client:
        told = list(client.jobs.stream("job_1"))
    assert [type(one) for one in told] == [Job, Event, Series, Event]
    assert told[2].data == [{"images": 10, "v": None}]
    assert fake.calls(EVENTS)[0]["Accept"] == "text/event-stream"


def test_a_stream_that_breaks_off_goes_on_after_the_last_event(fake: Fake) -> None:
    rows = {"object": "metrics", "job": "job_1", "data": [{"images": 10}, {"images": 20}]}
    fake.on(f"{EVENTS}?metrics_after=-1", stream(happened(3, "job.queued"), (None, "metrics", rows)))
    again = f"{EVENTS}?metrics_after=20"
    fake.on(again, lost(), problem(503, "unavailable", "away"), stream(happened(4, "warning")), Answer(204, b""))
    away: list[str] = []
    with Client() as client:
        told = list(client.jobs.stream("job_1", after=2, metrics_after=-1, away=lambda error: away.append(str(error))))
    assert [one.id for one in told if isinstance(one, Event)] == [3, 4]
    assert fake.calls(f"{EVENTS}?metrics_after=-1")[0]["Last-Event-ID"] == "2"
    assert [headers["Last-Event-ID"] for headers in fake.calls(again)] == ["3", "3", "3", "4"]
    assert len(away) == 1


def test_news_of_all_jobs_go_on_after_a_break_and_after_the_end_of_a_job(fake: Fake) -> None:
    newest = Answer(200, b"retry: 1000\n\nid: 7\n\n", {"Content-Type": "text/event-stream"})
    ended = stream(happened(8, "job.succeeded"))
    fake.on("GET /v1/events", newest, lost(), ended, stream(happened(9, "job.queued")))
    with Client() as client:
        told = [one.id for one in itertools.islice(client.jobs.news(), 2)]
    assert told == [8, 9]
    assert [headers.get("Last-Event-ID") for headers in fake.calls("GET /v1/events")] == [None, "7", "7", "8"]


def test_a_server_that_stays_away_is_given_up(fake: Fake) -> None:
    fake.on(EVENTS, lost())
    with Client() as client, pytest.raises(ServerUnreachable):
        list(client.jobs.stream("job_1", patience=0.3))
    assert 2 <= len(fake.calls(EVENTS)) <= 4


def test_what_is_no_stream_is_said_to_be_none(fake: Fake) -> None:
    fake.on(EVENTS, Answer(200, {"object": "list", "data": []}))
    with Client() as client, pytest.raises(NotStreamed):
        list(client.jobs.stream("job_1"))
    fake.on(EVENTS, problem(404, "not_found", "there is no job job_1"))
    with Client() as client, pytest.raises(NotFound):
        list(client.jobs.stream("job_1"))


def test_watching_shows_what_the_stream_tells(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    warned = happened(2, "warning", code="saturated", message="it learns nothing", remedy="another recipe")
    done = job("succeeded", ended_by="images").body
    fake.on(
        EVENTS,
        stream((None, "job", job("running").body), happened(1, "job.running"), warned),
        stream((None, "job", done), happened(3, "job.succeeded")),
    )
    assert run(["jobs", "watch", "job_1", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["status"] == "succeeded"
    assert err.count("warning saturated: it learns nothing; remedy: another recipe") == 1
    assert fake.calls(EVENTS)[1]["Last-Event-ID"] == "2"
    assert fake.calls("GET /v1/jobs/job_1") == []


@pytest.mark.parametrize("refusal", [problem(406, "not_acceptable", "pages alone"), Answer(200, {"data": []})])
def test_watching_a_server_without_streams_asks_it_now_and_then(
    fake: Fake, capsys: pytest.CaptureFixture[str], refusal: Answer
) -> None:
    fake.on(EVENTS, refusal)
    fake.on("GET /v1/jobs/job_1", job("running"), job("failed", error={"code": "diverged", "message": "NaN"}))
    assert run(["jobs", "watch", "job_1"]) == 1
    assert "diverged: NaN" in capsys.readouterr().err


def test_events_are_followed_line_by_line(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    told = happened(1, "job.queued"), (None, "job", job("queued").body), happened(2, "job.failed", reason="x")
    fake.on(EVENTS, stream(*told))
    assert run(["jobs", "events", "job_1", "--follow", "--json"]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == [1, 2]
    fake.on(EVENTS, stream(*told))
    assert run(["jobs", "events", "job_1", "-f", "--after", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2"]
    assert lines[1].endswith("job.failed  reason=x")
    assert fake.calls(EVENTS)[-1]["Last-Event-ID"] == "0"


def test_a_series_is_printed_as_csv(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake.on(
        "GET /v1/jobs/job_1/metrics", Answer(200, b"images,created_at,v\r\n10,x,\r\n", {"Content-Type": "text/csv"})
    )
    assert run(["jobs", "metrics", "job_1", "--csv"]) == 0
    assert capsys.readouterr().out == "images,created_at,v\n10,x,\n"
    assert fake.calls("GET /v1/jobs/job_1/metrics")[0]["Accept"] == "text/csv"


def test_previews_are_saved_at_any_time_and_as_a_time_lapse(fake: Fake, tmp_path: Path) -> None:
    fake.on("GET /v1/jobs/job_1/preview?at=100", Answer(200, b"png", {"Content-Type": "image/png"}))
    assert run(["jobs", "preview", "job_1", "--at", "100", "--out", str(tmp_path / "p.png")]) == 0
    assert (tmp_path / "p.png").read_bytes() == b"png"
    moving = "GET /v1/jobs/job_1/preview?timelapse=1&fps=4.0"
    fake.on(moving, Answer(200, b"gif", {"Content-Type": "image/gif"}))
    assert run(["jobs", "timelapse", "job_1", "--fps", "4", "--out", str(tmp_path / "t.gif")]) == 0
    assert (tmp_path / "t.gif").read_bytes() == b"gif"
    assert fake.calls(moving)[0]["Accept"] == "image/gif"
