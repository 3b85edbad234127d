"""A job's series as an answer: JSON, or a table for spreadsheets."""

import csv
from collections.abc import Sequence
from io import StringIO
from typing import Final

from ledger.records import MetricsRow
from service.schemas import Metrics, moment

CSV: Final = "text/csv"
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute."""


def as_json(job: str, rows: Sequence[MetricsRow]) -> bytes:
    """The series as the `Metrics` of the document."""
    return Metrics.of(job, rows).model_dump_json().encode()


def as_csv(job: str, rows: Sequence[MetricsRow]) -> bytes:  # noqa: ARG001 - as `as_json`
    """A line a row: `images`, `created_at`, then a column a name, by the alphabet; what was not estimable is empty."""
    names = sorted({name for row in rows for name in row.values})
    text = StringIO()
    table = csv.writer(text)
    table.writerow(["images", "created_at", *map(harmless, names)])
    for row in rows:
        created = moment(row.created_at).isoformat().replace("+00:00", "Z")
        table.writerow([row.images, created, *(row.values.get(name) for name in names)])
    return text.getvalue().encode()


def harmless(name: str) -> str:
    """A heading that no spreadsheet takes for a formula, nor for two lines."""
    word = " ".join(name.split())
    return f"'{word}" if word.startswith(FORMULA) else word
