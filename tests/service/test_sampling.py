"""Samples, as a caller sees them: over HTTP, from seeded models, in every format."""

import io
import json
import zipfile
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from PIL import Image
from sampling_kit import array, ask, data, opened, pixels, publish, record, sampling_service
from seeded import IMAGES, POINTS, network

from gan.latents import draw_condition, draw_label, latent, latents
from gan.spec import MAX_SEED, ImageShape
from ledger.tables import ModelRow

CLASSES = ("cat", "dog", "7", "Käfer, groß")
COUNTS = (10, 20, 0, 70)
CONDITIONS = torch.linspace(-1, 1, 100).reshape(50, 2)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        publish(running, "pets", network("r3", IMAGES, "class", 4), classes=CLASSES, counts=COUNTS)
        publish(running, "plain", network("r3"))
        publish(running, "photos", network("dcgan", ImageShape(channels=3, height=16, width=24), latent_dim=5))
        publish(running, "points", network("mlp", POINTS, latent_distribution="uniform"))
        publish(running, "branches", network("mlp", POINTS, "vector", 2), conditions=CONDITIONS)
        yield running


# ---- pictures ----


def test_one_sample_is_one_png_that_says_how_to_make_it_again(service):
    answer = ask(service, model="pets", seed=42, labels=["dog"], truncation=0.5)
    picture = opened(answer)
    assert picture.size == (8, 8)
    assert picture.mode == "L"
    assert record(picture) == {
        "model": "pets",
        "checkpoint": "ckpt_pets1000",
        "images": 1000,
        "truncation": 0.5,
        "ema": None,
        "seeds": [42],
        "labels": ["dog"],
    }
    assert picture.text["Software"] == "Ganymede"


def test_the_record_makes_the_very_same_picture_again(service):
    first = ask(service, model="pets", count=9)
    made_from = record(opened(first))
    body = {"model": made_from["checkpoint"], **{key: made_from[key] for key in ("seeds", "labels", "truncation")}}
    assert (pixels(ask(service, **body)) == pixels(first)).all()


def test_headers_name_model_checkpoint_seeds_labels_truncation_and_times(service):
    headers = ask(service, model="pets", seeds=[5, 3], labels=["Käfer, groß", "cat"]).headers
    assert headers["x-ganymede-model"] == "pets"
    assert headers["x-ganymede-checkpoint"] == "ckpt_pets1000"
    assert headers["x-ganymede-seeds"] == "5,3"
    assert headers["x-ganymede-labels"] == "K%C3%A4fer%2C%20gro%C3%9F,cat"
    assert headers["x-ganymede-truncation"] == "1"
    assert headers["vary"] == "Accept"
    spent = dict(part.split(";dur=") for part in headers["server-timing"].split(", "))
    assert list(spent) == ["queue", "batch", "forward", "encode"]
    assert float(spent["forward"]) > 0


def test_several_samples_are_a_grid_with_the_columns_and_the_size_asked_for(service):
    assert opened(ask(service, model="plain", seed=0, count=10)).size == (4 * 9 - 1, 3 * 9 - 1)
    assert opened(ask(service, model="plain", seed=0, count=10, columns=5)).size == (5 * 9 - 1, 2 * 9 - 1)
    large = pixels(ask(service, model="plain", seed=0, count=10, columns=5, size=32))
    assert large.shape == (2 * 34 - 2, 5 * 34 - 2)
    alone = pixels(ask(service, model="plain", seed=6, size=32))
    assert np.abs(large[34:66, 34:66] - alone).max() <= 1


def test_colour_pictures_of_any_proportion_come_out_in_the_size_asked_for(service):
    assert opened(ask(service, model="photos", seed=0)).size == (24, 16)
    assert opened(ask(service, model="photos", seed=0, size=100)).size == (100, 67)
    assert opened(ask(service, model="photos", seed=0, size=12)).size == (12, 8)


@pytest.mark.parametrize(("media_type", "form"), [("image/webp", "WEBP"), ("image/jpeg", "JPEG")])
def test_other_picture_formats_show_the_same(service, media_type, form):
    picture = opened(ask(service, media_type, model="plain", seed=3, size=64), media_type)
    assert picture.format == form
    exact = pixels(ask(service, model="plain", seed=3, size=64))
    assert np.abs(np.asarray(picture.convert("L")).astype(int) - exact).mean() < 6
    assert json.loads(picture.getexif()[0x010E])["seeds"] == [3]


# ---- the seed contract ----


