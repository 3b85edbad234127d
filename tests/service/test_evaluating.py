"""`POST /v1/jobs` with `type: evaluate`: what is chosen, what is refused, and where the result is shown."""

from collections.abc import Callable
from typing import Any

import pytest
from service_kit import Running

from gan.metrics import measurable
from gan.spec import ImageShape
from service.routes.jobs import EXAMPLES

Check = Callable[..., dict[str, Any]]


def evaluate(service: Running, **asked: Any) -> Any:
    return service.http.post("/v1/jobs", json={"type": "evaluate", **asked})


@pytest.fixture(scope="module")
def furnished(house: Running) -> Running:
    """Two datasets of images, one of points, and a model with a checkpoint."""
    house.images("eval-a", count=1000)
    house.images("eval-b", count=1000)
    house.points("eval-points", None)
    house.train("eval-a", "eval-model", seed=7)
    house.checkpoint(house.claim("train"), 1000)
    return house


@pytest.fixture
def stocked(furnished: Running, service: Running) -> Running:
    """The same, with empty queues."""
    assert furnished is service
    return service


def test_a_model_is_measured_by_its_own_data_and_what_was_held_out_of_it(stocked: Running) -> None:
    answer = evaluate(stocked, model="eval-model")
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["type"], job["model"], job["dataset"], job["result"]) == ("evaluate", "eval-model", "eval-a", None)
    spec = job["spec"]
    assert spec["checkpoint"] == stocked.models.resolve("eval-model")[1].id
    assert spec["split"] == {"share": 0.1, "seed": 7}
    assert tuple(spec["metrics"]) == measurable(ImageShape(channels=1, height=8, width=8))
    assert {"metrics", "samples", "steps"} <= set(spec["chosen"])


def test_foreign_data_was_held_out_as_a_whole(stocked: Running) -> None:
    spec = evaluate(stocked, model="eval-model", dataset="eval-b", samples=100, metrics=["fid"]).json()["spec"]
    assert spec["split"] is None
    assert (spec["samples"], spec["metrics"]) == (100, ["fid"])
    assert "samples" not in spec["chosen"]


def test_two_datasets_need_no_model(stocked: Running) -> None:
    job = evaluate(stocked, dataset="eval-a", against="eval-b").json()
    assert (job["model"], job["dataset"], job["spec"]["against"]) == (None, "eval-a", "eval-b")


def test_a_result_is_shown_in_its_job_and_with_its_checkpoint(stocked: Running) -> None:
    stocked.quiet()
    job = evaluate(stocked, model="eval-model").json()
    held = stocked.claim("light")
    assert held.id == job["id"]
    result = {"metrics": {"fid": 1.5}, "extractor": {"name": "random-conv-1", "comparable": False}}
    stocked.jobs.finish_evaluation(held.id, held.epoch, result, held.spec["checkpoint"], {"evaluated_fid": 1.5})
    done = stocked.http.get(f"/v1/jobs/{job['id']}").json()
    assert (done["status"], done["ended_by"], done["result"]) == ("succeeded", "done", result)
    [checkpoint] = stocked.http.get("/v1/models/eval-model").json()["checkpoints"]
    assert checkpoint["metrics"]["evaluated_fid"] == 1.5


@pytest.mark.parametrize(
    ("asked", "param", "told"),
    [
        ({}, "model", "two"),
        ({"dataset": "eval-a"}, "against", "another"),
        ({"against": "eval-a"}, "dataset", "another"),
        ({"model": "eval-model", "against": "eval-b"}, "against", "leave against out"),
        ({"dataset": "eval-a", "against": "eval-points"}, "against", "points of 2 numbers"),
        ({"model": "eval-model", "dataset": "eval-points"}, "dataset", "images of 8×8 with 1 channels"),
        ({"model": "eval-model", "metrics": ["loveliness"]}, "metrics", "there is no metric 'loveliness'"),
        ({"model": "eval-model", "metrics": ["wasserstein_exact"]}, "metrics", "not measured on images"),
        ({"model": "eval-model", "metrics": []}, "metrics", ""),
        ({"model": "eval-model", "samples": 10}, "samples", "64"),
        ({"model": "eval-model", "steps": 0}, "steps", "10"),
        ({"model": "eval-model", "images": 5}, "images", ""),
    ],
)
def test_nonsense_is_422_and_names_the_field(
    stocked: Running, is_problem: Check, asked: dict[str, Any], param: str, told: str
) -> None:
    problem = is_problem(evaluate(stocked, **asked), 422, "invalid_request", param)
    if asked:
        assert told in problem["detail"] + str(problem["errors"])


