"""The images of a dataset, one by one or a page of them on one sheet, read from the packed rows through memory maps."""

from collections.abc import Callable
from math import gcd, isqrt
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from gan import images
from gan.errors import DatasetMissing, InvalidRequest, NotFound
from gan.spec import DatasetFacts
from service.planning import class_index

Indices = npt.NDArray[np.int64]
Rows = npt.NDArray[Any]

GOLDEN: Final = (1 + 5**0.5) / 2


class Asked(NamedTuple):
    """Which page: the images behind `after` (the last page's last index), of one class or all, in one of `ORDERS`."""

    after: int | None = None
    limit: int = 100
    label: str | None = None
    order: str = "stored"


class Page(NamedTuple):
    """The indices of a page, how many images there are in all of its pages, and whether more follow."""

    indices: list[int]
    total: int
    has_more: bool


class Wall(NamedTuple):
    """The packed images (N, H, W, C) uint8, of pairs their inputs (N, H, W, Ci), and labels (N,), (N, K) or none."""

    facts: DatasetFacts
    targets: Rows
    inputs: Rows | None
    labels: Rows | None

    def picture(self, index: int, size: int | None) -> images.Pixels:
        """(H, W, C): one image, of a pair the input at the left of its target, `size` pixels on the longer side."""
        row = self.targets[index : index + 1]
        if self.inputs is not None:
            row = np.concatenate(images.alike(self.inputs[index : index + 1], row), axis=2)
        picture: images.Pixels = images.resize(np.asarray(row), size)[0]
        return picture

    def label(self, index: int) -> str | None:
        """The class of an image; None where there are none."""
        return self.facts.classes[int(self.labels[index])] if self.labels is not None and self.facts.classes else None

    def condition(self, index: int) -> list[float] | None:
        """The condition vector of an image, in its own units; None where there are none."""
        return self.labels[index].tolist() if self.labels is not None and self.facts.condition_dims else None

    def cell(self, size: int) -> tuple[int, int]:
        """Height and width of a picture on a sheet: as it is, or brought down to `size` on its longer side."""
        height, width = self.targets.shape[1:3]
        across = width * (1 if self.inputs is None else 2)
        return images.scaled(height, across, min(size, max(height, across)))


# ---- opening ----


def opened(folder: Path, facts: DatasetFacts) -> Wall:
    """The images of a prepared dataset. Raises DatasetMissing where a file is gone or is no array."""
    inputs, labels = (mapped(folder / name) for name in ("inputs.npy", "labels.npy"))
    targets = mapped(folder / "data.npy")
    if targets is None:
        raise DatasetMissing("the prepared data is gone from storage: upload it again")
    return Wall(facts, targets, inputs, labels)


def mapped(path: Path) -> Rows | None:
    """A packed array, not read yet; None where there is no such file."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DatasetMissing("the prepared data cannot be read: upload it again") from error


# ---- pages ----


def page(wall: Wall, asked: Asked) -> Page:
    """The images of a page. Raises InvalidRequest for a class, or an `after`, that there is not."""
    found = matching(wall, asked.label)
    ordered = found[ORDERS[asked.order](len(found))]
    begin = 0 if asked.after is None else place(ordered, asked.after) + 1
    indices = ordered[begin : begin + asked.limit].tolist()
    return Page(indices, len(ordered), begin + len(indices) < len(ordered))


def matching(wall: Wall, label: str | None) -> Indices:
    """The indices of all images, or of those of a class, ascending."""
    if label is None:
        return np.arange(len(wall.targets))
    if wall.labels is None or not wall.facts.classes:
        raise InvalidRequest("this dataset has no classes: leave it out", param="label")
    return np.flatnonzero(wall.labels == class_index(label, wall.facts.classes, "label"))


def place(ordered: Indices, index: int) -> int:
    """Where an image stands in its order."""
    found = np.flatnonzero(ordered == index)
    if not len(found):
        raise InvalidRequest(f"there is no image {index} among these: begin without after", param="after")
    return int(found[0])


def spread(count: int) -> Indices:
    """0 … count - 1 in a fixed order any stretch of which is spread evenly over all: steps of the golden ratio.

    >>> spread(8).tolist()
    [0, 5, 2, 7, 4, 1, 6, 3]
    """
    step = round(count / GOLDEN)
    while gcd(step, count) > 1:
        step += 1
    return np.arange(count) * step % count


ORDERS: Final[dict[str, Callable[[int], Indices]]] = {"stored": np.arange, "spread": spread}
"""How pages run through images: as they are packed, by name and so often by class, or evenly spread over all."""


# ---- sheets ----


def columns(count: int) -> int:
    """How many pictures a sheet has side by side: as near to a square of them as can be."""
    return isqrt(count - 1) + 1


def sheet(wall: Wall, asked: Asked, size: int) -> images.Pixels:
    """(H, W, C): the pictures of a page row by row without gaps, each as `Wall.cell` says. NotFound for an empty page.

    One picture at a time is resized: memory is the sheet's alone.
    """
    indices = page(wall, asked).indices
    if not indices:
        raise NotFound("there are no images behind that one")
    height, width = wall.cell(size)
    across = columns(len(indices))
    first = wall.picture(indices[0], max(height, width))
    shape = (-(-len(indices) // across) * height, across * width, first.shape[2])
    canvas = np.full(shape, 0 if images.has_alpha(shape[2]) else images.PAPER, dtype=np.uint8)
    for number, index in enumerate(indices):
        y, x = number // across * height, number % across * width
        canvas[y : y + height, x : x + width] = wall.picture(index, max(height, width))
    return canvas
