"""`labels.csv`: what a table beside the images says of each of them, a class or numbers.

Its header names a first column `file`, and then either `label`, or columns of numbers under any other names. A path in
`file` is relative to the table, or to the root of the upload. The table lies at the root, or in the folder that holds
everything.

What the table itself says wrong ends the preparation, with line and column: a header of another kind, a cell that is no
number, a file that has two different rows. What it says of files that are not there is reported.
"""

from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import NamedTuple, Protocol
from unicodedata import normalize

from gan.errors import DatasetUnusable
from gan.pictures import Unreadable, damage_is_unreadable
from worker.jobs.archive import Entry, Source
from worker.jobs.limits import Limits
from worker.jobs.reporting import Report, Watch
from worker.jobs.tables import CHUNK, MOST_DIMS, Row, check_cells, csv_rows, label_at, number_at, read_header

LABEL_FILE = "labels.csv"
LARGEST = 2**28
"""Bytes of a table: far more than the rows of as many files as an archive may have."""
MOST_NUMBERS = 2**25
"""Numbers of a table, which are held in memory until the images are packed: 128 MiB."""
LONGEST_COMPOSED = 512
"""Characters of a name that is compared by what it spells, and not only by its characters."""
LONGEST_NAME = 200
"""Characters of a name that the report repeats."""


class Told(NamedTuple):
    """What a table says of one file: its class, or its numbers (K,)."""

    label: str | None = None
    numbers: tuple[float, ...] = ()


class LabelTable(NamedTuple):
    """A table that was read: the entry it was, the names of its numbers (none for classes), and what it tells."""

    entry: str
    conditions: tuple[str, ...]
    rows: dict[str, int]
    """The row of each file, by the name of its entry."""
    columns: "Columns"

    def tells_of(self, name: str) -> bool:
        """Whether a file has a row."""
        return name in self.rows

    def told(self, name: str) -> Told:
        """What its row says of a file that has one."""
        return self.columns.told(self.rows[name])


def read_labels(source: Source, limits: Limits, report: Report, watch: Watch) -> LabelTable | None:
    """The table of a source; None where there is none. Raises DatasetUnusable, reporting.Halted."""
    base = folder_around(entry.name for entry in source.entries)
    entry = next((entry for entry in source.entries if entry.name == base + LABEL_FILE), None)
    if entry is None:
        return None
    with _named(), damage_is_unreadable(), source.open(entry) as file, csv_rows(file) as rows:
        if entry.bytes > LARGEST:
            raise Unreadable(f"{entry.bytes:,} bytes, the limit is {LARGEST:,}")
        reader = _Reader(read_header(rows), Names(source.entries, base), report)
        for count, row in enumerate(rows, 1):
            limits.check("max_archive_entries", count, "rows")
            if count % CHUNK == 0:
                watch.tick(0, None, 0.0)
            reader.add(row)
    return LabelTable(entry.name, reader.columns.names, reader.rows, reader.columns)


def folder_around(names: Iterable[str]) -> str:
    """The folder that holds all of these files, with its slash; empty where they have none in common."""
    folders = [name.split("/")[:-1] for name in names]
    together = takewhile(lambda level: len(set(level)) == 1, zip(*folders, strict=False))
    return "".join(f"{level[0]}/" for level in together)


@contextmanager
def _named() -> Iterator[None]:
    """What is wrong with the table says that it is the table."""
    try:
        yield
    except (DatasetUnusable, Unreadable) as error:
        raise DatasetUnusable(f"{LABEL_FILE}: {error}", param="file") from error


class Names:
    """The files of a source by what a table may call them."""

    def __init__(self, entries: Iterable[Entry], base: str) -> None:
        names = [entry.name for entry in entries if entry.name != base + LABEL_FILE]
        # archives made on a Mac spell é as e and an accent: what is the same text is the same name
        self._known = {composed(name): name for name in names} | {name: name for name in names}
        self._base = base

    def find(self, cell: str) -> str | None:
        """The entry's name; None where there is no such file."""
        path = cell.strip().replace("\\", "/").removeprefix("./")
        spellings = (self._base + path, path, composed(self._base + path), composed(path))
        return next((self._known[name] for name in spellings if name in self._known), None)


