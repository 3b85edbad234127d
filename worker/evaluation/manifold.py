"""Precision, recall, density and coverage: how two samples lie in the neighbourhoods of one another.

A sample's manifold is the union of the balls around its rows, each as wide as the distance to the row's k-th nearest
other row. Rows are features, float tensors (N, F); distances are Euclidean. Precision asks how true what was made is,
recall and coverage how much of the data was reached. The first two go by single balls, so that one outlier with a wide
ball counts for much; density and coverage go by the data's balls alone and bear outliers.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

NEIGHBOURS = 5
"""k. The papers have 3 (Kynkäänniemi 2019) and 5 (Naeem 2020), both for samples of 10,000."""
DISTANCES_AT_ONCE = 2**22
"""Entries of the distance matrix that are in memory at a time: 32 MiB of float64."""


@torch.no_grad()
def prdc(real: Tensor, fake: Tensor, k: int = NEIGHBOURS) -> dict[str, float]:
    """The four measures of `fake` (M, F) against `real` (N, F), N > k and M > k.

    `precision`, `recall` and `coverage` lie in [0, 1], `density` is at least 0 and near 1 where the distributions are
    the same. Kynkäänniemi 2019, eq. 1 and 2; Naeem 2020, eq. 5 and 6. Samples of one distribution score below 1 (how
    far depends on N, M and k), so compare with what rows of the data itself score.

    >>> import torch
    >>> line = torch.arange(8.0)[:, None]
    >>> prdc(line, line, k=1)
    {'precision': 1.0, 'recall': 1.0, 'density': 2.75, 'coverage': 1.0}
    """
    real, fake = real.double(), fake.double()
    real_radii, fake_radii = radii(real, k), radii(fake, k)
    true = hits = reached = covered = 0.0
    for _, distances in blocks(fake, real):
        within = distances <= real_radii
        true += within.any(dim=1).sum().item()
        hits += within.sum().item()
    for rows, distances in blocks(real, fake):
        reached += (distances <= fake_radii).any(dim=1).sum().item()
        covered += (distances.amin(dim=1) <= real_radii[rows]).sum().item()
    return {
        "precision": true / len(fake),
        "recall": reached / len(real),
        "density": hits / (k * len(fake)),
        "coverage": covered / len(real),
    }


def radii(x: Tensor, k: int) -> Tensor:
    """The distance of each row to its k-th nearest other row: (N, F) → (N,), N > k."""
    assert len(x) > k, f"{len(x)} rows have no {k} neighbours each"
    # the row itself, at distance 0, is among the k + 1 nearest
    return torch.cat([distances.kthvalue(k + 1, dim=1).values for _, distances in blocks(x, x)])


def nearest(x: Tensor, among: Tensor) -> tuple[Tensor, Tensor]:
    """Each row's distance to the nearest row of `among`, and which that is: (N, F), (M, F) → (N,), (N,)."""
    found = [distances.min(dim=1) for _, distances in blocks(x.double(), among.double())]
    return torch.cat([part.values for part in found]), torch.cat([part.indices for part in found])


def blocks(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """The distance matrix (N, M) of float64 rows (N, F) and (M, F), some rows at a time, with which those are.

    float64, because distances are taken by |a|² - 2ab + |b|², which loses half of the digits where rows lie close.
    """
    step = max(1, DISTANCES_AT_ONCE // max(1, len(y)))
    for start in range(0, len(x), step):
        rows = slice(start, min(start + step, len(x)))
        yield rows, torch.cdist(x[rows], y)
