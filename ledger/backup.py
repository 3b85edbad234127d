"""`python -m ledger.backup make TARGET` and `… restore SOURCE`: ledger and storage, consistent with one another.

A backup is a folder, or a `.tar` of it:

    manifest.json     what it holds: {format, made_at, version, files: [{path, bytes, sha256}], missing, damaged}
    ledger.sqlite3    the ledger at one moment, whatever database it is in
    storage/…         every file that it names

It is made while everything runs. Files are never written in place and are removed only after the ledger has let go of
them: so links made at one moment, while nobody writes, keep all that it names then, and are copied at leisure.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Protocol

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from gan.errors import ChecksumMismatch, Conflict, GanymedeError, InvalidRequest, LedgerMismatch, NotFound, Unavailable
from ledger.copying import copied, in_file, refuse_filled, snapshot
from ledger.database import Ledger
from ledger.files import Named, named_in
from ledger.moves import move
from ledger.settings import Settings, read_settings
from ledger.states import LET_GO
from ledger.storage import SCRATCH, Storage, full_is_typed, make_parents, publishing, remove_tree, sync_tree
from ledger.tables import JobRow, WorkerRow

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
LEDGER: Final = "ledger.sqlite3"
FILES: Final = "storage"
TAR: Final = ".tar"
ROUNDS: Final = 10
"""How often it is begun anew where files cannot be linked and went meanwhile."""

CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a backup; `path` is relative to its root."""

    path: str
    bytes: int
    sha256: str


@dataclass
class Manifest:
    """What a backup holds; `missing` and `damaged`: what the ledger names and storage did not have, or not whole."""

    made_at: float
    version: str
    files: list[Entry] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    format: int = FORMAT

    def json(self) -> bytes:
        """As it is written."""
        return json.dumps(asdict(self), indent=1).encode()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.bytes for entry in self.files)


