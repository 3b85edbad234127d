"""R3GAN's networks (Huang 2024): residual stages without any normalisation.

A block is 1×1 → bias, leaky ReLU → grouped 3×3 → bias, leaky ReLU → 1×1 (zero at first), plus the skip; two a stage.
Resampling is bilinear [1, 2, 1], with the 1×1 that changes the channels on the low-resolution side.
The generator starts from a learned base grid times a linear function of z; the discriminator ends in a depthwise
convolution over the whole grid and a linear layer. Conditions: beside z in G, projected in D, which
looks at pairs of images as well (`gan.networks.unet` has the generator for them).
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.networks.conditioning import ConditionedInput, PairedInput, ProjectionHead
from gan.networks.sizes import Size, stage_sizes
from gan.spec import ImageShape, NetworkSpec

BLOCKS_PER_STAGE = 2
EXPANSION = 2
GROUP_SIZE = 16
"""Channels in one group of the 3×3 convolution (published: 96 groups of 1536)."""
WIDEST = 8
LEAK = 0.2
GAIN = math.sqrt(2 / (1 + LEAK**2))
"""Keeps the variance through a leaky ReLU (He 2015)."""


def channels_by_stage(width: int, stages: int) -> list[int]:
    """Channels of each stage, coarsest first: `width` at the finest, doubling towards the base up to `WIDEST` ×."""
    return [width * min(2**k, WIDEST) for k in reversed(range(stages))]


def group_count(channels: int) -> int:
    """Groups of `GROUP_SIZE` channels or a little more: the most that `channels` can be divided into evenly.

    >>> group_count(64), group_count(50), group_count(10)
    (4, 2, 1)
    """
    return next(groups for groups in range(max(1, channels // GROUP_SIZE), 0, -1) if channels % groups == 0)


def scaled(layer: nn.Conv2d, gain: float) -> nn.Conv2d:
    """The layer with weights ~ N(0, gain²/fan_in) and no bias of its own."""
    fan_in = layer.weight[0].numel()
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(fan_in)) if gain else nn.init.zeros_(layer.weight)
    return layer


class BiasedLeak(nn.Module):
    """Adds a learned bias a channel, then leaky ReLU: (N, C, H, W) → the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """max(y, 0.2 y) with y = x + bias."""
        return F.leaky_relu(x + self.bias.view(1, -1, 1, 1), LEAK)


class ResidualBlock(nn.Module):
    """x + f(x) with f the bottleneck of the module's docstring; `depth` is L, the number of blocks in the network."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        inner = channels * EXPANSION
        groups = group_count(inner)
        # two layers of the three carry the variance; L^(-1/4) each keeps the sum of L branches of order one
        gain = GAIN * depth ** (-1 / 4)
        self.reduce = scaled(nn.Conv2d(channels, inner, 1, bias=False), gain)
        self.leak1 = BiasedLeak(inner)
        self.spatial = scaled(nn.Conv2d(inner, inner, 3, padding=1, groups=groups, bias=False), gain)
        self.leak2 = BiasedLeak(inner)
        self.expand = scaled(nn.Conv2d(inner, channels, 1, bias=False), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same."""
        branch: Tensor = self.expand(self.leak2(self.spatial(self.leak1(self.reduce(x)))))
        return x + branch


class Upsample(nn.Module):
    """The 1×1 convolution at low resolution (if the channels change), then bilinear doubling to `size`.

    Doubling is [1, 2, 1] over the pixels with zeros between them: even pixels are the old ones, odd ones the mean of
    their two neighbours, and the last of an even side repeats the edge.
    """

    def __init__(self, channels_in: int, channels_out: int, size: Size) -> None:
        super().__init__()
        self.size = size
        self.mix = _mix(channels_in, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) → (N, C', *size), size being 2h or 2h - 1 by 2w or 2w - 1."""
        height, width = 2 * x.shape[2] - 1, 2 * x.shape[3] - 1
        between = F.interpolate(self.mix(x), size=(height, width), mode="bilinear", align_corners=True)
        return F.pad(between, (0, self.size[1] - width, 0, self.size[0] - height), mode="replicate")


class Downsample(nn.Module):
    """Every second pixel of the [1, 2, 1]-filtered image (its edges repeated), then the 1×1 at low resolution."""

    kernel: Tensor

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.mix = _mix(channels_in, channels_out)
        line = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("kernel", torch.outer(line, line).expand(channels_in, 1, 3, 3).clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C', ⌈H/2⌉, ⌈W/2⌉)."""
        channels, height, width = x.shape[1:]
        padded = F.pad(x, (1, width % 2, 1, height % 2), mode="replicate")
        mixed: Tensor = self.mix(F.conv2d(padded, self.kernel, stride=2, groups=channels))
        return mixed


def _mix(channels_in: int, channels_out: int) -> nn.Module:
    if channels_in == channels_out:
        return nn.Identity()
    return scaled(nn.Conv2d(channels_in, channels_out, 1, bias=False), 1.0)


def _blocks(channels: int, depth: int) -> list[nn.Module]:
    return [ResidualBlock(channels, depth) for _ in range(BLOCKS_PER_STAGE)]


class R3Generator(nn.Module):
    """z (N, latent_dim), c (N, size) → images (N, C, H, W), trained towards [-1, 1] and clamped when encoded."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        assert isinstance(spec.shape, ImageShape)
        sizes = stage_sizes(spec.shape)
        channels = channels_by_stage(spec.width, len(sizes))
        depth = BLOCKS_PER_STAGE * len(sizes)
        self.input = ConditionedInput(spec.latent_dim, spec.conditioning, spec.latent_dim)
        self.basis = nn.Parameter(torch.randn(channels[0], *sizes[0]))
        self.linear = nn.Linear(self.input.width, channels[0], bias=False)
        nn.init.normal_(self.linear.weight, 0.0, self.input.width**-0.5)
        body = _blocks(channels[0], depth)
        for a, b, size in zip(channels, channels[1:], sizes[1:], strict=False):
            body += [Upsample(a, b, size), *_blocks(b, depth)]
        self.body = nn.Sequential(*body)
        self.to_image = scaled(nn.Conv2d(channels[-1], spec.shape.channels, 1, bias=False), 1.0)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W), around [-1, 1]."""
        scale = self.linear(self.input(z, c))
        images: Tensor = self.to_image(self.body(self.basis * scale[:, :, None, None]))
        return images


class R3Discriminator(nn.Module):
    """Images (N, C, H, W), c (N, size) or an image (N, size, H, W) → logits (N,)."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        assert isinstance(spec.shape, ImageShape)
        self.pair = PairedInput(spec.shape.channels, spec.conditioning)
        sizes = stage_sizes(spec.shape)[::-1]
        channels = channels_by_stage(spec.width, len(sizes))[::-1]
        depth = BLOCKS_PER_STAGE * len(sizes)
        self.from_image = scaled(nn.Conv2d(self.pair.channels, channels[0], 1, bias=False), 1.0)
        body = _blocks(channels[0], depth)
        for a, b in pairwise(channels):
            body += [Downsample(a, b), *_blocks(b, depth)]
        self.body = nn.Sequential(*body)
        self.pool = scaled(nn.Conv2d(channels[-1], channels[-1], sizes[-1], groups=channels[-1], bias=False), 1.0)
        self.head = ProjectionHead(channels[-1], spec.conditioning)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Logits (N,)."""
        features = self.pool(self.body(self.from_image(self.pair(x, c)))).flatten(1)
        logits: Tensor = self.head(features, c)
        return logits
