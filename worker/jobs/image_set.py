"""A packed dataset of images.

Where there is a `labels.csv`, it says the classes or the conditions (`label_table`). Else the first folder level is the
class: a folder around everything is looked through; one folder alone, or more images outside folders than in them,
means that there are no classes.

The resolution is the one asked for; else the size that at least half of the images have, if it is at most 128 a side;
else their median size, brought down to 64 on its longer side and rounded to multiples of 8. Of one side asked for, the
other follows by the median aspect.

There is one channel where every image is greyscale, also in RGB files with equal channels; any colour makes three. Any
pixel that is not opaque makes one more, alpha, which is 255 in images that have none.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from PIL import Image

from gan.errors import DatasetUnusable
from gan.images import has_alpha
from gan.spec import IMAGE_SIDES, DatasetFacts, ImageShape
from worker.jobs.archive import Entry, Source
from worker.jobs.label_table import LABEL_FILE, LabelTable, read_labels
from worker.jobs.limits import Limits, Preparation
from worker.jobs.packing import Contents, Identity, Labels, RowWriter
from worker.jobs.pictures import Measured, Pixels, Unreadable, damage_is_unreadable, decode, fit, measure
from worker.jobs.reporting import Report, Watch, printable

LARGEST_KEPT = 128
LARGEST_CHOSEN = 64
SMALLEST_ASKED, LARGEST_ASKED = IMAGE_SIDES
STEP = 8
"""Pixels a side: the largest common size that is kept, the largest chosen, the bounds of what can be asked for, what a
chosen one is a multiple of."""

SURVEY = 0.1
"""The share of the work that reading the headers is taken for."""

NOT_READ = f"{LABEL_FILE} is read at the root, or in the folder that holds everything, and nowhere else"
BAND = 256
"""Rows of pixels that are hashed at once."""

Size = tuple[int, int]
"""(width, height) in pixels."""


class Found(NamedTuple):
    """An image by its entry, its header, and its class if there are classes."""

    entry: Entry
    measured: Measured
    label: str | None = None


def pack_images(source: Source, asked: Preparation, folder: Path, watch: Watch) -> Contents:
    """Write data.npy and, where there are classes or conditions, labels.npy. DatasetUnusable, reporting.Halted."""
    report = Report()
    table = read_labels(source, asked.limits, report, watch)
    found = list(_survey(source, table, asked.limits, report, watch))
    found = with_classes(found, report) if table is None else with_table(found, table, report)
    _check_any(found, report)
    size = choose_size([(one.measured.width, one.measured.height) for one in found], asked.width, asked.height, report)
    channels = 3 if any(one.measured.coloured for one in found) else 1
    channels += any(one.measured.transparent for one in found)
    asked.limits.check("max_dataset_bytes", len(found) * size[0] * size[1] * channels, "bytes of the packed dataset")
    with ExitStack() as files:
        writer = files.enter_context(RowWriter(folder / "data.npy", "|u1", (size[1], size[0], channels)))
        conditions = None
        if table is not None and table.conditions:
            row_shape = (len(table.conditions),)
            conditions = Conditions(table, files.enter_context(RowWriter(folder / "labels.npy", "<f4", row_shape)))
        packer = _Packer(writer, size, channels, conditions)
        for index, one in enumerate(found):
            watch.tick(writer.rows, len(found), SURVEY + (1 - SURVEY) * index / len(found))
            packer.add(source, one, asked.limits, report)
        _check_any(packer.names, report)
        return packer.finish(folder, report)


def _check_any(found: Iterable[object], report: Report) -> None:
    if not any(True for _ in found):
        raise DatasetUnusable(f"the upload holds no usable image: {report.summary()}", param="file")


def _survey(source: Source, table: LabelTable | None, limits: Limits, report: Report, watch: Watch) -> Iterator[Found]:
    """The images among the files, by their headers."""
    for name, reason in source.skipped:
        report.skip(name, reason)
    for index, entry in enumerate(source.entries):
        watch.tick(0, None, SURVEY * index / len(source.entries))
        if table is not None and not table.tells_of(entry.name):
            if entry.name != table.entry:
                report.skip(entry.name, f"has no row in {LABEL_FILE}")
            continue
        try:
            with damage_is_unreadable(), source.open(entry) as file:
                yield Found(entry, measure(file, entry.bytes, limits))
        except Unreadable as error:
            report.skip(entry.name, NOT_READ if entry.name.endswith(f"/{LABEL_FILE}") else str(error))


# ---- classes ----


def with_classes(found: list[Found], report: Report) -> list[Found]:
    """Give each image the class of its folder; images that lie outside the class folders are skipped."""
    folders = class_folders([one.entry.name for one in found])
    if folders is None:
        return found
    kept = []
    for one, label in zip(found, folders, strict=True):
        if label is None:
            report.skip(one.entry.name, "lies outside the class folders")
        else:
            kept.append(one._replace(label=label))
    return kept


def with_table(found: list[Found], table: LabelTable, report: Report) -> list[Found]:
    """Give each image the class that the table says, if it says classes; class folders count for nothing beside it."""
    folders = class_folders([one.entry.name for one in found])
    if folders is not None:
        ignored = len(set(folders) - {None})
        report.notes.append(f"{LABEL_FILE} says what the images are; the {ignored} folders say nothing beside it")
    return [one._replace(label=table.told(one.entry.name).label) for one in found]


def class_folders(names: list[str]) -> list[str | None] | None:
    """The class of each file by its first folder, or None where the folders are no classes."""
    parts = [printable(name).split("/") for name in names]
    while parts and len({one[0] for one in parts}) == 1 and min(map(len, parts)) > 2:
        parts = [one[1:] for one in parts]
    folders = [one[0] if len(one) > 1 else None for one in parts]
    inside = sum(folder is not None for folder in folders)
    if len(set(folders) - {None}) < 2 or inside < len(folders) - inside:
        return None
    return folders


# ---- resolution ----


def choose_size(sizes: list[Size], width: int | None, height: int | None, report: Report) -> Size:
    """The dataset's (width, height) in pixels, by the rules above; a choice is noted in the report."""
    if width is not None and height is not None:
        return width, height
    middle = median(w for w, _ in sizes), median(h for _, h in sizes)
    if width is not None:
        return width, _rounded(width * middle[1] / middle[0])
    if height is not None:
        return _rounded(height * middle[0] / middle[1]), height
    common, count = Counter(sizes).most_common(1)[0]
    if 2 * count >= len(sizes) and max(common) <= LARGEST_KEPT:
        return common
    scale = min(1.0, LARGEST_CHOSEN / max(middle))
    chosen = _rounded(middle[0] * scale), _rounded(middle[1] * scale)
    report.notes.append(
        f"{chosen[0]}×{chosen[1]} was chosen from a median of {middle[0]:g}×{middle[1]:g} pixels;"
        f" ask for another by width and height, up to {LARGEST_ASKED}"
    )
    return chosen


