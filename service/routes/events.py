"""What happens to several jobs, in one stream: a browser has few connections to a server."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, StringConstraints

from gan.spec import NAME_PATTERN
from service.headers import Accept
from service.house import Inside
from service.negotiation import negotiate
from service.openapi import problems
from service.routes.jobs import STREAM_EXAMPLE, LastEvent, Number, StreamedMetrics, streamed
from service.streaming import EVENT_STREAM

router = APIRouter(prefix="/v1/events", tags=["jobs"])

MOST_JOBS: Final = 50
"""Jobs of one stream."""

Jobs = Annotated[
    list[Annotated[str, StringConstraints(pattern=NAME_PATTERN)]],
    Query(alias="job", min_length=1, max_length=MOST_JOBS, description="The jobs' ids: `job=…&job=…`."),
    AfterValidator(lambda jobs: list(dict.fromkeys(jobs))),
]

STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A stream of the jobs' events, and of how they stand.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}, "example": STREAM_EXAMPLE}},
    },
    204: {"description": "All jobs have ended, and the caller knows all of it. Do not come again."},
}


@router.get(
    "",
    response_class=Response,
    summary="What happens to several jobs",
    responses=problems(404, 406) | STREAM,
)
async def stream_events(
    jobs: Jobs,
    house: Inside,
    accept: Accept,
    after: Number = 0,
    last_event_id: LastEvent = None,
    metrics_after: StreamedMetrics = None,
) -> Response:
    """The streams of several jobs (`GET /v1/jobs/{job}/events`) as one, `text/event-stream` alone, until all have
    ended.

    Each message says whose it is: the data of `event: job` by its `id`, all other data by `job`. Events are told in the
    order of their numbers, which no two jobs share, so that one `Last-Event-ID`, or `after`, stands for all.
    `metrics_after` holds for the series of each. 404 names the first job that is unknown.
    """
    negotiate(accept, (EVENT_STREAM,), "events of several jobs")
    return streamed(house, jobs, after if last_event_id is None else last_event_id, metrics_after)
