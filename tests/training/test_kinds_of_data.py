"""Images of every kind that a dataset may hold, trained for some steps: with numbers beside them, with alpha, large."""

import numpy as np
import pytest
import torch
from PIL import Image
from training_kit import Workshop, blobs, pictures

from gan.checkpoint import load_generator
from gan.spec import DatasetFacts, ImageShape, TrainingSpec
from worker.protocol import Preview, SavedCheckpoint
from worker.training.data import MOST_KEPT_CONDITIONS, Packed, TrainingData, open_packed
from worker.training.preview import POINTS
from worker.training.preview import Preview as Painter


def tiny(workshop: Workshop, name: str, **request: object) -> TrainingSpec:
    asked = {"images": 64, "batch_size": 16, "network": {"width": 4, "latent_dim": 8}}
    return workshop.spec(name, **asked | request)


def conditioned(workshop: Workshop, name: str = "lit", count: int = 200) -> np.ndarray:
    """Images whose brightness is one of two numbers that they come with."""
    draws = np.random.default_rng(0)
    numbers = np.stack([draws.uniform(0, 1, count), draws.integers(0, 2, count)], axis=1).astype(np.float32)
    pixels = (numbers[:, 0, None, None, None] * 255).repeat(64, axis=1).reshape(count, 8, 8, 1)
    workshop.pack(name, pixels.astype(np.uint8), numbers)
    return numbers


@pytest.mark.parametrize("recipe", ["r3gan", "dcgan", "wgan-gp", "sngan"])
def test_images_with_numbers_train_and_the_model_carries_some_of_them(workshop: Workshop, recipe: str) -> None:
    numbers = conditioned(workshop)
    spec = tiny(workshop, "lit", recipe=recipe)
    assert (spec.network.conditioning.kind, spec.network.conditioning.size) == ("vector", 2)
    assert "2 numbers" in spec.chosen["conditional"]
    line = workshop.train("lit", spec)
    saved = line.of(SavedCheckpoint)[-1]
    loaded = load_generator(workshop.root / saved.path, saved.sha256)
    assert loaded.conditions is not None
    assert {tuple(row) for row in loaded.conditions.tolist()} <= {tuple(row) for row in numbers.tolist()}
    z = torch.randn(3, 8)
    assert loaded.module(z, torch.tensor([[0.5, 1.0]] * 3)).shape == (3, 1, 8, 8)


def test_a_preview_of_images_with_numbers_has_a_row_a_condition_and_the_same_seeds_in_each(workshop: Workshop) -> None:
    conditioned(workshop)
    spec = tiny(workshop, "lit")
    facts, data = workshop.facts["lit"], np.load(workshop.root / "datasets/lit/data.npy")
    labels = np.load(workshop.root / "datasets/lit/labels.npy")
    painter = Painter(TrainingData(Packed(facts, data, labels), spec, torch.device("cpu")), spec)
    assert painter.conditions is not None
    rows = painter.conditions.reshape(8, 8, 2)
    assert (rows == rows[:, :1]).all()
    assert len(rows[:, 0].unique(dim=0)) > 4
    assert painter.seeds == list(range(8)) * 8


@pytest.mark.parametrize("with_numbers", [False, True])
def test_a_cloud_stands_before_training_points_in_the_data_s_units(workshop: Workshop, *, with_numbers: bool) -> None:
    """Also where the networks go on in the units of other data, and with each point's own numbers."""
    points = blobs(5000)
    workshop.pack("points", points, 3 * points[:, :1] if with_numbers else None)
    spec = tiny(workshop, "points", recipe="dcgan")
    data = TrainingData(open_packed(workshop.root / "datasets/points"), spec, torch.device("cpu"))
    data.standardise_by(torch.tensor([7.0, -3.0]), torch.tensor([0.5, 4.0]))
    behind = Painter(data, spec).behind
    assert behind is not None
    assert len(behind.points) == POINTS
    own = points[data.train_rows]
    nearest = np.abs(behind.points[:, None] - own).sum(axis=2).argmin(axis=1)
    assert np.allclose(behind.points, own[nearest], atol=1e-5)
    assert len(set(nearest)) == POINTS
    assert (behind.conditions is not None) == with_numbers
    if behind.conditions is not None:
        assert np.allclose(behind.conditions, 3 * behind.points[:, :1], atol=1e-4)


