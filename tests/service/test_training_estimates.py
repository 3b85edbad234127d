"""Estimates: what a training would be and take, refused as it would be, and nothing queued."""

from collections.abc import Callable
from typing import Any

import pytest
from sampling_kit import publish
from seeded import IMAGES, network
from service_kit import Running, serving, settings_in

Check = Callable[..., dict[str, Any]]
ASKED: list[dict[str, Any]] = [
    {},
    {"recipe": "wgan-gp", "max_seconds": 60, "network": {"width": 8}, "learning_rate": 1e-3},
    {"recipe": "dcgan", "images": 5000, "metadata": {"for": "nobody"}, "priority": 3},
]


@pytest.fixture
def images(service: Running) -> Running:
    """The service, with a dataset of images."""
    if not service.datasets.exists("images"):
        service.images("images")
    return service


def body(dataset: str, model: str, **more: Any) -> dict[str, Any]:
    return {"type": "train", "dataset": dataset, "model": model, **more}


def estimated(service: Running, *words: str, **more: Any) -> Any:
    return service.http.post("/v1/estimates", json=body(*words, **more))


@pytest.mark.parametrize("asked", ASKED)
def test_an_estimate_is_what_the_job_is_then(images: Running, asked: dict[str, Any]) -> None:
    model = f"later-{ASKED.index(asked)}"
    answer = estimated(images, "images", model, **asked)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["object"], found["type"], found["model"], found["dataset"]) == ("estimate", "train", model, "images")
    assert found["spec"]["chosen"]
    job = images.train("images", model, **asked).json()
    assert (found["spec"], found["estimate"]) == (job["spec"], job["estimate"])


def test_an_estimate_makes_nothing(images: Running) -> None:
    jobs, models, events = (
        images.jobs.list(limit=100).data,
        images.models.list(limit=100).data,
        images.jobs.newest_event(),
    )
    for key in ("a", "a", "b"):
        answer = images.http.post("/v1/estimates", json=body("images", "nothing"), headers={"Idempotency-Key": key})
        assert answer.status_code == 200
        assert "idempotency-replayed" not in answer.headers
    assert images.jobs.list(limit=100).data == jobs
    assert images.models.list(limit=100).data == models
    assert images.jobs.newest_event() == events


def test_an_estimate_is_refused_as_the_job_would_be(images: Running, is_problem: Check) -> None:
    images.upload("unready")
    images.queued("taken")
    for asked, status, field in (
        (body("nobody", "m"), 404, "dataset"),
        (body("unready", "m"), 409, "dataset"),
        (body("images", "taken"), 409, "model"),
        (body("images", "m", resume_from="nobody"), 404, "resume_from"),
        (body("images", "taken", resume_from="taken"), 409, "resume_from"),
        (body("images", "m", recipe="sngan", clip=0.01), 422, "clip"),
        (body("images", "m", batch_size=100_000), 422, "batch_size"),
        (body("images", "m", network={"width": 1}), 422, "network.width"),
        (body("images", "m", colour="red"), 422, "colour"),
        (body("images", "m") | {"type": "evaluate"}, 422, "type"),
    ):
        refused = is_problem(images.http.post("/v1/estimates", json=asked), status, param=field)
        if asked["type"] == "train":
            job = is_problem(images.http.post("/v1/jobs", json=asked), status, param=field)
            assert refused | {"request_id": None} == job | {"request_id": None}, asked


def test_memory_that_cannot_suffice_refuses_the_estimate(images: Running, is_problem: Check) -> None:
    images.images("large", count=4000, shape=(64, 64, 3))
    worker = images.workers.register("train", "cpu, 2000 MiB", host="here", pid=1, started=1.0)
    try:
        asked = body("large", "huge", recipe="dcgan", batch_size=4000, network={"width": 256})
        is_problem(images.http.post("/v1/estimates", json=asked), 422, "invalid_request", "batch_size")
    finally:
        images.workers.forget(worker)


def test_a_model_may_be_gone_on_with_from_its_newest_checkpoint_alone(images: Running, is_problem: Check) -> None:
    publish(images, "begun", network("plain", IMAGES, "class", 2), 10, ("cat", "dog"), (60, 60))
    found = estimated(images, "images", "begun", resume_from="begun")
    assert found.status_code == 200, found.text
    assert found.json()["spec"]["resume_from"]["images"] == 10
    assert estimated(images, "images", "branch", resume_from="begun").status_code == 200
    assert images.train("images", "begun", resume_from="begun").status_code == 202
    is_problem(estimated(images, "images", "begun", resume_from="begun"), 409, "conflict", "model")
    assert estimated(images, "images", "branch", resume_from="begun").status_code == 200, "a new model may begin there"


def test_a_full_queue_keeps_nobody_from_an_estimate(tmp_path: Any) -> None:
    with serving(settings_in(tmp_path, max_queued_jobs=1)) as running:
        running.images("images")
        assert running.train("images", "one").status_code == 202
        assert running.train("images", "two").status_code == 503
        assert estimated(running, "images", "two").status_code == 200
