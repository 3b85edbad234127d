"""Several averages of a checkpoint, and the best checkpoint, as a caller sees them: drawn, named, cached, refused."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sampling_kit import array, ask, data, opened, pixels, publish, record, sampling_service
from seeded import IMAGES, POINTS, generator, network
from service_kit import Running
from sqlalchemy import update

from gan.checkpoint import ModelHeader, write_model
from ledger.tables import CheckpointRow, ModelRow

Check = Callable[..., dict[str, Any]]
PETS = network("r3", IMAGES, "class", 2)
SEEDS = {"generator": 1, "ema.0": 2, "ema.400": 3}
HALFLIVES = (0.0, 400.0, 5000.0)


def publish_averaged(running: Running, images: int) -> None:
    """A checkpoint of `pets` with a generator of another seed for each average."""
    id = publish(running, "pets", PETS, images, classes=("cat", "dog"), counts=(1, 1))
    header = ModelHeader(
        network=PETS,
        recipe="r3gan",
        classes=("cat", "dog"),
        class_counts=(1, 1),
        images=images,
        seed=0,
        dataset_digest="0",
        ema_halflife=5000.0,
        ema_halflives=HALFLIVES,
    )
    states = {prefix: generator(PETS, seed + images).state_dict() for prefix, seed in SEEDS.items()}
    tensors = {f"{prefix}.{name}": tensor for prefix, state in states.items() for name, tensor in state.items()}
    path = f"checkpoints/mdl_pets/{id}.averaged.safetensors"
    written = write_model(running.storage.path(path), header, tensors)
    change(running, id, path=path, sha256=written.sha256, bytes=written.bytes)


def change(running: Running, checkpoint: str, **values: Any) -> None:
    with running.ledger.writing() as session:
        session.execute(update(CheckpointRow).where(CheckpointRow.id == checkpoint).values(**values))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        for images in (1000, 2000):
            publish_averaged(running, images)
        publish(running, "plain", network("r3"))
        publish(running, "branches", network("mlp", POINTS, "vector", 2), conditions=torch.rand(50, 2))
        yield running


def picture(service: Running, **body: Any) -> np.ndarray:
    return pixels(ask(service, model="ckpt_pets1000", seed=4, labels=["cat"], **body))


def expected(prefix: str, images: int = 1000) -> np.ndarray:
    """What the generator of that name makes of seed 4, cat, computed without the service."""
    from gan.images import to_uint8
    from gan.latents import latents

    z, c = torch.from_numpy(latents([4], 6)), torch.eye(2)[:1]
    made = generator(PETS, SEEDS[prefix] + images)(z, c).detach().numpy()
    return to_uint8(made)[0, :, :, 0].astype(int)


# ---- ema ----


@pytest.mark.parametrize(
    ("ema", "prefix", "named"),
    [
        (None, "generator", 5000),
        (5000, "generator", 5000),
        (400.0, "ema.400", 400),
        ("raw", "ema.0", 0),
        (0, "ema.0", 0),
    ],
)
def test_the_average_asked_for_draws_and_is_named_everywhere(
    service: Running, ema: object, prefix: str, named: int
) -> None:
    asked = {"model": "ckpt_pets1000", "seed": 4, "labels": ["cat"], "ema": ema}
    answer = ask(service, **asked)
    assert np.abs(pixels(answer) - expected(prefix)).max() <= 1
    assert answer.headers["x-ganymede-ema"] == str(named)
    assert record(opened(answer))["ema"] == named
    assert ask(service, "application/json", **asked).json()["ema"] == named
    with zipfile.ZipFile(io.BytesIO(ask(service, "application/zip", **asked).content)) as archive:
        assert json.loads(archive.read("manifest.json"))["ema"] == named


def test_the_record_of_a_picture_makes_it_again(service: Running) -> None:
    first = ask(service, model="pets", count=4, ema="raw")
    made_from = record(opened(first))
    body = {
        "model": made_from["checkpoint"],
        **{key: made_from[key] for key in ("seeds", "labels", "truncation", "ema")},
    }
    assert (pixels(ask(service, **body)) == pixels(first)).all()


def test_a_walk_is_made_by_one_average_too(service: Running) -> None:
    walk = {"model": "ckpt_pets1000", "keyframes": [{"seed": 4, "label": "cat"}, {"seed": 5}], "frames": 2}
    answer = ask(service, "application/x-npy", "interpolations", **walk, ema="raw", **{"return": ["image"]})
    assert np.abs(array(answer)[0, :, :, 0].astype(int) - expected("ema.0")).max() <= 1
    assert record(opened(ask(service, "image/png", "interpolations", **walk, ema=400)))["ema"] == 400


def test_a_seeds_address_takes_an_average_and_its_tag_knows(service: Running) -> None:
    address = "/v1/models/ckpt_pets1000/images/4.png?label=cat"
    tags = set()
    for query, prefix in {"": "generator", "&ema=400": "ema.400", "&ema=raw": "ema.0"}.items():
        answer = service.http.get(address + query)
        assert np.abs(pixels(answer) - expected(prefix)).max() <= 1
        assert "immutable" in answer.headers["cache-control"]
        tags.add(answer.headers["etag"])
        assert service.http.get(address + query, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert len(tags) == 3
    assert (
        service.http.get(address + "&ema=0").headers["etag"] == service.http.get(address + "&ema=raw").headers["etag"]
    )


def test_neighbours_of_an_average_that_is_not_there_are_refused(service: Running, is_problem: Check) -> None:
    service.images("pets")
    with service.ledger.writing() as session:
        chosen = {"dataset_id": service.datasets.get("pets").id, "dataset": "pets"}
        session.execute(update(ModelRow).where(ModelRow.name == "pets").values(**chosen))
    found = [
        service.http.get("/v1/models/ckpt_pets1000/neighbours", params={"seed": 4, "label": "cat", "ema": ema}).json()
        for ema in ("raw", 400)
    ]
    assert [one["ema"] for one in found] == [0, 400]
    assert found[0]["data"][0]["distance"] != found[1]["data"][0]["distance"]
    answer = service.http.get("/v1/models/ckpt_pets1000/neighbours", params={"seed": 4, "ema": 7})
    assert "raw, 400, 5000" in is_problem(answer, 422, "invalid_request", "ema")["detail"]


@pytest.mark.parametrize("ema", [7, "Raw", "400", -1, True, [400]])
def test_what_no_checkpoint_has_is_refused_by_the_field(service: Running, is_problem: Check, ema: object) -> None:
    problem = is_problem(ask(service, model="pets", seed=1, ema=ema), 422, "invalid_request", "ema")
    assert ema != 7 or "it has raw, 400, 5000" in problem["detail"]
    for query in ("7", "Raw", "-1", "nan", ""):
        answer = service.http.get("/v1/models/pets/images/1.png", params={"ema": query})
        is_problem(answer, 422, "invalid_request", "ema")


def test_a_file_of_before_there_were_averages_draws_and_says_that_it_has_one(
    service: Running, is_problem: Check
) -> None:
    answer = ask(service, model="plain", seed=1)
    assert "x-ganymede-ema" not in answer.headers
    assert record(opened(answer))["ema"] is None
    problem = is_problem(ask(service, model="plain", seed=1, ema="raw"), 422, "invalid_request", "ema")
    assert "leave ema out" in problem["detail"]


def test_only_the_generator_that_draws_is_put_into_memory(service: Running) -> None:
    cache = service.app.state.house.engine._cache  # type: ignore[attr-defined]
    for ema in (None, 400, "raw", 5000):
        picture(service, ema=ema)
    held = {ema: entry.bytes for (id, ema), entry in cache._entries.items() if id == "ckpt_pets1000"}
    assert held.keys() == {None, 400.0, 0.0}, "the default by its own half-life is the default"
    assert len(set(held.values())) == 1


def test_a_file_that_retention_has_just_removed_is_looked_up_once_more(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = service.app.state.house  # type: ignore[attr-defined]
    model, there = house.models.resolve("pets")
    gone = replace(there, id="ckpt_gone", path="checkpoints/mdl_pets/gone.safetensors", sha256="0" * 64)
    answers = [(model, gone), (model, there)]
    monkeypatch.setattr(house.models, "resolve_each", lambda references: {references[0]: answers.pop(0)})
    monkeypatch.setattr(house.resolve, "_stamp", lambda: None)  # a file goes after the commit that lets it go
    answer = ask(service, model="pets", seed=1, ema="raw")
    assert opened(answer)
    assert (answer.headers["x-ganymede-checkpoint"], answers) == (there.id, [])


def test_a_model_says_what_each_checkpoint_has(service: Running) -> None:
    newest, first = service.http.get("/v1/models/pets").json()["checkpoints"]
    for one in (newest, first):
        assert (one["ema_halflife"], one["ema_halflives"]) == (5000, [0, 400, 5000])
    (plain,) = service.http.get("/v1/models/plain").json()["checkpoints"]
    assert (plain["ema_halflife"], plain["ema_halflives"]) == (None, [])
    listed = {model["name"]: model for model in service.http.get("/v1/models").json()["data"]}
    assert listed["pets"]["checkpoints"][0] == newest


# ---- conditions in an address ----


def test_a_seeds_address_takes_a_condition_vector(service: Running) -> None:
    here = service.http.get("/v1/models/branches/images/3.png?condition=0.5,-0.25&size=99")
    there = ask(service, "image/png", model="branches", seed=3, condition=[0.5, -0.25], size=99)
    assert (pixels(here) == pixels(there)).all()
    assert record(opened(here))["conditions"] == [[0.5, -0.25]]
    other = service.http.get("/v1/models/branches/images/3.png?condition=0.5,0.25&size=99")
    assert other.headers["etag"] != here.headers["etag"]
    assert (pixels(other) != pixels(here)).any()


@pytest.mark.parametrize("condition", ["1", "1,2,3", "", "1,", "a,b", "nan,1", "inf,1", "1e9,1", "[1,2]"])
def test_a_condition_that_does_not_fit_is_refused(service: Running, is_problem: Check, condition: str) -> None:
    answer = service.http.get("/v1/models/branches/images/3.png", params={"condition": condition})
    is_problem(answer, 422, "invalid_request", "condition")
    is_problem(service.http.get("/v1/models/plain/images/3.png?condition=1"), 422, "invalid_request", "condition")


# ---- the best ----


def test_the_best_checkpoint_draws_walks_and_downloads_under_its_name(service: Running, is_problem: Check) -> None:
    problem = is_problem(ask(service, model="pets@best", seed=1), 404, "not_found", "model")
    assert "name one of its checkpoints" in problem["detail"]
    assert service.http.get("/v1/models/pets").json()["best"] is None
    change(service, "ckpt_pets1000", metrics={"fid": 3.0})
    change(service, "ckpt_pets2000", metrics={"fid": 4.0})
    model = service.http.get("/v1/models/pets").json()
    assert (model["metric"], model["best"]) == ("fid", "ckpt_pets1000")
    answer = ask(service, model="pets@best", seed=4, labels=["cat"])
    assert answer.headers["x-ganymede-checkpoint"] == "ckpt_pets1000"
    assert np.abs(pixels(answer) - expected("generator")).max() <= 1
    walk = ask(service, "application/json", "interpolations", model="pets@best", keyframes=[{"seed": 1}, {"seed": 2}])
    assert walk.json()["checkpoint"] == "ckpt_pets1000"
    assert len(data(walk)) == 16
    image = service.http.get("/v1/models/pets@best/images/4.png?label=cat")
    assert image.headers["cache-control"] == "public, no-cache"
    assert np.abs(pixels(image) - expected("generator")).max() <= 1
    download = service.http.get("/v1/models/pets/checkpoints/best/download")
    assert 'filename="pets-1000.safetensors"' in download.headers["content-disposition"]
    change(service, "ckpt_pets2000", metrics={"fid": 1.0})
    assert ask(service, model="pets@best", seed=4).headers["x-ganymede-checkpoint"] == "ckpt_pets2000"
    held = {"If-None-Match": image.headers["etag"]}
    assert service.http.get("/v1/models/pets@best/images/4.png?label=cat", headers=held).status_code == 200
