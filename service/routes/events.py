"""What happens to several jobs, or to any, in one stream: a browser has few connections to a server."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, StringConstraints

from gan.spec import NAME_PATTERN
from service.headers import Accept, Limit, Plain
from service.house import Inside
from service.negotiation import negotiate
from service.openapi import problems
from service.parsing import JSON, as_json
from service.routes.jobs import STREAM as STREAM_OF_ONE
from service.routes.jobs import LastEvent, StreamedMetrics, events_page, streamed
from service.schemas import Event, List
from service.streaming import EVENT_STREAM, NewsStream

router = APIRouter(prefix="/v1/events", tags=["jobs"])

MOST_JOBS: Final = 50
"""Jobs of one stream."""

Jobs = Annotated[
    list[Annotated[str, StringConstraints(pattern=NAME_PATTERN)]],
    Query(
        default_factory=list,
        alias="job",
        max_length=MOST_JOBS,
        description="The jobs' ids: `job=…&job=…`. None: all jobs.",
    ),
    AfterValidator(lambda jobs: list(dict.fromkeys(jobs))),
]
After = Annotated[
    int | None,
    Plain,
    Query(ge=0, le=2**62, description="Only events beyond this one; a stream of all jobs begins with what is new."),
]

STREAM: dict[int | str, dict[str, Any]] = STREAM_OF_ONE | {
    204: {"description": "Of a stream: all jobs have ended, and the caller knows all of it. Do not come again."},
}


@router.get(
    "",
    response_model=List[Event],
    summary="What happens to several jobs, or to any",
    responses=problems(404, 406) | STREAM,
)
async def list_events(
    jobs: Jobs,
    house: Inside,
    accept: Accept,
    after: After = None,
    limit: Limit = 100,
    last_event_id: LastEvent = None,
    metrics_after: StreamedMetrics = None,
) -> Response:
    """A page of the events of several jobs, or of all, oldest first; or, as `text/event-stream`, a stream of them.

    Of named jobs a stream tells what their own streams (`GET /v1/jobs/{job}/events`) tell, until all have ended. Each
    message says whose it is: the data of `event: job` by its `id`, all other data by `job`. Events are told in the
    order of their numbers, which no two jobs share, so that one `Last-Event-ID`, or `after`, stands for all.
    `metrics_after` holds for the series of each. 404 names the first job that is unknown.

    Where no job is named, a stream tells the events of every job, those that are queued later too, from now on (or
    beyond `Last-Event-ID`, else `after`), for as long as the caller listens: events alone, neither `event: job` nor
    series.
    """
    if not negotiate(accept, (JSON, EVENT_STREAM), "events"):
        return as_json(await house.read(events_page, house, jobs, after or 0, limit))
    begin = after if last_event_id is None else last_event_id
    if jobs:
        return streamed(house, jobs, begin or 0, metrics_after)
    newest = await house.read(house.jobs.newest_event)
    return NewsStream(house.feeds, house.watcher, newest if begin is None else begin, house.news)
