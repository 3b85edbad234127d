"""Jobs: queued, watched, steered."""

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from pydantic import BaseModel

from gan.errors import InvalidRequest, NotFound
from gan.spec import NAME_PATTERN, EvaluateRequest, TrainRequest
from ledger import records
from ledger.states import QUEUES, TERMINAL
from service import series
from service.evaluations import evaluation_of
from service.headers import (
    Accept,
    Cursor,
    IfNoneMatch,
    JobId,
    Limit,
    Order,
    Plain,
    Wait,
    applied,
    matches,
    tagged,
)
from service.house import House, Inside
from service.negotiation import negotiate
from service.openapi import HELD, bodies_by_type, problems
from service.parsing import JSON, as_json, body_by_type
from service.schemas import Event, Job, JobStatus, JobType, List, Metrics
from service.series import CSV
from service.standing import Standing
from service.streaming import EVENT_STREAM, EventStream
from service.timelapse import FPS, FPS_BOUNDS, TYPES, shown_timelapse
from service.trainings import training_for

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

EXAMPLES: dict[str, Any] = {
    "short": {
        "summary": "Everything else is chosen from the data and the device",
        "value": {"type": "train", "dataset": "digits", "model": "digits", "recipe": "r3gan", "seed": 0},
    },
    "budget": {
        "summary": "A minute of WGAN-GP, with a smaller network",
        "value": {
            "type": "train",
            "dataset": "digits",
            "model": "digits-wgan",
            "recipe": "wgan-gp",
            "max_seconds": 60,
            "network": {"width": 32, "latent_dim": 64},
        },
    },
    "going-on": {
        "summary": "Training goes on with the same model",
        "value": {"type": "train", "dataset": "digits", "model": "digits", "resume_from": "digits", "images": 50000},
    },
    "evaluation": {
        "summary": "How good a model's newest checkpoint is, by its held-out data",
        "value": {"type": "evaluate", "model": "digits"},
    },
    "comparison": {
        "summary": "How far apart two datasets are",
        "value": {
            "type": "evaluate",
            "dataset": "left",
            "against": "right",
            "metrics": ["js_estimate", "wasserstein_estimate", "wasserstein_exact"],
        },
    },
}

BODIES: dict[str, type[BaseModel]] = {"train": TrainRequest, "evaluate": EvaluateRequest}
"""Job type → what its request is read as."""

NewJob = Annotated[TrainRequest | EvaluateRequest, Depends(body_by_type(BODIES))]
ModelFilter = Annotated[str | None, Query(pattern=NAME_PATTERN, description="Only jobs of this model (name or id).")]
Images = Annotated[int, Plain, Query(ge=-1, le=2**62, description="Only rows beyond this many images.")]
At = Annotated[
    int | None, Plain, Query(ge=0, le=2**62, description="The grid at exactly this many images; else the newest.")
]
Number = Annotated[int, Plain, Query(ge=0, le=2**62, description="Only events beyond this one.")]
LastEvent = Annotated[
    int | None,
    Plain,
    Header(alias="Last-Event-ID", ge=0, le=2**62, description="Of a stream: only events beyond this one, not `after`."),
]
StreamedMetrics = Annotated[
    int | None,
    Plain,
    Query(ge=-1, le=2**62, description="Of a stream: begin with the rows of the series beyond so many images."),
]
TimeLapse = Annotated[Literal["0", "1"], Query(description="`1`: all previews in order, as an animation.")]
Fps = Annotated[
    float | None,
    Query(ge=FPS_BOUNDS[0], le=FPS_BOUNDS[1], description=f"Previews of a time-lapse shown a second; else {FPS:g}."),
]

STREAM_EXAMPLE = """event: job
data: {"id":"job_0123456789abcdef01234567","object":"job","status":"running","progress":null}

id: 17
event: job.started
data: {"id":17,"object":"event","created_at":"2026-01-31T12:00:01Z","job":"job_0123","type":"job.started","data":{}}

event: metrics
data: {"object":"metrics","job":"job_0123456789abcdef01234567","data":[{"images":6400,"loss_generator":0.84}]}

"""
CSV_EXAMPLE = """images,created_at,jensen_shannon,loss_discriminator
6400,2026-01-31T12:00:09.120000Z,,1.21
"""


