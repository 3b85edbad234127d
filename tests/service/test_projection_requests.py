"""What is asked of a projection, and what is refused before it is queued."""

import io
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sampling_kit import publish, sampling_service
from seeded import IMAGES, POINTS, network

Check = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        publish(running, "pets", network("plain", IMAGES, "class", 2), classes=("cat", "dog"), counts=(1, 1))
        publish(running, "ring", network("mlp", POINTS))
        publish(running, "tags", network("plain", IMAGES, "vector", 2), conditions=torch.eye(2))
        yield running


def picture(seed: int = 0) -> str:
    buffer = io.BytesIO()
    levels = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(levels).save(buffer, "png")
    return b64encode(buffer.getvalue()).decode()


def test_a_projection_is_queued_with_its_images_beside_it(service) -> None:
    body = {"model": "pets", "images": [picture(0), picture(1)], "labels": ["dog"], "steps": 50, "metadata": {"a": "b"}}
    answer = service.http.post("/v1/projections", json=body)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["type"], job["status"], job["model"], job["metadata"]) == ("project", "queued", "pets", {"a": "b"})
    assert (job["spec"]["checkpoint"], job["spec"]["count"], job["spec"]["steps"]) == ("ckpt_pets1000", 2, 50)
    with np.load(service.storage.path(job["spec"]["images"]), allow_pickle=False) as kept:
        assert kept["images"].shape == (2, 1, 8, 8)
        assert kept["images"].dtype == np.float32
        assert kept["conditions"].tolist() == [[0, 1], [0, 1]]
    assert service.http.get("/v1/jobs?type=project").json()["data"][0]["id"] == job["id"]
    assert service.jobs.claim("light", "wrk", 60, host="here").id == job["id"]
    waited = service.http.post("/v1/projections", json=body, headers={"Prefer": "wait=1"})
    assert waited.status_code == 202, "no worker here: the job goes on by itself"


def test_an_unlabelled_image_leaves_the_class_open(service) -> None:
    job = service.http.post("/v1/projections", json={"model": "pets", "images": [picture()]}).json()
    with np.load(service.storage.path(job["spec"]["images"]), allow_pickle=False) as kept:
        assert kept.files == ["images"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "pets"}, "images"),
        ({"model": "pets", "images": []}, "images"),
        ({"model": "pets", "images": ["bm9uZQ=="]}, "images.0"),
        ({"model": "pets", "images": ["PICTURE"] * 65}, "images"),
        ({"model": "pets", "images": ["PICTURE"], "labels": ["cow"]}, "labels"),
        ({"model": "pets", "images": ["PICTURE"], "steps": 0}, "steps"),
        ({"model": "pets", "images": ["PICTURE"], "starts": 16, "candidates": 16, "seed": 2**63 - 1}, "seed"),
        ({"model": "pets", "images": ["PICTURE"], "ema": 77}, "ema"),
        ({"model": "ring", "images": ["PICTURE"]}, "model"),
        ({"model": "tags", "images": ["PICTURE"]}, "condition"),
        ({"model": "nobody", "images": ["PICTURE"]}, "model"),
    ],
)
def test_what_cannot_be_projected_names_its_field(service, body: dict[str, Any], param: str) -> None:
    images = [picture() if image == "PICTURE" else image for image in body.get("images", [])]
    answer = service.http.post("/v1/projections", json=body | ({"images": images} if "images" in body else {}))
    assert answer.status_code in (404, 422), answer.text
    assert answer.json()["param"] == param


def test_a_keyframe_is_one_of_three(service, is_problem: Check) -> None:
    for keyframe in ({"seed": 1, "image": picture()}, {}):
        body = {"model": "pets", "keyframes": [keyframe, {"seed": 2}]}
        is_problem(service.http.post("/v1/interpolations", json=body), 422, "invalid_request")
