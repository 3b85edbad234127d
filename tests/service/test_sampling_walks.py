"""Interpolations over HTTP: keyframes hit exactly, labels mixed between, strips and moving pictures."""

import io
import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from sampling_kit import array, ask, data, opened, pixels, publish, record, sampling_service
from seeded import IMAGES, POINTS, network

from gan.latents import draw_label, latent, latents, path

CLASSES = ("cat", "dog", "cow")
COUNTS = (1, 1, 1)
SEEDS = [{"seed": 1}, {"seed": 2}, {"seed": 3}]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with sampling_service(tmp_path_factory.mktemp("data"), max_frames=60) as running:
        publish(running, "plain", network())
        publish(running, "pets", network("r3", IMAGES, "class", 3), classes=CLASSES, counts=COUNTS)
        publish(running, "points", network("mlp", POINTS))
        conditions = torch.linspace(-1, 1, 50)[:, None]
        publish(
            running, "line", network("mlp", POINTS.model_copy(update={"dims": 1}), "vector", 1), conditions=conditions
        )
        yield running


def walk(service, accept=None, **body):
    return ask(service, accept, "interpolations", **{"model": "plain", "keyframes": SEEDS} | body)


def test_a_walk_is_a_film_strip_whose_keyframes_are_the_samples_themselves(service):
    answer = walk(service, frames=5)
    film = pixels(answer)
    assert film.shape == (8, 5 * 9 - 1)
    for seed, frame in ((1, 0), (2, 2), (3, 4)):
        alone = pixels(ask(service, model="plain", seed=seed))
        assert np.abs(film[:, 9 * frame : 9 * frame + 8] - alone).max() <= 1
    assert answer.headers["x-ganymede-seeds"] == "1,2,3"
    assert record(opened(answer))["keyframes"] == [{"seed": 1}, {"seed": 2}, {"seed": 3}]


@pytest.mark.parametrize("method", ["slerp", "lerp"])
@pytest.mark.parametrize("easing", ["linear", "ease_in_out"])
@pytest.mark.parametrize("loop", [False, True])
def test_latents_follow_the_path_asked_for(service, method, easing, loop):
    z = array(walk(service, "application/x-npy", frames=10, method=method, easing=easing, loop=loop))
    assert z.tobytes() == path(latents([1, 2, 3], 6), 10, method, easing, loop).tobytes()


def test_truncation_scales_the_whole_walk(service):
    whole, half = (array(walk(service, "application/x-npy", frames=7, truncation=psi)) for psi in (1, 0.5))
    np.testing.assert_allclose(half, whole / 2, rtol=1e-6)


def test_keyframes_may_be_latents_and_seeds(service):
    rows = data(walk(service, "application/json", frames=3, keyframes=[{"latent": [0.5] * 6}, {"seed": 2}]))
    assert [row["seed"] for row in rows] == [None, None, 2]
    assert rows[0]["latent"] == [0.5] * 6
    assert rows[2]["latent"] == latent(2, 6).tolist()


def test_between_two_labels_the_generator_is_given_their_mixture(service):
    keyframes = [{"seed": 1, "label": "cat"}, {"seed": 1, "label": 2}]
    answer = walk(service, "application/json", model="pets", frames=5, keyframes=keyframes)
    rows = data(answer)
    assert [row["label"] for row in rows] == ["cat", None, None, None, "cow"]
    assert [row.get("mixture") for row in rows[1:4]] == [
        {"cat": 0.75, "cow": 0.25},
        {"cat": 0.5, "cow": 0.5},
        {"cat": 0.25, "cow": 0.75},
    ]
    assert answer.json()["keyframes"] == [{"seed": 1, "label": "cat"}, {"seed": 1, "label": "cow"}]
    images = array(
        walk(service, "application/x-npy", model="pets", frames=5, keyframes=keyframes, **{"return": ["image"]})
    )
    steps = np.abs(np.diff(images.astype(int), axis=0)).max(axis=(1, 2, 3))
    assert steps.min() > 0
    assert np.abs(images[0, :, :, 0] - pixels(ask(service, model="pets", seed=1, labels=["cat"]))).max() <= 1


def test_a_label_left_out_is_drawn_from_its_keyframes_seed(service):
    answer = walk(service, "application/json", model="pets", frames=3)
    drawn = [CLASSES[draw_label(seed, COUNTS)] for seed in (1, 2, 3)]
    assert [frame["label"] for frame in answer.json()["keyframes"]] == drawn


def test_conditions_walk_along_straight_lines(service):
    keyframes = [{"seed": 1, "condition": [-1]}, {"seed": 1, "condition": [1]}]
    rows = data(walk(service, model="line", frames=5, keyframes=keyframes))
    assert [row["condition"] for row in rows] == [[-1.0], [-0.5], [0.0], [0.5], [1.0]]
    assert len({tuple(row["point"]) for row in rows}) == 5


@pytest.mark.parametrize(
    ("accept", "layout", "form"),
    [
        ("image/gif", None, "GIF"),
        ("image/apng", None, "PNG"),
        ("image/webp", "animation", "WEBP"),
        ("image/gif", "animation", "GIF"),
        ("*/*", "animation", "GIF"),
    ],
)
def test_a_moving_picture_has_every_frame(service, accept, layout, form):
    body = {} if layout is None else {"layout": layout}
    answer = walk(service, accept, frames=12, loop=True, size=32, fps=20, **body)
    assert answer.status_code == 200, answer.text
    picture = Image.open(io.BytesIO(answer.content))
    assert (picture.format, picture.n_frames, picture.size) == (form, 12, (32, 32))
    picture.seek(1)
    picture.load()
    assert picture.info["duration"] == 50


