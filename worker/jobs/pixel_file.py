"""A packed file of images, in as many channels as say anything.

There is one channel where every image is greyscale, also in RGB files with equal channels; any colour makes three. Any
pixel that is not opaque makes one more, alpha, which is 255 in images that have none.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from gan.images import has_alpha
from gan.pictures import Measured, Pixels, colour_and_alpha, in_channels
from gan.spec import ImageShape
from worker.jobs.packing import Identity, RowWriter

Size = tuple[int, int]
"""(width, height) in pixels."""


def channels_of(measured: Iterable[Measured]) -> int:
    """How many channels images may need, by their headers."""
    seen = list(measured)
    return (3 if any(one.coloured for one in seen) else 1) + any(one.transparent for one in seen)


class PixelFile:
    """Images of one size, appended one at a time; `transparent` of them are somewhere not opaque."""

    def __init__(self, writer: RowWriter, size: Size, channels: int) -> None:
        """`channels` is what the headers promise; the writer's rows are (height, width, channels)."""
        self.size, self.channels = size, channels
        self.transparent = 0
        self._writer = writer
        self._coloured = False

    @property
    def rows(self) -> int:
        """Images so far."""
        return self._writer.rows

    @property
    def shape(self) -> ImageShape:
        """What the images are, once the file is finished."""
        width, height = self.size
        return ImageShape.model_validate({"channels": self.channels, "height": height, "width": width})

    def append(self, pixels: Pixels) -> None:
        """An image (H, W, C) in any number of channels."""
        colour, alpha = colour_and_alpha(pixels)
        self._coloured |= bool((colour != colour[..., :1]).any())
        self.transparent += bool((alpha < 255).any())
        self._writer.append(in_channels(pixels, self.channels)[None])

    def finish(self) -> Identity:
        """Close the file, without the channels that say nothing; returns what identifies it."""
        identity = self._writer.finish()
        kept = channels_kept(self.channels, self._coloured, self.transparent > 0)
        if len(kept) == self.channels:
            return identity
        self.channels = len(kept)
        return _narrowed(self._writer.path, self.size, kept)


def channels_kept(channels: int, coloured: bool, transparent: bool) -> list[int]:
    """Which of the channels that the headers promised say anything.

    >>> channels_kept(4, coloured=False, transparent=True)
    [0, 3]
    """
    colours = channels - has_alpha(channels)
    alpha = [channels - 1] * (has_alpha(channels) and transparent)
    return list(range(colours if coloured else 1)) + alpha


def _narrowed(path: Path, size: Size, channels: list[int]) -> Identity:
    """Rewrite a packed file with these of its channels alone."""
    wide = path.rename(path.with_name("wide.npy"))
    rows = np.load(wide, mmap_mode="r", allow_pickle=False)
    with RowWriter(path, "|u1", (size[1], size[0], len(channels))) as writer:
        for start in range(0, len(rows), 256):
            writer.append(rows[start : start + 256, ..., channels])
        wide.unlink()
        return writer.finish()
