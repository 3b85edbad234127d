"""Points from tables: `.npy` matrices, and `.csv` files with a header.

In a CSV file `label` is a class, `c_*` are conditions (numbers), and every other column is a coordinate of the point.
Everything is read a piece at a time and must be a finite number; an error names the row and the column.
"""

import csv
import io
import math
import tokenize
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan.errors import DatasetUnusable
from worker.jobs.limits import Limits

MOST_DIMS = 4096
LONGEST_LABEL = 100
CHUNK = 4096
"""Rows that are held in memory at once."""

LONGEST_LINE = 2**20
"""Characters of one line of a CSV file, and of one row, which may run over several lines."""

LARGEST = 1e30
"""The largest magnitude that is taken: beyond it, variances and gradients leave float32."""

NPY_MAGIC = b"\x93NUMPY"
LONGEST_NPY_HEADER = 2**16
"""Bytes of the header of a `.npy` file: NumPy reads it whole before it judges it."""

NPY_DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    OSError,
    EOFError,
    SyntaxError,
    tokenize.TokenError,
    OverflowError,
    RecursionError,
    MemoryError,
)
"""What NumPy raises over damaged headers, which it takes for Python literals."""

Matrix = NDArray[np.float32]


class Rows(NamedTuple):
    """A piece of a table: points (n, D), conditions (n, K) (K may be 0), and where the file gives it, a label a row."""

    points: Matrix
    conditions: Matrix
    labels: Sequence[str]


class Table(NamedTuple):
    """A table about to be read: its dimensions, how its conditions are called, whether its rows are labelled."""

    dims: int
    conditions: tuple[str, ...]
    labelled: bool
    rows: Iterator[Rows]

    @property
    def condition_dims(self) -> int:
        """Numbers of a condition; 0 where there is none."""
        return len(self.conditions)


def is_npy(path: Path) -> bool:
    """Whether a file begins as `.npy` files do."""
    with path.open("rb") as file:
        return file.read(len(NPY_MAGIC)) == NPY_MAGIC


def read_npy(path: Path, limits: Limits) -> Table:
    """A matrix (N, D) of integers or floats. Raises DatasetUnusable."""
    try:
        _check_npy_header(path)
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except NPY_DAMAGE as error:
        raise DatasetUnusable(f"the upload is not a readable .npy file: {error}", param="file") from error
    if matrix.dtype.kind not in "iuf" or matrix.ndim != 2 or matrix.size == 0:
        found = f"shape {matrix.shape} and type {matrix.dtype}"
        raise DatasetUnusable(f"points are a matrix (N, D) of numbers; this array has {found}", param="file")
    _check_dims(matrix.shape[1])
    limits.check("max_points", len(matrix), "rows of points")
    return Table(matrix.shape[1], (), False, _matrix_rows(matrix))


def _check_npy_header(path: Path) -> None:
    """Raises ValueError for a header that is too long to be one of a matrix."""
    with path.open("rb") as file:
        version = file.read(len(NPY_MAGIC) + 2)[len(NPY_MAGIC) :]
        length = int.from_bytes(file.read(2 if version[:1] == b"\x01" else 4), "little")
    if length > LONGEST_NPY_HEADER:
        raise ValueError(f"its header is {length:,} bytes long, the limit is {LONGEST_NPY_HEADER:,}")


def _matrix_rows(matrix: NDArray[Any]) -> Iterator[Rows]:
    for start in range(0, len(matrix), CHUNK):
        points = _as_float32(matrix[start : start + CHUNK])
        bad = np.argwhere(~(np.abs(points) <= LARGEST))  # so that NaN is bad too
        if len(bad):
            row, column = bad[0]
            value = matrix[start + row, column]
            raise DatasetUnusable(
                f"row {start + row}, column {column} (counted from 0): {value} is not a number up to ±{LARGEST:g}",
                param="file",
            )
        yield Rows(points, np.empty((len(points), 0), np.float32), ())


def _as_float32(values: Any) -> Matrix:
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
        return np.asarray(values).astype(np.float32)


def read_csv(path: Path, limits: Limits) -> Table:
    """A table with a header in UTF-8. Raises DatasetUnusable; so does iterating over its rows."""
    with path.open("rb") as file, csv_rows(file) as rows:
        header = read_header(rows)
    columns = _Columns(
        header,
        points=[i for i, name in enumerate(header) if name != "label" and not name.startswith("c_")],
        conditions=[i for i, name in enumerate(header) if name.startswith("c_")],
        label=header.index("label") if "label" in header else None,
    )
    _check_columns(columns)
    names = tuple(header[column] for column in columns.conditions)
    return Table(len(columns.points), names, columns.label is not None, _csv_table(path, columns, limits))


class _Columns(NamedTuple):
    header: list[str]
    points: list[int]
    conditions: list[int]
    label: int | None


