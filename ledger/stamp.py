"""Whether anything has been committed since: a number that SQLite has for it, read in microseconds."""

import sqlite3
from pathlib import Path


class Stamp:
    """SQLite's `PRAGMA data_version`, on a connection of its own that writes nothing: every commit changes it.

    Belongs to one thread. It never waits: where the number cannot be read at once, there is none.
    """

    def __init__(self, path: Path) -> None:
        self._address = f"{path.absolute().as_uri()}?mode=ro"
        self._connection: sqlite3.Connection | None = None
        self._opened = 0

    def __call__(self) -> tuple[int, int] | None:
        """Equal to an earlier one only if nothing was committed between the two; None if that cannot be said."""
        try:
            found = self._open().execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            self.close()
            return None
        return self._opened, found[0]

    def _open(self) -> sqlite3.Connection:
        """The numbers of one connection say nothing of those of another, so each has a number itself."""
        if self._connection is None:
            self._connection = sqlite3.connect(self._address, uri=True, timeout=0)
            self._opened += 1
        return self._connection

    def close(self) -> None:
        """Let go of the file; a later call opens it anew."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Unstamped:
    """Of a database that has no such number."""

    def __call__(self) -> None:
        """None: whether anything was committed is not known."""

    def close(self) -> None:
        """Nothing to let go of."""
