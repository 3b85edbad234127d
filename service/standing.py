"""Jobs as they stand, ready to be sent: what thousands of polls a second are answered with."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gan.errors import NotFound
from ledger.jobs import Jobs
from service.schemas import Job


class Standing(NamedTuple):
    """A job's status, the ETag of what is said of it, and that as JSON.

    Nothing in it is of interest to Python's garbage collector, which would stop all requests to look through thousands
    of records.
    """

    status: str
    etag: str
    body: bytes


def standing_of(jobs: Jobs, ids: Sequence[str]) -> Mapping[str, Standing | Exception]:
    """Each of these jobs, or that there is none such."""
    said: dict[str, Standing | Exception] = {id: NotFound(f"there is no job {id}") for id in ids}
    for id, (row, place) in jobs.standing(ids).items():
        body = Job.of(row, place).model_dump_json().encode()
        said[id] = Standing(row.status, f'"{row.version}.{place or 0}"', body)
    return said