# ---- making and finding ----


@router.post(
    "",
    status_code=202,
    summary="Queue a job",
    openapi_extra=bodies_by_type(BODIES, EXAMPLES),
    responses=problems(400, 404, 409, 413, 415),
)
def create_job(body: NewJob, house: Inside, response: Response) -> Job:
    """Queue a training, or the evaluation of a model (or of a dataset) by a dataset.

    A training is of a new model, or with `resume_from` goes on from a checkpoint: in that model, or in a new one.

    What the request leaves out is chosen; `spec.chosen` says why. What an evaluation found is the job's `result`.
    """
    house.admit(QUEUES[body.type])
    return accepted(house, MAKERS[body.type](house, body), response)


def create_training(house: House, body: TrainRequest) -> records.Job:
    """A training job on a dataset that is ready, every figure chosen for the device that will run it."""
    spec, dataset, estimate = training_for(house, body)
    return house.jobs.create_training(spec, dataset, body.model, body.priority, dict(body.metadata), estimate)


def create_evaluation(house: House, body: EvaluateRequest) -> records.Job:
    """An evaluation whose two sides are there and alike."""
    evaluated = evaluation_of(house, body)
    model = evaluated.model
    return house.jobs.create(
        "evaluate",
        evaluated.spec.model_dump(mode="json"),
        dataset=evaluated.dataset,
        model_id=None if model is None else model.id,
        model=None if model is None else model.name,
        seed=body.seed,
        priority=body.priority,
        metadata=dict(body.metadata),
    )


MAKERS: dict[str, Callable[[House, Any], records.Job]] = {"train": create_training, "evaluate": create_evaluation}
"""Job type → what queues it."""


@router.get("", response_model=List[Job], summary="List jobs", responses=problems())
async def list_jobs(
    house: Inside,
    status: JobStatus | None = None,
    type: JobType | None = None,
    model: ModelFilter = None,
    after: Cursor = None,
    limit: Limit = 20,
    order: Order = "desc",
) -> Response:
    """A page of jobs, newest first, of one status, type or model if asked for."""
    only = {"status": status, "type": type, "model": model}
    page = await house.read(house.jobs.list_ids, after=after, limit=limit, order=order, **only)
    found = await asyncio.gather(*map(house.standing, page.data), return_exceptions=True)
    return Response(listing(page, found), media_type=JSON)


def listing(page: records.Page[str], found: Sequence[Standing | BaseException]) -> bytes:
    """A page of jobs as JSON, of those that have not been deleted since. Raises what was found instead of jobs."""
    jobs = [(id, job.body) for id, job in zip(page.data, found, strict=True) if isinstance(job, Standing)]
    for error in (one for one in found if isinstance(one, BaseException) and not isinstance(one, NotFound)):
        raise error
    rest = {
        "first_id": jobs[0][0] if jobs else None,
        "last_id": jobs[-1][0] if jobs else None,
        "has_more": page.has_more,
    }
    bodies = b",".join(body for _, body in jobs)
    return b'{"object":"list","data":[' + bodies + b"]," + json.dumps(rest, separators=(",", ":")).encode()[1:]


@router.get("/{job}", response_model=Job, summary="A job", responses=problems(404) | HELD)
async def get_job(job: JobId, house: Inside, wait: Wait, if_none_match: IfNoneMatch = None) -> Response:
    """A job as it stands. `Prefer: wait=N` answers when its status changes, or after N seconds."""
    return await shown_job(house, job, wait, if_none_match)


async def shown_job(house: House, id: str, wait: int | None, if_none_match: str | None) -> Response:
    """The answer to `get_job`. Raises NotFound, Unavailable."""
    job = await job_after(house, id, wait or 0)
    headers = {"ETag": job.etag, "Cache-Control": "no-cache", **applied(wait)}
    if matches(if_none_match, job.etag):
        return Response(status_code=304, headers=headers)
    return Response(job.body, media_type=JSON, headers=headers)


async def job_after(house: House, id: str, wait: int) -> Standing:
    """The job, once its status is another than now or `wait` seconds have passed; at once if it has ended."""
    first = await house.standing(id)
    if wait == 0 or first.status in TERMINAL:
        return first
    return await house.watcher.until(id, lambda: house.standing(id), lambda now: now.status != first.status, wait)


