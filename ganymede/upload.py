"""What an upload is made from: files as they are, folders as a zip. Nothing is held in memory as a whole."""

import io
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from ganymede.errors import UsageError

SUFFIXES: Final = (".zip", ".npy", ".csv")
"""Files that the server reads. A folder goes as a zip."""

Report = Callable[[int, int], None]
"""Told (bytes done, bytes in all) as an upload goes on."""


@dataclass
class Packed:
    """A folder as a zip: where it lies, how many files are in it, and which links were left out."""

    path: Path
    files: int = 0
    links: list[Path] = field(default_factory=list)


class Watched(io.FileIO):
    """A file, opened for reading, that reports how much of it was read."""

    def __init__(self, path: Path, report: Report | None) -> None:
        super().__init__(path, "rb")
        self._report = report
        self._size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes."""
        chunk = super().read(size)
        if self._report is not None:
            self._report(self.tell(), self._size)
        return chunk or b""


def dataset_name(path: Path) -> str:
    """A dataset's name from a path: its stem, with what no name may contain replaced by `-`."""
    stem = path.resolve().name if path.is_dir() else path.stem
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:100]
    if not name:
        raise UsageError(f"no dataset name can be made from {path.name!r}; give one (--name)")
    return name


@contextmanager
def uploadable(path: Path) -> Iterator[Packed]:
    """The file to send: `path` itself, or for a folder a temporary zip. Raises UsageError for anything else."""
    if path.is_dir():
        with tempfile.TemporaryDirectory(prefix="ganymede-") as scratch:
            yield pack(path, Path(scratch) / "upload.zip")
    elif not path.exists():
        raise UsageError(f"{path} does not exist")
    elif path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: a dataset is a folder of images or one of {', '.join(SUFFIXES)}")
    else:
        yield Packed(path, files=1)


def pack(folder: Path, target: Path) -> Packed:
    """Zip a folder, class folders kept. Images are compressed already and stored as they are; links are left out."""
    packed = Packed(target)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        for path in walk(folder):
            if path.is_symlink():
                packed.links.append(path)
            elif path.is_file():
                archive.write(path, path.relative_to(folder))
                packed.files += 1
    if not packed.files:
        raise UsageError(f"{folder} holds no files")
    return packed


def unreadable(error: OSError) -> NoReturn:
    """Raises UsageError, which names the folder."""
    raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error


def walk(folder: Path) -> Iterator[Path]:
    """Files and links below a folder in a fixed order; hidden ones (a name that begins with a dot) are passed over.

    Raises UsageError for a folder that cannot be read: a class that is left out must not go unnoticed.
    """
    for place, folders, files in os.walk(folder, onerror=unreadable, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in sorted([*files, *links]):
            if not name.startswith("."):
                yield Path(place) / name
