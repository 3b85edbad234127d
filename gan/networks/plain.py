"""Strided 4×4 convolutions and nothing between them: DCGAN's stages without any normalisation, for short trainings.

R3GAN (Huang 2024) drops normalisation and shows that a game with both gradients penalised does not need it; what such
a network does need is an initialisation that keeps the scale of what passes through it (He 2015). With that alone it
learns from far fewer operations than residual bottlenecks (docs/learning.md).
"""

from itertools import pairwise
from math import prod

from torch import Tensor, nn

from gan.networks.conditioning import ConditionedInput, ProjectionHead
from gan.networks.dcgan import channels_by_stage, crop, flat_area, grid_sizes
from gan.spec import ImageShape, NetworkSpec

SLOPE = 0.2
"""Of the leaky ReLU below zero, in both players."""
GAIN = (2 / (1 + SLOPE**2)) ** 0.5
"""What a leaky ReLU takes from the scale of its input, and the weights before it make up for (He 2015, sec. 2.2)."""


class PlainGenerator(nn.Module):
    """z (N, latent_dim), c (N, size) → images (N, C, H, W) in [-1, 1]."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        assert isinstance(spec.shape, ImageShape)
        self.sizes = grid_sizes(spec.shape)
        channels = channels_by_stage(spec.width, len(self.sizes) - 1)
        self.input = ConditionedInput(spec.latent_dim, spec.conditioning, spec.latent_dim)
        self.base = nn.ConvTranspose2d(self.input.width, channels[0], self.sizes[0])
        self.up = nn.ModuleList(_up(a, b) for a, b in pairwise(channels))
        self.to_image = _up(channels[-1], spec.shape.channels)
        for layer in (self.base, *self.up):
            keep_scale(layer, GAIN)
        keep_scale(self.to_image, 1.0)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in [-1, 1]."""
        h = _leak(self.base(self.input(z, c)[:, :, None, None]))
        for up, size in zip(self.up, self.sizes[1:-1], strict=True):
            h = _leak(crop(up(h), size))
        return crop(self.to_image(h), self.sizes[-1]).tanh()


class PlainDiscriminator(nn.Module):
    """Images (N, C, H, W) in [-1, 1], c (N, size) → logits (N,)."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        assert isinstance(spec.shape, ImageShape)
        sizes = grid_sizes(spec.shape)
        channels = [spec.shape.channels, *reversed(channels_by_stage(spec.width, len(sizes) - 1))]
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(channels))
        self.head = ProjectionHead(channels[-1] * flat_area(sizes[-1], len(self.down)), spec.conditioning)
        for layer in self.down:
            keep_scale(layer, GAIN)
        keep_scale(self.head.linear, 1.0)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Logits (N,)."""
        h = x
        for down in self.down:
            h = _leak(down(h))
        logits: Tensor = self.head(h.flatten(1), c)
        return logits


def keep_scale(layer: nn.Module, gain: float) -> None:
    """Weights ~ N(0, gain²/n) where n numbers are summed into each that the layer puts out; no bias (He 2015)."""
    assert isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
    nn.init.normal_(layer.weight, 0.0, gain * summed(layer) ** -0.5)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)


def summed(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> float:
    """Numbers summed into each output: a transposed convolution spreads a kernel over stride² of them.

    The base, whose input is one pixel, is as good as a matrix: each of its outputs gets one weight of every channel.
    """
    if isinstance(layer, nn.Linear):
        return layer.in_features
    if isinstance(layer, nn.Conv2d):
        return layer.in_channels * prod(layer.kernel_size)
    strided = prod(layer.stride)
    return layer.in_channels * (prod(layer.kernel_size) / strided if strided > 1 else 1)


def _leak(x: Tensor) -> Tensor:
    return nn.functional.leaky_relu(x, SLOPE)


def _up(channels_in: int, channels_out: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1)
