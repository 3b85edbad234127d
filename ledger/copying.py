"""The ledger as a whole, from one database into another: out of one that runs, at one moment, and into an empty one.

A copy is always a SQLite file, so that what was in PostgreSQL can be restored anywhere, and the other way round.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Table, func, insert, select, text

from gan.errors import Conflict, Unavailable
from ledger import tables
from ledger.database import Ledger

ROWS: Final = 1000
"""Rows that are carried at once."""

TABLES: Final = tables.Table.metadata.sorted_tables


@contextmanager
def in_file(path: Path) -> Iterator[Ledger]:
    """The ledger in a SQLite file; closed at the end, so that the file is all there is of it."""
    ledger = Ledger(URL.create("sqlite", database=str(path)).render_as_string())
    try:
        yield ledger
    finally:
        ledger.close()


def snapshot(connection: Connection, path: Path) -> None:
    """Write the ledger as this connection (`Ledger.whole`) sees it as a new SQLite file. Raises Unavailable."""
    if connection.dialect.name == "sqlite":
        _backed_up(connection, path)
        return
    with in_file(path) as copy:
        copy.migrate()
        with copy.whole() as here:
            _carry_all(connection, here)


def _backed_up(connection: Connection, path: Path) -> None:
    """Page by page, within the connection's transaction."""
    source = connection.connection.driver_connection
    assert isinstance(source, sqlite3.Connection)
    try:
        with closing(sqlite3.connect(path)) as copy:
            source.backup(copy)
    except sqlite3.Error as error:
        raise Unavailable(f"the ledger cannot be copied: {error}") from error


def copied(source: Ledger, target: Ledger) -> None:
    """Fill an empty ledger with the rows of another, both of this version. Raises Conflict where it is not empty."""
    with source.whole() as there, target.whole() as here:
        refuse_filled(here)
        _carry_all(there, here)


def refuse_filled(connection: Connection) -> None:
    """Raises Conflict where the ledger knows anything."""
    filled = [table.name for table in TABLES if connection.execute(select(table).limit(1)).first() is not None]
    if filled:
        raise Conflict(f"the ledger is not empty: there are rows in {', '.join(filled)}")


def _carry_all(there: Connection, here: Connection) -> None:
    for table in TABLES:
        _carry(table, there, here)
    if here.dialect.name == "postgresql":
        _go_on_counting(here)


def _carry(table: Table, there: Connection, here: Connection) -> None:
    rows = there.execution_options(yield_per=ROWS).execute(select(table)).mappings()
    while part := rows.fetchmany(ROWS):
        values: list[dict[str, Any]] = [dict(row) for row in part]
        here.execute(insert(table), values)


def _go_on_counting(connection: Connection) -> None:
    """PostgreSQL counts rows apart from them: on from the highest number."""
    for table in TABLES:
        if "number" in table.c:
            highest = connection.scalar(select(func.max(table.c.number)))
            if highest is not None:
                sequence = text("SELECT setval(pg_get_serial_sequence(:table, 'number'), :highest)")
                connection.execute(sequence, {"table": table.name, "highest": highest})
