"""Plain multilayer perceptrons for points: three hidden layers of `width` units."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gan.networks.conditioning import ConditionedInput, ProjectionHead
from gan.spec import NetworkSpec, PointShape

HIDDEN_LAYERS = 3


def point_dims(spec: NetworkSpec) -> int:
    """Numbers in one data point; an image counts all its values."""
    shape = spec.shape
    return shape.dims if isinstance(shape, PointShape) else shape.channels * shape.height * shape.width


class MlpGenerator(nn.Module):
    """z (N, latent_dim), c (N, size) → points (N, dims), standardised, unbounded."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.input = ConditionedInput(spec.latent_dim, spec.conditioning, spec.latent_dim)
        widths = [self.input.width] + [spec.width] * HIDDEN_LAYERS
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.output = nn.Linear(spec.width, point_dims(spec))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Points (N, dims)."""
        h = self.input(z, c)
        for layer in self.hidden:
            h = torch.nn.functional.leaky_relu(layer(h), 0.2)
        points: Tensor = self.output(h)
        return points


class MlpDiscriminator(nn.Module):
    """Points (N, dims), c (N, size) → logits (N,). The condition is an input beside x, and projected at the head."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.input = ConditionedInput(point_dims(spec), spec.conditioning, spec.latent_dim)
        widths = [self.input.width] + [spec.width] * HIDDEN_LAYERS
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.head = ProjectionHead(spec.width, spec.conditioning)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Logits (N,)."""
        h = self.input(x, c)
        for layer in self.hidden:
            h = torch.nn.functional.leaky_relu(layer(h), 0.2)
        logits: Tensor = self.head(h, c)
        return logits
