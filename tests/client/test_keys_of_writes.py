"""What makes something goes under a key, so that it may be sent again where its answer was lost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_server import Answer, Fake, dataset, job, lost, problem

import ganymede
from ganymede import Client
from ganymede.errors import InProgress

JOBS = "POST /v1/jobs"
BUSY = problem(409, "conflict", "still being served", **{"Retry-After": "0"})


def keys(fake: Fake, call: str) -> list[str]:
    return [headers["Idempotency-Key"] for headers in fake.calls(call)]


def test_a_lost_answer_is_asked_for_again_under_the_same_key(fake: Fake) -> None:
    away = problem(503, "unavailable", "starting", **{"Retry-After": "0"})
    fake.on(JOBS, lost(), lost(), away, BUSY, job("queued"))
    with Client() as client:
        assert client.jobs.create({"type": "train"}).id == "job_1"
    assert len(keys(fake, JOBS)) == 5
    assert len(set(keys(fake, JOBS))) == 1
    assert fake.sent(JOBS) == [{"type": "train"}] * 5


def test_two_wishes_have_two_keys_and_the_callers_own_goes_as_it_is(fake: Fake) -> None:
    fake.on(JOBS, job("queued"))
    with Client() as client:
        for key in (None, None, "mine"):
            client.jobs.create({"type": "train"}, idempotency_key=key)
    first, second, own = keys(fake, JOBS)
    assert first != second
    assert own == "mine"


def test_a_write_that_is_still_served_is_waited_for_and_a_conflict_is_not(fake: Fake) -> None:
    fake.on(JOBS, BUSY, BUSY, job("queued"))
    with Client() as client:
        assert client.jobs.create({"type": "train"}).id == "job_1"
    assert len(fake.calls(JOBS)) == 3
    fake.on(JOBS, problem(409, "conflict", "a model named m exists already", "model"))
    with Client() as client, pytest.raises(ganymede.Conflict) as caught:
        client.jobs.create({"type": "train"})
    assert not isinstance(caught.value, InProgress)
    assert len(fake.calls(JOBS)) == 4


def test_a_file_is_sent_again_from_its_beginning(fake: Fake, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_bytes(b"x,y\n" + b"1,2\n" * 1000)
    fake.on("POST /v1/datasets", lost(), dataset("preparing"))
    with Client() as client:
        client.datasets.upload(tmp_path / "points.csv")
    bodies = [body for _, body in fake.bodies]
    assert len(bodies) == 2
    assert all(body.count(b"1,2\n") == 1000 for body in bodies)
    assert len(set(keys(fake, "POST /v1/datasets"))) == 1


MODEL = Answer(201, {"id": "mdl_1", "name": "m", "created_at": "2026-01-31T12:00:00Z"})
CREATING: dict[str, tuple[Answer, Callable[[Client, Path], Any]]] = {
    "POST /v1/jobs/job_1/retry": (job("queued"), lambda c, _: c.jobs.retry("job_1", idempotency_key="k")),
    "POST /v1/models": (MODEL, lambda c, file: c.models.upload(file, "m", idempotency_key="k")),
    "POST /v1/datasets": (dataset("preparing"), lambda c, file: c.datasets.send(file, "d", idempotency_key="k")),
    "POST /v1/projections": (
        job("succeeded"),
        lambda c, _: c.project({"model": "m", "images": ["aGk="]}, idempotency_key="k"),
    ),
}


@pytest.mark.parametrize("call", list(CREATING))
def test_all_that_makes_something_takes_a_key(fake: Fake, tmp_path: Path, call: str) -> None:
    made, act = CREATING[call]
    (tmp_path / "file").write_bytes(b"bytes")
    fake.on(call, lost(), made)
    fake.on("GET /v1/jobs/job_1", job("succeeded"))
    with Client() as client:
        act(client, tmp_path / "file")
    assert keys(fake, call) == ["k", "k"]


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(ganymede.ServerUnreachable) as caught:
        client.jobs.create({"type": "train"})
    assert caught.value.refused
