"""Directions and edits over HTTP."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sampling_kit import ask, data, pixels, publish, record, sampling_service
from sampling_kit import opened as picture
from seeded import IMAGES, POINTS, network

Check = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        publish(running, "pets", network("plain", IMAGES, "class", 2), classes=("cat", "dog"), counts=(1, 1))
        publish(running, "ring", network("mlp", POINTS))
        yield running


def directions(running, query: str = "") -> dict[str, Any]:
    answer = running.http.get(f"/v1/models/pets/directions{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def latent(running, **body: Any) -> np.ndarray:
    return np.array(
        data(ask(running, "application/json", model="pets", seed=3, **body, **{"return": ["latent"]}))[0]["latent"]
    )


def test_they_are_listed_the_strongest_first_and_are_always_the_same(service) -> None:
    found = directions(service, "?count=4")
    assert (found["object"], found["model"], found["method"]) == ("directions", "pets", "pca")
    assert found["checkpoint"] == "ckpt_pets1000"
    assert [row["index"] for row in found["data"]] == [0, 1, 2, 3]
    strengths = [row["strength"] for row in found["data"]]
    assert strengths == sorted(strengths, reverse=True)
    assert found == directions(service, "?count=4")
    assert len(directions(service)["data"]) == 6
    other = directions(service, "?method=factorisation&count=1")
    assert other["method"] == "factorisation"
    assert other["data"][0]["vector"] != found["data"][0]["vector"]


@pytest.mark.parametrize("method", ["pca", "factorisation"])
def test_an_edit_moves_the_latent_along_its_direction_after_truncation(service, method: str) -> None:
    rows = directions(service, f"?method={method}")["data"]
    edits = [{"direction": 0, "amount": 2.5, "method": method}, {"direction": 3, "amount": -1.0, "method": method}]
    before, after = latent(service, truncation=0.5), latent(service, truncation=0.5, edits=edits)
    step = 2.5 * np.array(rows[0]["vector"]) - np.array(rows[3]["vector"])
    np.testing.assert_allclose(after - before, step, atol=1e-5)


def test_a_picture_changes_and_says_by_which_edit(service) -> None:
    edits = [{"direction": 0, "amount": 3.0}]
    answer = ask(service, model="pets", seed=3, edits=edits)
    assert record(picture(answer))["edits"] == [{"direction": 0, "amount": 3.0, "method": "pca"}]
    assert np.abs(pixels(answer) - pixels(ask(service, model="pets", seed=3))).max() > 10


def test_points_have_directions_too(service) -> None:
    rows = [
        data(ask(service, model="ring", seed=1, edits=[{"direction": 0, "amount": a}]))[0]["point"] for a in (0.0, 2.0)
    ]
    assert rows[0] != rows[1]


@pytest.mark.parametrize(
    ("edits", "param"),
    [
        ([{"direction": 6, "amount": 1.0}], "edits.0.direction"),
        ([{"direction": 0, "amount": 1.0}, {"direction": 99, "amount": 1.0}], "edits.1.direction"),
        ([{"direction": -1, "amount": 1.0}], "edits.0.direction"),
        ([{"direction": 0, "amount": 1e9}], "edits.0.amount"),
        ([{"direction": 0}], "edits.0.amount"),
        ([{"direction": 0, "amount": 1.0, "method": "ica"}], "edits.0.method"),
        ([], "edits"),
    ],
)
def test_an_edit_that_cannot_be_made_names_its_field(service, edits: Any, param: str, is_problem: Check) -> None:
    assert is_problem(ask(service, model="pets", seed=3, edits=edits), 422, "invalid_request")["param"] == param
