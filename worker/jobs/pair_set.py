"""A packed dataset of pairs: two folders, `input/` and `target/`, in which equal names are a pair.

They lie at the root of the upload, or in the folder that holds everything. Names are compared with the folders below
and without their endings: `input/a/7.jpg` goes with `target/a/7.png`. An input of which there are several targets is
there several times, under the names of its targets. Files without a partner, pairs of which one half cannot be read,
and pairs whose halves have other proportions than each other (no cut would keep them in register) are skipped.

Both halves get the same size, chosen from the targets' as any dataset's is, and each its own channels. A pair that came
before is counted as a duplicate and yet kept: how often a target follows an input is what is learned.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from gan.errors import DatasetUnusable
from gan.pictures import Measured, Unreadable, damage_is_unreadable, decode, fit, measure
from gan.spec import DatasetFacts
from worker.jobs.archive import Entry, Source
from worker.jobs.image_set import SURVEY, choose_size, fingerprint
from worker.jobs.label_table import composed
from worker.jobs.limits import Limits, Preparation
from worker.jobs.packing import Contents, RowWriter
from worker.jobs.pixel_file import PixelFile, channels_of
from worker.jobs.reporting import Report, Watch, printable

INPUT, TARGET = "input", "target"
SKEW = 0.02
"""How far the aspects of two halves may lie apart, as a share: a pixel in fifty."""
REMEDY = "lay out pairs as input/NAME and target/NAME, two images of one size with equal names"


class Pair(NamedTuple):
    """The two halves of a pair, by their entries and headers."""

    input: Entry
    target: Entry
    measured: tuple[Measured, Measured]


def folders_of_pairs(source: Source) -> tuple[str, str] | None:
    """The folders of inputs and of targets, with their slashes, if this is a source of pairs.

    A folder around both is looked through, whatever else lies in it.
    """
    names = [entry.name for entry in source.entries]
    base = ""
    while True:
        levels = {name.removeprefix(base).partition("/")[0] for name in names if "/" in name.removeprefix(base)}
        if {INPUT, TARGET} <= levels:
            return f"{base}{INPUT}/", f"{base}{TARGET}/"
        if len(levels) != 1 or not all(name.startswith(base + next(iter(levels)) + "/") for name in names):
            return None
        base += next(iter(levels)) + "/"


def pack_pairs(source: Source, asked: Preparation, folder: Path, watch: Watch) -> Contents:
    """Write data.npy (targets) and inputs.npy. Raises DatasetUnusable, reporting.Halted."""
    report = Report()
    pairs = list(_survey(source, asked.limits, report, watch))
    _check_any(len(pairs), report)
    sizes = [(pair.measured[1].width, pair.measured[1].height) for pair in pairs]
    size = choose_size(sizes, asked.width, asked.height, report)
    channels = tuple(channels_of(pair.measured[half] for pair in pairs) for half in (0, 1))
    bytes = len(pairs) * size[0] * size[1] * sum(channels)
    asked.limits.check("max_dataset_bytes", bytes, "bytes of the packed dataset")
    with ExitStack() as files:
        inputs, targets = (
            PixelFile(files.enter_context(RowWriter(folder / name, "|u1", (size[1], size[0], count))), size, count)
            for name, count in zip(("inputs.npy", "data.npy"), channels, strict=True)
        )
        packer = _Packer(inputs, targets)
        for index, pair in enumerate(pairs):
            watch.tick(targets.rows, len(pairs), SURVEY + (1 - SURVEY) * index / len(pairs))
            packer.add(source, pair, asked.limits, report)
        _check_any(targets.rows, report)
        return packer.finish(report)


def _check_any(count: int, report: Report) -> None:
    if not count:
        raise DatasetUnusable(f"the upload holds no usable pair: {report.summary()}; {REMEDY}", param="file")


# ---- which files are a pair ----


def _survey(source: Source, limits: Limits, report: Report, watch: Watch) -> Iterator[Pair]:
    """The pairs among the files, by their headers; what is none is skipped."""
    for name, reason in source.skipped:
        report.skip(name, reason)
    matched = _matched(source, report)
    for index, (input, target) in enumerate(matched):
        watch.tick(0, None, SURVEY * index / len(matched))
        try:
            measured = _measured(source, input, limits), _measured(source, target, limits)
            _check_aspect(*measured)
        except Unreadable as error:
            report.skip(target.name, str(error))
        else:
            yield Pair(input, target, measured)


def _matched(source: Source, report: Report) -> list[tuple[Entry, Entry]]:
    """Inputs and targets of equal names, in the order of the names."""
    found = folders_of_pairs(source)
    assert found is not None, "this is a source of pairs"
    inputs, targets = (_named(source, folder, report) for folder in found)
    for entry in source.entries:
        if not entry.name.startswith(found):
            report.skip(entry.name, f"lies outside {INPUT}/ and {TARGET}/; no labels are read beside pairs")
    for alone, other, folder in ((inputs, targets, TARGET), (targets, inputs, INPUT)):
        for name in sorted(alone.keys() - other.keys()):
            report.skip(alone[name].name, f"has no partner of that name in {folder}/")
    return [(inputs[name], targets[name]) for name in sorted(inputs.keys() & targets.keys())]


def _named(source: Source, folder: str, report: Report) -> dict[str, Entry]:
    """The files of a folder by what they are called; of two that are called the same the first."""
    named: dict[str, Entry] = {}
    for entry in source.entries:
        if not entry.name.startswith(folder):
            continue
        first = named.setdefault(_stem(entry.name.removeprefix(folder)), entry)
        if first != entry:
            report.skip(entry.name, f"has the name of {printable(first.name)} but for the ending")
    return named


def _stem(name: str) -> str:
    """A name without its ending, its accents composed."""
    path, slash, last = composed(name).rpartition("/")
    return path + slash + (last.rpartition(".")[0] or last)


def _measured(source: Source, entry: Entry, limits: Limits) -> Measured:
    with _naming(entry), damage_is_unreadable(), source.open(entry) as file:
        return measure(file, entry.bytes, limits.max_pixels)


def _check_aspect(input: Measured, target: Measured) -> None:
    """Raises Unreadable for halves that cannot be cut alike."""
    ratio = input.width * target.height / (input.height * target.width)
    if abs(ratio - 1) > SKEW:
        raise Unreadable(
            f"its input has {input.width}×{input.height} pixels and itself {target.width}×{target.height}: "
            "the two need the same proportions"
        )


@contextmanager
def _naming(entry: Entry) -> Iterator[None]:
    """Says of a half that cannot be read which of the two it is."""
    try:
        yield
    except Unreadable as error:
        raise Unreadable(f"{printable(entry.name)}: {error}") from error


# ---- pixels ----


class _Packer:
    """Decodes pairs one at a time and appends their halves to the two files."""

    def __init__(self, inputs: PixelFile, targets: PixelFile) -> None:
        self._inputs, self._targets = inputs, targets
        self._seen: set[bytes] = set()

    def add(self, source: Source, pair: Pair, limits: Limits, report: Report) -> None:
        """Append a pair, or report why not."""
        try:
            input, target = (self._decoded(source, entry, limits) for entry in (pair.input, pair.target))
        except Unreadable as error:
            report.skip(pair.target.name, str(error))
            return
        both = fingerprint(input) + fingerprint(target)
        report.duplicates += both in self._seen
        self._seen.add(both)
        self._inputs.append(fit(input, self._inputs.size))
        self._targets.append(fit(target, self._targets.size))

    def _decoded(self, source: Source, entry: Entry, limits: Limits) -> Image.Image:
        with _naming(entry), damage_is_unreadable(), source.open(entry) as file:
            return decode(file, limits.max_pixels, self._targets.size)

    def finish(self, report: Report) -> Contents:
        """Close the files and state the facts."""
        files = {"data": self._targets.finish(), "inputs": self._inputs.finish()}
        count = self._targets.rows
        report.notes.append(f"{count} pairs: the images of {TARGET}/, each with its input")
        if report.duplicates:
            report.notes.append(
                f"{report.duplicates} pairs are equal to another and are kept: how often a target goes with an input "
                "is what is learned"
            )
        facts = DatasetFacts(count=count, shape=self._targets.shape, input_channels=self._inputs.channels)
        return Contents(facts, files, report.as_json(count, {}))
