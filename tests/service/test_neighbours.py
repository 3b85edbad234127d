"""The data nearest to a sample, over HTTP."""

import io
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sampling_kit import array, ask, data, publish, sampling_service
from seeded import network
from service_kit import Running

from gan.spec import DatasetFacts, ImageShape, PointShape
from ledger.tables import ModelRow
from service import neighbours
from service.neighbours import Packed, nearest

Check = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A model of images in two classes and one of points, with the datasets that they come from."""
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        shape = ImageShape(channels=1, height=8, width=8)
        cats = network("r3", shape, "class", 2)
        publish(running, "pets", cats, classes=("cat", "dog"), counts=(60, 60))
        publish(running, "cloud", network("mlp", PointShape(dims=2)))
        publish(running, "orphan", cats, classes=("cat", "dog"), counts=(60, 60))
        running.images("pets")
        running.points("cloud", None)
        for name in ("pets", "cloud"):
            trained_on(running, name, running.datasets.get(name).id)
        yield running


def trained_on(running: Running, model: str, dataset_id: str) -> None:
    with running.ledger.writing() as session:
        session.query(ModelRow).where(ModelRow.name == model).update({"dataset_id": dataset_id, "dataset": model})


def packed(running: Running, name: str) -> np.ndarray:
    return np.load(running.storage.path(running.datasets.get(name).path) / "data.npy")


def test_the_nearest_images_are_named_shown_and_measured(service: Running) -> None:
    answer = service.http.get("/v1/models/pets/neighbours", params={"seed": 3, "label": "dog", "count": 5}).json()
    assert (answer["object"], answer["model"], answer["label"]) == ("neighbours", "pets", "dog")
    sample = array(ask(service, "application/x-npy", model="pets", seed=3, labels=["dog"], **{"return": ["image"]}))[0]
    rows = packed(service, "pets").astype(float)
    distances = np.sqrt(np.square(rows - sample).mean(axis=(1, 2, 3))) / 255
    assert [one["index"] for one in answer["data"]] == np.argsort(distances)[:5].tolist()
    np.testing.assert_allclose([one["distance"] for one in answer["data"]], np.sort(distances)[:5], rtol=1e-9)
    first = answer["data"][0]
    assert first["label"] == ("cat", "dog")[first["index"] % 2]
    shown = np.asarray(Image.open(io.BytesIO(b64decode(first["b64_json"]))))
    assert np.array_equal(shown, rows[first["index"], :, :, 0])
    own = np.sqrt(np.square(rows - rows[first["index"]]).mean(axis=(1, 2, 3))) / 255
    assert answer["typical"] == pytest.approx(np.sort(own)[1])


def test_the_sample_is_drawn_with_the_truncation_that_its_picture_has(service: Running) -> None:
    whole, half = (
        service.http.get("/v1/models/pets/neighbours", params={"seed": 3, "label": "dog", **drawn}).json()
        for drawn in ({}, {"truncation": 0.5})
    )
    sample = array(
        ask(service, "application/x-npy", model="pets", seed=3, labels=["dog"], truncation=0.5, **{"return": ["image"]})
    )[0]
    distances = np.sqrt(np.square(packed(service, "pets").astype(float) - sample).mean(axis=(1, 2, 3))) / 255
    assert half["data"][0]["distance"] == pytest.approx(distances.min())
    assert whole["data"][0]["distance"] != pytest.approx(distances.min())


def test_points_have_neighbours_in_their_own_units(service: Running) -> None:
    answer = service.http.get("/v1/models/cloud/neighbours", params={"seed": 1, "count": 1}).json()
    point = np.array(data(ask(service, model="cloud", seed=1))[0]["point"])
    distances = np.linalg.norm(packed(service, "cloud") - point, axis=1)
    (found,) = answer["data"]
    assert found["index"] == int(distances.argmin())
    assert found["distance"] == pytest.approx(distances.min(), rel=1e-5)
    assert found["point"] == pytest.approx(packed(service, "cloud")[found["index"]].tolist())
    assert answer["label"] is None


def test_a_model_whose_data_are_gone_has_no_neighbours_and_says_so(service: Running, is_problem: Check) -> None:
    is_problem(service.http.get("/v1/models/orphan/neighbours?seed=1"), 409, "conflict")
    is_problem(service.http.get("/v1/models/nobody/neighbours?seed=1"), 404, "not_found")


@pytest.mark.parametrize(
    ("query", "param"),
    [({}, "seed"), ({"seed": -1}, "seed"), ({"seed": 2**63}, "seed"), ({"seed": 1, "count": 17}, "count"),
     ({"seed": 1, "label": "cow"}, "label")],
)  # fmt: skip
def test_what_cannot_be_asked_is_named(service: Running, is_problem: Check, query: dict[str, Any], param: str) -> None:
    is_problem(service.http.get("/v1/models/pets/neighbours", params=query), 422, "invalid_request", param)


def test_data_are_compared_some_at_a_time_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (50, 4, 4, 3), dtype=np.uint8)
    facts = DatasetFacts(count=50, shape=ImageShape(channels=3, height=4, width=4))
    whole = nearest(Packed(facts, rows, None), rows[7], 3)
    monkeypatch.setattr(neighbours, "NUMBERS_AT_ONCE", 100)
    assert nearest(Packed(facts, rows, None), rows[7], 3) == whole
    assert (whole.indices[0], whole.distances[0]) == (7, 0.0)


@pytest.mark.parametrize("channels", [2, 4])
def test_a_colour_that_nobody_sees_is_no_difference(channels: int) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (40, 16, 16, channels), dtype=np.uint8)
    rows[:, :8, :, :] = 255
    rows[:, :8, :, -1] = 0
    sample = rows[3].copy()
    sample[:8, :, :-1] = 0
    facts = DatasetFacts(count=40, shape=ImageShape(channels=channels, height=16, width=16))
    found = nearest(Packed(facts, rows, None), sample, 2)
    assert (found.indices[0], found.distances[0]) == (3, 0.0)
    assert found.distances[1] > 0.1


def test_data_too_large_to_look_through_are_refused_by_their_limit(
    service: Running, is_problem: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "MOST_BYTES", 100)
    is_problem(service.http.get("/v1/models/pets/neighbours?seed=1"), 413, "limit_exceeded")


def test_a_row_that_is_alone_has_no_typical_distance() -> None:
    facts = DatasetFacts(count=1, shape=PointShape(dims=1))
    assert nearest(Packed(facts, np.zeros((1, 1), np.float32), None), np.ones(1, np.float32), 5).typical is None
