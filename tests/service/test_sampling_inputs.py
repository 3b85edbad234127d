"""Images made out of images, over HTTP: inputs of a request, inputs drawn by the seed, and what is refused."""

import io
import json
import zipfile
from base64 import b64encode
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from sampling_kit import array, ask, data, opened, pixels, publish, record, sampling_service
from seeded import IMAGES, generator, network

from gan.images import from_uint8, to_uint8
from gan.latents import draw_condition, latents
from gan.spec import ImageShape
from service.inputs import MOST_PIXELS, Allowance

SHAPE = ImageShape(channels=3, height=12, width=16)
PAIRS = network("unet", SHAPE, "image", 1)
KEPT = torch.from_numpy(from_uint8(np.random.default_rng(5).integers(0, 256, (20, 12, 16, 1), dtype=np.uint8)))


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        publish(running, "frames", PAIRS, conditions=KEPT)
        publish(running, "bare", PAIRS)
        publish(running, "plain", network("r3"))
        publish(running, "pets", network("r3", IMAGES, "class", 2), classes=("cat", "dog"), counts=(1, 1))
        publish(running, "tags", network("r3", IMAGES, "vector", 2), conditions=torch.eye(2))
        yield running


def levels(seed: int, height: int = 12, width: int = 16, channels: int = 1) -> np.ndarray:
    """A picture of noise, (H, W, channels)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def coded(picture: np.ndarray, format: str = "PNG", **options: Any) -> str:
    """A picture as a request has it."""
    buffer = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(buffer, format, **options)
    return b64encode(buffer.getvalue()).decode()


def made(seeds: list[int], inputs: list[np.ndarray]) -> np.ndarray:
    """What the seeded generator itself makes of latents and inputs (H, W, 1): (N, H, W, 3)."""
    z = torch.from_numpy(latents(seeds, PAIRS.latent_dim, PAIRS.latent_distribution))
    with torch.no_grad():
        return to_uint8(generator(PAIRS, 1000)(z, torch.from_numpy(from_uint8(np.stack(inputs)))).numpy())


def drawn(service, **body: Any) -> np.ndarray:
    return array(ask(service, "application/x-npy", **{"model": "frames", "return": ["image"]}, **body))


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """The same but for one level (as the seed contract has it)."""
    return a.shape == b.shape and int(np.abs(a.astype(int) - b).max()) <= 1


# ---- what comes out ----


def test_one_input_and_several_seeds_give_several_images_of_it(service):
    picture = levels(1)
    found = drawn(service, seeds=[3, 1, 4], inputs=[coded(picture)])
    assert close(found, made([3, 1, 4], [picture] * 3))
    assert len({image.tobytes() for image in found}) == 3


def test_one_input_a_sample_goes_with_its_own_seed_whatever_its_neighbours_are(service):
    pictures = [levels(1), levels(2)]
    found = drawn(service, seed=7, inputs=[coded(one) for one in pictures])
    assert close(found, made([7, 8], pictures))
    alone = drawn(service, seed=8, inputs=[coded(pictures[1])])
    assert close(alone, found[1:])


def test_inputs_alone_count_the_samples_and_the_server_draws_the_seed(service):
    answer = ask(service, "application/json", model="frames", inputs=[coded(levels(i)) for i in range(3)])
    rows = data(answer)
    assert [row["index"] for row in rows] == [0, 1, 2]
    assert [row["seed"] - rows[0]["seed"] for row in rows] == [0, 1, 2]


def test_latents_go_with_inputs_as_seeds_do(service):
    z = latents([9], PAIRS.latent_dim, PAIRS.latent_distribution)
    found = drawn(service, latents=z.tolist(), inputs=[coded(levels(1))])
    assert close(found, made([9], [levels(1)]))


@pytest.mark.parametrize(("format", "options"), [("WEBP", {"lossless": True}), ("PNG", {}), ("BMP", None)])
def test_png_and_webp_are_read_and_other_formats_are_refused(service, format, options):
    body = {"model": "frames", "seed": 1, "inputs": [coded(levels(1), format, **(options or {}))]}
    answer = ask(service, "application/x-npy", **body, **{"return": ["image"]})
    if options is None:
        assert answer.status_code == 422
        assert answer.json()["param"] == "inputs.0"
    else:
        assert close(array(answer), made([1], [levels(1)]))


def test_an_input_is_cut_resized_and_brought_to_the_models_channels_as_training_data_are(service):
    big = np.kron(levels(1), np.ones((2, 2, 1), dtype=np.uint8)).repeat(3, axis=2)
    sides = np.full((24, 4, 3), 200, dtype=np.uint8)
    wide = np.concatenate([sides, big, sides], axis=1)
    found = drawn(service, seed=1, inputs=[coded(wide)])
    cut = ImageOps.fit(Image.fromarray(wide), (16, 12), Image.Resampling.LANCZOS)
    grey = np.asarray(cut.convert("L"))[..., None]
    assert close(found, made([1], [grey]))


def test_a_jpeg_that_a_camera_turned_is_taken_upright(service):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    picture = np.repeat(np.linspace(0, 255, 12).astype(np.uint8)[:, None, None], 16, axis=1)
    turned = coded(picture[::-1, ::-1], "JPEG", quality=100, exif=exif)
    found = drawn(service, seed=1, inputs=[turned])
    straight = drawn(service, seed=1, inputs=[coded(picture)])
    assert np.abs(found.astype(int) - straight).mean() < 3  # what JPEG loses


def test_without_inputs_the_seed_draws_one_of_those_that_the_checkpoint_carries(service):
    kept = to_uint8(KEPT.numpy())
    inputs = [kept[draw_condition(seed, 20)] for seed in (5, 6, 7)]
    assert close(drawn(service, seed=5, count=3), made([5, 6, 7], inputs))
    assert len({one.tobytes() for one in inputs}) > 1


def test_a_seed_as_an_address_draws_its_input_too(service):
    answer = service.http.get("/v1/models/frames/images/5.png")
    kept = to_uint8(KEPT.numpy())
    assert close(pixels(answer), made([5], [kept[draw_condition(5, 20)]])[0])


def test_a_row_says_which_input_it_was_made_of(service):
    picture = coded(levels(1))
    rows = data(ask(service, "application/json", model="frames", seeds=[1, 2, 3], inputs=[picture]))
    assert len({row["input"] for row in rows}) == 1
    again = data(
        ask(service, "application/json", model="frames", seeds=[4], inputs=[coded(levels(1), "WEBP", lossless=True)])
    )
    assert again[0]["input"] == rows[0]["input"]
    other = data(ask(service, "application/json", model="frames", seeds=[1], inputs=[coded(levels(2))]))
    assert other[0]["input"] != rows[0]["input"]


def test_a_grid_and_a_zip_are_answered_as_of_any_model_without_the_inputs_bytes_in_them(service):
    inputs = [coded(levels(i)) for i in range(4)]
    grid = opened(ask(service, model="frames", seed=0, inputs=inputs))
    assert grid.size == (2 * 16 + 1, 2 * 12 + 1)
    assert record(grid)["seeds"] == [0, 1, 2, 3]
    assert inputs[0] not in grid.text["ganymede"]
    named = data(ask(service, "application/json", model="frames", seed=0, inputs=inputs))
    assert record(grid)["inputs"] == [row["input"] for row in named]
    packed = ask(service, "application/zip", model="frames", seed=0, inputs=inputs)
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert len({entry["input"] for entry in manifest["data"]}) == 4


# ---- walks ----


def frames(service, **body: Any) -> np.ndarray:
    return array(
        ask(service, "application/x-npy", "interpolations", **{"model": "frames", "return": ["image"]}, **body)
    )


def test_a_walk_goes_between_two_latents_over_one_input(service):
    found = frames(service, keyframes=[{"seed": 1}, {"seed": 2}], frames=5, input=coded(levels(1)))
    assert close(found[[0, -1]], made([1, 2], [levels(1)] * 2))
    assert len({frame.tobytes() for frame in found}) == 5


def test_a_keyframe_may_have_an_input_of_its_own_and_between_two_the_pixels_mix(service):
    first, last = levels(1), levels(2)
    keyframes = [{"seed": 1}, {"seed": 1, "input": coded(last)}]
    found = frames(service, keyframes=keyframes, frames=3, input=coded(first))
    z = torch.from_numpy(latents([1] * 3, PAIRS.latent_dim))
    mixed = from_uint8(np.stack([first, last])).mean(axis=0)
    c = torch.from_numpy(np.stack([from_uint8(first[None])[0], mixed, from_uint8(last[None])[0]]))
    with torch.no_grad():
        assert close(found, to_uint8(generator(PAIRS, 1000)(z, c).numpy()))


def test_a_walk_without_input_has_the_one_that_its_first_seed_draws(service):
    kept = to_uint8(KEPT.numpy())[draw_condition(3, 20)]
    found = frames(service, keyframes=[{"seed": 3}, {"seed": 4}, {"seed": 5}], frames=3)
    assert close(found, made([3, 4, 5], [kept] * 3))
    strip = opened(ask(service, path="interpolations", model="frames", keyframes=[{"seed": 3}, {"seed": 4}], frames=4,
                       input=coded(levels(1))))  # fmt: skip
    assert all(len(keyframe["input"]) == 64 for keyframe in record(strip)["keyframes"])


# ---- what is refused ----


@pytest.mark.parametrize(
    ("body", "param", "why"),
    [
        ({"model": "frames", "inputs": ["%%%"]}, "inputs.0", "is not base64"),
        ({"model": "frames", "inputs": ["é"]}, "inputs.0", "is not base64"),
        ({"model": "frames", "inputs": [b64encode(b"GIF89a").decode()]}, "inputs.0", "not a PNG, JPEG or WebP"),
        ({"model": "frames", "inputs": [coded(levels(1)), coded(levels(1))[:40]]}, "inputs.1", "cannot be read"),
        ({"model": "frames", "inputs": [coded(levels(1, 4, 4))]}, "inputs.0", "too small: 4×4"),
        ({"model": "frames", "seeds": [1, 2, 3], "inputs": [coded(levels(1))] * 2}, "inputs", "one for all, or one a"),
        ({"model": "frames", "inputs": []}, "inputs", "at least 1"),
        ({"model": "frames", "inputs": [7]}, "inputs.0", "string"),
        ({"model": "frames", "labels": ["cat"]}, "labels", "takes no labels: give inputs"),
        ({"model": "frames", "condition": [0.5]}, "condition", "takes no condition: give inputs"),
        ({"model": "bare", "seed": 1}, "inputs.0", "needs an input"),
        ({"model": "plain", "inputs": [coded(levels(1))]}, "inputs.0", "unconditional: it takes no inputs"),
        ({"model": "pets", "inputs": [coded(levels(1))]}, "inputs.0", "give a label"),
        ({"model": "tags", "inputs": [coded(levels(1))]}, "inputs.0", "give a condition"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_input_is_refused_by_its_field(service, body, param, why):
    answer = ask(service, **body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["param"] == param
    assert why in problem["detail"] + str(problem["errors"])


def test_the_inputs_of_a_walk_are_refused_by_theirs(service):
    def refused(model: str, **body: Any) -> str:
        answer = ask(service, path="interpolations", model=model, frames=3, **body)
        assert answer.status_code == 422, answer.text
        return str(answer.json()["param"])

    two = [{"seed": 1}, {"seed": 2}]
    assert refused("plain", keyframes=two, input=coded(levels(1))) == "input"
    assert refused("frames", keyframes=two, input="%") == "input"
    assert refused("frames", keyframes=[{"seed": 1}, {"seed": 2, "input": "%"}]) == "keyframes.1.input"


def test_an_input_of_too_many_pixels_and_too_many_inputs_are_413(service):
    buffer = io.BytesIO()
    Image.new("1", (MOST_PIXELS // 1024 + 1, 1024)).save(buffer, "png")
    answer = ask(service, model="frames", inputs=[b64encode(buffer.getvalue()).decode()])
    assert (answer.status_code, answer.json()["param"]) == (413, "inputs.0")
    answer = ask(service, model="frames", inputs=["AAAA"] * 10_001)
    assert (answer.status_code, answer.json()["param"]) == (413, "inputs")


def test_many_small_files_of_large_images_are_413_before_they_are_decoded(service, monkeypatch):
    monkeypatch.setattr(Allowance.__init__, "__defaults__", (3 * 12 * 16,))
    same = [coded(levels(1))] * 5
    assert ask(service, model="frames", seed=0, inputs=same).status_code == 200
    several = [coded(levels(i)) for i in range(5)]
    answer = ask(service, model="frames", seed=0, inputs=several)
    assert (answer.status_code, answer.json()["param"]) == (413, "inputs.3")
