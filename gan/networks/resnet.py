"""The residual networks of SNGAN (Miyato 2018, appendix B) and WGAN-GP (Gulrajani 2017, appendix), for any size here.

Generator: z → linear → base grid → a block a doubling → batch norm, ReLU, 3×3, tanh. A block is batch norm, ReLU,
nearest doubling, 3×3, batch norm, ReLU, 3×3, plus the skip. Discriminator: a block a halving (ReLU, 3×3, ReLU, 3×3,
2×2 mean, plus the skip), one block more on the base grid, ReLU, sum over the grid, linear; no normalisation of its own.
Width 64 has the channels of the paper's 48² (STL-10) and 128² (ImageNet) generators: 512 … 64 and 1024, 1024 … 64.
Conditions: beside z in G, projected in D.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from gan.networks.conditioning import ConditionedInput, ProjectionHead
from gan.networks.sizes import Size, stage_sizes
from gan.spec import ImageShape, NetworkSpec

WIDEST = 16
"""Channels grow from `width` at the finest stage to at most this many times `width` at the coarsest (ImageNet's)."""
RECTIFIED_GAIN = 2**0.5
"""Keeps the variance through a ReLU (He 2015)."""


def channels_by_stage(width: int, stages: int) -> list[int]:
    """Channels of each stage, coarsest first: doubling from `width` towards the base, up to `WIDEST` ×.

    >>> channels_by_stage(64, 4), channels_by_stage(64, 6)  # 48² and 128²
    ([512, 256, 128, 64], [1024, 1024, 512, 256, 128, 64])
    """
    return [width * min(2**k, WIDEST) for k in reversed(range(stages))]


def spatial(channels_in: int, channels_out: int) -> nn.Conv2d:
    """3×3 that keeps the grid; Glorot weights with the gain of the ReLU before it, no bias at first."""
    layer = nn.Conv2d(channels_in, channels_out, 3, padding=1)
    nn.init.xavier_uniform_(layer.weight, RECTIFIED_GAIN)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # it has one
    return layer


def skip(channels_in: int, channels_out: int) -> nn.Module:
    """1×1 where the channels change, else nothing."""
    if channels_in == channels_out:
        return nn.Identity()
    layer = nn.Conv2d(channels_in, channels_out, 1)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # it has one
    return layer


def double(x: Tensor, size: Size) -> Tensor:
    """Every pixel four times, cut to `size`: (N, C, h, w) → (N, C, *size), a side being 2h or 2h - 1."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")[:, :, : size[0], : size[1]]


def halve(x: Tensor) -> Tensor:
    """Means over 2×2, at an odd edge over what is there: (N, C, H, W) → (N, C, ⌈H/2⌉, ⌈W/2⌉)."""
    return F.avg_pool2d(x, 2, ceil_mode=True)


class UpBlock(nn.Module):
    """Doubles the grid to `size`. The skip's 1×1 stands before the doubling: the same function, a quarter of the work.

    (N, channels_in, h, w) → (N, channels_out, *size).
    """

    def __init__(self, channels_in: int, channels_out: int, size: Size) -> None:
        super().__init__()
        self.size = size
        self.norm1, self.norm2 = nn.BatchNorm2d(channels_in), nn.BatchNorm2d(channels_out)
        self.spatial1, self.spatial2 = spatial(channels_in, channels_out), spatial(channels_out, channels_out)
        self.skip = skip(channels_in, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """skip(x), doubled, + f(x)."""
        h = self.spatial1(double(self.norm1(x).relu(), self.size))
        branch: Tensor = self.spatial2(self.norm2(h).relu())
        return double(self.skip(x), self.size) + branch


class DownBlock(nn.Module):
    """ReLU, 3×3, ReLU, 3×3, then the mean over 2×2 if it `halves`, plus the skip, its 1×1 after the mean.

    (N, channels_in, H, W) → (N, channels_out, ⌈H/2⌉, ⌈W/2⌉), or the same grid. Between the two convolutions are the
    fewer channels of the two sides.
    """

    def __init__(self, channels_in: int, channels_out: int, *, halves: bool) -> None:
        super().__init__()
        between = min(channels_in, channels_out)
        self.halves = halves
        self.spatial1, self.spatial2 = spatial(channels_in, between), spatial(between, channels_out)
        self.skip = skip(channels_in, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """skip(x) + f(x)."""
        branch: Tensor = self.spatial2(self.spatial1(x.relu()).relu())
        if self.halves:
            x, branch = halve(x), halve(branch)
        shortcut: Tensor = self.skip(x)
        return shortcut + branch


class FirstBlock(nn.Module):
    """A `DownBlock` for the image itself: no ReLU before its first convolution, which would cut off half of the range.

    (N, C, H, W) → (N, channels_out, ⌈H/2⌉, ⌈W/2⌉).
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.spatial1, self.spatial2 = spatial(channels_in, channels_out), spatial(channels_out, channels_out)
        self.skip = skip(channels_in, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """skip(x) + f(x), both halved."""
        shortcut: Tensor = self.skip(halve(x))
        return shortcut + halve(self.spatial2(self.spatial1(x).relu()))


class ResnetGenerator(nn.Module):
    """z (N, latent_dim), c (N, size) → images (N, C, H, W) in [-1, 1]."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        assert isinstance(spec.shape, ImageShape)
        sizes = stage_sizes(spec.shape)
        channels = channels_by_stage(spec.width, len(sizes))
        self.base = (channels[0], *sizes[0])
        self.input = ConditionedInput(spec.latent_dim, spec.conditioning, spec.latent_dim)
        self.linear = nn.Linear(self.input.width, channels[0] * sizes[0][0] * sizes[0][1])
        stages = zip(pairwise(channels), sizes[1:], strict=True)
        self.body = nn.Sequential(*(UpBlock(a, b, size) for (a, b), size in stages))
        self.norm = nn.BatchNorm2d(channels[-1])
        self.to_image = nn.Conv2d(channels[-1], spec.shape.channels, 3, padding=1)
        nn.init.xavier_uniform_(self.to_image.weight)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in [-1, 1]."""
        h = self.body(self.linear(self.input(z, c)).unflatten(1, self.base))
        images: Tensor = self.to_image(self.norm(h).relu()).tanh()
        return images


class ResnetDiscriminator(nn.Module):
    """Images (N, C, H, W) in [-1, 1], c (N, size) → logits (N,)."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        assert isinstance(spec.shape, ImageShape)
        first, *others = channels_by_stage(spec.width, len(stage_sizes(spec.shape)))[::-1]
        steps = list(pairwise([first, *others]))
        down = [DownBlock(a, b, halves=True) for a, b in steps[:-1]]
        last = DownBlock(*steps[-1], halves=False)
        self.body = nn.Sequential(FirstBlock(spec.shape.channels, first), *down, last)
        self.head = ProjectionHead(others[-1], spec.conditioning)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Logits (N,)."""
        features = self.body(x).relu().sum(dim=(2, 3))
        logits: Tensor = self.head(features, c)
        return logits
