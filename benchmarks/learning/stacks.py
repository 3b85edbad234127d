"""A table that is measured through the public API, on a stack of its own."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ganymede import Client
from ganymede.demo import embedded

Rows = Callable[[Client, Path], Iterator[str]]
"""The lines of a table, as they are measured; the folder is for uploads."""


def told_by_a_stack(rows: Rows, out: Path | None) -> None:
    """Prints each line as it comes, and writes them all to `out` at the end."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        (data := Path(folder) / "data").mkdir()
        with embedded(data) as client:
            for line in rows(client, Path(folder)):
                print(line, flush=True)
                lines.append(line)
    if out:
        out.write_text("\n".join(lines) + "\n")
