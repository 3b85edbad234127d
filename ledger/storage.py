"""Where files lie: uploads, packed datasets, checkpoints, previews. Published whole or not at all.

    uploads/{dataset}/…  datasets/{digest}/…  checkpoints/{model}/…  previews/{job}/…  scratch/…

Every path in the ledger is relative to the root, with forward slashes. A path that would leave the root is refused.
"""

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from gan.errors import ChecksumMismatch, InvalidRequest, NotFound, StorageFull

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SCRATCH = "scratch"
ABANDONED_SECONDS = 3600.0
"""What nobody wrote to for so long, and nothing refers to, was left by a process that was killed."""

CHUNK = 1 << 20


class Storage:
    """A folder that holds the files of a ledger. Safe for many processes: names are never written in place."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def path(self, relative: str) -> Path:
        """Where a path of the ledger lies. Raises InvalidRequest where it would leave the root."""
        parts = PurePosixPath(relative).parts
        if not parts or relative.startswith("/") or ".." in parts or "\0" in relative or "\\" in relative:
            raise InvalidRequest(f"{relative!r} is not a path below the storage root")
        return self.root.joinpath(*parts)

    def relative(self, path: Path) -> str:
        """A path below the root as the ledger writes it."""
        return path.absolute().relative_to(self.root).as_posix()

    def prepare(self) -> None:
        """Make the root, prove that it can be written, and sweep old scratch. Raises OSError, or StorageFull."""
        probe = f"{SCRATCH}/{secrets.token_hex(8)}"
        self.write_bytes(probe, b"")
        self.remove(probe)
        self.sweep(SCRATCH, (), self.clock() - ABANDONED_SECONDS)

    def clock(self) -> float:
        """Unix seconds now, by the clock that stamps the files here: a server's may be hours from this machine's.

        Raises OSError, or StorageFull.
        """
        probe = self.scratch()
        try:
            return probe.stat().st_mtime
        finally:
            probe.rmdir()

    @contextmanager
    def writing(self, relative: str) -> Iterator[BinaryIO]:
        """A file to write; when the block ends it is fsynced and appears under its name at once, whole.

        If the block raises, nothing appears. A file of that name is replaced. Raises StorageFull.
        """
        with publishing(self.path(relative)) as temporary, temporary.open("wb") as file:
            yield file

    def write_bytes(self, relative: str, data: bytes) -> None:
        """Publish a small file. Raises StorageFull."""
        with self.writing(relative) as file:
            file.write(data)

    @contextmanager
    def building(self, relative: str) -> Iterator[Path]:
        """A scratch folder to fill; when the block ends its files are fsynced and it appears under its name at once.

        Where the name exists already (the same content address), the scratch is dropped and what exists stays.
        If the block raises, nothing appears. Raises StorageFull.
        """
        final, scratch = self.path(relative), self.scratch()
        try:
            with full_is_typed():
                yield scratch
                sync_tree(scratch)
                make_parents(final)
                _move_into_place(scratch, final)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def scratch(self) -> Path:
        """A new empty folder on the same file system, for its maker to remove or rename into place."""
        path = self.root / SCRATCH / secrets.token_hex(8)
        with full_is_typed():
            make_parents(path)
            path.mkdir()
        return path

    def verify(self, relative: str, sha256: str) -> Path:
        """The file's path, if its bytes are those that were written. Raises NotFound or ChecksumMismatch."""
        path = self.path(relative)
        try:
            found = sha256_of(path)
        except FileNotFoundError as error:
            raise NotFound(f"{relative} is gone from storage") from error
        if found != sha256:
            raise ChecksumMismatch(f"{relative} does not have the checksum that was recorded")
        return path

    def remove(self, *relative: str) -> None:
        """Remove files and folders; what is gone already is no error."""
        for one in relative:
            remove_tree(self.path(one))

    def sweep(self, folder: str, kept: Collection[str], before: float) -> list[str]:
        """Remove what lies in a folder, is not among `kept` and was last written before then (by `clock`).

        Returns the paths. What appears or goes meanwhile is left alone. Raises OSError.
        """
        root = self.path(folder)
        found = [path for path in root.iterdir() if self.relative(path) not in kept] if root.is_dir() else []
        swept = []
        for path in found:
            with suppress(FileNotFoundError):
                if last_written(path) < before:
                    remove_tree(path)
                    swept.append(self.relative(path))
        return swept

    def free(self) -> int:
        """Bytes free on the file system that holds the root (or will)."""
        existing = next(path for path in (self.root, *self.root.parents) if path.exists())
        return shutil.disk_usage(existing).free

    def require(self, amount: int) -> None:
        """Raises StorageFull where fewer than `amount` bytes are free."""
        free = self.free()
        if free < amount:
            raise StorageFull(f"{amount} bytes are needed and {free} are free in {self.root}")


@contextmanager
def publishing(final: Path) -> Iterator[Path]:
    """A temporary name beside `final` for a file to be written at; fsynced and renamed when the block ends.

    If the block raises, the temporary file is removed. Raises StorageFull.
    """
    temporary = final.with_name(f".{final.name}.{secrets.token_hex(6)}.tmp")
    try:
        with full_is_typed():
            make_parents(final)
            yield temporary
            sync_file(temporary)
            temporary.replace(final)
            sync_folder(final.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def full_is_typed() -> Iterator[None]:
    """A full file system becomes StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise StorageFull(f"no space is left for {error.filename or 'a file'}: free some and retry") from error


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal. Raises FileNotFoundError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_parents(path: Path) -> None:
    """Make the folders above a path so that they survive a power cut."""
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_file(path: Path) -> None:
    """Put a file's bytes on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Put a folder's entries on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """Put a folder and all that lies below it on the disk."""
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            sync_file(Path(folder, name))
        sync_folder(Path(folder))


def last_written(path: Path) -> float:
    """When a file, or anything in a folder, was last written, in Unix seconds. Raises FileNotFoundError."""
    inside = list(path.rglob("*")) if path.is_dir() else []
    return max(one.lstat().st_mtime for one in [path, *inside])


def remove_tree(path: Path) -> None:
    """Remove a file, link or folder, whatever others remove at the same time."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, onerror=_unless_gone)
    else:
        path.unlink(missing_ok=True)


def _unless_gone(_function: object, _path: str, info: tuple[type, BaseException, object]) -> None:
    if not isinstance(info[1], FileNotFoundError):
        raise info[1]


def _move_into_place(scratch: Path, final: Path) -> None:
    """Rename a folder to a name that another process may just have taken with the same content."""
    try:
        scratch.rename(final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return
    with suppress(FileNotFoundError):
        sync_folder(final.parent)
        sync_folder(scratch.parent)
