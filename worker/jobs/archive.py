"""Where images come from: a zip archive or a folder, as a list of entries that can be opened one at a time.

An archive is judged before anything is expanded: counts and sizes by its directory, names by what they could do.
"""

import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from gan.errors import DatasetUnusable
from worker.jobs.limits import Limits

END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR64 = 20
CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
"""Records of the zip format (PKWARE APPNOTE 4.3.12 to 4.3.16): end of directory, its 64-bit kin with the bytes of its
locator, directory header."""

LOCAL_BYTES = 30
"""Bytes of a member's own header, at least (4.3.7)."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How members may be compressed. What bzip2 and LZMA make of a piece has no bound: a kilobyte can become a gigabyte."""

ENCRYPTED = 0x1
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")


class Entry(NamedTuple):
    """A file of a source: its name with forward slashes, relative to the source's root, and its size in bytes."""

    name: str
    bytes: int


class Source(Protocol):
    """Files by name. `skipped` names what was passed over, with the reason."""

    entries: list[Entry]
    skipped: list[tuple[str, str]]

    def open(self, entry: Entry) -> AbstractContextManager[IO[bytes]]:
        """The bytes of one entry."""

    def close(self) -> None:
        """Let go of the source."""


class Archive:
    """A zip archive. Raises DatasetUnusable for one that is unreadable, unsafe or beyond a limit."""

    def __init__(self, path: Path, limits: Limits) -> None:
        try:
            _check_count(path, limits)
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, struct.error, ValueError, OverflowError) as error:
            raise DatasetUnusable(f"the upload is not a readable zip archive: {error}", param="file") from error
        try:
            limits.check("max_archive_entries", len(self._zip.infolist()), "entries in the archive")
            files = [info for info in self._zip.infolist() if _checked(info)]
            _check_sizes(files, path.stat().st_size, limits)
            _check_overlaps(self._zip.infolist())
        except DatasetUnusable:
            self._zip.close()
            raise
        self.skipped: list[tuple[str, str]] = []
        self._files: dict[str, zipfile.ZipInfo] = {}
        for info in files:
            self._take(_slashed(info.filename), info)
        self.entries = sorted(Entry(name, info.file_size) for name, info in self._files.items())

    def _take(self, name: str, info: zipfile.ZipInfo) -> None:
        """A file, unless it is hidden or cannot be read in pieces; of several of one name the last."""
        if _is_hidden(name):
            return
        if info.compress_type not in METHODS:
            self.skipped.append((name, "is neither stored nor deflated: no other compression is read"))
            return
        if name in self._files:
            self.skipped.append((name, "is in the archive more than once: the last counts"))
        self._files[name] = info

    def open(self, entry: Entry) -> IO[bytes]:
        """Reading raises zipfile.BadZipFile where the bytes are damaged, and never yields more than `entry.bytes`."""
        return self._zip.open(self._files[entry.name])

    def close(self) -> None:
        """Close the file."""
        self._zip.close()


