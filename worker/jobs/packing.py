"""The packed form of a dataset: rows appended to `.npy` files, named by their content.

datasets/{digest}/data.npy     images (N, H, W, C) uint8 | points (N, D) float32
datasets/{digest}/inputs.npy   of pairs alone: the images (N, H, W, Ci) uint8 that data.npy has the targets of
datasets/{digest}/labels.npy   classes (N,) int64 | conditions (N, K) float32; absent where there are none
datasets/{digest}/facts.json   DatasetFacts, and `per_class`: {class: count}
"""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from gan.errors import DatasetUnusable
from gan.spec import DatasetFacts

MOST_CLASSES = 4096

Array = NDArray[Any]
Identity = dict[str, Any]
"""What identifies a file's content: shape, dtype, sha256 of its rows."""


class Contents(NamedTuple):
    """What was packed: its facts, its files by name, and the report of what was taken and what was not."""

    facts: DatasetFacts
    files: dict[str, Identity]
    report: dict[str, Any]


class RowWriter:
    """Appends rows to a `.npy` file whose length is not known beforehand, and hashes them on the way.

    Leaving its `with` block closes the file, finished or not.
    """

    def __init__(self, path: Path, dtype: str, row_shape: Sequence[int]) -> None:
        """`dtype` as NumPy spells it, with its byte order (`|u1`, `<f4`, `<i8`)."""
        self.path = path
        self.rows = 0
        self._dtype, self._row_shape = np.dtype(dtype), tuple(row_shape)
        self._sha256 = hashlib.sha256()
        self._file = path.open("xb")
        self._write_header()

    def append(self, rows: Array) -> None:
        """Rows (n, *row_shape); converted to the file's dtype."""
        assert rows.shape[1:] == self._row_shape, (rows.shape, self._row_shape)
        data = np.ascontiguousarray(rows, dtype=self._dtype).tobytes()
        self._file.write(data)
        self._sha256.update(data)
        self.rows += len(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._file.close()

    def finish(self) -> Identity:
        """Complete the file, on the disk for good; returns what identifies it."""
        self._file.seek(0)
        self._write_header()
        self._file.flush()
        os.fsync(self._file.fileno())
        return {"shape": self._shape, "dtype": self._dtype.str, "sha256": self._sha256.hexdigest()}

    @property
    def _shape(self) -> tuple[int, ...]:
        return (self.rows, *self._row_shape)

    def _write_header(self) -> None:
        """NumPy pads the header so that the length of the first axis can be rewritten in place."""
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": self._shape}
        np.lib.format.write_array_header_1_0(self._file, header)


class Labels:
    """Class names as they come in, numbered in their final order once all are known."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._rows: list[int] = []

    def append(self, name: str) -> None:
        """The class of the next row. Raises DatasetUnusable beyond `MOST_CLASSES` of them."""
        self._rows.append(self._seen.setdefault(name, len(self._seen)))
        if len(self._seen) > MOST_CLASSES:
            raise DatasetUnusable(f"more than {MOST_CLASSES:,} classes: is each of them meant as one?", param="file")

    def write(self, path: Path) -> tuple[tuple[str, ...], dict[str, int], Identity]:
        """Write (N,) int64; returns the classes in order, how many rows each has, and the file's identity."""
        classes = in_order(self._seen)
        place = {name: index for index, name in enumerate(classes)}
        final = np.array([place[name] for name in self._seen], dtype=np.int64)[self._rows]
        counts = np.bincount(final, minlength=len(classes)).tolist()
        with RowWriter(path, "<i8", ()) as writer:
            writer.append(final)
            return classes, dict(zip(classes, counts, strict=True)), writer.finish()


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Class names in plain order; in numeric order where all are whole numbers, so that index and name agree."""
    names = set(names)
    if all(name.isascii() and name.isdigit() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def digest(contents: Contents) -> str:
    """sha256 over a dataset's content: its kind, the names of its classes, and what identifies its files."""
    facts = contents.facts
    content = {"format": 1, "kind": facts.shape.kind, "classes": facts.classes, "files": contents.files}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_facts(folder: Path, contents: Contents) -> None:
    """facts.json: what training knows of the data without opening it."""
    facts = contents.facts.model_dump(mode="json") | {"per_class": contents.report["per_class"]}
    (folder / "facts.json").write_text(json.dumps(facts, indent=1))


def folder_bytes(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())
