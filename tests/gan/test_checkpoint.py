"""Checkpoint files: what is written comes back, and what was tampered with is refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gan import checkpoint
from gan.checkpoint import ModelHeader, average_prefix, load_discriminator, load_generator, read_model, write_model
from gan.errors import CheckpointCorrupt
from gan.networks.build import build_discriminator, build_generator
from gan.spec import Conditioning, ImageShape, NetworkSpec

SPEC = NetworkSpec(
    architecture="dcgan",
    width=8,
    latent_dim=5,
    latent_distribution="uniform",
    shape=ImageShape(channels=1, height=16, width=16),
    conditioning=Conditioning(kind="class", size=2),
    spectral_norm=True,
)
HEADER = ModelHeader(
    network=SPEC, recipe="sngan", classes=("cat", "dog"), class_counts=(3, 4), images=640, seed=7, dataset_digest="ab"
)


def tensors() -> dict[str, torch.Tensor]:
    generator, discriminator = build_generator(SPEC, 1), build_discriminator(SPEC, 2)
    named = {f"generator.{k}": t for k, t in generator.state_dict().items()}
    return named | {f"discriminator.{k}": t for k, t in discriminator.state_dict().items()}


def test_a_model_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path, saved = tmp_path / "deep" / "model.safetensors", tensors()
    written = write_model(path, HEADER, saved)
    header, loaded = read_model(path, written.sha256)
    assert header == HEADER
    assert written.bytes == path.stat().st_size
    assert loaded.keys() == saved.keys()
    assert all(torch.equal(loaded[name], saved[name]) for name in saved)
    assert [p.name for p in path.parent.iterdir()] == ["model.safetensors"]


def test_a_loaded_generator_is_in_eval_mode_and_draws_what_the_original_drew(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_model(path, HEADER, tensors())
    z, c = torch.randn(3, 5), torch.eye(2)[[0, 1, 0]]
    original = build_generator(SPEC, 1).eval()
    loaded = load_generator(path)
    assert torch.equal(loaded.module(z, c), original(z, c))
    assert not loaded.module.training
    assert not any(p.requires_grad for p in loaded.module.parameters())
    assert loaded.bytes > 4 * 1000


def test_the_discriminator_comes_along(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_model(path, HEADER, tensors())
    x, c = torch.randn(3, 1, 16, 16), torch.eye(2)[[0, 1, 0]]
    assert torch.equal(load_discriminator(path).module(x, c), build_discriminator(SPEC, 2).eval()(x, c))


def test_one_flipped_bit_is_noticed_by_the_hash(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    written = write_model(path, HEADER, tensors())
    damaged = bytearray(path.read_bytes())
    damaged[-100] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(CheckpointCorrupt, match="sha256"):
        load_generator(path, written.sha256)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04K\x01.", b"\xff" * 64], ids=repr)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointCorrupt):
        load_generator(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointCorrupt, match="gone"):
        load_generator(tmp_path / "nothing.safetensors")


def test_a_safetensors_file_without_our_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointCorrupt, match="no header"):
        load_generator(path)


@pytest.mark.parametrize(
    "lie",
    [{"version": 2}, {"format": "other"}, {"images": "many"}, {"surprise": 1}],
    ids=["later version", "other format", "wrong type", "unknown field"],
)
def test_a_header_that_is_not_ours_is_refused(tmp_path: Path, lie: dict[str, object]) -> None:
    path = tmp_path / "model.safetensors"
    save_file(tensors(), path, metadata={"ganymede": json.dumps(json.loads(HEADER.model_dump_json()) | lie)})
    with pytest.raises(CheckpointCorrupt):
        load_generator(path)


def test_tensors_that_do_not_fit_the_header_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    wider = HEADER.model_copy(update={"network": SPEC.model_copy(update={"width": 16})})
    write_model(path, wider, tensors())
    with pytest.raises(CheckpointCorrupt, match="do not fit"):
        load_generator(path)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_model(path, HEADER, tensors())
    before = path.read_bytes()
    twice = torch.zeros(2)
    with pytest.raises(RuntimeError, match="share memory"):
        write_model(path, HEADER, {"generator.one": twice, "generator.two": twice})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert load_file(path)


# ---- averages ----

AVERAGED = HEADER.model_copy(update={"ema_halflife": 5000.0, "ema_halflives": (0.0, 400.0, 5000.0)})
SEEDS = {"generator": 1, "ema.0": 4, "ema.400": 3}


def averaged() -> dict[str, torch.Tensor]:
    """A generator of another seed for each average."""
    named = {
        f"{prefix}.{k}": t
        for prefix, seed in SEEDS.items()
        for k, t in build_generator(SPEC, seed).state_dict().items()
    }
    return tensors() | named


@pytest.mark.parametrize(
    ("ema", "prefix"), [(None, "generator"), (5000.0, "generator"), (400.0, "ema.400"), (0.0, "ema.0")]
)
def test_an_average_is_loaded_by_its_half_life(tmp_path: Path, ema: float | None, prefix: str) -> None:
    path = tmp_path / "model.safetensors"
    written = write_model(path, AVERAGED, averaged())
    loaded = load_generator(path, written.sha256, ema)
    z, c = torch.randn(3, 5), torch.eye(2)[[0, 1, 0]]
    assert torch.equal(loaded.module(z, c), build_generator(SPEC, SEEDS[prefix]).eval()(z, c))
    assert loaded.ema == (5000.0 if ema is None else ema)
    assert average_prefix(ema, 5000.0) == prefix


def test_only_what_one_generator_needs_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    write_model(path, AVERAGED, averaged() | {"points.mean": torch.zeros(2)})
    read: list[str] = []

    class Watched:
        def __init__(self, *arguments: object, **named: object) -> None:
            self.file = safe_open(*arguments, **named)

        def __enter__(self) -> "Watched":
            self.file = self.file.__enter__()
            return self

        def __exit__(self, *error: object) -> None:
            self.file.__exit__(*error)

        def metadata(self) -> dict[str, str]:
            return self.file.metadata()

        def keys(self) -> list[str]:
            return self.file.keys()

        def get_tensor(self, name: str) -> torch.Tensor:
            read.append(name)
            return self.file.get_tensor(name)

    monkeypatch.setattr(checkpoint, "safe_open", Watched)
    load_generator(path, ema=400.0)
    assert sorted(read) == sorted([f"ema.400.{k}" for k in build_generator(SPEC).state_dict()] + ["points.mean"])


def test_an_average_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_model(path, AVERAGED, averaged())
    with pytest.raises(CheckpointCorrupt, match="do not fit"):
        load_generator(path, ema=401.0)


def test_a_file_written_before_there_were_averages_still_reads(tmp_path: Path) -> None:
    """The header as it was written then, word for word."""
    path = tmp_path / "model.safetensors"
    header = {
        "format": "ganymede.model",
        "version": 1,
        "network": {
            "architecture": "dcgan",
            "width": 8,
            "latent_dim": 5,
            "latent_distribution": "uniform",
            "shape": {"kind": "images", "channels": 1, "height": 16, "width": 16},
            "conditioning": {"kind": "class", "size": 2},
            "batch_norm": False,
            "spectral_norm": True,
        },
        "recipe": "sngan",
        "classes": ["cat", "dog"],
        "class_counts": [3, 4],
        "images": 640,
        "seed": 7,
        "dataset_digest": "ab",
        "loss": "hinge",
    }
    save_file(tensors(), path, metadata={"ganymede": json.dumps(header)})
    loaded = load_generator(path)
    assert (loaded.header.ema_halflife, loaded.header.ema_halflives, loaded.ema) == (None, (), None)
    z, c = torch.randn(3, 5), torch.eye(2)[[0, 1, 0]]
    assert torch.equal(loaded.module(z, c), build_generator(SPEC, 1).eval()(z, c))
    assert load_discriminator(path).module
