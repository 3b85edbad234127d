"""Places in the queue: how many jobs go before one, itself included."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import pairwise

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from ledger.tables import JobRow


def places(session: Session, ids: Collection[str]) -> dict[str, int]:
    """Place by id of those of these jobs that are queued: 1 for the one that is claimed next.

    Of each queue and priority the jobs between one and the next of those asked for are counted, so that all together
    cost one walk along the queue's index, however many are asked for.
    """
    lines: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)
    wanted = select(JobRow.id, JobRow.number, JobRow.queue, JobRow.priority, JobRow.status)
    for row in session.execute(wanted.where(JobRow.id.in_(list(ids)))) if ids else ():
        if row.status == "queued":  # in the query, it would have SQLite walk along the index of states
            lines[row.queue, row.priority][row.number] = row.id
    return {there[number]: place for line, there in lines.items() for number, place in _in_line(session, *line, there)}


GAPS = """
WITH gaps(low, high) AS (VALUES {gaps})
SELECT high, (
    SELECT count(*) FROM jobs
    WHERE queue = :queue AND status = 'queued' AND priority = :priority AND number > low AND number <= high
) FROM gaps
"""
"""Numbers of rows are written into it: as parameters they would be a new statement, to be compiled, for each count."""


def _in_line(session: Session, queue: str, priority: int, numbers: Collection[int]) -> Iterator[tuple[int, int]]:
    """(number, place) of jobs of one queue and priority."""
    ahead = select(func.count()).where(JobRow.queue == queue, JobRow.status == "queued", JobRow.priority > priority)
    before = session.scalars(ahead).one()
    ordered = sorted(numbers)
    gaps = ", ".join(f"({low:d}, {high:d})" for low, high in pairwise([0, *ordered]))
    counted = session.execute(text(GAPS.format(gaps=gaps)), {"queue": queue, "priority": priority})
    between = {row[0]: row[1] for row in counted}
    for number in ordered:
        before += between[number]
        yield number, before
