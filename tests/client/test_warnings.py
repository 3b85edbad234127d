"""What a person is told of a job's health, and of what it will take."""

import pytest
from fake_server import CREATED, Answer, Fake, job

from ganymede.client import Client
from ganymede.commands.jobs import tell_warnings
from ganymede.records import Event, Job
from ganymede.render import expected, warning


def event(number: int, type: str, **data: object) -> dict[str, object]:
    return {"id": number, "object": "event", "job": "job_1", "type": type, "data": data, "created_at": CREATED}


def test_warnings_and_recoveries_are_told_once_with_their_remedy(fake: Fake, capsys: pytest.CaptureFixture) -> None:
    collapse = event(7, "warning", code="mode_collapse", message="all alike", remedy="recipe r3gan")
    mended = event(
        9, "job.recovered", reason="not_finite", message="NaN", field="learning_rate", to=0.25, **{"from": 1}
    )
    pages = [
        {"object": "list", "data": [event(1, "job.queued"), collapse, mended], "last_id": 9},
        {"object": "list", "data": []},
    ]
    fake.on("GET /v1/jobs/job_1/events", Answer(200, pages[0]))
    fake.on("GET /v1/jobs/job_1/events?after=9", Answer(200, pages[1]))
    with Client(fake.url) as client:
        seen = tell_warnings(client, "job_1", None)
        assert tell_warnings(client, "job_1", seen) == seen == 9
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "warning mode_collapse: all alike; remedy: recipe r3gan",
        "recovered from not_finite: NaN; learning_rate 1 → 0.25",
    ]


def test_events_that_cannot_be_had_do_not_end_the_watching(fake: Fake) -> None:
    with Client(fake.url) as client:
        assert tell_warnings(client, "job_1", 3) == 3


def test_what_a_job_will_take_is_said_in_words_or_not_at_all() -> None:
    made = Job.model_validate(job("queued", estimate={"seconds": 61.0, "memory_bytes": 549_000_000}).body)
    assert expected(made) == "about 1:01 and 549.0 MB of memory"
    assert expected(Job.model_validate(job("queued").body)) == ""
    assert "–" in warning(Event.model_validate(event(1, "warning", code="odd")))
