"""A packed dataset of images.

Where there is a `labels.csv`, it says the classes or the conditions (`label_table`). Else the first folder level is the
class: a folder around everything is looked through; one folder alone, or more images outside folders than in them,
means that there are no classes.

The resolution is the one asked for; else the size that at least half of the images have, if it is at most 128 a side;
else their median size, brought down to 64 on its longer side and rounded to multiples of 8. Of one side asked for, the
other follows by the median aspect.

Channels are as `pixel_file` says.
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
from gan.pictures import Measured, Unreadable, damage_is_unreadable, decode, fit, measure
from gan.spec import IMAGE_SIDES, DatasetFacts
from worker.jobs.archive import Entry, Source
from worker.jobs.label_table import LABEL_FILE, LabelTable, read_labels
from worker.jobs.limits import Limits, Preparation
from worker.jobs.packing import Contents, Identity, Labels, RowWriter
from worker.jobs.pixel_file import PixelFile, channels_of
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
    channels = channels_of(one.measured for one in found)
    asked.limits.check("max_dataset_bytes", len(found) * size[0] * size[1] * channels, "bytes of the packed dataset")
    with ExitStack() as files:
        writer = files.enter_context(RowWriter(folder / "data.npy", "|u1", (size[1], size[0], channels)))
        conditions = None
        if table is not None and table.conditions:
            row_shape = (len(table.conditions),)
            conditions = Conditions(table, files.enter_context(RowWriter(folder / "labels.npy", "<f4", row_shape)))
        packer = _Packer(PixelFile(writer, size, channels), conditions)
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
                yield Found(entry, measure(file, entry.bytes, limits.max_pixels))
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

    def __init__(self, pixels: PixelFile, conditions: Conditions | None) -> None:
        self.names: dict[bytes, str] = {}
        self._pixels = pixels
        self._conditions = conditions
        self._labels = Labels()
        self._labelled = False

    def add(self, source: Source, one: Found, limits: Limits, report: Report) -> None:
        """Append an image, or report why not."""
        try:
            with damage_is_unreadable(), source.open(one.entry) as file:
                picture = decode(file, limits.max_pixels, self._pixels.size)
        except Unreadable as error:
            report.skip(one.entry.name, str(error))
            return
        first = self.names.setdefault(fingerprint(picture), one.entry.name)
        if first != one.entry.name:
            report.duplicate(one.entry.name, first)
            return
        self._append(picture, one)

    def _append(self, picture: Image.Image, one: Found) -> None:
        self._pixels.append(fit(picture, self._pixels.size))
        if self._conditions is not None:
            self._conditions.append(one.entry.name)
        if one.label is not None:
            self._labels.append(one.label)
            self._labelled = True

    def finish(self, folder: Path, report: Report) -> Contents:
        """Close the files and state the facts."""
        pixels = self._pixels
        count, files = pixels.rows, {"data": pixels.finish()}
        if pixels.transparent:
            report.notes.append(
                f"{pixels.transparent} images are transparent somewhere, so that all have an alpha channel;"
                " to train without one, lay them on a background before the upload"
            )
        classes, per_class = self._finish_labels(folder, files)
        shape = pixels.shape
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


def fingerprint(picture: Image.Image) -> bytes:
    """What is equal for equal pixels; taken in bands, for a copy of a large picture would weigh as much again."""
    hashed = hashlib.blake2b(f"{picture.mode} {picture.size}".encode(), digest_size=16)
    width, height = picture.size
    for top in range(0, height, BAND):
        hashed.update(picture.crop((0, top, width, min(height, top + BAND))).tobytes())
    return hashed.digest()
