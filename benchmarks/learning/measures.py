"""What drawn pictures are worth beside real ones that were not trained on, without a downloaded network.

*Layout* is the picture averaged to at most 8², *texture* the means and deviations of what three layers of a seeded
random network answer. Distances in them rank the trainings of one table; they are not FID and compare with no other.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.learning.pictures import Pictures
from worker.evaluation.manifold import prdc

Features = NDArray[np.float64]
"""(N, D)."""

COARSE: Final = 8
CHANNELS: Final = 32
LAYERS: Final = 3


class Worth(NamedTuple):
    """Precision and recall in [0, 1] on texture (Kynkäänniemi 2019, k = 5); Fréchet distances, 0 at best."""

    precision: float
    recall: float
    texture: float
    layout: float


def worth(real: Pictures, drawn: Pictures) -> Worth:
    """Of as many drawn pictures as there are real ones."""
    assert real.shape == drawn.shape
    ours, theirs = texture(real), texture(drawn)
    found = prdc(torch.from_numpy(ours), torch.from_numpy(theirs))
    return Worth(found["precision"], found["recall"], frechet(ours, theirs), frechet(layout(real), layout(drawn)))


def scaled(pictures: Pictures) -> torch.Tensor:
    """(N, C, H, W) float in [-1, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def layout(pictures: Pictures) -> Features:
    """Averaged to 8² or less, flat."""
    side = min(COARSE, pictures.shape[1])
    averaged: Features = nn.functional.adaptive_avg_pool2d(scaled(pictures), side).flatten(1).double().numpy()
    return averaged


def texture(pictures: Pictures) -> Features:
    """Mean and deviation over the picture of each channel of each layer: (N, 2 · LAYERS · CHANNELS)."""
    found, h = [], scaled(pictures)
    with torch.no_grad():
        for layer in random_layers(pictures.shape[3]):
            h = layer(h)
            found += [h.mean(dim=(2, 3)), h.std(dim=(2, 3))]
    features: Features = torch.cat(found, dim=1).double().numpy()
    return features


def random_layers(channels: int) -> list[nn.Module]:
    """3×3 convolutions with leaky ReLU, the later ones halving; always the same weights."""
    rng = torch.Generator().manual_seed(0)
    layers: list[nn.Module] = []
    for k in range(LAYERS):
        convolution = nn.Conv2d(channels if k == 0 else CHANNELS, CHANNELS, 3, stride=1 if k == 0 else 2, padding=1)
        fan_in = convolution.weight[0].numel()
        nn.init.normal_(convolution.weight, 0.0, (2 / fan_in) ** 0.5, generator=rng)
        nn.init.normal_(convolution.bias, 0.0, 0.3, generator=rng)  # type: ignore[arg-type]  # it has one
        layers.append(nn.Sequential(convolution, nn.LeakyReLU(0.2)))
    return layers


def frechet(real: NDArray[Any], drawn: NDArray[Any]) -> float:
    """|μ - μ'|² + tr(Σ + Σ' - 2 (Σ Σ')^½) of two samples (N, D) (Dowson 1982), on their own scale."""
    means = real.mean(axis=0), drawn.mean(axis=0)
    ours, theirs = np.cov(real, rowvar=False), np.cov(drawn, rowvar=False)
    # the product's eigenvalues are real and not negative; what numbers make of them is left away
    root = np.sqrt(np.linalg.eigvals(ours @ theirs).real.clip(0)).sum()
    return float(((means[0] - means[1]) ** 2).sum() + np.trace(ours) + np.trace(theirs) - 2 * root)
