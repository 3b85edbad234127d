"""Near-copies: how many of the samples a model has learned by heart.

A sample x is a near-copy where its nearest training image t is much nearer to it than t's own nearest other training
image is to t: d(x, t) ≤ ½ d(t, t'). Without the half this is the authenticity of Alaa 2022 (eq. 9), which calls some
40 % of fresh draws of the very distribution unauthentic, since x and t' are drawn alike; the half is the margin that
`GET /v1/models/{model}/neighbours` goes by too, and ratios of neighbours' distances with such a margin are how copies
are told in diffusion models (Yoon 2023). What fresh draws score falls with the data's dimension, so that the share of
held-out images which are near-copies by the same rule stands beside it: that much is chance.

Distances are those of images as they are seen (colours times alpha), reduced to `SIDE` pixels where they are larger.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from gan.images import has_alpha
from worker.evaluation.features import premultiplied, split
from worker.evaluation.manifold import blocks

MARGIN = 0.5
ROUNDING = 1e-5
"""Far below what one level of one pixel makes: a copy of an image that is there twice is a copy."""
SIDE = 32
ROWS_AT_ONCE = 4096

Read = Callable[[int, int], Tensor]
"""(start, stop) → levels of those training images, uint8 (n, C, H, W)."""


def near_copies(samples: Tensor, read: Read, count: int, between: Callable[[], None] = lambda: None) -> float:
    """The share of samples, uint8 (M, C, H, W), that are near-copies of one of `count` training images.

    Training images are read some at a time, twice: for what is nearest to each sample, and for what is nearest to that.
    """
    looks = look(samples)
    distances, indices = _nearest(looks, read, count, between)
    found = torch.cat([look(read(int(i), int(i) + 1)) for i in indices])
    typical, _ = _nearest(found, read, count, between, but=indices)
    return float((distances <= MARGIN * typical + ROUNDING).double().mean())


def look(levels: Tensor) -> Tensor:
    """Images as rows to compare: (N, C, H, W) uint8 → (N, D) float64."""
    channels = levels.shape[1]
    parts = []
    for part in split(levels):
        seen = premultiplied(part)[:, [*range(3 if channels > 2 else 1), *([3] if has_alpha(channels) else [])]]
        small = min(seen.shape[2], SIDE), min(seen.shape[3], SIDE)
        parts.append(adaptive_avg_pool2d(seen, small).flatten(1).double())
    return torch.cat(parts)


def _nearest(
    looks: Tensor, read: Read, count: int, between: Callable[[], None], but: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Distance to the nearest training image, and which it is; the image `but[i]` does not count for row i."""
    best = torch.full((len(looks),), torch.inf, dtype=torch.float64)
    which = torch.zeros(len(looks), dtype=torch.int64)
    for start in range(0, count, ROWS_AT_ONCE):
        between()
        part = look(read(start, min(start + ROWS_AT_ONCE, count)))
        for rows, distances in blocks(looks, part):
            found = _without(but, rows, start, distances).min(dim=1)
            nearer = found.values < best[rows]
            best[rows] = torch.where(nearer, found.values, best[rows])
            which[rows] = torch.where(nearer, found.indices + start, which[rows])
    return best, which


def _without(but: Tensor | None, rows: slice, start: int, distances: Tensor) -> Tensor:
    """Distances (n, m) to the images from `start` on, infinite where row i meets the image `but[i]`."""
    if but is None:
        return distances
    mine = (but[rows] - start)[:, None] == torch.arange(distances.shape[1])
    return distances.masked_fill(mine, torch.inf)