@router.delete("/{job}", status_code=204, summary="Delete a job that has ended", responses=problems(404, 409))
def delete_job(job: JobId, house: Inside) -> Response:
    """Delete a job with its events, metrics and previews; its model stays. 409 while it has not ended."""
    house.storage.remove(*house.jobs.delete(job))
    return Response(status_code=204)


# ---- steering ----


def accepted(house: House, row: records.Job, response: Response, changed: bool = True) -> Job:
    """202 with where to look and when, and the bell rung; 200 where there was nothing to do."""
    response.status_code = 202 if changed else 200
    response.headers.update({"Location": f"/v1/jobs/{row.id}", "Retry-After": "1"} if changed else {})
    if changed and row.status == "queued":
        house.doorbell.ring(row.queue, row.id)
    return Job.of(row, house.jobs.queue_position(row.id))


UNCHANGED: dict[int | str, dict[str, Any]] = {200: {"model": Job, "description": "Nothing to do: the present state."}}


@router.post("/{job}/cancel", status_code=202, summary="Cancel a job", responses=problems(404, 409) | UNCHANGED)
def cancel_job(job: JobId, house: Inside, response: Response) -> Job:
    """End a job; its newest checkpoint stays. 409 if it has succeeded or failed."""
    row, changed = house.jobs.cancel(job)
    return accepted(house, row, response, changed)


@router.post("/{job}/pause", status_code=202, summary="Pause a job", responses=problems(404, 409) | UNCHANGED)
def pause_job(job: JobId, house: Inside, response: Response) -> Job:
    """Have a job checkpoint and let go of its device, or not begin. 409 if it is ending or has ended."""
    row, changed = house.jobs.pause(job)
    return accepted(house, row, response, changed)


@router.post("/{job}/resume", status_code=202, summary="Resume a paused job", responses=problems(404, 409) | UNCHANGED)
def resume_job(job: JobId, house: Inside, response: Response) -> Job:
    """Put a paused job back into its queue; it goes on where it was. 409 if it is ending or has ended."""
    row, changed = house.jobs.resume(job)
    return accepted(house, row, response, changed)


@router.post("/{job}/retry", status_code=202, summary="Try a failed job again", responses=problems(404, 409))
def retry_job(job: JobId, house: Inside, response: Response) -> Job:
    """A new job with the same spec that goes on from the newest checkpoint. 409 unless it failed or was cancelled."""
    house.admit(house.jobs.get(job).queue)
    return accepted(house, house.jobs.retry(job), response)


# ---- watching ----


STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page of events; or a stream of them, if `Accept` prefers `text/event-stream`.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}, "example": STREAM_EXAMPLE}},
    },
    204: {"description": "Of a stream: the job has ended, and the caller knows all of it. Do not come again."},
}


@router.get(
    "/{job}/events",
    response_model=List[Event],
    summary="What happened to a job",
    responses=problems(404, 406) | STREAM,
)
async def list_job_events(
    job: JobId,
    house: Inside,
    accept: Accept,
    after: Number = 0,
    limit: Limit = 100,
    last_event_id: LastEvent = None,
    metrics_after: StreamedMetrics = None,
) -> Response:
    """A page of a job's events, oldest first; or, as `text/event-stream`, all of them and what happens from now on.

    A stream tells each event as `id: NUMBER`, `event: TYPE`, `data: EVENT`, beginning after `Last-Event-ID`, else after
    `after`. Between these, without an id: `event: job` with the job, at first and whenever anything about it has
    changed, and `event: metrics` with rows of its series (those that are new; with `metrics_after`, at first those
    beyond so many images). Rows replace earlier ones at as many images; `job.recovered` takes back those beyond its
    `to_images`. A comment is sent where nothing else is for 15
    seconds. The stream ends after the event that ends the job; whoever comes again then gets 204. It may end before
    (the server ends, or the watcher does not read): come again with `Last-Event-ID`, as browsers do by themselves.
    """
    if negotiate(accept, (JSON, EVENT_STREAM), "events"):
        begin = after if last_event_id is None else last_event_id
        return streamed(house, [job], begin, metrics_after)
    return as_json(await house.read(events_page, house, [job], after, limit))


