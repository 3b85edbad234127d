"""Plain multilayer perceptrons: three hidden layers of `width` units. For points, and for images as the games of 2014
were played: all pixels at once, squashed by tanh.
"""

from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from gan.networks.conditioning import ConditionedInput, ProjectionHead
from gan.spec import NetworkSpec, PointShape

HIDDEN_LAYERS = 3


def row_sizes(spec: NetworkSpec) -> tuple[int, ...]:
    """The sizes of one row of data: (D,) of a point, (C, H, W) of an image."""
    shape = spec.shape
    return (shape.dims,) if isinstance(shape, PointShape) else (shape.channels, shape.height, shape.width)


class MlpGenerator(nn.Module):
    """z (N, latent_dim), c (N, size) → points (N, D), standardised, unbounded; or images (N, C, H, W) in [-1, 1]."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.sizes = row_sizes(spec)
        self.squash = nn.Identity() if isinstance(spec.shape, PointShape) else nn.Tanh()
        self.input = ConditionedInput(spec.latent_dim, spec.conditioning, spec.latent_dim)
        widths = [self.input.width] + [spec.width] * HIDDEN_LAYERS
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.output = nn.Linear(spec.width, prod(self.sizes))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Points (N, D) or images (N, C, H, W)."""
        h = self.input(z, c)
        for layer in self.hidden:
            h = torch.nn.functional.leaky_relu(layer(h), 0.2)
        made: Tensor = self.squash(self.output(h)).unflatten(1, self.sizes)
        return made


class MlpDiscriminator(nn.Module):
    """Points (N, D) or images (N, C, H, W), c (N, size) → logits (N,).

    The condition is an input beside x, and projected at the head.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.input = ConditionedInput(prod(row_sizes(spec)), spec.conditioning, spec.latent_dim)
        widths = [self.input.width] + [spec.width] * HIDDEN_LAYERS
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.head = ProjectionHead(spec.width, spec.conditioning)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Logits (N,)."""
        h = self.input(x.flatten(1), c)
        for layer in self.hidden:
            h = torch.nn.functional.leaky_relu(layer(h), 0.2)
        logits: Tensor = self.head(h, c)
        return logits
