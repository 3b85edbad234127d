"""A generator from image to image: an encoder and a decoder with skips at every size (Ronneberger 2015; Isola 2017).

The blocks are those of R3GAN (Huang 2024; `gan.networks.r3`), without any normalisation, so that every recipe can train
it; the discriminator beside it is R3GAN's, over the input and the image at once.

z must decide whatever the input leaves open. A generator that meets z in one place only learns to pass it over, and
dropout as a source of chance (Isola 2017, sec. 3.1) changes little. Here z makes half of the coarsest grid, as it makes
all of it in R3GAN, and scales and shifts half of the decoder's channels at every size (as in FiLM, Perez 2018).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gan.networks.r3 import Downsample, ResidualBlock, Upsample, channels_by_stage, scaled
from gan.networks.sizes import Size, stage_sizes
from gan.spec import ImageShape, NetworkSpec

BLOCKS_PER_STAGE = 2
"""One on the way down and one on the way up."""


class Drawn(nn.Module):
    """A linear function of z, of variance one at first: (N, latent_dim) → (N, channels).

    The weights are N(0, 1) and are scaled where they are used (Karras 2018, sec. 4.1). Written as small numbers they
    would be gone after a few dozen of Adam's steps: the first thing that a discriminator teaches is that most of what z
    does is wrong, and a generator without z has to choose one of several outcomes for good.
    """

    def __init__(self, latent_dim: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, latent_dim))
        self.scale = latent_dim**-0.5

    def forward(self, z: Tensor) -> Tensor:
        """z Wᵀ / √latent_dim."""
        return nn.functional.linear(z, self.weight * self.scale)


class Modulation(nn.Module):
    """Half of the channels as they are, the others times a(z) plus b(z), a and b linear in z.

    (N, C, H, W), (N, latent_dim) → (N, C, H, W). What the input says for certain can go by the first half, so that
    nothing of z has to be unlearned in the second. There z is no shade of a common answer: a(z) has mean zero, and what
    is learned for one z is not learned for its opposite.
    """

    def __init__(self, latent_dim: int, channels: int) -> None:
        super().__init__()
        self.drawn = channels // 2
        self.linear = Drawn(latent_dim, 2 * self.drawn)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """As above."""
        scale, shift = self.linear(z)[:, :, None, None].chunk(2, dim=1)
        certain, drawn = x[:, self.drawn :], x[:, : self.drawn]
        return torch.cat([certain, drawn * scale + shift], dim=1)


class Decoded(nn.Module):
    """One size of the decoder: what comes from below and what the encoder saw here, mixed by a 1×1, z, and a block.

    (N, channels_in, h, w), (N, channels, *size), z → (N, channels, *size).
    """

    def __init__(self, channels_in: int, channels: int, size: Size, latent_dim: int, depth: int) -> None:
        super().__init__()
        self.up = Upsample(channels_in, channels, size)
        self.mix = scaled(nn.Conv2d(2 * channels, channels, 1, bias=False), 1.0)
        self.modulate = Modulation(latent_dim, channels)
        self.block = ResidualBlock(channels, depth)

    def forward(self, x: Tensor, seen: Tensor, z: Tensor) -> Tensor:
        """As above."""
        mixed = self.mix(torch.cat([self.up(x), seen], dim=1))
        made: Tensor = self.block(self.modulate(mixed, z))
        return made


class UnetGenerator(nn.Module):
    """z (N, latent_dim), c (N, size, H, W) in [-1, 1] → images (N, C, H, W), trained towards [-1, 1] and clamped when
    encoded.

    Not squashed by tanh, as pix2pix's are: a pixel that is black in all that is made would then have no gradient that
    lets a second outcome appear there.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        assert isinstance(spec.shape, ImageShape)
        assert spec.conditioning.kind == "image"
        sizes = stage_sizes(spec.shape)
        channels = channels_by_stage(spec.width, len(sizes))
        depth = BLOCKS_PER_STAGE * len(sizes)
        self.from_image = scaled(nn.Conv2d(spec.conditioning.size, channels[-1], 1, bias=False), 1.0)
        self.encode = nn.ModuleList(ResidualBlock(a, depth) for a in channels[::-1])
        self.down = nn.ModuleList(Downsample(a, b) for a, b in pairwise(channels[::-1]))
        self.basis = nn.Parameter(torch.randn(channels[0], *sizes[0]))
        self.linear = Drawn(spec.latent_dim, channels[0])
        self.join = scaled(nn.Conv2d(2 * channels[0], channels[0], 1, bias=False), 1.0)
        self.bottleneck = ResidualBlock(channels[0], depth)
        stages = zip(pairwise(channels), sizes[1:], strict=True)
        self.decode = nn.ModuleList(Decoded(a, b, size, spec.latent_dim, depth) for (a, b), size in stages)
        self.to_image = scaled(nn.Conv2d(channels[-1], spec.shape.channels, 1, bias=False), 1.0)

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        """Images (N, C, H, W), around [-1, 1]."""
        *finer, coarsest = self._encoded(c)
        drawn = self.basis * self.linear(z)[:, :, None, None]
        h = self.bottleneck(self.join(torch.cat([coarsest, drawn], dim=1)))
        for stage, seen in zip(self.decode, reversed(finer), strict=True):
            h = stage(h, seen, z)
        images: Tensor = self.to_image(h)
        return images

    def _encoded(self, c: Tensor) -> list[Tensor]:
        """The input at every size, finest first."""
        seen = [self.encode[0](self.from_image(c))]
        for down, block in zip(self.down, self.encode[1:], strict=True):
            seen.append(block(down(seen[-1])))
        return seen
