"""Zips of many images: written as they are computed, of a length that is known, in bounded memory."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from sampling_kit import array, ask, publish, sampling_service
from seeded import IMAGES, network

from service import sampling


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        publish(running, "pets", network("plain", IMAGES, "class", 2), classes=("cat", "dog"), counts=(1, 3))
        yield running


def pictures(content: bytes) -> np.ndarray:
    """The images of a zip, in the order of its manifest."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        files = [entry["file"] for entry in json.loads(archive.read("manifest.json"))["data"]]
        assert archive.namelist() == [*files, "manifest.json"]
        return np.stack([np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in files])


@pytest.mark.parametrize("count", [1, 16, 10_000])
def test_the_length_is_said_before_the_first_byte_and_is_right(service, count: int) -> None:
    with service.http.stream("POST", "/v1/samples", json={"model": "pets", "seed": 5, "count": count},
                             headers={"Accept": "application/zip"}) as answer:  # fmt: skip
        assert answer.status_code == 200
        assert "transfer-encoding" not in answer.headers
        content = answer.read()
    assert int(answer.headers["content-length"]) == len(content)
    assert all(f"{part};dur=" in answer.headers["server-timing"] for part in ("queue", "batch", "forward", "encode"))
    found = pictures(content)
    assert len(found) == count
    some = array(ask(service, "application/x-npy", model="pets", seed=5, count=min(count, 50), **{"return": ["image"]}))
    assert np.abs(found[:50].astype(int) - some[..., 0]).max() <= 1


@pytest.mark.parametrize("path", ["samples", "interpolations"])
def test_it_is_the_same_however_many_images_are_held_at_a_time(service, path: str, monkeypatch) -> None:
    body = {"seed": 0, "count": 30} if path == "samples" else {"keyframes": [{"seed": 1}, {"seed": 2}], "frames": 30}
    whole = ask(service, "application/zip", path, model="pets", **body, **{"return": ["image", "latent"]}).content
    rows: list[int] = []
    sample = service.app.state.house.engine.sample

    async def watched(loaded, z, c):
        rows.append(len(z))
        return await sample(loaded, z, c)

    monkeypatch.setattr(service.app.state.house.engine, "sample", watched)
    monkeypatch.setattr(sampling, "ARCHIVE_PIXELS", 64 * 7)
    parts = ask(service, "application/zip", path, model="pets", **body, **{"return": ["image", "latent"]}).content
    assert rows == [7, 7, 7, 7, 2]
    assert np.abs(pictures(parts).astype(int) - pictures(whole)).max() <= 1
    manifests = [zipfile.ZipFile(io.BytesIO(content)).read("manifest.json") for content in (whole, parts)]
    assert manifests[0] == manifests[1]
    assert len(json.loads(manifests[0])["data"][3]["latent"]) == 6


def test_enlarged_pictures_are_held_fewer_at_a_time(service, monkeypatch) -> None:
    monkeypatch.setattr(sampling, "ARCHIVE_PIXELS", 64 * 64 * 2)
    content = ask(service, "application/zip", model="pets", seed=0, count=5, size=64).content
    assert pictures(content).shape == (5, 64, 64)
