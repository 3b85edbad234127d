"""Projection through real processes: images that a model made are found again, and two are morphed into each other."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from running import Stack
from seeded import IMAGES, network, write_seeded

from ganymede import Client
from ganymede.errors import ProblemError

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def client(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("models")
    with stack.client() as client:
        for name, spec, classes in (
            ("found", network("plain"), ()),
            ("found-pets", network("plain", IMAGES, "class", 2), ("cat", "dog")),
        ):
            write_seeded(folder / f"{name}.safetensors", spec, seed=1, classes=classes, counts=(1,) * len(classes))
            client.models.upload(folder / f"{name}.safetensors", name)
        yield client


def drawn(client: Client, path: Path, **body: object) -> Path:
    return client.samples.save(body, path, "image/png")


def levels(png: bytes | Path) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png) if isinstance(png, bytes) else png)).astype(float)


def test_what_a_model_made_is_found_again(client: Client, tmp_path: Path) -> None:
    files = [drawn(client, tmp_path / f"{seed}.png", model="found", seed=seed) for seed in (901, 902)]
    result = client.project({"model": "found", "images": files, "steps": 100})
    assert (result["object"], result["model"]) == ("projection", "found")
    assert [row["index"] for row in result["data"]] == [0, 1]
    for file, row in zip(files, result["data"], strict=True):
        again = client.samples.create({"model": "found", "latents": [row["latent"]]}, "image/png").content
        distance = np.sqrt(np.square(levels(again) - levels(file)).mean()) / 255
        assert distance == pytest.approx(row["distance"], abs=0.005)
        assert row["distance"] < 0.03
        assert row["label"] is None


def test_it_is_answered_at_once_where_the_caller_waits_and_the_class_is_found(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    file = drawn(client, tmp_path / "dog.png", model="found-pets", seed=5, labels=["dog"])
    form = {"model": "found-pets", "steps": "80"}
    answer = httpx.post(
        f"{stack.url}/v1/projections",
        data=form,
        files=[("images", ("dog.png", file.read_bytes()))],
        headers={"Prefer": "wait=60"},
        timeout=90,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"][0]["label"] == "dog"
    assert answer.headers["preference-applied"] == "wait=60"


def test_two_pictures_are_morphed_with_every_picture_in_between(client: Client, tmp_path: Path) -> None:
    first = drawn(client, tmp_path / "a.png", model="found-pets", seed=5, labels=["dog"])
    last = drawn(client, tmp_path / "b.png", model="found-pets", seed=6, labels=["cat"])
    from ganymede.commands.draw import encoded

    keyframes = [{"image": encoded(first)}, {"seed": 3, "label": "dog"}, {"image": encoded(last), "label": "cat"}]
    walk = {"model": "found-pets", "keyframes": keyframes, "frames": 7}
    strip = levels(client.interpolations.create(walk, "image/png").content)
    assert strip.shape == (8, 7 * 8 + 6)  # a pixel between two frames
    for frame, file in ((strip[:, :8], first), (strip[:, -8:], last)):
        assert np.sqrt(np.square(frame - levels(file)).mean()) / 255 < 0.05
    with pytest.raises(ProblemError) as refused:
        client.interpolations.create(walk | {"keyframes": [*keyframes[:2], {"image": "bm9uZQ=="}]})
    assert refused.value.param == "keyframes.2.image"


def test_the_images_go_with_the_job(stack: Stack, client: Client, tmp_path: Path) -> None:
    file = drawn(client, tmp_path / "a.png", model="found", seed=1)
    client.project({"model": "found", "images": [file], "steps": 1, "candidates": 16})
    job = client.jobs.list(model="found").data[0]
    kept = stack.data / "storage" / job.spec["images"]
    assert kept.is_file()
    client.jobs.delete(job.id)
    assert not kept.exists()


def test_the_command_says_how_near_it_came(stack: Stack, client: Client, tmp_path: Path) -> None:
    file = drawn(client, tmp_path / "a.png", model="found-pets", seed=901, labels=["cat"])
    done = stack.run(
        "project", "found-pets", str(file), "--label", "cat", "--steps", "40", "--out", str(tmp_path / "z.json")
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("a.png: distance 0.0")
    assert done.stdout.rstrip().endswith("as cat")
    assert (tmp_path / "z.json").is_file()
