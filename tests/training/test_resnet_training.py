"""The recipes whose default is a residual network train on images of every size class."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training_kit import Workshop, pictures

from gan.checkpoint import load_generator
from gan.choosing import IMAGE_REGIMES
from worker.protocol import Done, Metrics, SavedCheckpoint

TINY = {"width": 4, "latent_dim": 6}


@pytest.mark.parametrize("side", [regime.side for regime in IMAGE_REGIMES])
@pytest.mark.parametrize("recipe", ["sngan", "wgan-gp"])
def test_a_job_trains_both_players(workshop: Workshop, recipe: str, side: int) -> None:
    images, labels = pictures(12, channels=3, side=side)
    workshop.pack("images", images, labels, ("dark", "bright"))
    spec = workshop.spec("images", recipe=recipe, images=2 * 5 * 4, batch_size=4, network=TINY, checkpoint_every=20)
    assert spec.network.architecture == "resnet"
    line = workshop.train("images", spec)
    assert line.of(Done) == [Done(ended_by="images")]
    assert all(np.isfinite(v) for m in line.of(Metrics) for v in m.values.values() if v is not None)
    first, last = (load_file(workshop.root / line.of(SavedCheckpoint)[k].path) for k in (0, -1))
    for player in ("generator", "discriminator"):
        weights = [name for name in first if name.startswith(player) and name.endswith(("weight", "original"))]
        assert len(weights) >= 6
        stayed = [name for name in weights if torch.equal(first[name], last[name])]
        assert stayed == [], player


@pytest.mark.parametrize("recipe", ["sngan", "wgan-gp"])
def test_two_hundred_rounds_tell_dark_from_bright(workshop: Workshop, recipe: str) -> None:
    """The class that is asked for decides how bright the picture is."""
    images, labels = pictures(300)
    workshop.pack("images", images, labels, ("dark", "bright"))
    spec = workshop.spec("images", recipe=recipe, images=200 * 5 * 16, batch_size=16, network={"width": 16})
    saved = workshop.train("images", spec).of(SavedCheckpoint)[-1]
    z = torch.randn(64, spec.network.latent_dim, generator=torch.Generator().manual_seed(0))
    made = [
        load_generator(workshop.root / saved.path).module(z, torch.eye(2)[[label] * 64]).mean().item()
        for label in (0, 1)
    ]
    real = [images[labels == label].mean() / 127.5 - 1 for label in (0, 1)]
    assert made[1] - made[0] > 0.6 * (real[1] - real[0])
