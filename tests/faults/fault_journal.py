"""What a disk would hold after a power cut: file operations are noted as they happen, and replayed as far as synced.

Of a file there is what was fsynced, and nothing else. Of a folder there are, on the worst disk that POSIX allows, the
entries that it had when it was fsynced (`lazy`), or, on one that writes entries before anything else, all that it has
(`eager`); both are replayed.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Entries = dict[str, tuple[int, bool]]
"""A folder's: name → its inode, and whether it is a folder."""


class Step(NamedTuple):
    """A moment: the operation that came last, what of folders and files is on the disk, what the ledger refers to."""

    what: str
    lazy: dict[int, Entries]
    eager: dict[int, Entries]
    files: dict[int, bytes]
    referred: dict[str, str]


@dataclass
class Journal:
    """Notes operations below a root, and after each commit of the ledger what that refers to: path → checksum."""

    root: Path
    steps: list[Step] = field(default_factory=list)
    _folders: dict[int, Entries] = field(default_factory=dict)
    _files: dict[int, bytes] = field(default_factory=dict)
    _referred: dict[str, str] = field(default_factory=dict)

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on."""
        monkeypatch.setattr(os, "fsync", self._then(os.fsync, self._synced))
        for name in ("rename", "replace", "unlink", "rmdir", "mkdir"):
            monkeypatch.setattr(os, name, self._then(getattr(os, name), lambda *_, name=name: self._note(name)))

    def committed(self, referred: dict[str, str]) -> None:
        """The ledger's commit is on its disk."""
        self._referred = dict(referred)
        self._note("commit")

    def replay(self, step: Step, folders: dict[int, Entries], there: Path) -> None:
        """Make the tree that a power cut at that moment leaves, below another folder."""
        fill(step.files, folders, self.root.stat().st_ino, there)

    def _then(self, call: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
        def noted(*arguments: Any, **options: Any) -> Any:
            answer = call(*arguments, **options)
            note(*arguments)
            return answer

        return noted

    def _synced(self, descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_relative_to(self.root):
            inode = os.fstat(descriptor).st_ino
            if path.is_dir():
                self._folders[inode] = entries(path)
            else:
                self._files[inode] = path.read_bytes()
            self._note("sync")

    def _note(self, what: str) -> None:
        now = {Path(folder).stat().st_ino: entries(Path(folder)) for folder, *_ in os.walk(self.root)}
        self.steps.append(Step(what, dict(self._folders), now, dict(self._files), self._referred))


def entries(folder: Path) -> Entries:
    return {one.name: (one.stat().st_ino, one.is_dir()) for one in folder.iterdir()}


def fill(files: dict[int, bytes], folders: dict[int, Entries], inode: int, there: Path) -> None:
    there.mkdir(parents=True)
    for name, (entry, is_folder) in folders.get(inode, {}).items():
        if is_folder:
            fill(files, folders, entry, there / name)
        else:
            (there / name).write_bytes(files.get(entry, b""))