def test_image_i_is_made_from_seed_plus_i_alone(service):
    def images(**body):
        return array(ask(service, "application/x-npy", model="pets", **body, **{"return": ["image"]})).astype(int)

    many = images(seed=100, count=40)
    assert many.std() > 20
    for i in (0, 7, 39):
        assert np.abs(images(seed=100 + i)[0] - many[i]).max() <= 1
    assert np.abs(images(seeds=[139, 4, 107])[[0, 2]] - many[[39, 7]]).max() <= 1


def test_latents_are_those_of_the_contract(service):
    rows = data(ask(service, "application/json", model="plain", seeds=[0, 42, MAX_SEED]))
    assert [row["seed"] for row in rows] == [0, 42, MAX_SEED]
    assert [row["label"] for row in rows] == [None] * 3
    assert rows[0]["latent"][:2] == [0.15853384137153625, 2.982879400253296]
    assert [row["latent"] for row in rows] == [latent(seed, 6).tolist() for seed in (0, 42, MAX_SEED)]
    assert data(ask(service, "application/json", model="photos", seed=0))[0]["latent"] == latent(0, 5).tolist()


def test_requests_at_the_same_time_do_not_change_each_other(service):
    def image(seed):
        return pixels(ask(service, model="pets", seed=seed))

    alone = [image(seed) for seed in range(12)]
    with ThreadPoolExecutor(12) as pool:
        for _ in range(3):
            for before, now in zip(alone, pool.map(image, range(12)), strict=True):
                assert np.abs(before - now).max() <= 1


def test_a_request_without_a_seed_gets_one_that_is_named(service):
    first, second = (ask(service, model="plain", count=3) for _ in range(2))
    seeds = [int(seed) for seed in first.headers["x-ganymede-seeds"].split(",")]
    assert seeds == [seeds[0], seeds[0] + 1, seeds[0] + 2]
    assert seeds[0] < 2**32
    assert first.headers["x-ganymede-seeds"] != second.headers["x-ganymede-seeds"]
    assert (pixels(ask(service, model="plain", seeds=seeds)) == pixels(first)).all()


def test_truncation_scales_the_latent_of_images_and_points_ignore_it(service):
    rows = data(ask(service, "application/json", model="plain", seed=1, truncation=0.25))
    assert rows[0]["latent"] == (latent(1, 6) / 4).tolist()
    assert (
        data(ask(service, model="points", seed=1, truncation=0.1))[0]["point"]
        == data(ask(service, model="points", seed=1))[0]["point"]
    )


def test_a_latent_sent_back_makes_the_same_picture(service):
    row = data(ask(service, "application/json", model="plain", seed=9, truncation=0.7))[0]
    again = ask(service, model="plain", latents=[row["latent"]])
    assert (pixels(again) == pixels(ask(service, model="plain", seed=9, truncation=0.7))).all()
    assert "x-ganymede-seeds" not in again.headers
    assert record(opened(again))["latents"] == [row["latent"]]


# ---- labels and conditions ----


def test_labels_left_out_are_drawn_from_the_seed_by_the_frequencies_of_the_data(service):
    rows = data(ask(service, "application/json", model="pets", seed=0, count=200))
    assert [row["label"] for row in rows] == [CLASSES[draw_label(seed, COUNTS)] for seed in range(200)]
    assert {row["label"] for row in rows} == {"cat", "dog", "Käfer, groß"}


def test_a_label_is_a_name_first_and_an_index_otherwise(service):
    asked = ["7", 1, "1", "Käfer, groß", 3]
    rows = data(ask(service, "application/json", model="pets", seed=0, labels=asked))
    assert [row["label"] for row in rows] == ["7", "dog", "dog", "Käfer, groß", "Käfer, groß"]
    assert [row["seed"] for row in rows] == [0, 1, 2, 3, 4]


def test_one_label_is_for_all_samples_and_changes_what_they_show(service):
    cats, dogs = (pixels(ask(service, model="pets", seed=0, count=4, labels=[name])) for name in ("cat", "dog"))
    assert np.abs(cats - dogs).max() > 20


def test_latents_without_labels_draw_them_by_their_position(service):
    rows = data(ask(service, "application/json", model="pets", latents=latents([5, 6, 7], 6).tolist()))
    assert [row["label"] for row in rows] == [CLASSES[draw_label(index, COUNTS)] for index in range(3)]
    assert [row["seed"] for row in rows] == [None] * 3