def composed(name: str) -> str:
    """A name with its accents composed; a very long one as it is, for the time that takes grows with the square."""
    return normalize("NFC", name) if len(name) <= LONGEST_COMPOSED else name


# ---- columns ----


class Columns(Protocol):
    """The columns beside `file`, and the rows that were kept of them."""

    names: tuple[str, ...]

    def keep(self, row: Row) -> None:
        """Add a row. Raises DatasetUnusable, naming line and column."""

    def drop(self) -> Told:
        """Take the last row away again; returns what it said."""

    def told(self, row: int) -> Told:
        """What a kept row says."""


class ClassColumn:
    """The column `label`."""

    names: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._labels: list[str] = []

    def keep(self, row: Row) -> None:
        """Add a row."""
        self._labels.append(label_at(row, 1))

    def drop(self) -> Told:
        """Take the last row away."""
        return Told(label=self._labels.pop())

    def told(self, row: int) -> Told:
        """The class of a row."""
        return Told(label=self._labels[row])


class NumberColumns:
    """Columns of numbers, float32."""

    def __init__(self, header: list[str]) -> None:
        self.names = tuple(header[1:])
        self._header = header
        self._numbers = array("f")

    def keep(self, row: Row) -> None:
        """Add a row."""
        self._numbers.extend(number_at(row, column, self._header) for column in range(1, len(self._header)))
        if len(self._numbers) > MOST_NUMBERS:
            raise DatasetUnusable(f"line {row.line}: more than {MOST_NUMBERS:,} numbers in all", param="file")

    def drop(self) -> Told:
        """Take the last row away."""
        told = self.told(len(self._numbers) // len(self.names) - 1)
        del self._numbers[-len(self.names) :]
        return told

    def told(self, row: int) -> Told:
        """The numbers of a row."""
        width = len(self.names)
        return Told(numbers=tuple(self._numbers[row * width : (row + 1) * width]))


def columns_of(header: list[str]) -> Columns:
    """What the header says that the rows hold. Raises DatasetUnusable where it is neither of the two kinds."""
    first, rest = header[0], header[1:]
    for wrong, why in (
        (first != "file", f"the first column must be called 'file', not {first[:LONGEST_NAME]!r}"),
        (not rest, "beside 'file' there must be a column 'label', or columns of numbers"),
        ("label" in rest and len(rest) > 1, "beside 'file' there is a column 'label' or there are numbers, not both"),
        (len(rest) > MOST_DIMS, f"{len(rest):,} columns of numbers, the limit is {MOST_DIMS:,}"),
    ):
        if wrong:
            raise DatasetUnusable(why, param="file")
    return ClassColumn() if rest == ["label"] else NumberColumns(header)


class _Reader:
    """Rows on their way in: each is checked, those of files that are there are kept."""

    def __init__(self, header: list[str], names: Names, report: Report) -> None:
        self.columns = columns_of(header)
        self.rows: dict[str, int] = {}
        self._header, self._names, self._report = header, names, report
        self._lines = array("q")

    def add(self, row: Row) -> None:
        """Raises DatasetUnusable for a row that cannot be meant."""
        check_cells(row, self._header)
        name = self._names.find(row.cells[0])
        self.columns.keep(row)
        if name is None:
            self.columns.drop()
            self._report.skip(
                row.cells[0][:LONGEST_NAME], f"is in line {row.line} of {LABEL_FILE}, but there is no such file"
            )
        elif self.rows.setdefault(name, len(self._lines)) < len(self._lines):
            self._check_repeated(name, row)
        else:
            self._lines.append(row.line)

    def _check_repeated(self, name: str, row: Row) -> None:
        again, before = self.columns.drop(), self.columns.told(self.rows[name])
        lines = f"line {self._lines[self.rows[name]]} and again in line {row.line}"
        if again != before:
            raise DatasetUnusable(f"{name[:LONGEST_NAME]!r} is in {lines}, which say different things", param="file")
        self._report.skip(name, f"is in {lines} of {LABEL_FILE}, which say the same: it counts once")
