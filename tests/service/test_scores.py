"""Scores: what the discriminator of a model says of images and points, over HTTP."""

import io
from base64 import b64encode
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sampling_kit import publish, sampling_service
from seeded import IMAGES, POINTS, network

from gan.checkpoint import LogitCalibration, load_discriminator
from gan.images import from_uint8
from gan.spec import NetworkSpec

FITTED = LogitCalibration(logits=(-0.2, 0.2), log_odds=(-1.0, 3.0), unit=0.5, rows=100, held_out=True)
PETS = network("plain", IMAGES, "class", 3)
NETWORKS = {
    "digits": network("plain"),
    "pets": PETS,
    "ring": network("mlp", POINTS),
    "tags": network("r3", IMAGES, "vector", 2),
    "pairs": network("unet", IMAGES, "image", 1),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        for name, spec in NETWORKS.items():
            published(running, name, spec)
        publish(running, "uncalibrated", network("plain"))
        yield running


def published(running, name: str, spec: NetworkSpec) -> None:
    """A model whose file has a calibration."""
    kind = spec.conditioning.kind
    classes = ("cat", "dog", "eel") if kind == "class" else ()
    kept = {"vector": torch.eye(2), "image": torch.zeros(3, 1, 8, 8)}.get(kind)
    counts = (1,) * len(classes)
    publish(running, name, spec, classes=classes, counts=counts, conditions=kept, calibration=FITTED)


def picture(seed: int, side: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)


def png(levels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "png")
    return buffer.getvalue()


def coded(levels: np.ndarray) -> str:
    return b64encode(png(levels)).decode()


def scores(running, **body: Any) -> dict[str, Any]:
    answer = running.http.post("/v1/scores", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def judged(running, name: str, levels: list[np.ndarray], c: torch.Tensor | None = None) -> np.ndarray:
    """The logits that the model file's discriminator itself gives."""
    loaded = load_discriminator(running.storage.path(f"checkpoints/mdl_{name}/ckpt_{name}1000.safetensors"))
    x = torch.from_numpy(from_uint8(np.stack(levels)[..., None]))
    with torch.no_grad():
        return loaded.module(x, c).numpy()


def test_an_image_goes_in_and_a_logit_and_a_probability_come_out(service) -> None:
    levels = [picture(1), picture(2), picture(3)]
    answer = scores(service, model="digits", images=[coded(p) for p in levels])
    assert (answer["object"], answer["model"], answer["checkpoint"]) == ("scores", "digits", "ckpt_digits1000")
    assert answer["calibration"] == FITTED.model_dump(mode="json")
    logits = np.array([row["logit"] for row in answer["data"]])
    np.testing.assert_allclose(logits, judged(service, "digits", levels), atol=1e-4)
    chances = np.array([row["probability"] for row in answer["data"]])
    between = np.clip(logits, -0.2, 0.2)
    odds = -1 + 10 * (between + 0.2) - 2 * np.maximum(0, -0.2 - logits)
    np.testing.assert_allclose(chances, 1 / (1 + np.exp(-odds)), atol=1e-6)
    assert [row["index"] for row in answer["data"]] == [0, 1, 2]
    assert all(row["label"] is None for row in answer["data"])


def test_a_form_of_files_is_as_good_as_json(service) -> None:
    levels = [picture(1), picture(2)]
    files = [("images", (f"{i}.png", png(p), "image/png")) for i, p in enumerate(levels)]
    answer = service.http.post("/v1/scores", data={"model": "pets", "labels": ["dog", "0"]}, files=files)
    assert answer.status_code == 200, answer.text
    assert answer.json() == scores(service, model="pets", images=[coded(p) for p in levels], labels=["dog", "cat"])
    assert [row["label"] for row in answer.json()["data"]] == ["dog", "cat"]


def test_without_a_label_the_class_that_it_fits_best_is_named(service) -> None:
    levels = [picture(seed) for seed in range(6)]
    answer = scores(service, model="pets", images=[coded(p) for p in levels])
    table = np.stack([judged(service, "pets", levels, torch.eye(3)[[k] * 6]) for k in range(3)], axis=1)
    assert [row["label"] for row in answer["data"]] == [("cat", "dog", "eel")[k] for k in table.argmax(axis=1)]
    np.testing.assert_allclose([row["logit"] for row in answer["data"]], table.max(axis=1), atol=1e-4)
    assert len({row["label"] for row in answer["data"]}) > 1, "or this shows nothing"


def test_points_are_judged_in_the_datas_own_units(service) -> None:
    answer = scores(service, model="ring", points=[[10, 20], [11, 18]])
    loaded = load_discriminator(service.storage.path("checkpoints/mdl_ring/ckpt_ring1000.safetensors"))
    with torch.no_grad():
        expected = loaded.module(torch.tensor([[0.0, 0.0], [1.0, -1.0]]), None).numpy()
    np.testing.assert_allclose([row["logit"] for row in answer["data"]], expected, atol=1e-5)


def test_conditions_and_inputs_say_as_what_an_image_is_judged(service) -> None:
    image = coded(picture(1))
    one, other = (scores(service, model="tags", images=[image], condition=c)["data"][0] for c in ([1, 0], [0, 1]))
    assert one["logit"] != other["logit"]
    one, other = (scores(service, model="pairs", images=[image], inputs=[coded(picture(k))])["data"][0] for k in (1, 2))
    assert one["logit"] != other["logit"]


def test_a_checkpoint_without_a_calibration_has_logits_alone(service) -> None:
    answer = scores(service, model="uncalibrated", images=[coded(picture(1))])
    assert answer["calibration"] is None
    assert answer["data"][0]["probability"] is None
    assert np.isfinite(answer["data"][0]["logit"])


def test_an_image_of_another_size_and_in_colour_is_brought_to_the_models(service) -> None:
    grey, level = picture(1), np.full((8, 8), 77, dtype=np.uint8)
    same = [grey, np.stack([grey] * 3, axis=2), level, np.full((64, 32, 3), 77, dtype=np.uint8)]
    logits = [row["logit"] for row in scores(service, model="digits", images=[coded(p) for p in same])["data"]]
    assert logits[0] == pytest.approx(logits[1], abs=1e-4)
    assert logits[2] == pytest.approx(logits[3], abs=1e-4)
    assert logits[0] != pytest.approx(logits[2], abs=1e-3)


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"model": "digits"}, 422, "images"),
        ({"model": "digits", "images": [], "points": None}, 422, "images"),
        ({"model": "digits", "images": ["!"]}, 422, "images.0"),
        ({"model": "digits", "images": [b64encode(b"no picture").decode()]}, 422, "images.0"),
        ({"model": "digits", "points": [[1, 2]]}, 422, "points"),
        ({"model": "digits", "images": ["IMAGE"], "points": [[1, 2]]}, 422, "points"),
        ({"model": "digits", "images": ["IMAGE"], "labels": ["3"]}, 422, "labels"),
        ({"model": "pets", "images": ["IMAGE"], "labels": ["cow"]}, 422, "labels"),
        ({"model": "pets", "images": ["IMAGE"], "labels": ["cat", "dog"]}, 422, "labels"),
        ({"model": "ring", "images": ["IMAGE"]}, 422, "images"),
        ({"model": "ring", "points": [[1, 2, 3]]}, 422, "points.0"),
        ({"model": "ring", "points": [[1, 2], [1e300, 0]]}, 422, "points.1"),
        ({"model": "tags", "images": ["IMAGE"]}, 422, "condition"),
        ({"model": "tags", "images": ["IMAGE"], "condition": [1]}, 422, "condition"),
        ({"model": "pairs", "images": ["IMAGE"]}, 422, "inputs"),
        ({"model": "nobody", "images": ["IMAGE"]}, 404, "model"),
    ],
)
def test_what_cannot_be_judged_names_its_field(service, body: dict[str, Any], status: int, param: str) -> None:
    body = body | ({"images": [coded(picture(1))]} if body.get("images") == ["IMAGE"] else {})
    answer = service.http.post("/v1/scores", json=body)
    assert (answer.status_code, answer.json()["param"]) == (status, param), answer.text


def test_a_form_that_is_none_or_has_other_files_is_refused(service) -> None:
    broken = service.http.post("/v1/scores", content=b"x", headers={"Content-Type": "multipart/form-data"})
    assert (broken.status_code, broken.json()["code"]) == (400, "malformed_request")
    other = service.http.post("/v1/scores", data={"model": "digits"}, files=[("pictures", ("a.png", b"x"))])
    assert (other.status_code, other.json()["param"]) == (422, "pictures")
    text = service.http.post("/v1/scores", content=b"x", headers={"Content-Type": "text/plain"})
    assert text.status_code == 415