class Hashed:
    """A file as it is read, whose sha256 grows with it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._sha256, self.bytes = file, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = self._file.read(size)
        self._sha256.update(data)
        self.bytes += len(data)
        return data

    def entry(self, path: str) -> Entry:
        """What was read."""
        return Entry(path, self.bytes, self._sha256.hexdigest())


# ---- the two forms ----


class Box(Protocol):
    """A backup that is being written."""

    def put(self, path: str, file: IO[bytes], size: int) -> Entry:
        """Add a file of so many bytes."""


class Folder:
    """A backup as a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, path: str, file: IO[bytes], size: int) -> Entry:  # noqa: ARG002  (a tar must know it before)
        """Copy it there."""
        target, reading = self._root / path, Hashed(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as copy:
            shutil.copyfileobj(reading, copy, CHUNK)
        return reading.entry(path)


class Tar:
    """A backup as a tar, not compressed: weights and pictures would not become smaller."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def put(self, path: str, file: IO[bytes], size: int) -> Entry:
        """Append it."""
        info, reading = tarfile.TarInfo(path), Hashed(file)
        info.size, info.mtime, info.mode = size, int(time.time()), 0o600
        self._tar.addfile(info, reading)
        return reading.entry(path)


@contextmanager
def boxed(target: Path) -> Iterator[Box]:
    """A backup to fill, which appears under its name when the block ends, whole; readable by its owner alone.

    Raises Conflict where the name exists, StorageFull.
    """
    if target.exists() or target.is_symlink():
        raise Conflict(f"{target} exists already: give another name")
    with publishing(target) if target.suffix == TAR else _folder_appearing(target) as temporary:
        if target.suffix != TAR:
            yield Folder(temporary)
            return
        temporary.touch(mode=0o600)
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
            yield Tar(tar)


@contextmanager
def _folder_appearing(target: Path) -> Iterator[Path]:
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with full_is_typed():
            make_parents(temporary)
            temporary.mkdir(mode=0o700)
            yield temporary
            sync_tree(temporary)
            temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


Opener = Callable[[str], IO[bytes]]
"""Gives a file of a backup by its path; raises NotFound."""


@contextmanager
def unboxed(source: Path) -> Iterator[Opener]:
    """A backup to read. Raises NotFound, InvalidRequest where it is none."""
    if not source.exists():
        raise NotFound(f"there is no {source}")
    if source.is_dir():
        yield lambda path: _from_folder(source, path)
        return
    try:
        with tarfile.open(source, "r:") as tar:
            yield lambda path: _from_tar(tar, path)
    except tarfile.TarError as error:
        raise InvalidRequest(f"{source} is no backup: {error}") from error


def _from_folder(root: Path, path: str) -> BinaryIO:
    try:
        return (root / path).open("rb")
    except FileNotFoundError as error:
        raise NotFound(f"the backup has no {path}") from error


def _from_tar(tar: tarfile.TarFile, path: str) -> IO[bytes]:
    try:
        file = tar.extractfile(path)
    except KeyError as error:
        raise NotFound(f"the backup has no {path}") from error
    if file is None:
        raise InvalidRequest(f"{path} is no file in the backup")
    return file


# ---- making one ----


def make(ledger: Ledger, storage: Storage, target: Path) -> Manifest:
    """Back up both at one moment, and say what it holds; nothing stops meanwhile.

    Raises Conflict where `target` exists, LedgerMismatch, Unavailable, StorageFull.
    """
    ledger.check_version()
    manifest = Manifest(made_at=time.time(), version=str(ledger.version()))
    stage = storage.scratch()
    try:
        with boxed(target) as box:
            wanted = staged(ledger, storage, stage, manifest)
            for path in [LEDGER, *sorted(wanted)]:
                manifest.files.append(_put(box, stage / path, path, manifest, wanted.get(path)))
            text = manifest.json()
            box.put(MANIFEST, BytesIO(text), len(text))
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return manifest


def _put(box: Box, file: Path, path: str, manifest: Manifest, sha256: str | None) -> Entry:
    with file.open("rb") as content:
        entry = box.put(path, content, os.fstat(content.fileno()).st_size)
    if sha256 is not None and entry.sha256 != sha256:
        manifest.damaged.append(path)
    return entry


def staged(ledger: Ledger, storage: Storage, stage: Path, manifest: Manifest) -> dict[str, str | None]:
    """The ledger at one moment and all files that it names, in `stage`; path → sha256, where it is known.

    At that moment nobody writes, for as long as it takes to link the files: what is absent was lost before. Where the
    file system has no links, they are copied after it, and what went in between has all begun anew.
    """
    for _ in range(ROUNDS):
        with ledger.whole() as connection:
            with ledger.still():
                names = named_in(Session(connection))
                wanted, missing, unlinked = _linked(storage, stage, names)
            snapshot(connection, stage / LEDGER)
        if all(_copy(storage.root / path, stage / FILES / path) for path in unlinked):
            manifest.missing = missing
            return wanted
        for old in stage.iterdir():
            remove_tree(old)
    raise Unavailable("files went faster than they could be copied: try again when less is being written")


def _linked(storage: Storage, stage: Path, names: list[Named]) -> tuple[dict[str, str | None], list[str], list[str]]:
    """Links to all that is named, in `stage`: path → sha256; what is not there; and which could not be linked."""
    wanted: dict[str, str | None] = {}
    missing, unlinked = [], []
    for name in names:
        files = [storage.relative(file) for file in _files(storage.path(name.path))]
        if not files:
            missing.append(name.path)
        wanted |= {f"{FILES}/{file}": name.sha256 for file in files}
        unlinked += [file for file in files if not _link(storage.root / file, stage / FILES / file)]
    return wanted, missing, unlinked


def _files(path: Path) -> Iterator[Path]:
    """The file, or all files of the folder."""
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from (file for file in sorted(path.rglob("*")) if file.is_file())


def _link(file: Path, link: Path) -> bool:
    """Keep the file's content under another name; False where the file system cannot."""
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        with suppress(FileExistsError):
            os.link(file, link)
    except OSError:
        return False
    return True


def _copy(file: Path, copy: Path) -> bool:
    """False where it is gone."""
    try:
        shutil.copyfile(file, copy)
    except FileNotFoundError:
        return False
    return True


# ---- going back to one ----


def restore(source: Path, settings: Settings) -> tuple[Manifest, int]:
    """Fill an empty server from a backup; what it holds, and how many jobs that ran then are back in their queue.

    Nothing appears before every file was verified. Raises NotFound, InvalidRequest, ChecksumMismatch, LedgerMismatch,
    Conflict where ledger or storage are not empty, StorageFull.
    """
    storage = Storage(settings.storage)
    with unboxed(source) as opener:
        manifest = read_manifest(opener)
        refuse_used(settings, storage)
        storage.require(manifest.size)
        stage = storage.scratch()
        try:
            with full_is_typed():
                for entry in manifest.files:
                    _take_out(opener, entry, stage)
                released = settle(stage / LEDGER)
                sync_tree(stage)
                _move_in(stage / FILES, storage.root)
                _publish_ledger(stage / LEDGER, settings)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    return manifest, released


def read_manifest(opener: Opener) -> Manifest:
    """What a backup says that it holds. Raises InvalidRequest, LedgerMismatch where it is of a newer Ganymede."""
    try:
        with opener(MANIFEST) as file:
            said: dict[str, Any] = json.loads(file.read())
        entries = [Entry(**entry) for entry in said.pop("files")]
        manifest = Manifest(**said, files=entries)
    except (NotFound, ValueError, TypeError, KeyError) as error:
        raise InvalidRequest(f"this is no backup of Ganymede: {error}") from error
    if manifest.format != FORMAT:
        raise LedgerMismatch(f"the backup is of format {manifest.format}, this program reads {FORMAT}")
    if LEDGER not in {entry.path for entry in entries}:
        raise InvalidRequest(f"this is no backup of Ganymede: it has no {LEDGER}")
    return manifest


def refuse_used(settings: Settings, storage: Storage) -> None:
    """Raises Conflict unless ledger and storage are empty."""
    there = [path.name for path in storage.root.iterdir() if path.name != SCRATCH] if storage.root.is_dir() else []
    if there:
        raise Conflict(f"{storage.root} is not empty: there is {', '.join(sorted(there)[:5])}")
    target = Ledger(settings.database_url)
    try:
        if target.version() is not None:
            target.check_version()
            with target.whole() as connection:
                refuse_filled(connection)
    finally:
        target.close()


def _take_out(opener: Opener, entry: Entry, stage: Path) -> None:
    """Copy a file and compare what was copied. Raises ChecksumMismatch, InvalidRequest for a path that leads out."""
    target = Storage(stage).path(entry.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with opener(entry.path) as file, target.open("xb") as copy:
        reading = Hashed(file)
        shutil.copyfileobj(reading, copy, CHUNK)
    if reading.entry(entry.path) != entry:
        raise ChecksumMismatch(f"{entry.path} is damaged in the backup: nothing was restored")


def settle(path: Path) -> int:
    """Bring a ledger to this version, and let go of what nobody holds any more: jobs return to their queues, no attempt
    charged, and are counted. Raises LedgerMismatch where it is of a newer version."""
    with in_file(path) as ledger:
        found = ledger.version()
        if found is None or not ledger.known_version(found):
            raise LedgerMismatch(f"the backup's ledger is of version {found}, which this program does not know")
        ledger.migrate()
        with ledger.writing() as session:
            released = move(session, update(JobRow), LET_GO, {"reason": "restored"})
            session.execute(delete(WorkerRow))
            return len(released)


def _move_in(files: Path, root: Path) -> None:
    """Rename what was verified into the storage's root, on the same file system."""
    for folder in files.iterdir() if files.is_dir() else ():
        folder.rename(root / folder.name)


def _publish_ledger(path: Path, settings: Settings) -> None:
    """Last of all: from here on there is a server."""
    target = Ledger(settings.database_url)
    try:
        if target.url.get_backend_name() == "sqlite" and target.version() is None:
            with publishing(Path(str(target.url.database))) as temporary:
                shutil.copyfile(path, temporary)
            return
        target.migrate()
        with in_file(path) as source:
            copied(source, target)
    finally:
        target.close()


# ---- the command ----


def main(given: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, or 1 with a line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m ledger.backup", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("path", type=Path, help="a folder, or a file that ends in .tar")
    options = parser.parse_args(given)
    try:
        return COMMANDS[options.command](options.path.absolute(), read_settings())
    except (GanymedeError, OSError) as error:
        sys.stderr.write(f"ganymede {NAMES[options.command]}: {error}\n")
        return 1


def _make(path: Path, settings: Settings) -> int:
    ledger = Ledger(settings.database_url)
    try:
        manifest = make(ledger, Storage(settings.storage), path)
    finally:
        ledger.close()
    sys.stdout.write(f"{len(manifest.files)} files, {manifest.size / 1e6:.1f} MB, in {path}\n")
    for what, wrong in (("is gone from storage", manifest.missing), ("was damaged already", manifest.damaged)):
        for one in wrong:
            sys.stderr.write(f"ganymede backup: {one} {what}\n")
    return 1 if manifest.missing or manifest.damaged else 0


def _restore(path: Path, settings: Settings) -> int:
    manifest, released = restore(path, settings)
    sys.stdout.write(f"{len(manifest.files)} files verified and restored; {released} jobs that ran are queued again\n")
    return 0


COMMANDS: Final[dict[str, Callable[[Path, Settings], int]]] = {"make": _make, "restore": _restore}
NAMES: Final = {"make": "backup", "restore": "restore"}

if __name__ == "__main__":
    sys.exit(main())
