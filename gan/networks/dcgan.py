"""DCGAN (Radford 2016): strided 4×4 convolutions, batch norm, one stage a doubling.

Width 64 at 64×64 RGB with z 100 is the published generator (3.6 M parameters).
"""

from itertools import pairwise

from torch import Tensor, nn

from gan.networks.conditioning import ConditionedInput, ProjectionHead
from gan.networks.sizes import Size, stage_sizes
from gan.spec import ImageShape, NetworkSpec

WIDEST = 8
"""Channels grow from `width` at the finest stage to at most this many times `width` at the coarsest."""


def grid_sizes(shape: ImageShape) -> list[Size]:
    """Stage sizes from a 4×4 base, as published; from 2×2 below 16 pixels, or a discriminator would have one layer."""
    return stage_sizes(shape, smallest=4 if min(shape.height, shape.width) >= 16 else 2)


def channels_by_stage(width: int, stages: int) -> list[int]:
    """Channels of each hidden stage, coarsest first: doubling towards the base, capped at `WIDEST` × width."""
    return [width * min(2**k, WIDEST) for k in reversed(range(stages))]


class DcganGenerator(nn.Module):
    """z (N, latent_dim), c (N, size) → images (N, C, H, W) in [-1, 1]."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        assert isinstance(spec.shape, ImageShape)
        self.sizes = grid_sizes(spec.shape)
        channels = channels_by_stage(spec.width, len(self.sizes) - 1)
        self.input = ConditionedInput(spec.latent_dim, spec.conditioning, spec.latent_dim)
        self.base = nn.ConvTranspose2d(self.input.width, channels[0], self.sizes[0], bias=False)
        self.base_norm = nn.BatchNorm2d(channels[0])
        self.up = nn.ModuleList(_up(a, b) for a, b in pairwise(channels))
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for b in channels[1:])
        self.to_image = nn.ConvTranspose2d(channels[-1], spec.shape.channels, 4, stride=2, padding=1, bias=False)
        self.apply(published_initialisation)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in [-1, 1]."""
        h = self.input(z, c)[:, :, None, None]
        h = self.base_norm(self.base(h)).relu()
        for up, norm, size in zip(self.up, self.norms, self.sizes[1:-1], strict=True):
            h = norm(crop(up(h), size)).relu_()
        return crop(self.to_image(h), self.sizes[-1]).tanh()


class DcganDiscriminator(nn.Module):
    """Images (N, C, H, W) in [-1, 1], c (N, size) → logits (N,)."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        assert isinstance(spec.shape, ImageShape)
        sizes = grid_sizes(spec.shape)
        channels = [spec.shape.channels, *reversed(channels_by_stage(spec.width, len(sizes) - 1))]
        pairs = list(pairwise(channels))
        # the first layer has no norm, as published; a bias stands where no norm follows
        normed = [spec.batch_norm and k > 0 for k in range(len(pairs))]
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1, bias=not norm) for (a, b), norm in zip(pairs, normed, strict=True)
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(b) if norm else nn.Identity() for (_, b), norm in zip(pairs, normed, strict=True)
        )
        features = channels[-1] * flat_area(sizes[-1], len(pairs))
        self.head = ProjectionHead(features, spec.conditioning)
        self.apply(published_initialisation)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Logits (N,)."""
        h = x
        for down, norm in zip(self.down, self.norms, strict=True):
            h = nn.functional.leaky_relu(norm(down(h)), 0.2)
        logits: Tensor = self.head(h.flatten(1), c)
        return logits


def published_initialisation(module: nn.Module) -> None:
    """Weights ~ N(0, 0.02), batch norm scales ~ N(1, 0.02) (Radford 2016, sec. 4)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) or (
        isinstance(module, nn.Linear) and module.out_features == 1
    ):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def crop(x: Tensor, size: Size) -> Tensor:
    """The top left `size` of a map that may be one row or column too large."""
    return x[:, :, : size[0], : size[1]]


def _up(channels_in: int, channels_out: int) -> nn.Module:
    return nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1, bias=False)


def flat_area(size: Size, halvings: int) -> int:
    """Pixels of a map of `size` after so many halvings, each rounding down."""
    height, width = size
    for _ in range(halvings):
        height, width = height // 2, width // 2
    return height * width
