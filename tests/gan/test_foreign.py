"""Model files from elsewhere: what Ganymede wrote is taken, and a header that lies is told by what it lies about."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from seeded import IMAGES, POINTS, network, write_seeded

from gan.checkpoint import METADATA_KEY
from gan.errors import CheckpointCorrupt
from gan.foreign import inspected

NETWORKS = [
    network("plain"),
    network("dcgan", batch_norm=True),
    network("resnet", spectral_norm=True),
    network("r3", IMAGES, "class", 2),
    network("mlp", POINTS),
    network("mlp", POINTS, "vector", 2),
    network("unet", IMAGES, "image", 3),
]


@pytest.mark.parametrize("spec", NETWORKS, ids=lambda spec: f"{spec.architecture} {spec.conditioning.kind}")
def test_what_ganymede_wrote_is_taken(spec, tmp_path: Path) -> None:
    kept = {"vector": torch.eye(2), "image": torch.zeros(3, 3, 8, 8)}.get(spec.conditioning.kind)
    write_seeded(tmp_path / "m.safetensors", spec, conditions=kept)
    assert inspected(tmp_path / "m.safetensors").network == spec


def test_a_file_with_several_averages_is_taken(tmp_path: Path) -> None:
    changed(tmp_path, averaged)
    assert inspected(tmp_path / "m.safetensors").ema_halflives == (0.0, 400.0)


def averaged(header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    header |= {"ema_halflife": 400.0, "ema_halflives": [0.0, 400.0]}
    tensors |= {n.replace("generator", "ema.0"): t.clone() for n, t in tensors.items() if n.startswith("generator.")}


def changed(folder: Path, change: Any) -> Path:
    """A good file of a class model, whose header and tensors something was done to."""
    path = folder / "m.safetensors"
    write_seeded(path, network("plain", IMAGES, "class", 2), classes=("cat", "dog"), counts=(3, 4))
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()[METADATA_KEY])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
    change(header, tensors)
    save_file(tensors, path, metadata={METADATA_KEY: json.dumps(header)})
    return path


def put(place: str, value: Any) -> Any:
    """A change of the header: `network.width`."""

    def change(header: dict[str, Any], _: dict[str, torch.Tensor]) -> None:
        *way, last = place.split(".")
        for step in way:
            header = header[step]
        header[last] = value

    return change


def drop(header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    del tensors["generator.base.bias"]


def add(header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    tensors["generator.more"] = torch.zeros(1)


def halve(header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    tensors["discriminator.head.linear.bias"] = tensors["discriminator.head.linear.bias"].half()


def poison(header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    tensors["generator.base.bias"][0] = float("nan")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop, "generator.base.bias is missing"),
        (add, "no tensor 'generator.more'"),
        (halve, "discriminator.head.linear.bias is F16"),
        (poison, "generator.base.bias has numbers that are NaN"),
        (put("network.width", 7), "is F32 .* not"),
        (put("network.width", 1024), "more than the file"),
        (put("network.width", 10**9), "network.width"),
        (put("network.width", -8), "network.width"),
        (put("network.latent_dim", 10**9), "network.latent_dim"),
        (put("network.shape.height", 10**9), "8 to 256 pixels"),
        (put("network.conditioning.size", 10**12), "more than 100000 classes"),
        (put("network.conditioning.size", 3), "as many names as classes"),
        (put("network.conditioning.kind", "image"), "unet"),
        (put("network.architecture", "unet"), "unet"),
        (put("network.architecture", "vgg"), "unreadable"),
        (put("network.shape", {"kind": "points", "dims": 2}), "plain makes no points"),
        (put("class_counts", [1, 2, 3]), "as many counts"),
        (put("class_counts", [1, -2]), "fewer than no rows"),
        (put("version", 2), "its version is 2"),
        (put("format", "other"), "its format is other"),
        (put("ema_halflives", [0.0, 400.0]), "ema.0.base.bias is missing"),
        (put("ema_halflives", [float(n) for n in range(1000)]), "averages"),
    ],
)  # fmt: skip
def test_a_header_or_tensor_that_lies_is_named(change: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointCorrupt, match=said):
        inspected(changed(tmp_path, change))


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\xff" * 200, (10**9).to_bytes(8, "little") + b"{}"])
def test_what_is_no_safetensors_file_is_unreadable(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(CheckpointCorrupt):
        inspected(tmp_path / "m.safetensors")


def test_a_file_of_another_program_has_no_header(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointCorrupt, match="no header"):
        inspected(tmp_path / "m.safetensors")


def test_a_file_from_before_calibrations_is_taken(tmp_path: Path) -> None:
    def older(header: dict[str, Any], _: dict[str, torch.Tensor]) -> None:
        del header["calibration"]

    assert inspected(changed(tmp_path, older)).calibration is None
