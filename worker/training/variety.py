"""How samples lie among the data they were learned from: as varied, reaching as much of it, and no nearer to it.

Rows are features, float tensors (N, F): points, or images averaged down to a few pixels.
"""

import torch
from torch import Tensor

from worker.evaluation.manifold import NEIGHBOURS, nearest, prdc, radii

COMPARED = 256
"""Rows of each side whose mutual distances are taken: what keeps a report cheap."""


def variety(real: Tensor, fake: Tensor, everything: Tensor | None) -> dict[str, float | None]:
    """`diversity`, `precision`, `recall` and `copy_distance` of samples (M, F) against training rows (N, F), both in
    random order.

    `copy_distance` is to `everything` that was trained on (K, F), and None without: among some of the rows a copy's
    original is missing. All are None where there are too few rows for a neighbourhood.
    """
    if min(len(real), len(fake)) <= NEIGHBOURS or not fake.isfinite().all():
        return dict.fromkeys(("diversity", "precision", "recall", "copy_distance"))
    some_real, some_fake = real[:COMPARED], fake[:COMPARED]
    found = prdc(some_real, some_fake)
    return {
        "diversity": diversity(some_real, some_fake),
        "precision": found["precision"],
        "recall": found["recall"],
        "copy_distance": None if everything is None else copy_distance(everything, fake),
    }


def diversity(real: Tensor, fake: Tensor) -> float | None:
    """The mean distance between two samples over that between two rows of data; None for data that are all one.

    >>> import torch
    >>> diversity(torch.tensor([[0.0], [2.0]]), torch.tensor([[5.0], [6.0]]))
    0.5
    """
    spread = mean_distance(real)
    return mean_distance(fake) / spread if spread > 0 else None


def mean_distance(x: Tensor) -> float:
    """The mean Euclidean distance between two different rows of (N, F)."""
    return float(torch.pdist(x.double()).mean())


def copy_distance(real: Tensor, fake: Tensor) -> float | None:
    """How far a sample is from its nearest row of data, over how far that is from its own nearest other: medians.

    Near 1 where samples are as new as the data to one another, near 0 for copies; None where data repeat themselves.
    """
    apart = float(radii(real.double(), 1).median())
    return float(nearest(fake, real)[0].median()) / apart if apart > 0 else None
