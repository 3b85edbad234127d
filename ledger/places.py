"""Places in the queue: how many jobs go before one, itself included."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from ledger.tables import JobRow


class Glance(NamedTuple):
    """What of a job says whether anything about it has changed, and where it is in the queue."""

    number: int
    id: str
    queue: str
    priority: int
    status: str
    version: int


COLUMNS = [JobRow.__table__.c[name] for name in Glance._fields]


def glances(session: Session, ids: Collection[str]) -> list[Glance]:
    """Those of these jobs that exist."""
    if not ids:
        return []
    wanted = select(*COLUMNS).where(JobRow.__table__.c.id.in_(list(ids)))
    return [Glance(*row) for row in session.execute(wanted)]


def places(session: Session, jobs: Iterable[Glance]) -> dict[str, int]:
    """Place by id of those of these jobs that are queued: 1 for the one that is claimed next.

    Of each queue and priority the jobs between one and the next of those asked for are counted, so that all together
    cost one walk along the queue's index, however many are asked for.
    """
    lines: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)
    for job in jobs:
        if job.status == "queued":
            lines[job.queue, job.priority][job.number] = job.id
    return {there[number]: place for line, there in lines.items() for number, place in _in_line(session, *line, there)}


GAPS = """
WITH gaps(low, high) AS (VALUES {gaps})
SELECT
    high,
    (SELECT count(*) FROM jobs WHERE {line} AND priority = :priority AND number > low AND number <= high),
    CASE WHEN low = 0 THEN (SELECT count(*) FROM jobs WHERE {line} AND priority > :priority) ELSE 0 END
FROM gaps
"""
LINE = "queue = :queue AND status = 'queued'"
"""Numbers of rows are written into it: as parameters they would be a new statement, to be compiled, for each count."""


def _in_line(session: Session, queue: str, priority: int, numbers: Collection[int]) -> Iterator[tuple[int, int]]:
    """(number, place) of jobs of one queue and priority."""
    gaps = ", ".join(f"({low:d}, {high:d})" for low, high in pairwise([0, *sorted(numbers)]))
    statement = text(GAPS.format(gaps=gaps, line=LINE))
    counted: list[Any] = sorted(session.execute(statement, {"queue": queue, "priority": priority}))
    place = 0
    for number, between, before in counted:
        place += between + before
        yield number, place
