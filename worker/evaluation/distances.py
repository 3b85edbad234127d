"""Distances between two samples: of Gaussians fitted to features, of kernels' means, and of transport.

x (N, D) and y (M, D) are float tensors, one row a sample.
"""

import warnings

import numpy as np
import torch
from torch import Tensor, nn

from worker.training.draws import Stream, numbers

DIRECTIONS = 128
"""Random directions of a sliced distance."""
KID_SUBSETS = 100
KID_SUBSET = 1000
"""The published subsets of the kernel distance; a smaller sample is one subset as a whole."""
MOST_TRANSPORTED = 2000
"""Rows of either sample between which an exact plan is sought: its cost grows with more than their square."""


class Given(nn.Module):
    """Features as they are: for measures that would extract their own."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_features = count

    def forward(self, features: Tensor) -> Tensor:
        """(N, F) → (N, F)."""
        return features


def fid(real: Tensor, fake: Tensor) -> float:
    """Fréchet distance of Gaussians fitted to features (Heusel 2017, eq. 6), by torchmetrics."""
    from torchmetrics.image.fid import FrechetInceptionDistance  # seconds to import, and training has `frechet`

    metric = FrechetInceptionDistance(feature=Given(real.shape[1]))
    metric.to(real.device).set_dtype(torch.float64)
    metric.update(real.double(), real=True)
    metric.update(fake.double(), real=False)
    return float(metric.compute())


def frechet(real: Tensor, fake: Tensor) -> float:
    """The same by symmetric matrices, fast for few features: |μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2 (Σ₁^½ Σ₂ Σ₁^½)^½)."""
    real, fake = real.double(), fake.double()
    first, second = torch.cov(real.T), torch.cov(fake.T)
    values, vectors = torch.linalg.eigh(first)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    between = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    apart = (real.mean(dim=0) - fake.mean(dim=0)).square().sum()
    return float(apart + first.trace() + second.trace() - 2 * between)


def kid(real: Tensor, fake: Tensor, seed: int) -> float:
    """Kernel distance, mean over subsets drawn by the seed (Bińkowski 2018, sec. 4), by torchmetrics. May be negative.

    Where both samples have at most a subset's rows, there is one, of as many rows as the smaller has.
    """
    from torchmetrics.image.kid import KernelInceptionDistance

    size = min(len(real), len(fake), KID_SUBSET)
    subsets = KID_SUBSETS if max(len(real), len(fake)) > size else 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it keeps the features, which are there anyway
        metric = KernelInceptionDistance(feature=Given(real.shape[1]), subsets=subsets, subset_size=size)
    metric.to(real.device)
    metric.update(real.double(), real=True)
    metric.update(fake.double(), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mean, _ = metric.compute()
    return float(mean)


def sliced_wasserstein(x: Tensor, y: Tensor, seed: int) -> float:
    """Mean W₁ of the samples' projections onto `DIRECTIONS` random unit vectors (Bonneel 2015), drawn by the seed.

    The larger sample is cut to the size of the smaller, so that each projection is a matter of sorting.
    """
    count = min(len(x), len(y))
    drawn = numbers(seed, Stream.SLICES, 0).standard_normal((x.shape[1], DIRECTIONS), dtype=np.float32)
    directions = torch.from_numpy(drawn).to(x.device)
    directions = directions / directions.norm(dim=0)
    first, second = ((part[:count].float() @ directions).sort(dim=0).values for part in (x, y))
    return float((first - second).abs().mean())


def transport(x: Tensor, y: Tensor, power: int) -> float:
    """The exact Wasserstein distance W₁ or W₂ (`power` 1 or 2) of points, in their own units (by POT's solver).

    Taken between the first `MOST_TRANSPORTED` rows of each.
    """
    import ot

    first, second = (part[:MOST_TRANSPORTED].double().cpu().numpy() for part in (x, y))
    costs = ot.dist(first, second, metric="euclidean") ** power
    return float(ot.emd2([], [], costs, numItermax=10_000_000) ** (1 / power))