def test_conditions_are_given_for_all_or_for_each_or_drawn_from_the_training_data(service):
    one = data(ask(service, model="branches", seed=0, count=2, condition=[0.5, -0.5]))
    each = data(ask(service, model="branches", seed=0, condition=[[0.5, -0.5], [0.25, 0.125]]))
    drawn = data(ask(service, model="branches", seed=0, count=3))
    assert [row["condition"] for row in one] == [[0.5, -0.5]] * 2
    assert [row["condition"] for row in each] == [[0.5, -0.5], [0.25, 0.125]]
    assert each[0]["point"] == pytest.approx(one[0]["point"], rel=1e-5)
    assert each[1]["point"] != pytest.approx(one[1]["point"], rel=1e-5)
    expected = [CONDITIONS[draw_condition(seed, 50)].tolist() for seed in range(3)]
    assert [row["condition"] for row in drawn] == expected


# ---- JSON, arrays, archives ----


def test_json_gives_pictures_latents_or_both_by_return(service):
    def row(**body):
        return data(ask(service, "application/json", model="pets", seed=4, size=16, **body))[0]

    assert set(row()) == {"index", "seed", "label", "latent"}
    assert set(row(**{"return": ["image"]})) == {"index", "seed", "label", "b64_json"}
    both = row(**{"return": ["latent", "image"]})
    assert set(both) == {"index", "seed", "label", "latent", "b64_json"}
    picture = Image.open(io.BytesIO(b64decode(both["b64_json"])))
    assert (np.asarray(picture) == pixels(ask(service, model="pets", seed=4, size=16))).all()
    assert record(picture)["seeds"] == [4]


def test_arrays_hold_latents_levels_or_points(service):
    z = array(ask(service, "application/x-npy", model="photos", seed=0, count=3))
    assert z.tobytes() == latents(range(3), 5).tobytes()
    images = array(ask(service, "application/x-npy", model="photos", seed=0, count=3, **{"return": ["image"]}))
    assert (images.shape, images.dtype) == ((3, 16, 24, 3), np.uint8)
    points = array(ask(service, "application/x-npy", model="points", seed=0, count=3))
    assert (points.shape, points.dtype) == ((3, 2), np.float32)
    uniform = array(ask(service, "application/x-npy", model="points", seed=0, count=300, **{"return": ["latent"]}))
    assert uniform.tobytes() == latents(range(300), 6, "uniform").tobytes()


def test_a_zip_has_a_png_an_image_and_a_manifest(service):
    answer = ask(service, "application/zip", model="pets", seeds=[42, 7], labels=["cat", "dog"])
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert archive.namelist() == ["000000_seed42.png", "000001_seed7.png", "manifest.json"]
    manifest = json.loads(archive.read("manifest.json"))
    assert (manifest["model"], manifest["checkpoint"]) == ("pets", "ckpt_pets1000")
    assert manifest["data"][1] == {"index": 1, "file": "000001_seed7.png", "seed": 7, "label": "dog"}
    picture = Image.open(io.BytesIO(archive.read("000000_seed42.png")))
    assert np.abs(np.asarray(picture) - pixels(ask(service, model="pets", seed=42, labels=["cat"]))).max() <= 1
    assert record(picture) == record(opened(ask(service, model="pets", seed=42, labels=["cat"])))
    assert ask(service, "application/zip", model="pets", seeds=[42, 7], labels=["cat", "dog"]).content == answer.content


def test_separate_pictures_come_as_an_archive_and_never_as_one_picture(service, is_problem):
    assert ask(service, model="plain", count=2, layout="separate").headers["content-type"] == "application/zip"
    assert ask(service, "image/png", model="plain", count=1, layout="separate").status_code == 200
    answer = ask(service, "image/png", model="plain", count=2, layout="separate")
    assert "application/zip" in is_problem(answer, 406, "not_acceptable")["detail"]


def test_what_return_asks_for_decides_where_accept_leaves_it_open(service, is_problem):
    assert ask(service, model="plain", **{"return": ["latent"]}).headers["content-type"] == "application/json"
    assert ask(service, model="plain", **{"return": ["image"]}).headers["content-type"] == "image/png"
    assert ask(service, model="plain", **{"return": ["image", "latent"]}).headers["content-type"] == "application/json"
    is_problem(ask(service, "image/png", model="plain", **{"return": ["latent"]}), 406)
    is_problem(ask(service, "application/x-npy", model="plain", **{"return": ["image", "latent"]}), 406)


# ---- points ----


def test_points_come_as_json_in_the_units_of_the_data(service):
    answer = ask(service, model="points", seed=0, count=500)
    rows = data(answer)
    assert [set(row) for row in rows[:1]] == [{"index", "seed", "label", "point"}]
    points = np.array([row["point"] for row in rows])
    np.testing.assert_allclose(points.mean(axis=0), [10, 20], atol=2)
    assert answer.json()["model"] == "points"