def _rounded(side: float) -> int:
    return min(LARGEST_ASKED, max(SMALLEST_ASKED, round(side / STEP) * STEP))


# ---- pixels ----


class Conditions(NamedTuple):
    """Where the numbers of each image come from and go to."""

    table: LabelTable
    writer: RowWriter

    def append(self, name: str) -> None:
        """The numbers of the next image."""
        self.writer.append(np.array([self.table.told(name).numbers], dtype=np.float32))


class _Packer:
    """Decodes images one at a time and appends them to the packed file, each picture once."""

    def __init__(self, writer: RowWriter, size: Size, channels: int, conditions: Conditions | None) -> None:
        self.size, self.channels = size, channels
        self.names: dict[bytes, str] = {}
        self._writer = writer
        self._conditions = conditions
        self._labels = Labels()
        self._labelled = False
        self._coloured = False
        self._transparent = 0

    def add(self, source: Source, one: Found, limits: Limits, report: Report) -> None:
        """Append an image, or report why not."""
        try:
            with damage_is_unreadable(), source.open(one.entry) as file:
                picture = decode(file, limits, self.size)
        except Unreadable as error:
            report.skip(one.entry.name, str(error))
            return
        first = self.names.setdefault(_fingerprint(picture), one.entry.name)
        if first != one.entry.name:
            report.duplicate(one.entry.name, first)
            return
        self._append(fit(picture, self.size), one)

    def _append(self, pixels: Pixels, one: Found) -> None:
        colour, alpha = colour_and_alpha(pixels)
        self._coloured |= bool((colour != colour[..., :1]).any())
        self._transparent += bool((alpha < 255).any())
        pixels = in_channels(colour, alpha, self.channels)
        self._writer.append(pixels[None])
        if self._conditions is not None:
            self._conditions.append(one.entry.name)
        if one.label is not None:
            self._labels.append(one.label)
            self._labelled = True

    def finish(self, folder: Path, report: Report) -> Contents:
        """Close the files and state the facts."""
        count, files = self._writer.rows, {"data": self._writer.finish()}
        kept = channels_kept(self.channels, self._coloured, self._transparent > 0)
        if len(kept) < self.channels:
            self.channels, files["data"] = len(kept), _narrowed(self._writer.path, self.size, kept)
        if self._transparent:
            report.notes.append(
                f"{self._transparent} images are transparent somewhere, so that all have an alpha channel;"
                " to train without one, lay them on a background before the upload"
            )
        classes, per_class = self._finish_labels(folder, files)
        width, height = self.size
        shape = ImageShape.model_validate({"channels": self.channels, "height": height, "width": width})
        names = self._conditions.table.conditions if self._conditions is not None else ()
        facts = DatasetFacts(count=count, shape=shape, classes=classes, condition_dims=len(names))
        return Contents(facts, files, report.as_json(count, per_class, names))

    def _finish_labels(self, folder: Path, files: dict[str, Identity]) -> tuple[tuple[str, ...], dict[str, int]]:
        if self._conditions is not None:
            files["labels"] = self._conditions.writer.finish()
        if not self._labelled:
            return (), {}
        classes, per_class, files["labels"] = self._labels.write(folder / "labels.npy")
        return classes, per_class


def _fingerprint(picture: Image.Image) -> bytes:
    """What is equal for equal pixels; taken in bands, for a copy of a large picture would weigh as much again."""
    hashed = hashlib.blake2b(f"{picture.mode} {picture.size}".encode(), digest_size=16)
    width, height = picture.size
    for top in range(0, height, BAND):
        hashed.update(picture.crop((0, top, width, min(height, top + BAND))).tobytes())
    return hashed.digest()


def colour_and_alpha(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """(H, W, 1 to 4) apart: colour (H, W, 1 or 3), and alpha (H, W, 1), which is 255 where there is none."""
    if has_alpha(pixels.shape[2]):
        return pixels[..., :-1], pixels[..., -1:]
    return pixels, np.full((*pixels.shape[:2], 1), 255, dtype=np.uint8)


def in_channels(colour: Pixels, alpha: Pixels, channels: int) -> Pixels:
    """An image in as many channels as the dataset has; where it has one colour, all colours of an image are equal."""
    colours = channels - has_alpha(channels)
    if colour.shape[2] != colours:
        colour = colour[..., :1] if colours == 1 else np.repeat(colour, 3, axis=2)
    return np.concatenate([colour, alpha], axis=2) if has_alpha(channels) else colour


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
