"""A small disk of its own: a tmpfs, mounted for a test, to be filled to the last byte."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = 4096


class Disk:
    """A file system of so many megabytes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._filler = root / "filler"

    def fill(self, leave: int = 0) -> None:
        """Take all space but so many bytes."""
        self.empty()
        with self._filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * PAGE)
            except OSError:
                file.truncate(max(0, file.tell() // PAGE * PAGE - leave))

    def empty(self) -> None:
        """Give it back."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def disk_at(root: Path, megabytes: int) -> Iterator[Disk]:
    """Mounted until the block ends. Skips the test, with the reason, where this user may not mount anything."""
    root.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no small disk can be made here: {done.stderr.strip()} (it takes the right to mount)")
    try:
        yield Disk(root)
    finally:
        subprocess.run(["umount", "--lazy", str(root)], check=True)