@pytest.mark.parametrize("model", ["points", "branches"])
def test_points_come_as_a_scatter_plot_where_a_picture_is_asked_for(service, model):
    picture = opened(ask(service, "image/png", model=model, seed=0, count=50, size=300))
    assert picture.size == (300, 300)
    assert len(record(picture)["seeds"]) == 50
    assert np.asarray(picture).std() > 5


def test_points_have_no_files_of_their_own(service, is_problem):
    problem = is_problem(ask(service, "application/zip", model="points"), 406)
    assert "application/json, application/x-npy, image/png" in problem["detail"]


# ---- references ----


def test_a_model_is_named_by_name_images_or_checkpoint_and_the_newest_is_served(service):
    publish(service, "growing", network(), images=1000)
    old = pixels(ask(service, model="growing", seed=1))
    publish(service, "growing", network(), images=2000)
    new = ask(service, model="growing", seed=1)
    assert new.headers["x-ganymede-checkpoint"] == "ckpt_growing2000"
    assert (pixels(new) != old).any()
    for reference in ("growing@1000", "ckpt_growing1000", "mdl_growing@1000"):
        assert (pixels(ask(service, model=reference, seed=1)) == old).all()


def test_a_damaged_checkpoint_is_said_to_be_so_and_others_still_serve(service, is_problem):
    id = publish(service, "damaged", network())
    service.storage.path(f"checkpoints/mdl_damaged/{id}.safetensors").write_bytes(b"\0" * 100)
    is_problem(ask(service, model="damaged"), 409, "checkpoint_corrupt")
    assert ask(service, model="plain").status_code == 200


def test_a_checkpoint_that_retention_takes_away_meanwhile_gives_way_to_its_successor(service, monkeypatch):
    old = publish(service, "fading", network(), images=1000)
    service.storage.remove(f"checkpoints/mdl_fading/{old}.safetensors")
    house = service.app.state.house
    resolve = house.models.resolve
    answers = [resolve("fading")]
    publish(service, "fading", network(), images=2000)
    monkeypatch.setattr(house.models, "resolve", lambda name: answers.pop() if answers else resolve(name))
    answer = ask(service, model="fading")
    assert answer.status_code == 200
    assert answer.headers["x-ganymede-checkpoint"] == "ckpt_fading2000"


def test_a_model_without_a_checkpoint_says_so(service, is_problem):
    with service.ledger.writing() as session:
        described = network().model_dump(mode="json")
        session.add(ModelRow(id="mdl_young", name="young", recipe="r3gan", network=described, classes=[]))
    problem = is_problem(ask(service, model="young"), 409, "conflict")
    assert "checkpoint" in problem["detail"]
    is_problem(service.http.get("/v1/models/young/images/1.png"), 409)


# ---- bad input ----

BAD = [
    ({"model": "nothing"}, 404, "model"),
    ({"model": "plain@77"}, 404, "model"),
    ({"model": "../plain"}, 422, "model"),
    ({"model": "plain", "seed": 1, "colour": 1}, 422, "colour"),
    ({"seed": 1}, 422, "model"),
    ({"model": "plain", "seed": -1}, 422, "seed"),
    ({"model": "plain", "seed": 2**63}, 422, "seed"),
    ({"model": "plain", "seed": 1.5}, 422, "seed"),
    ({"model": "plain", "seed": MAX_SEED, "count": 2}, 422, "count"),
    ({"model": "pets", "seed": MAX_SEED, "labels": ["cat", "dog"]}, 422, "seed"),
    ({"model": "plain", "seeds": []}, 422, "seeds"),
    ({"model": "plain", "seeds": [1], "seed": 1}, 422, "seed"),
    ({"model": "plain", "count": 0}, 422, "count"),
    ({"model": "plain", "count": 10**9}, 413, "count"),
    ({"model": "plain", "count": 10**10}, 422, "count"),
    ({"model": "plain", "count": "3"}, 422, "count"),
    ({"model": "plain", "count": True}, 422, "count"),
    ({"model": "plain", "truncation": "0.5"}, 422, "truncation"),
    ({"model": "pets", "labels": [True]}, 422, "labels.0"),
    ({"model": "plain", "seeds": [0] * 10_001}, 413, "seeds"),
    ({"model": "plain", "latents": [[0.0]] * 10_001}, 413, "latents"),
    ({"model": "plain", "labels": [0] * 10_001}, 413, "labels"),
    ({"model": "plain", "condition": [[0.0]] * 10_001}, 413, "condition"),
    ({"model": "plain", "seed": 0, "count": 2000, "size": 4096}, 413, "size"),
    ({"model": "plain", "truncation": 1.01}, 422, "truncation"),
    ({"model": "plain", "size": 0}, 422, "size"),
    ({"model": "plain", "columns": 0}, 422, "columns"),
    ({"model": "plain", "layout": "pile"}, 422, "layout"),
    ({"model": "plain", "return": []}, 422, "return"),
    ({"model": "plain", "return": ["picture"]}, 422, "return.0"),
    ({"model": "plain", "latents": [[0.0] * 5]}, 422, "latents.0"),
    ({"model": "plain", "latents": [[0.0] * 6, [0.0] * 7]}, 422, "latents.1"),
    ({"model": "plain", "latents": [[1e30] * 6]}, 422, "latents.0"),
    ({"model": "plain", "latents": [["x"] * 6]}, 422, "latents.0.0"),
    ({"model": "plain", "labels": ["cat"]}, 422, "labels"),
    ({"model": "plain", "condition": [1]}, 422, "condition"),
    ({"model": "pets", "labels": ["cow"]}, 422, "labels"),
    ({"model": "pets", "labels": [4]}, 422, "labels"),
    ({"model": "pets", "labels": [-1]}, 422, "labels"),
    ({"model": "pets", "labels": ["٣"]}, 422, "labels"),
    ({"model": "pets", "labels": ["cat", "dog"], "count": 3}, 422, "labels"),
    ({"model": "pets", "condition": [1.0]}, 422, "condition"),
    ({"model": "branches", "labels": ["cat"]}, 422, "labels"),
    ({"model": "branches", "condition": [1.0]}, 422, "condition"),
    ({"model": "branches", "condition": []}, 422, "condition"),
    ({"model": "branches", "condition": [[1.0, 1.0], [1.0]]}, 422, "condition"),
    ({"model": "branches", "condition": [1e30, 1.0]}, 422, "condition"),
    ({"model": "branches", "condition": [[0.0, 0.0]] * 2, "count": 3}, 422, "condition"),
]