def test_images_of_another_size_are_refused_with_both_sizes_and_the_remedy(stocked: Running, is_problem: Check) -> None:
    stocked.images("eval-large", count=200, shape=(16, 12, 1))
    problem = is_problem(evaluate(stocked, dataset="eval-a", against="eval-large"), 422, "invalid_request", "against")
    assert "8×8 with 1 channels" in problem["detail"]
    assert "12×16 with 1 channels" in problem["detail"]
    assert "width and height" in problem["detail"]


def test_images_of_other_channels_are_not_told_to_change_their_size(stocked: Running, is_problem: Check) -> None:
    stocked.images("eval-coloured", count=200, shape=(8, 8, 3))
    asked = evaluate(stocked, dataset="eval-a", against="eval-coloured")
    problem = is_problem(asked, 422, "invalid_request", "against")
    assert "8×8 with 3 channels" in problem["detail"]
    assert "with the channels of the other" in problem["detail"]
    assert "width and height" not in problem["detail"]


def test_too_few_rows_are_refused_and_where_there_are_few_the_theory_is_left_out(
    stocked: Running, is_problem: Check
) -> None:
    stocked.images("eval-tiny", count=50)
    stocked.images("eval-few", count=100)
    is_problem(evaluate(stocked, dataset="eval-tiny", against="eval-b"), 422, "invalid_request", "dataset")
    is_problem(evaluate(stocked, dataset="eval-b", against="eval-tiny"), 422, "invalid_request", "against")
    asked = {"dataset": "eval-few", "against": "eval-b"}
    assert "js_estimate" not in evaluate(stocked, **asked).json()["spec"]["metrics"]
    problem = is_problem(evaluate(stocked, **asked, metrics=["js_estimate"]), 422, "invalid_request", "dataset")
    assert "256" in problem["detail"]


def test_what_is_not_there_yet_or_no_longer_is_404_or_409(stocked: Running, is_problem: Check) -> None:
    is_problem(evaluate(stocked, model="nobody"), 404, "not_found", "model")
    is_problem(evaluate(stocked, model="eval-model@5"), 404, "not_found", "model")
    is_problem(evaluate(stocked, dataset="eval-a", against="nothing"), 404, "not_found", "against")
    stocked.train("eval-a", "eval-young")
    is_problem(evaluate(stocked, model="eval-young"), 409, "conflict", "model")


def test_a_model_whose_data_were_deleted_is_measured_by_others(stocked: Running, is_problem: Check) -> None:
    stocked.quiet()
    stocked.images("eval-gone", count=300)
    stocked.train("eval-gone", "eval-orphan")
    job = stocked.claim("train")
    stocked.checkpoint(job, 10)
    stocked.jobs.finish(job.id, job.epoch, "succeeded", ended_by="images")
    assert stocked.http.delete("/v1/datasets/eval-gone").status_code == 204
    problem = is_problem(evaluate(stocked, model="eval-orphan"), 409, "conflict", "dataset")
    assert "name the one to compare with" in problem["detail"]
    assert evaluate(stocked, model="eval-orphan", dataset="eval-a").status_code == 202
    is_problem(stocked.http.delete("/v1/models/eval-orphan"), 409, "conflict")  # while it is to be evaluated


@pytest.mark.parametrize("type", ["bake", 5, None])
def test_other_types_are_refused_by_name(service: Running, is_problem: Check, type: object) -> None:
    body = {"type": type, "model": "m"} if type else {"model": "m"}
    problem = is_problem(service.http.post("/v1/jobs", json=body), 422, "invalid_request")
    assert any(error["pointer"] == "/type" for error in problem["errors"])


@pytest.mark.parametrize("example", [name for name, one in EXAMPLES.items() if one["value"]["type"] == "evaluate"])
def test_the_documents_examples_are_accepted(stocked: Running, example: str) -> None:
    body = dict(EXAMPLES[example]["value"])
    names = {"digits": "eval-model", "left": "eval-points", "right": "eval-points"}
    body = {key: names.get(value, value) if isinstance(value, str) else value for key, value in body.items()}
    answer = stocked.http.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
