"""What lies nearest to a generated sample in the data: whether a model has learned, or learned by heart.

The distance of two images is the root mean square difference of their levels as a share of the range, 0 (the same) to
1 (black and white); that of two points is Euclidean, in the data's units. Of images with alpha, colours count by how
opaque they are: what is transparent has none that could be seen.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from gan.errors import DatasetMissing, LimitExceeded
from gan.images import has_alpha
from gan.spec import DatasetFacts

Distances = npt.NDArray[np.float64]
Rows = npt.NDArray[Any]

NUMBERS_AT_ONCE: Final = 4_000_000
"""Numbers of the data that are compared at a time: what keeps the memory of a request small."""
MOST_BYTES: Final = 2**31
"""Bytes of data that are looked through at a request: more would take minutes."""


class Packed(NamedTuple):
    """Prepared data as it lies on disk: rows (N, H, W, C) uint8 or (N, D) float32, labels (N,), (N, K) or none."""

    facts: DatasetFacts
    rows: Rows
    labels: Rows | None


class Neighbourhood(NamedTuple):
    """The rows nearest to a sample, nearest first, and how far the first of them is from its own nearest other row."""

    indices: list[int]
    distances: list[float]
    typical: float | None


def opened(folder: Path, facts: DatasetFacts) -> Packed:
    """The data of a prepared dataset, mapped. DatasetMissing where a file is gone or is no array, LimitExceeded."""
    try:
        labels = folder / "labels.npy"
        kept = np.load(labels, mmap_mode="r", allow_pickle=False) if labels.is_file() else None
        packed = Packed(facts, np.load(folder / "data.npy", mmap_mode="r", allow_pickle=False), kept)
    except (OSError, ValueError) as error:
        raise DatasetMissing("the prepared data is gone from storage: upload it again") from error
    if packed.rows.nbytes > MOST_BYTES:
        raise LimitExceeded(f"the data has {packed.rows.nbytes} bytes; neighbours are looked for in up to {MOST_BYTES}")
    return packed


def nearest(packed: Packed, sample: Rows, count: int) -> Neighbourhood:
    """The `count` rows nearest to a sample (H, W, C) uint8 or (D,) float32, in one pass; `typical` takes another."""
    distances = distances_to(packed, sample)
    order = np.argsort(distances, kind="stable")[:count]
    others = distances_to(packed, packed.rows[order[0]])
    others[order[0]] = np.inf
    typical = float(others.min())
    indices, found = order.tolist(), distances[order].tolist()
    return Neighbourhood(indices, found, typical if np.isfinite(typical) else None)


def distances_to(packed: Packed, sample: Rows) -> Distances:
    """The distance of every row to a sample: (N,)."""
    asked = seen(sample)
    squares = np.concatenate([np.square(part - asked).reshape(len(part), -1).sum(axis=1) for part in parts(packed)])
    distances: Distances = np.sqrt(squares)
    return distances / (255 * np.sqrt(sample.size)) if sample.dtype == np.uint8 else distances


def parts(packed: Packed) -> Iterator[Distances]:
    """The rows, some at a time, as they are seen."""
    step = max(1, NUMBERS_AT_ONCE // packed.rows[0].size)
    for start in range(0, len(packed.rows), step):
        yield seen(packed.rows[start : start + step])


def seen(rows: Rows) -> Distances:
    """Images (…, H, W, C) with their colours times their alpha, if they have one; points (…, D) as they are."""
    shown = rows.astype(np.float64)
    if rows.dtype == np.uint8 and has_alpha(rows.shape[-1]):
        shown[..., :-1] *= shown[..., -1:] / 255
    return shown
