"""A picture, made again from its own text chunks by the client and the command."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sampling_kit import ask, publish, sampling_service
from seeded import IMAGES, POINTS, network

from ganymede import Client
from ganymede.cli import run
from ganymede.errors import NotFound, UsageError
from ganymede.reproducing import reproduce


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        publish(running, "pets", network("plain", IMAGES, "class", 2), classes=("cat", "dog"), counts=(1, 3))
        publish(running, "plain", network("r3"))
        publish(running, "tags", network("plain", IMAGES, "vector", 2), conditions=torch.eye(2))
        publish(running, "pairs", network("unet", IMAGES, "image", 1), conditions=torch.zeros(3, 1, 8, 8))
        publish(running, "points", network("mlp", POINTS))
        yield running


@pytest.fixture
def drawing(tmp_path: Path) -> Path:
    """An image of noise, as a file."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / "x.png")
    return tmp_path / "x.png"


WALK = {"keyframes": [{"seed": 1}, {"seed": 2}, {"seed": 5}], "frames": 5}
ASKED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "one": ("samples", "image/png", {"model": "pets", "seed": 42}),
    "labelled": ("samples", "image/png", {"model": "pets", "seed": 4, "labels": ["dog"], "truncation": 0.5}),
    "grid": ("samples", "image/png", {"model": "pets", "seed": 0, "count": 7, "columns": 3, "size": 16}),
    "edited": ("samples", "image/png", {"model": "pets", "seed": 4, "edits": [{"direction": 1, "amount": -3.0}]}),
    "scaled": ("samples", "image/png", {"model": "plain", "latents": [[0.5] * 6], "truncation": 0.5}),
    "latents": ("samples", "image/png", {"model": "plain", "latents": [[0.5] * 6, [1.0] * 6]}),
    "vector": ("samples", "image/png", {"model": "tags", "seeds": [3, 9], "condition": [0.5, -0.25]}),
    "points": ("samples", "image/png", {"model": "points", "seed": 0, "count": 50, "size": 200}),
    "strip": ("interpolations", "image/png", WALK | {"model": "pets", "loop": True, "easing": "ease_in_out"}),
    "moving": ("interpolations", "image/apng", WALK | {"model": "plain", "fps": 10, "method": "lerp"}),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_was_drawn_is_made_again_and_is_identical(service, name: str, tmp_path: Path) -> None:
    path, accept, body = ASKED[name]
    (tmp_path / "a.png").write_bytes(ask(service, accept, path, **body).content)
    with Client(service.url) as client:
        found = reproduce(client, tmp_path / "a.png")
    assert found.identical
    assert found.content == (tmp_path / "a.png").read_bytes() or name == "scaled", "its latents are scaled already"


@pytest.mark.parametrize("path", ["samples", "interpolations"])
def test_a_file_of_a_zip_is_made_again_by_itself(service, path: str, tmp_path: Path) -> None:
    body = {"seed": 0, "count": 4} if path == "samples" else WALK
    content = ask(service, "application/zip", path, model="pets", **body).content
    names = [name for name in zipfile.ZipFile(io.BytesIO(content)).namelist() if name.endswith("png")]
    with Client(service.url) as client:
        for name in names:
            (tmp_path / "a.png").write_bytes(zipfile.ZipFile(io.BytesIO(content)).read(name))
            assert reproduce(client, tmp_path / "a.png").identical, name


@pytest.mark.parametrize("path", ["samples", "interpolations"])
def test_a_picture_of_a_pair_needs_its_input_again(service, path: str, drawing: Path, tmp_path: Path) -> None:
    from ganymede.commands.draw import encoded

    body = (
        {"seed": 0, "count": 3, "inputs": [encoded(drawing)]}
        if path == "samples"
        else WALK | {"input": encoded(drawing)}
    )
    (tmp_path / "a.png").write_bytes(ask(service, "image/png", path, model="pairs", **body).content)
    with Client(service.url) as client:
        with pytest.raises(UsageError, match="--input"):
            reproduce(client, tmp_path / "a.png")
        assert reproduce(client, tmp_path / "a.png", [drawing]).identical


def test_the_command_says_whether_it_is_identical(service, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("GANYMEDE_URL", service.url)
    true = ask(service, "image/png", model="pets", seed=1).content
    (tmp_path / "true.png").write_bytes(true)
    other = Image.open(io.BytesIO(ask(service, "image/png", model="pets", seed=2).content))
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("ganymede", Image.open(io.BytesIO(true)).text["ganymede"])  # type: ignore[attr-defined]
    other.save(tmp_path / "false.png", pnginfo=info)
    assert run(["reproduce", str(tmp_path / "true.png"), "--out", str(tmp_path / "again.png")]) == 0
    assert "identical" in capsys.readouterr().out
    assert (tmp_path / "again.png").read_bytes() == true
    assert run(["reproduce", str(tmp_path / "false.png")]) == 1
    assert "different" in capsys.readouterr().out


def test_what_says_too_little_is_told_and_a_checkpoint_that_is_gone_is_not_found(service, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    with Client(service.url) as client:
        picture.write_bytes(b"GIF89a")
        with pytest.raises(UsageError, match="only a PNG"):
            reproduce(client, picture)
        Image.new("L", (4, 4)).save(picture)
        with pytest.raises(UsageError, match="no record"):
            reproduce(client, picture)
        publish(service, "gone", network("plain"))
        picture.write_bytes(ask(service, "image/png", model="gone", seed=1).content)
        assert service.http.delete("/v1/models/gone").status_code == 204
        with pytest.raises(NotFound):
            reproduce(client, picture)


def test_what_was_compressed_in_another_way_is_identical_all_the_same(service, tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    drawn = Image.open(io.BytesIO(ask(service, "image/png", model="pets", seed=1, size=64).content))
    info = PngInfo()
    info.add_text("ganymede", drawn.text["ganymede"])  # type: ignore[attr-defined]
    drawn.save(tmp_path / "old.png", pnginfo=info, compress_level=9)
    with Client(service.url) as client:
        found = reproduce(client, tmp_path / "old.png")
    assert found.identical
    assert found.content != (tmp_path / "old.png").read_bytes()