def streamed(house: House, jobs: Sequence[str], after: int, metrics_after: int | None) -> EventStream:
    """What happened to these jobs beyond an event, and what happens."""
    earlier = partial(house.read, house.jobs.events_after, jobs)
    return EventStream(house.feeds, jobs, after, metrics_after, earlier, house.series)


def events_page(house: House, jobs: Sequence[str], after: int, limit: int) -> List[Event]:
    """A page of the events of these jobs, or of all where none is named. Raises NotFound."""
    for job in jobs:
        house.jobs.get(job)
    found = house.jobs.events_after(jobs or None, after, limit + 1)
    return List.of(records.Page(found[:limit], len(found) > limit), Event.of)


SERIES: dict[str, Callable[[str, Sequence[records.MetricsRow]], bytes]] = {JSON: series.as_json, CSV: series.as_csv}
"""Media type → how a series is written."""


@router.get(
    "/{job}/metrics",
    response_model=Metrics,
    summary="A job's time series",
    responses=problems(404, 406)
    | HELD
    | {200: {"description": "The series.", "content": {CSV: {"schema": {"type": "string"}, "example": CSV_EXAMPLE}}}},
)
def get_job_metrics(
    job: JobId, house: Inside, accept: Accept, after: Images = -1, if_none_match: IfNoneMatch = None
) -> Response:
    """What was measured, a row a report, keyed by images seen; as JSON or as `text/csv`.

    The table's columns are `images`, `created_at`, and the names of all values by the alphabet; a value that could not
    be estimated is an empty cell.
    """
    form = tuple(SERIES)[negotiate(accept, tuple(SERIES), "metrics")]
    house.jobs.get(job)
    return tagged(SERIES[form](job, house.jobs.metrics(job, after)), form, if_none_match, Vary="Accept")


MOVING: dict[str, Any] = {"image/png": {}} | {media_type: {} for media_type in TYPES}


@router.get(
    "/{job}/preview",
    summary="A preview grid, or all of them as a time-lapse",
    response_class=Response,
    responses=problems(404, 406)
    | HELD
    | {200: {"content": MOVING, "description": "A grid of samples, or with `timelapse=1` an animation of all."}},
)
async def get_job_preview(
    job: JobId,
    house: Inside,
    accept: Accept,
    at: At = None,
    timelapse: TimeLapse = "0",
    fps: Fps = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """A grid of samples from seeds that stay the same throughout training, as PNG; `Content-Location` says which.

    With `timelapse=1` all grids in order as one animation: `image/webp` (the default), `image/gif` or `image/apng`, by
    `Accept`. Of more than 120, or of large ones fewer, as many are shown, evenly chosen; those with a side of more than
    640 pixels are reduced.
    """
    if timelapse == "1":
        if at is not None:
            raise InvalidRequest("a time-lapse shows all previews: leave out at or timelapse", param="at")
        return await shown_timelapse(house, job, accept, FPS if fps is None else fps, if_none_match)
    if fps is not None:
        raise InvalidRequest("fps is a time-lapse's: add timelapse=1", param="fps")
    return await run_in_threadpool(shown_preview, house, job, at, if_none_match)


def shown_preview(house: House, job: str, at: int | None, if_none_match: str | None) -> Response:
    """The newest preview, or the one at so many images. Raises NotFound."""
    row = house.jobs.get(job)
    found = [row for row in house.jobs.previews(job) if at is None or row.images == at]
    path = house.storage.path(found[-1].path) if found else None
    if path is None or not path.is_file():
        raise NotFound(f"job {job} has no preview {missing(row, at)}".strip())
    headers = {"Content-Location": f"/v1/jobs/{job}/preview?at={found[-1].images}", "Cache-Control": "no-cache"}
    answer = FileResponse(path, media_type="image/png", headers=headers, stat_result=path.stat())
    if matches(if_none_match, answer.headers["ETag"]):
        return Response(status_code=304, headers=headers | {"ETag": answer.headers["ETag"]})
    return answer


def missing(row: records.Job, at: int | None) -> str:
    """How a preview that is not there is spoken of: a job that has ended makes no more."""
    if at is not None:
        return f"at {at} images"
    return "" if row.status in TERMINAL else "yet"