def read_header(rows: Iterator["Row"]) -> list[str]:
    """The names of the columns, from the first row. Raises DatasetUnusable where they are none."""
    header = [name.strip() for name in next(rows, Row(0, [])).cells]
    if not header:
        raise DatasetUnusable("the .csv file is empty: its first line must name the columns", param="file")
    for column, name in enumerate(header):
        if not name:
            raise DatasetUnusable(f"the header's column {column + 1} has no name", param="file")
        if name in header[:column]:
            raise DatasetUnusable(f"the header names the column {name!r} twice", param="file")
    if all(_is_number(name) for name in header):
        raise DatasetUnusable("the .csv file has no header: its first line must name the columns", param="file")
    return header


def _check_columns(columns: _Columns) -> None:
    if not columns.points:
        found = ", ".join(columns.header[:20])
        raise DatasetUnusable(f"no column is a coordinate of the points: found {found}", param="file")
    if columns.conditions and columns.label is not None:
        raise DatasetUnusable("a table has a `label` column or `c_*` columns, not both", param="file")
    _check_dims(len(columns.points))
    _check_dims(len(columns.conditions))


def _check_dims(dims: int) -> None:
    if dims > MOST_DIMS:
        raise DatasetUnusable(f"points of {dims:,} numbers, the limit is {MOST_DIMS:,}", param="file")


def _csv_table(path: Path, columns: _Columns, limits: Limits) -> Iterator[Rows]:
    with path.open("rb") as file, csv_rows(file) as rows:
        piece = _Piece(columns)
        for count, row in enumerate(rows):
            if count == 0:
                continue  # the header
            limits.check("max_points", count, "rows of points")
            piece.add(row)
            if len(piece) == CHUNK:
                yield piece.rows()
                piece = _Piece(columns)
        if len(piece):
            yield piece.rows()


class _Piece:
    """Rows of a CSV file on their way into arrays."""

    def __init__(self, columns: _Columns) -> None:
        self._columns = columns
        self._points, self._conditions = array("d"), array("d")
        self._labels: list[str] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, row: "Row") -> None:
        """Raises DatasetUnusable naming line and column."""
        header = self._columns.header
        check_cells(row, header)
        self._points.extend(number_at(row, column, header) for column in self._columns.points)
        self._conditions.extend(number_at(row, column, header) for column in self._columns.conditions)
        if self._columns.label is not None:
            self._labels.append(label_at(row, self._columns.label))
        self._count += 1

    def rows(self) -> Rows:
        """What was added, as arrays."""
        points, conditions = (_as_float32(np.frombuffer(a)) for a in (self._points, self._conditions))
        return Rows(points.reshape(self._count, -1), conditions.reshape(self._count, -1), self._labels)


# ---- rows and cells of CSV files ----


class Row(NamedTuple):
    """A row: the number of its last line, counted from 1, and its cells."""

    line: int
    cells: list[str]


@contextmanager
def csv_rows(file: IO[bytes]) -> Iterator[Iterator[Row]]:
    """The rows of a CSV file in UTF-8; empty lines are passed over. Going on raises DatasetUnusable if it is none."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        yield _rows(_Lines(text))
    finally:
        text.detach()  # the file is the caller's to close


def _rows(lines: "_Lines") -> Iterator[Row]:
    reader = csv.reader(lines, strict=True)
    try:
        for cells in reader:
            lines.taken = 0
            if cells:
                yield Row(reader.line_num, cells)
    except (csv.Error, UnicodeDecodeError) as error:
        raise DatasetUnusable(f"this is not a readable .csv file: {error}", param="file") from error


class _Lines:
    """The lines of a file, for a reader that says when a row is whole (`taken = 0`).

    A row is bounded: without line ends, or with quotes that never close, a file would otherwise be read whole.
    """

    def __init__(self, file: IO[str]) -> None:
        self.taken = 0
        self._file = file

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self.taken += len(line)
        if self.taken >= LONGEST_LINE:
            raise csv.Error(f"a line is longer than {LONGEST_LINE:,} characters")
        return line


def check_cells(row: Row, header: list[str]) -> None:
    """Raises DatasetUnusable where a row has not a cell for each column."""
    if len(row.cells) != len(header):
        raise DatasetUnusable(
            f"line {row.line} has {len(row.cells)} cells, the header names {len(header)} columns", param="file"
        )


def label_at(row: Row, column: int) -> str:
    """The class in a cell. Raises DatasetUnusable where it is empty or too long."""
    label = row.cells[column].strip()
    if not 1 <= len(label) <= LONGEST_LABEL:
        raise DatasetUnusable(
            f"line {row.line}, column 'label': {len(label)} characters, not 1 to {LONGEST_LABEL}", param="file"
        )
    return label


def number_at(row: Row, column: int, header: list[str]) -> float:
    """The number in a cell. Raises DatasetUnusable naming line and column where there is none, or none to train on."""
    value = _finite(row.cells[column])
    if value is None:
        found = row.cells[column][:40]
        raise DatasetUnusable(
            f"line {row.line}, column {header[column]!r}: {found!r} is not a number up to ±{LARGEST:g}", param="file"
        )
    return value


def _finite(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= LARGEST else None


def _is_number(cell: str) -> bool:
    return _finite(cell) is not None
