"""What is new about jobs that are watched: events and rows of their series, of all of them in a few queries."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Final

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from ledger.database import Ledger
from ledger.mapping import event_record, metrics_record
from ledger.records import Event, MetricsRow
from ledger.tables import EventRow, MetricsTable

TOGETHER: Final = 100
"""Jobs of one query."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a series was read: the most images of a row, when the newest was written, and which were at that moment.

    A training that recovers writes rows anew at fewer images: they are found by when they were written.
    """

    top: int = -1
    since: float = 0.0
    at: frozenset[int] = frozenset()

    def beyond(self, rows: Sequence[MetricsRow]) -> "Mark":
        """The mark once these rows were read as well."""
        if not rows:
            return self
        since = max(self.since, *(row.created_at for row in rows))
        at = frozenset(row.images for row in rows if row.created_at == since)
        kept = self.at if since == self.since else frozenset[int]()
        return Mark(max(self.top, *(row.images for row in rows)), since, at | kept)

    def has(self, row: MetricsRow) -> bool:
        """Whether a row was read already."""
        written = row.created_at < self.since or (row.created_at == self.since and row.images in self.at)
        return written and row.images <= self.top


@dataclass(frozen=True, slots=True)
class Story:
    """A job's newest events, oldest first, whether these are all it has, and how far its series is written."""

    events: list[Event]
    whole: bool
    mark: Mark


class Following:
    """Reads for those who watch jobs. Every method asks a number of queries that does not grow with the watchers; all
    raise Unavailable when the database is away."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def begin(self, jobs: Collection[str], most: int) -> tuple[int, dict[str, Story]]:
        """A number that all later events are above, and of each job its story, of at most `most` events.

        The number is read first: an event that the stories lack is above it.
        """
        with self._ledger.reading() as session:
            newest = session.scalars(select(func.coalesce(func.max(EventRow.number), 0))).one()
            return newest, {job: _story(session, job, most) for job in jobs}

    def go_on(
        self, marks: Mapping[str, Mark], after: int, most: int
    ) -> tuple[list[Event], dict[str, list[MetricsRow]]]:
        """The events of these jobs with numbers above `after` (the first `most`), and their rows beyond their marks."""
        with self._ledger.reading() as session:
            events = [event for some in _parts(marks) for event in _events(session, some, after, most)]
            rows = [pair for some in _parts(marks) for pair in _rows(session, {job: marks[job] for job in some})]
        series = {job: [row for _, row in own] for job, own in groupby(rows, key=itemgetter(0))}
        return sorted(events, key=attrgetter("number"))[:most], series


def _parts(jobs: Collection[str]) -> Iterator[list[str]]:
    """The jobs in parts of at most `TOGETHER`."""
    rest = list(jobs)
    for start in range(0, len(rest), TOGETHER):
        yield rest[start : start + TOGETHER]


def _story(session: Session, job: str, most: int) -> Story:
    newest = select(EventRow).where(EventRow.job_id == job).order_by(EventRow.number.desc()).limit(most + 1)
    events = [event_record(row) for row in session.scalars(newest)]
    written = select(MetricsTable.images, MetricsTable.created_at).where(MetricsTable.job_id == job)
    rows = [MetricsRow(images, {}, created_at) for images, created_at in session.execute(written)]
    return Story(events[:most][::-1], len(events) <= most, Mark().beyond(rows))


def _events(session: Session, jobs: Collection[str], after: int, most: int) -> Iterator[Event]:
    wanted = select(EventRow).where(EventRow.job_id.in_(list(jobs)), EventRow.number > after)
    for row in session.scalars(wanted.order_by(EventRow.number).limit(most)):
        yield event_record(row)


def _rows(session: Session, marks: Mapping[str, Mark]) -> Iterator[tuple[str, MetricsRow]]:
    new = or_(
        *(
            (MetricsTable.job_id == job) & ((MetricsTable.images > mark.top) | (MetricsTable.created_at >= mark.since))
            for job, mark in marks.items()
        )
    )
    for row in session.scalars(select(MetricsTable).where(new).order_by(MetricsTable.job_id, MetricsTable.images)):
        record = metrics_record(row)
        if not marks[row.job_id].has(record):
            yield row.job_id, record