def test_many_different_conditions_are_carried_evenly_spread(workshop: Workshop) -> None:
    count = 2 * MOST_KEPT_CONDITIONS
    facts = DatasetFacts(count=count, shape=ImageShape(channels=1, height=8, width=8), condition_dims=1)
    workshop.facts["many"] = facts
    packed = Packed(facts, np.zeros((count, 8, 8, 1), np.uint8), np.arange(count, dtype=np.float32)[:, None])
    kept = TrainingData(packed, tiny(workshop, "many", holdout=0.0), torch.device("cpu")).kept_conditions()
    assert kept is not None
    assert kept[:, 0].tolist() == list(range(0, count, 2))


def test_a_rare_attribute_is_among_the_conditions_that_a_model_carries(workshop: Workshop) -> None:
    """Else its spread would be taken for none, and a request for it for nonsense."""
    count = 3 * MOST_KEPT_CONDITIONS
    numbers = np.full((count, 3), -1, np.float32)
    numbers[1::2, 0] = 1
    numbers[7, 1] = 1  # between the rows that are kept
    facts = DatasetFacts(count=count, shape=ImageShape(channels=1, height=8, width=8), condition_dims=3)
    workshop.facts["rare"] = facts
    spec = tiny(workshop, "rare", holdout=0.0)
    packed = Packed(facts, np.zeros((count, 8, 8, 1), np.uint8), numbers)
    kept = TrainingData(packed, spec, torch.device("cpu")).kept_conditions()
    assert kept is not None
    assert kept.shape == (MOST_KEPT_CONDITIONS + 1, 3)
    assert kept[:, 1].max() == 1
    assert set(kept[:, 2].tolist()) == {-1}


# ---- alpha ----


def discs(workshop: Workshop, channels: int, side: int = 16, count: int = 64) -> str:
    """Discs that are opaque inside and transparent outside."""
    draws = np.random.default_rng(1)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    inside = x**2 + y**2 < (draws.uniform(0.2, 0.5, (count, 1, 1)) * side) ** 2
    pixels = np.full((count, side, side, channels), 255, np.uint8)
    pixels[..., :-1][inside] = draws.integers(0, 128, (count, channels - 1)).repeat(inside.sum((1, 2)), axis=0)
    pixels[..., -1] = 255 * inside
    return workshop.pack(f"discs{channels}", pixels)


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize(("recipe", "architecture"), [("r3gan", "r3"), ("dcgan", "dcgan"), ("wgan-gp", "mlp")])
def test_every_network_makes_images_with_alpha(
    workshop: Workshop, channels: int, recipe: str, architecture: str
) -> None:
    network = {"architecture": architecture, "width": 4, "latent_dim": 8}
    name = discs(workshop, channels)
    line = workshop.train(name, tiny(workshop, name, recipe=recipe, network=network))
    saved = line.of(SavedCheckpoint)[-1]
    loaded = load_generator(workshop.root / saved.path, saved.sha256)
    assert loaded.module(torch.randn(2, 8)).shape == (2, channels, 16, 16)
    with Image.open(workshop.root / line.of(Preview)[-1].path) as preview:
        assert preview.mode == {2: "LA", 4: "RGBA"}[channels]


# ---- large ----


def test_images_of_256_pixels_train_with_the_published_gamma(workshop: Workshop) -> None:
    images, labels = pictures(6, channels=3, side=256)
    workshop.pack("large", images, labels, ("dark", "bright"))
    spec = workshop.spec("large", images=4, batch_size=2, network={"width": 4, "latent_dim": 8})
    assert (spec.r1, spec.schedules["r1"].to, spec.learning_rate) == (150.0, pytest.approx(15.0), 2e-4)
    line = workshop.train("large", spec)
    saved = line.of(SavedCheckpoint)[-1]
    loaded = load_generator(workshop.root / saved.path, saved.sha256)
    assert loaded.module(torch.randn(1, 8), torch.eye(2)[:1]).shape == (1, 3, 256, 256)
    with Image.open(workshop.root / line.of(Preview)[-1].path) as preview:
        assert preview.size == (8 * 128 + 7 * 2, 2 * 128 + 2)  # reduced: sixty-four whole ones would weigh megabytes


@pytest.mark.parametrize(("recipe", "architecture"), [("dcgan", "dcgan"), ("wgan-gp", "mlp")])
def test_other_networks_make_256_pixels_too_also_where_the_sides_differ(
    workshop: Workshop, recipe: str, architecture: str
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 64, 256, 1), dtype=np.uint8)
    workshop.pack("wide", pixels)
    network = {"architecture": architecture, "width": 4, "latent_dim": 8}
    line = workshop.train("wide", workshop.spec("wide", recipe=recipe, images=20, batch_size=4, network=network))
    assert line.of(SavedCheckpoint)