@pytest.mark.parametrize("accept", ["image/gif", "image/apng", "image/webp"])
@pytest.mark.parametrize("fps", [0.1, 12, 60])
def test_a_walk_that_goes_nowhere_has_every_frame_and_lasts_as_long_at_any_speed(service, accept, fps):
    keyframes = [{"seed": 1}, {"seed": 1}]
    answer = walk(service, accept, frames=60, keyframes=keyframes, fps=fps, layout="animation")
    assert answer.status_code == 200, answer.text
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.n_frames == 60
    lasted = sum(frame.info["duration"] for frame in ImageSequence.Iterator(picture) if frame.load())
    assert lasted == pytest.approx(60_000 / min(fps, 50 if accept == "image/gif" else 60), abs=5)


def test_a_speed_below_the_lowest_is_refused_with_the_lowest(service, is_problem):
    problem = is_problem(walk(service, "image/gif", fps=0.001), 422, "invalid_request", "fps")
    assert "0.1" in problem["detail"]


@pytest.mark.parametrize("accept", ["image/png", "image/webp", "image/jpeg"])
def test_still_formats_are_strips_unless_an_animation_is_asked_for(service, is_problem, accept):
    picture = opened(walk(service, accept, frames=4, size=16), accept)
    assert picture.size == (4 * 17 - 1, 16)
    assert getattr(picture, "n_frames", 1) == 1
    if accept != "image/webp":
        problem = is_problem(walk(service, accept, layout="animation"), 406)
        assert "image/gif, image/apng, image/webp" in problem["detail"]


def test_a_moving_picture_cannot_be_a_strip(service, is_problem):
    is_problem(walk(service, "image/gif", layout="strip"), 406)


def test_a_zip_has_a_file_a_frame_and_names_the_walk(service):
    archive = zipfile.ZipFile(io.BytesIO(walk(service, "application/zip", frames=5).content))
    names = ["000000_seed1.png", "000001.png", "000002_seed2.png", "000003.png", "000004_seed3.png"]
    assert archive.namelist() == [*names, "manifest.json"]
    manifest = json.loads(archive.read("manifest.json"))
    assert (manifest["frames"], manifest["method"], manifest["loop"]) == (5, "slerp", False)
    assert [entry["file"] for entry in manifest["data"]] == names
    assert record(Image.open(io.BytesIO(archive.read("000003.png"))))["frame"] == 3


@pytest.mark.parametrize("model", ["points", "line"])
def test_points_walk_as_numbers_as_a_trail_or_moving(service, model):
    rows = data(walk(service, model=model, frames=6))
    assert all(np.isfinite(row["point"]).all() for row in rows)
    assert opened(walk(service, "image/png", model=model, frames=6, size=240)).size == (240, 240)
    moving = Image.open(io.BytesIO(walk(service, "image/apng", model=model, frames=6, size=240).content))
    assert (moving.n_frames, moving.size) == (6, (240, 240))


BAD = [
    ({"keyframes": [{"seed": 1}]}, 422, "keyframes"),
    ({"keyframes": [{"seed": 1}, {}]}, 422, "keyframes.1.seed"),
    ({"keyframes": [{"seed": 1}, {"seed": 1, "latent": [0.0] * 6}]}, 422, "keyframes.1.seed"),
    ({"keyframes": [{"seed": 1}, {"latent": [0.0] * 7}]}, 422, "keyframes.1.latent"),
    ({"keyframes": [{"seed": 1}, {"seed": 2, "label": "cat"}]}, 422, "keyframes.1.label"),
    ({"model": "pets", "keyframes": [{"seed": 1, "label": "bee"}, {"seed": 2}]}, 422, "keyframes.0.label"),
    ({"model": "pets", "keyframes": [{"seed": 1, "condition": [1.0]}, {"seed": 2}]}, 422, "keyframes.0.condition"),
    ({"model": "line", "keyframes": [{"seed": 1}, {"seed": 2, "condition": [1.0, 2.0]}]}, 422, "keyframes.1.condition"),
    ({"frames": 0}, 422, "frames"),
    ({"frames": 2}, 422, "frames"),
    ({"loop": "yes"}, 422, "loop"),
    ({"frames": 61}, 413, "frames"),
    ({"frames": 60, "size": 4096}, 413, "size"),
    ({"method": "jump"}, 422, "method"),
    ({"easing": "bounce"}, 422, "easing"),
    ({"fps": 0}, 422, "fps"),
    ({"truncation": -0.1}, 422, "truncation"),
    ({"layout": "grid"}, 422, "layout"),
    ({"keyframes": [{"seed": 1}, {"image": "AAAA"}]}, 422, "keyframes.1.image"),
]


@pytest.mark.parametrize(("body", "status", "param"), BAD, ids=lambda value: str(value)[:60])
def test_bad_requests_name_the_field_or_the_limit(service, is_problem, body, status, param):
    assert is_problem(walk(service, **body), status)["param"] == param


def test_a_strip_wider_than_the_format_allows_names_the_limit(service, is_problem):
    problem = is_problem(walk(service, "image/webp", frames=60, size=300), 413, "limit_exceeded", "size")
    assert "16383 pixels a side" in problem["detail"]
