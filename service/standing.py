"""Jobs as they stand, ready to be sent: what thousands of polls a second are answered with."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from gan.errors import NotFound
from ledger.jobs import Jobs
from service.schemas import Job

MOST_KEPT: Final = 20_000
"""Jobs whose JSON is kept, a few kilobytes each."""


class Standing(NamedTuple):
    """A job's status, the ETag of what is said of it, and that as JSON.

    Nothing in it is of interest to Python's garbage collector, which would stop all requests to look through thousands
    of records.
    """

    status: str
    etag: str
    body: bytes


class Standings:
    """Says how jobs stand. What it said of one is said again while the ledger has the same version in the same place.

    Called by one thread at a time.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._kept: OrderedDict[str, Standing] = OrderedDict()

    def __call__(self, ids: Sequence[str]) -> Mapping[str, Standing | Exception]:
        """Each of these jobs, or that there is none such."""
        said: dict[str, Standing | Exception] = {id: NotFound(f"there is no job {id}") for id in ids}
        changed: dict[str, int | None] = {}
        for id, (seen, place) in self._jobs.glance(ids).items():
            kept = self._kept.get(id)
            if kept is not None and kept.etag == etag_of(seen.version, place):
                said[id] = kept
            else:
                changed[id] = place
        return said | self._made(changed)

    def _made(self, places: Mapping[str, int | None]) -> dict[str, Standing | Exception]:
        """How these stand that have not been said so before."""
        made: dict[str, Standing | Exception] = {}
        for row in self._jobs.get_many(list(places)) if places else ():
            place = places[row.id] if row.status == "queued" else None
            body = Job.of(row, place).model_dump_json().encode()
            made[row.id] = self._kept[row.id] = Standing(row.status, etag_of(row.version, place), body)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return made


def etag_of(version: int, place: int | None) -> str:
    """Of a job's version, and of its place in the queue, which others move."""
    return f'"{version}.{place or 0}"'
