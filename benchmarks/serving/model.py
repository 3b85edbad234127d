"""The generator that all servers serve: dcgan-64 as published, 3.6 million parameters, with weights from a seed."""

from pathlib import Path
from typing import Final

import torch
from torch import nn

from gan.checkpoint import ModelHeader, write_model
from gan.networks.build import build_discriminator, build_generator
from gan.spec import ImageShape, NetworkSpec

SPEC: Final = NetworkSpec(
    architecture="dcgan",
    width=64,
    latent_dim=100,
    latent_distribution="normal",
    shape=ImageShape(channels=3, height=64, width=64),
    batch_norm=True,
)


def generator() -> nn.Module:
    """With running statistics as a training leaves them, so that pictures are neither flat nor noise."""
    module = build_generator(SPEC, seed=0)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _ in range(20):  # batch norm follows what passes through
            module(torch.randn(64, SPEC.latent_dim, generator=rng))
        module.to_image.weight.mul_(20)  # an untrained generator's pictures are grey
    return module.eval().requires_grad_(False)


def write(path: Path) -> Path:
    """The checkpoint."""
    header = ModelHeader(network=SPEC, recipe="dcgan", images=1, seed=0, dataset_digest="0" * 64, loss="non_saturating")
    tensors = {f"generator.{name}": tensor for name, tensor in generator().state_dict().items()}
    tensors |= {f"discriminator.{name}": t for name, t in build_discriminator(SPEC, seed=0).state_dict().items()}
    write_model(path, header, tensors)
    return path
