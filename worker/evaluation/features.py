"""Features of images: what distances between distributions of images are taken in.

`inception` is what published Fréchet distances use, where an administrator has given its weights. `random-conv-1` is a
small convolutional network that was never trained: its weights come from a counter-based generator and are the same
for ever, so that its figures compare with one another, and with nothing that is published. Untrained features are what
Naeem 2020 (sec. 5.1) advises where the images are unlike ImageNet's.

Images are levels, uint8 (N, C, H, W), as `gan.images` has them: 1 grey, 3 RGB, 2 and 4 with alpha behind.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from math import prod, sqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d, leaky_relu

from gan.images import has_alpha
from gan.latents import normal, words
from worker.evaluation.inception import load_inception

WIDTH = 16
"""Channels of each stage."""
SMALLEST_GRID = 4
"""Stages halve the grid while both sides keep as many."""
LAST_GRID = 2
SLOPE = 0.2
SEED = 0x6A6E796D656465
"""Whose weights `random-conv-1` has. Another seed, or other sizes above, would be another extractor of another name."""
PIXELS_AT_ONCE = 2**20


@dataclass(frozen=True)
class Named:
    """What a result says of its extractor. `comparable`: with figures published elsewhere."""

    name: str
    comparable: bool
    reason: str


@dataclass(frozen=True)
class Extractor:
    """Features (N, F) float32 of levels (N, C, H, W) uint8."""

    named: Named
    network: nn.Module

    def describe(self) -> dict[str, Any]:
        """The name, whether it compares, and why."""
        return asdict(self.named)

    @torch.no_grad()
    def __call__(self, levels: Tensor, between: Callable[[], None] = lambda: None) -> Tensor:
        """Some images at a time; `between` is called before each part, and may raise."""
        parts: list[Tensor] = []
        for part in split(levels):
            between()
            parts.append(self.network(part))
        return torch.cat(parts)


def split(levels: Tensor) -> Iterator[Tensor]:
    """Images of some `PIXELS_AT_ONCE` a part."""
    step = max(1, PIXELS_AT_ONCE // prod(levels.shape[2:]))
    return (levels[start : start + step] for start in range(0, len(levels), step))


class RandomFeatures(nn.Module):
    """Convolutions with fixed weights: each stage's channel means, and the last stage on a grid of 2×2.

    Stages are 3×3 convolutions, leaky ReLU and halving, as many as the image has halves of four pixels or more: F = 16
    a stage and 64 besides, 96 for 8², 128 for 32², 176 for 256².
    """

    def forward(self, levels: Tensor) -> Tensor:
        """(N, C, H, W) uint8 → (N, F)."""
        x = premultiplied(levels)
        found = []
        for stage in range(stages(x.shape[2], x.shape[3])):
            x = avg_pool2d(x, 2) if stage else x
            x = leaky_relu(conv2d(x, *filters(stage, x.shape[1], x.device), padding=1), SLOPE)
            found.append(x.mean(dim=(2, 3)))
        return torch.cat([*found, adaptive_avg_pool2d(x, LAST_GRID).flatten(1)], dim=1)


def stages(height: int, width: int) -> int:
    """How often the grid is looked at: once, and again after each halving that leaves `SMALLEST_GRID` a side."""
    return max(1, (min(height, width) // SMALLEST_GRID).bit_length())


def filters(stage: int, inputs: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Weights (16, inputs, 3, 3) of variance 2 / fan-in and biases (16,) of a tenth, drawn from (`SEED`, stage)."""
    fan_in = inputs * 9
    count = WIDTH * (fan_in + 1)
    numbers = torch.from_numpy(normal(words(SEED, stage, count + count % 2))[:count])
    weights = numbers[: WIDTH * fan_in].view(WIDTH, inputs, 3, 3) * sqrt(2 / fan_in)
    return weights.to(device), (numbers[WIDTH * fan_in :] * 0.1).to(device)


def premultiplied(levels: Tensor) -> Tensor:
    """Four channels, R, G, B and alpha, on [-1, 1], colours times alpha: what is transparent has no colour."""
    x = levels.float() / 255
    alpha = x[:, -1:] if has_alpha(x.shape[1]) else torch.ones_like(x[:, :1])
    colours = x[:, :-1] if has_alpha(x.shape[1]) else x
    return torch.cat([(colours * alpha).expand(-1, 3, -1, -1), alpha], dim=1) * 2 - 1


class OnBlack(nn.Module):
    """Inception's features of what the images look like on black."""

    def __init__(self, inception: nn.Module) -> None:
        super().__init__()
        self.inception = inception

    def forward(self, levels: Tensor) -> Tensor:
        """(N, C, H, W) uint8 → (N, 2048)."""
        found: Tensor = self.inception((premultiplied(levels)[:, :3] + 1) * 127.5)
        return found


NO_WEIGHTS = "untrained features: no Inception weights are set (GANYMEDE_INCEPTION_WEIGHTS)"
RANDOM = Named("random-conv-1", False, NO_WEIGHTS)
INCEPTION = Named(
    "inception-v3-2048", True, "the network of published Fréchet distances; compare at equal numbers of rows"
)


def extractor(weights: Path | None, device: torch.device) -> Extractor:
    """Inception where its weights are given, else the random network. ExtractorUnusable."""
    if weights is None:
        return Extractor(RANDOM, RandomFeatures().to(device))
    return Extractor(INCEPTION, OnBlack(load_inception(weights)).to(device))