@pytest.mark.parametrize(("body", "status", "param"), BAD, ids=lambda value: str(value)[:60])
def test_bad_requests_name_the_field_or_the_limit(service, is_problem, body, status, param):
    problem = is_problem(ask(service, **body), status)
    assert problem["param"] == param
    assert [error["pointer"] for error in problem["errors"]] == ["/" + param.replace(".", "/")]


def test_a_label_survives_the_header_whatever_it_is_called(service):
    names = (" ", ",", " a ", "100%")
    publish(service, "odd", network("r3", IMAGES, "class", 4), classes=names)
    headers = ask(service, model="odd", seed=0, labels=list(names)).headers
    assert [unquote(label) for label in headers["x-ganymede-labels"].split(",")] == list(names)


def test_an_unknown_class_is_answered_with_some_that_there_are(service, is_problem):
    problem = is_problem(ask(service, model="pets", labels=["cow"]), 422)
    assert "'cow'; there are 4: cat, dog, 7" in problem["detail"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(service, is_problem, number):
    body = '{"model": "plain", "latents": [[' + ", ".join([number] * 6) + "]]}"
    answer = service.http.post("/v1/samples", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    is_problem(answer, answer.status_code)


def test_a_body_of_another_type_is_415_and_no_json_is_400(service, is_problem):
    is_problem(service.http.post("/v1/samples", data={"model": "plain"}), 415)
    is_problem(service.http.post("/v1/samples", content=b"{", headers={"Content-Type": "application/json"}), 400)


def test_the_limits_are_settings(tmp_path, is_problem):
    limits = {"max_samples": 3, "max_pixels_per_request": 300}
    with sampling_service(tmp_path, **limits) as running:
        publish(running, "plain", network())
        assert ask(running, model="plain", count=3).status_code == 200
        assert "3 at once (GANYMEDE_MAX_SAMPLES)" in is_problem(ask(running, model="plain", count=4), 413)["detail"]
        problem = is_problem(ask(running, model="plain", count=3, size=16), 413, "limit_exceeded", "size")
        assert "768 pixels; this server makes at most 300 (GANYMEDE_MAX_PIXELS_PER_REQUEST)" in problem["detail"]
        assert len(data(ask(running, "application/json", model="plain", count=3, size=16))) == 3


def test_the_document_lists_the_media_types_and_errors_of_sampling(service):
    operation = service.http.get("/openapi.json").json()["paths"]["/v1/samples"]["post"]
    types = ["image/png", "image/webp", "image/jpeg", "application/zip", "application/json", "application/x-npy"]
    assert set(operation["responses"]["200"]["content"]) == set(types)
    assert {"400", "404", "406", "409", "413", "415", "422", "503"} <= set(operation["responses"])
    assert operation["requestBody"]["content"]["application/json"]["examples"]
