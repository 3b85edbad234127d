"""What a training will take, counted without torch: against the networks themselves, and where it does not fit."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from gan.choosing import resolve
from gan.costs import COUNTS, estimated, fits, too_large
from gan.networks.build import build_discriminator, build_generator, parameter_count
from gan.recipes import RECIPES
from gan.spec import Conditioning, DatasetFacts, ImageShape, NetworkSpec, PointShape, TrainingSpec, TrainRequest

ROOT = Path(__file__).parents[2]
SHAPES = [
    ImageShape(channels=3, height=32, width=32),
    ImageShape(channels=1, height=9, width=13),
    ImageShape(channels=4, height=64, width=40),
    PointShape(dims=3),
]
BUILT = [
    (architecture, shape)
    for architecture in COUNTS
    for shape in SHAPES
    if architecture == "mlp" or (architecture != "unet" and isinstance(shape, ImageShape))
]
"""What there is of each: points are for `mlp` alone, and `unet` takes an image, which has a test of its own."""
DIGITS = DatasetFacts(count=1797, shape=ImageShape(channels=1, height=8, width=8), classes=tuple("0123456789"))
GIB = 2**30


def spec_of(facts: DatasetFacts = DIGITS, **request: object) -> TrainingSpec:
    asked = TrainRequest.model_validate({"type": "train", "dataset": "d", "model": "m"} | request)
    return resolve(asked, facts, "cpu")


def agrees(spec: NetworkSpec, c: torch.Tensor | None) -> None:
    """What is counted is what the networks have, and nearly what torch's own counter sees them do for two rows."""
    counted, generator, discriminator = (
        COUNTS[spec.architecture](spec),
        build_generator(spec),
        build_discriminator(spec),
    )
    assert counted.generator.parameters == parameter_count(generator)
    assert counted.discriminator.parameters == parameter_count(discriminator)
    with FlopCounterMode(display=False) as made, torch.no_grad():
        x = generator(torch.zeros(2, spec.latent_dim), c)
    with FlopCounterMode(display=False) as judged, torch.no_grad():
        discriminator(x, c)
    assert counted.generator.operations == pytest.approx(made.get_total_flops() / 2, rel=0.06)
    assert counted.discriminator.operations == pytest.approx(judged.get_total_flops() / 2, rel=0.06)


@pytest.mark.parametrize("kind", ["none", "class", "vector"])
@pytest.mark.parametrize(("architecture", "shape"), BUILT, ids=str)
def test_parameters_are_counted_exactly_and_operations_nearly(architecture: str, shape, kind: str) -> None:
    """torch's own counter knows matrix products and convolutions; the rest is a few per cent."""
    conditioning = Conditioning(kind=kind, size=0 if kind == "none" else 7)
    for batch_norm in (False, True):
        spec = NetworkSpec(architecture=architecture, width=12, latent_dim=10, latent_distribution="normal",
                           shape=shape, conditioning=conditioning, batch_norm=batch_norm)  # fmt: skip
        agrees(spec, None if kind == "none" else torch.zeros(2, 7))


@pytest.mark.parametrize("colours", [1, 4])
@pytest.mark.parametrize("shape", SHAPES[:3], ids=str)
def test_a_network_from_image_to_image_is_counted_alike(shape: ImageShape, colours: int) -> None:
    spec = NetworkSpec(architecture="unet", width=12, latent_dim=10, latent_distribution="normal", shape=shape,
                       conditioning=Conditioning(kind="image", size=colours))  # fmt: skip
    agrees(spec, torch.zeros(2, colours, shape.height, shape.width))


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_has_an_estimate_that_grows_with_the_work(recipe: str) -> None:
    facts = DatasetFacts(count=5000, shape=ImageShape(channels=3, height=32, width=32))
    small, long, wide = (
        estimated(spec_of(facts, recipe=recipe, **more), facts, "cpu")
        for more in ({"images": 1000}, {"images": 2000}, {"images": 1000, "network": {"width": 64}})
    )
    assert long.seconds == pytest.approx(2 * small.seconds, rel=0.1)
    assert wide.seconds > 1.5 * small.seconds
    assert wide.memory_bytes > small.memory_bytes
    assert wide.checkpoint_bytes > 2 * small.checkpoint_bytes


def test_a_budget_of_seconds_bounds_the_estimate() -> None:
    assert estimated(spec_of(max_seconds=60), DIGITS, "cpu").seconds == 60
    assert estimated(spec_of(max_seconds=1e7, images=100), DIGITS, "cpu").seconds < 60


def test_what_does_not_fit_names_the_field_that_would_help_with_its_figures() -> None:
    facts = DatasetFacts(count=50_000, shape=ImageShape(channels=3, height=128, width=128))
    usual = spec_of(facts, recipe="dcgan")
    assert too_large(usual, facts, "cpu", 16 * GIB) is None
    field, reason = too_large(usual.model_copy(update={"batch_size": 32768}), facts, "cpu", 4 * GIB)
    assert field == "batch_size"
    assert "4 GiB" in reason
    assert "instead of 32768" in reason
    wide = usual.model_copy(update={"network": usual.network.model_copy(update={"width": 1024})})
    field, reason = too_large(wide, facts, "cpu", 2 * GIB)
    assert field == "network.width"
    assert "instead of 1024" in reason


def test_a_suggested_batch_fits() -> None:
    facts = DatasetFacts(count=50_000, shape=ImageShape(channels=3, height=128, width=128))
    spec = spec_of(facts, recipe="dcgan", batch_size=32768)
    _, reason = too_large(spec, facts, "cpu", 4 * GIB)
    suggested = int(reason.split("batch_size of ")[1].split()[0])
    assert fits(spec.model_copy(update={"batch_size": suggested}), facts, "cpu", 4 * GIB)


def test_counting_does_without_torch() -> None:
    look = "import sys, gan.costs; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