class Folder:
    """A folder of the server's import directory. Links are not followed but passed over."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self.entries: list[Entry] = []
        self.skipped: list[tuple[str, str]] = []
        try:
            self._list(limits)
        except OSError as error:
            raise DatasetUnusable(f"the folder cannot be read: {error.strerror}", param="source") from error
        self.entries.sort()

    def _list(self, limits: Limits) -> None:
        for name, status in _walk(self._path):
            if not stat.S_ISREG(status.st_mode):
                self.skipped.append((name, "not a plain file"))
                continue
            self.entries.append(Entry(name, status.st_size))
            limits.check("max_archive_entries", len(self.entries), "files in the folder")

    def open(self, entry: Entry) -> IO[bytes]:
        """Raises OSError where the file went away or became a link meanwhile."""
        descriptor = os.open(self._path / entry.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return os.fdopen(descriptor, "rb")

    def close(self) -> None:
        """Nothing is held open."""


def is_archive(path: Path) -> bool:
    """Whether a file begins as zip archives do."""
    with path.open("rb") as file:
        return file.read(4) in ZIP_MAGIC


# ---- zip ----


def _checked(info: zipfile.ZipInfo) -> bool:
    """Whether an entry is a file. Raises DatasetUnusable for a name or kind that is up to no good."""
    name = _slashed(info.filename)
    for offends, why in (
        (name.startswith("/") or name[1:2] == ":", "has an absolute path"),
        (".." in name.split("/"), "leads out of the archive by `..`"),
        (stat.S_ISLNK(info.external_attr >> 16), "is a link"),
        (bool(info.flag_bits & ENCRYPTED), "is encrypted"),
    ):
        if offends:
            raise DatasetUnusable(f"the archive is refused: its entry {name[:200]!r} {why}", param="file")
    return not info.filename.endswith("/")  # of a member without a name, is_dir raises IndexError


def _check_sizes(files: list[zipfile.ZipInfo], archive_bytes: int, limits: Limits) -> None:
    """By the sizes that the directory declares; reading an entry stops at its declared size."""
    expanded = sum(info.file_size for info in files)
    limits.check("max_expanded_bytes", expanded, "bytes that the archive expands to")
    limits.check(
        "max_expansion_ratio", expanded // max(1, archive_bytes), "times its own size that the archive expands to"
    )


def _check_overlaps(members: list[zipfile.ZipInfo]) -> None:
    """Raises DatasetUnusable where members share bytes, as in archives that expand a few of them again and again."""
    end = 0
    for info in sorted(members, key=lambda info: info.header_offset):
        if info.header_offset < end:
            name = _slashed(info.filename)
            raise DatasetUnusable(f"the archive is refused: its entry {name[:200]!r} overlaps another", param="file")
        end = info.header_offset + LOCAL_BYTES + info.compress_size


def _check_count(path: Path, limits: Limits) -> None:
    """Counts the directory's headers without keeping them: a directory of millions would fill the memory of ZipFile.

    The count that the archive itself declares is not trusted.
    """
    with path.open("rb") as file:
        start, size = _directory(file)
        file.seek(start)
        limit = start + size
        count = 0
        while file.tell() + CENTRAL.size <= limit:
            fields = CENTRAL.unpack(file.read(CENTRAL.size))
            if fields[0] != b"PK\x01\x02":
                return  # not a header: ZipFile will say what is wrong
            count += 1
            limits.check("max_archive_entries", count, "entries in the archive")
            file.seek(sum(fields[12:15]), os.SEEK_CUR)


def _directory(file: IO[bytes]) -> tuple[int, int]:
    """Where the central directory begins, and its bytes. Raises BadZipFile where there is none."""
    length = file.seek(0, os.SEEK_END)
    base = max(0, length - END.size - 2**16)
    file.seek(base)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < END.size:
        raise zipfile.BadZipFile("it has no directory; was the upload cut short?")
    size, end = END.unpack_from(tail, at)[5], base + at
    if end >= END64.size + LOCATOR64 and tail[max(0, at - LOCATOR64) :].startswith(b"PK\x06\x07"):
        end -= END64.size + LOCATOR64
        file.seek(end)
        size = END64.unpack(file.read(END64.size))[8]
    if size > end:
        raise zipfile.BadZipFile("its directory is larger than the file")
    return end - size, size


# ---- folders and names ----


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Visible files and links below a folder, depth first, with their own status."""
    pending = [""]
    while pending:
        below = pending.pop()
        with os.scandir(root / below) as found:
            for item in found:
                name = f"{below}{item.name}"
                if _is_hidden(item.name):
                    continue
                if item.is_dir(follow_symlinks=False):
                    pending.append(f"{name}/")
                else:
                    yield name, item.stat(follow_symlinks=False)


def _slashed(name: str) -> str:
    """Archives made on Windows may separate with backslashes."""
    return name.replace("\\", "/")


def _is_hidden(name: str) -> bool:
    """Dot files, and the resource forks that macOS puts into archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
