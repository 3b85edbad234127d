"""Sets of pictures of any size that need no download, for measurements: photographs, shapes and digits.

Each is a function (count, side, seed) → uint8 (count, side, side, channels). One seed always gives the same pictures,
and two seeds give two samples of one distribution.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

Pictures = NDArray[np.uint8]
"""(N, H, W, C), values 0..255."""

CROPS: Final = (64, 256)
"""Sides of the least and the largest square that is cut out of a photograph."""
FINER: Final = 4
"""Shapes are drawn this many times larger and averaged, so that their edges are soft."""


def photographs(count: int, side: int, seed: int) -> Pictures:
    """Squares at random places and of random size out of scikit-learn's two photographs, scaled to `side`; RGB."""
    rng = np.random.default_rng([seed, 1])
    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    return np.stack([_square(photos[rng.integers(len(photos))], side, rng) for _ in range(count)])


def _square(photo: Image.Image, side: int, rng: np.random.Generator) -> Pictures:
    least, most = max(CROPS[0], side), min(CROPS[1], *photo.size)
    crop = np.exp(rng.uniform(np.log(least), np.log(most)))
    left, top = rng.uniform(0, photo.width - crop), rng.uniform(0, photo.height - crop)
    scaled = photo.resize((side, side), Image.Resampling.BOX, (left, top, left + crop, top + crop))
    return np.asarray(scaled, dtype=np.uint8)


class Outlines(NamedTuple):
    """Where a shape lies: offsets (H, W) of every pixel from its centre along and across, and its size; sides are 1."""

    along: NDArray[Any]
    across: NDArray[Any]
    size: float


def _disc(at: Outlines) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = np.hypot(at.along, at.across) < at.size
    return inside


def _block(at: Outlines) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = np.maximum(abs(at.along), abs(at.across)) < at.size * 0.85
    return inside


def _bar(at: Outlines) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (abs(at.along) < at.size * 1.3) & (abs(at.across) < at.size * 0.35)
    return inside


OUTLINES: Final = (_disc, _block, _bar)


def shapes(count: int, side: int, seed: int) -> Pictures:
    """One disc, block or bar each, of any colour, place, size and turn, on a dark ground; RGB."""
    rng = np.random.default_rng([seed, 2])
    grid = (np.arange(side * FINER) + 0.5) / (side * FINER)
    made = np.empty((count, side, side, 3), np.uint8)
    for n in range(count):
        inside = _outline(grid, rng).reshape(side, FINER, side, FINER).mean(axis=(1, 3))[:, :, None]
        ground, colour = rng.uniform(0, 70, 3), rng.uniform(90, 255, 3)
        made[n] = (ground + inside * (colour - ground)).round()
    return made


def _outline(grid: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.bool_]:
    (x, y), turn = rng.uniform(0.25, 0.75, 2), rng.uniform(0, np.pi)
    dx, dy = grid[None] - x, grid[:, None] - y
    along, across = np.cos(turn) * dx + np.sin(turn) * dy, np.cos(turn) * dy - np.sin(turn) * dx
    return OUTLINES[rng.integers(len(OUTLINES))](Outlines(along, across, rng.uniform(0.12, 0.24)))


def digits(count: int, side: int, seed: int) -> Pictures:
    """Scikit-learn's 1,797 scans of 8² scaled to `side`, a quarter of them at most; grey.

    Seeds 0, 1, 2 and 3 have no scan in common.
    """
    scans = (load_digits().images * (255 / 16)).round().astype(np.uint8)
    own = np.random.default_rng(0).permutation(len(scans))[seed % 4 :: 4]
    chosen = np.random.default_rng([seed, 3]).permutation(own)[:count]
    scaled = [Image.fromarray(scan).resize((side, side), Image.Resampling.BICUBIC) for scan in scans[chosen]]
    return np.stack([np.asarray(scan, dtype=np.uint8) for scan in scaled])[..., None]


KINDS: dict[str, Callable[[int, int, int], Pictures]] = {
    "photographs": photographs,
    "shapes": shapes,
    "digits": digits,
}
