"""The table of faults: what was done, how many times, what became of it (docs/reliability.md shows it)."""

import fcntl
import os
from pathlib import Path

HEAD = "| # | harm | times | outcome |\n|---|---|---|---|\n"


def row(number: str, harm: str, times: int, outcome: str) -> None:
    """A line of the table that GANYMEDE_FAULT_TABLE names; nothing where it names none. Several processes may write."""
    if not (name := os.environ.get("GANYMEDE_FAULT_TABLE")):
        return
    with Path(name).open("a", encoding="utf-8") as table:
        fcntl.flock(table, fcntl.LOCK_EX)
        if not os.fstat(table.fileno()).st_size:
            table.write(HEAD)
        table.write(f"| {number} | {harm} | {times:,} | {outcome} |\n")
