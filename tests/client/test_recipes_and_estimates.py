"""Recipes and estimates by the client."""

import pytest
from fake_server import Answer, Fake

from gan.spec import TrainRequest
from ganymede import Client
from ganymede.errors import ProblemError

RECIPE = {
    "id": "dcgan",
    "object": "recipe",
    "name": "dcgan",
    "default": False,
    "summary": "The classic.",
    "about": "A paragraph.",
    "formula": {"discriminator": "f", "generator": "r", "kept_lipschitz_by": None, "mathml": {}},
    "source": {"authors": "Radford", "title": "A title", "year": 2016, "url": "https://example.org"},
    "settings": {"critic_steps": 1},
}
REQUEST = {"type": "train", "dataset": "digits", "model": "m"}
ESTIMATE = {"object": "estimate", "type": "train", "dataset": "digits", "model": "m", "spec": {}, "estimate": None}


def test_recipes_are_told(fake: Fake) -> None:
    page = {"object": "list", "data": [RECIPE], "first_id": "dcgan", "last_id": "dcgan", "has_more": False}
    fake.on("GET /v1/recipes", Answer(200, page))
    with Client() as client:
        [recipe] = client.recipes().data
    assert (recipe.name, recipe.settings["critic_steps"]) == ("dcgan", 1)


@pytest.mark.parametrize("request_", [REQUEST, TrainRequest.model_validate(REQUEST)])
def test_an_estimate_is_asked_for_with_the_body_of_a_training(fake: Fake, request_: TrainRequest) -> None:
    spec = {"images": 200000, "chosen": {"images": "a CPU"}}
    fake.on("POST /v1/estimates", Answer(200, ESTIMATE | {"spec": spec, "estimate": {"seconds": 3.0}}))
    with Client() as client:
        found = client.jobs.estimate(request_)
    assert (found.spec, found.estimate) == (spec, {"seconds": 3.0})
    [sent] = fake.sent("POST /v1/estimates")
    assert sent["dataset"] == "digits"


def test_a_refused_estimate_names_the_field(fake: Fake) -> None:
    fake.on("POST /v1/estimates", Answer(409, {"title": "Conflict", "code": "conflict", "param": "model"}))
    with Client() as client, pytest.raises(ProblemError) as refused:
        client.jobs.estimate(REQUEST)
    assert refused.value.param == "model"
