"""`Client`: the REST API in Python. Requests are the API's own words, answers are typed records.

    from ganymede import Client

    with Client() as client:                       # GANYMEDE_URL, GANYMEDE_API_KEY
        client.datasets.upload("digits.zip")
        job = client.jobs.create({"type": "train", "dataset": "digits", "model": "digits"})
        client.jobs.wait(job.id)
        client.samples.save({"model": "digits", "seed": 0, "count": 16}, "grid.png")

A request is a mapping, or the same thing as a checked object of `gan.spec` (`TrainRequest`, `EvaluateRequest`,
`SampleSpec`, `InterpolationSpec`, `ScoreSpec`). Every method raises the errors of `ganymede.errors`: `ProblemError` for
what the server refuses, `ServerUnreachable` where none answers.
"""

import os
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Literal, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from gan.spec import (
    DatasetRequest,
    EvaluateRequest,
    InterpolationSpec,
    ProjectRequest,
    SampleSpec,
    ScoreSpec,
    TrainRequest,
    Words,
)
from ganymede.errors import JobCancelled, JobFailed, NotGanymede, UsageError
from ganymede.records import (
    Checkpoint,
    Dataset,
    DatasetImage,
    Event,
    Job,
    Memory,
    Model,
    Neighbours,
    Page,
    Recipe,
    Record,
    Scores,
    Series,
    TrainingEstimate,
)
from ganymede.settings import ClientSettings
from ganymede.streams import Following
from ganymede.transport import Away, Transport, patiently
from ganymede.upload import Report, Watched, dataset_name, uploadable

MEDIA_TYPES: Final = {
    ".png": "image/png",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".apng": "image/apng",
    ".zip": "application/zip",
    ".json": "application/json",
    ".npy": "application/x-npy",
    ".csv": "text/csv",
}
"""A file's suffix → what is asked of the server for it."""

MAX_WAIT: Final = 60
"""The longest long poll that the API knows, in seconds."""

WATCH_PATIENCE: Final = 120.0
"""Seconds for which watching a job outlives a server that is away."""

STREAMED: Final[dict[str, type[Job | Series]]] = {"job": Job, "metrics": Series}
"""Messages of a stream that are no events of the job's history."""

JsonObject = dict[str, Any]
Rows = list[JsonObject]
JSON_OBJECT: Final = TypeAdapter(JsonObject)
R = TypeVar("R", bound=Record)
T = TypeVar("T")


@dataclass(frozen=True)
class Drawing:
    """What sampling answers: the bytes, their media type, and the headers that name seeds, labels and checkpoint."""

    content: bytes
    media_type: str
    headers: Mapping[str, str]

    def save(self, path: str | Path) -> Path:
        """Write the bytes to a file."""
        Path(path).write_bytes(self.content)
        return Path(path)


class Client(AbstractContextManager["Client"]):
    """A Ganymede server.

    `url` and `api_key` default to GANYMEDE_URL (else http://127.0.0.1:8000) and GANYMEDE_API_KEY; `timeout` is how
    many seconds an answer may take; `transport` is httpx's, for tests. One client may be used from several threads.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 120.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        settings = ClientSettings.from_environment()
        self.http = Transport(url or settings.url, api_key or settings.api_key, timeout, transport)
        self.datasets = Datasets(self.http)
        self.jobs = Jobs(self.http)
        self.models = Models(self.http)
        self.samples = Drawings(self.http, "/v1/samples")
        self.interpolations = Drawings(self.http, "/v1/interpolations")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The server's address."""
        return self.http.url

    def ready(self) -> JsonObject:
        """`/readyz`: raises `Unavailable` while the server is not."""
        return _object(self.http.get("/readyz", patience=0.0))

    def evaluate(
        self,
        request: EvaluateRequest | Mapping[str, Any],
        *,
        timeout: float | None = None,
        progress: Callable[[Job], None] | None = None,
    ) -> JsonObject:
        """Queue an evaluation, wait for it, and answer its result: `{metrics, extractor, reference, sample, …}`.

        `{"model": "digits"}` measures a model by its own held-out data (or by another `dataset`), `{"dataset": "a",
        "against": "b"}` one dataset by another. Raises as `jobs.wait`.
        """
        asked = request if isinstance(request, EvaluateRequest) else {"type": "evaluate", **request}
        job = self.jobs.wait(self.jobs.create(asked).id, timeout=timeout, progress=progress)
        return job.result or {}

    def recipes(self) -> Page[Recipe]:
        """The published settings that `recipe` of a training may name, newest first."""
        return _record(Page[Recipe], self.http.get("/v1/recipes"))

    def scores(self, request: ScoreSpec | Mapping[str, Any]) -> Scores:
        """What a model's discriminator thinks of images or points: `{"model": "digits", "images": […]}`.

        Images are PNG, JPEG or WebP files: their paths, their bytes, or their base64; `labels` say as what they are
        judged. Raises what `samples.create` raises, OSError for a path.
        """
        return _record(Scores, self.http.compute("/v1/scores", json=_with_pictures(_body(request))))

    def project(
        self,
        request: ProjectRequest | Mapping[str, Any],
        *,
        timeout: float | None = None,
        progress: Callable[[Job], None] | None = None,
        idempotency_key: str | None = None,
    ) -> JsonObject:
        """The latents whose pictures come nearest to images: `{data: [{index, latent, label, distance}], …}`.

        `{"model": "digits", "images": […]}`; images are given as to `scores`. Queues a job and waits for it: raises as
        `jobs.wait`.
        """
        body = _with_pictures(_body(request))
        job = _record(Job, self.http.create("/v1/projections", key=idempotency_key, json=body))
        return self.jobs.wait(job.id, timeout=timeout, progress=progress).result or {}

    def close(self) -> None:
        """Close the connections."""
        self.http.close()


@dataclass(frozen=True)
class Datasets:
    """`/v1/datasets`. A dataset is named by its id or its name."""

    http: Transport

    def upload(
        self,
        path: str | Path,
        name: str | None = None,
        *,
        width: int | None = None,
        height: int | None = None,
        progress: Report | None = None,
        idempotency_key: str | None = None,
    ) -> Dataset:
        """Send a folder, zip, .npy or .csv; answers at once, while a worker prepares it (`wait`).

        `name` defaults to the path's stem. `progress` is told (bytes sent, bytes in all). The file is streamed.
        """
        with uploadable(Path(path)) as packed:
            return self.send(
                packed.path, name or dataset_name(Path(path)), width, height, progress, idempotency_key=idempotency_key
            )

    def send(
        self,
        file: Path,
        name: str,
        width: int | None = None,
        height: int | None = None,
        progress: Report | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Dataset:
        """Send one file as it is."""
        fields = {"name": name, "width": width, "height": height}
        form = {key: str(value) for key, value in fields.items() if value is not None}
        with _open(file, progress) as body:
            files = {"file": (file.name, body, "application/octet-stream")}
            return _record(Dataset, self.http.create("/v1/datasets", key=idempotency_key, data=form, files=files))

    def import_folder(
        self, request: DatasetRequest | Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> Dataset:
        """Have the server read a folder below its own import directory: `{name, source: {path}}`."""
        return _record(Dataset, self.http.create("/v1/datasets", key=idempotency_key, json=_body(request)))

    def get(self, dataset: str) -> Dataset:
        """One dataset."""
        return _record(Dataset, self.http.get(f"/v1/datasets/{_part(dataset)}"))

    def list(self, *, after: str | None = None, limit: int | None = None) -> Page[Dataset]:
        """One page of datasets."""
        return _record(Page[Dataset], self.http.get("/v1/datasets", params={"after": after, "limit": limit}))

    def settled(self, dataset: str, *, timeout: float | None = None) -> Dataset:
        """The dataset once it is `ready` or `failed`. Raises TimeoutError after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        delay = 0.05
        while (found := self.get(dataset)).status == "preparing":
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"dataset {dataset} was not prepared within {timeout:g} s")
            time.sleep(delay := min(delay * 1.5, 1.0))
        return found

    def wait(self, dataset: str, *, timeout: float | None = None) -> Dataset:
        """The dataset once it is prepared. Raises JobFailed with the reason if it cannot be, or TimeoutError."""
        return prepared(self.settled(dataset, timeout=timeout))

    def preview(self, dataset: str, path: str | Path) -> Path:
        """Save a picture of the data: a grid of its images, or its points."""
        return _save(self.http, "GET", f"/v1/datasets/{_part(dataset)}/preview", Path(path))

    def images(
        self,
        dataset: str,
        *,
        label: str | int | None = None,
        order: Literal["stored", "spread"] | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> Page[DatasetImage]:
        """One page of a dataset's images, of one class or of all: as they are stored, or spread evenly over all."""
        asked = {"label": label, "order": order, "after": after, "limit": limit}
        return _record(Page[DatasetImage], self.http.get(f"/v1/datasets/{_part(dataset)}/images", params=asked))

    def image(self, dataset: str, index: int, path: str | Path, *, size: int | None = None) -> Path:
        """Save one image of a dataset as a PNG, its longer side `size` pixels; of a pair, input and target."""
        address = f"/v1/datasets/{_part(dataset)}/images/{index}.png"
        return _save(self.http, "GET", address, Path(path), params={} if size is None else {"size": size})

    def delete(self, dataset: str) -> None:
        """Delete a dataset. Raises Conflict while a job needs it."""
        self.http.send("DELETE", f"/v1/datasets/{_part(dataset)}")


@dataclass(frozen=True)
class Jobs:
    """`/v1/jobs`."""

    http: Transport

    def create(
        self, request: TrainRequest | EvaluateRequest | Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> Job:
        """Queue a job: `{"type": "train", "dataset": …, "model": …, "recipe": …}` and any override of the API.

        `"resume_from": "faces@best"` goes on from a checkpoint: with that model if `model` is its name, else with a new
        one. Or `{"type": "evaluate", …}`, of which `Client.evaluate` also waits for the result. An answer that is lost
        is asked for again without making a second job; with a key of your own, also after this process has ended.
        """
        return _record(Job, self.http.create("/v1/jobs", key=idempotency_key, json=_body(request)))

    def estimate(self, request: TrainRequest | Mapping[str, Any]) -> TrainingEstimate:
        """What a training would be, with the reasons of all that is chosen, and what it will take; nothing is queued.

        Raises what `create` would, but for a full queue and quotas.
        """
        return _record(TrainingEstimate, self.http.compute("/v1/estimates", json=_body(request)))

    def get(self, job: str, *, wait: int = 0) -> Job:
        """One job; with `wait`, as soon as its state changes or after so many seconds (at most 60)."""
        return self._get(job, wait, None)

    def _get(self, job: str, wait: int, patience: float | None, away: Away | None = None) -> Job:
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        address = f"/v1/jobs/{_part(job)}"
        return _record(Job, self.http.get(address, headers=headers, wait=wait, patience=patience, away=away))

    def list(
        self,
        *,
        status: str | None = None,
        type: str | None = None,
        model: str | None = None,
        after: str | None = None,
        limit: int | None = None,
        order: str | None = None,
    ) -> Page[Job]:
        """One page of jobs, by state, type and model."""
        asked = {"status": status, "type": type, "model": model, "after": after, "limit": limit, "order": order}
        return _record(Page[Job], self.http.get("/v1/jobs", params=asked))

    def watch(
        self, job: str, *, every: int = 1, patience: float = WATCH_PATIENCE, away: Away | None = None
    ) -> Iterator[Job]:
        """The job now, then again at each change of state and at least every `every` seconds (1..60), until it ends.

        A server that goes away meanwhile is waited for, `patience` seconds long; `away` is told why, once each time.
        """
        wait = min(max(every, 1), MAX_WAIT)
        found = self._get(job, 0, patience, away)
        yield found
        while not found.ended:
            asked = time.monotonic()
            before, found = found, self._get(job, wait, patience, away)
            if found.status == before.status:
                time.sleep(max(0.0, asked + wait - time.monotonic()))
            yield found

    def wait(self, job: str, *, timeout: float | None = None, progress: Callable[[Job], None] | None = None) -> Job:
        """The job once it has succeeded. Raises JobFailed or JobCancelled if it ends otherwise, or TimeoutError."""
        deadline = None if timeout is None else time.monotonic() + timeout
        for found in self.watch(job):
            if progress is not None:
                progress(found)
            if not found.ended and deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"job {job} was still {found.status} after {timeout:g} s")
        return succeeded(found)

    def cancel(self, job: str) -> Job:
        """Ask for the end of a job; it is `cancelled` once its worker has let go."""
        return self._act(job, "cancel")

    def pause(self, job: str) -> Job:
        """Ask for a pause; the job keeps its newest state."""
        return self._act(job, "pause")

    def resume(self, job: str) -> Job:
        """Put a paused job back into the queue."""
        return self._act(job, "resume")

    def retry(self, job: str, *, idempotency_key: str | None = None) -> Job:
        """A new job that goes on from the newest checkpoint of one that failed or was cancelled."""
        return _record(Job, self.http.create(f"/v1/jobs/{_part(job)}/retry", key=idempotency_key))

    def _act(self, job: str, verb: str) -> Job:
        return _record(Job, self.http.send("POST", f"/v1/jobs/{_part(job)}/{verb}"))

    def delete(self, job: str) -> None:
        """Delete a job that has ended."""
        self.http.send("DELETE", f"/v1/jobs/{_part(job)}")

    def events(self, job: str, *, after: str | int | None = None, limit: int | None = None) -> Page[Event]:
        """One page of what happened to the job, oldest first."""
        asked = {"after": after, "limit": limit}
        return _record(Page[Event], self.http.get(f"/v1/jobs/{_part(job)}/events", params=asked))

    def stream(
        self,
        job: str,
        *,
        after: str | int | None = None,
        metrics_after: int | None = None,
        patience: float = WATCH_PATIENCE,
        away: Away | None = None,
    ) -> Iterator[Event | Job | Series]:
        """What happens to the job as it happens, until it has ended: its events (from the first, or beyond `after`),
        the job whenever anything about it has changed, and new rows of its series (with `metrics_after`, first those
        beyond so many images).

        A stream that breaks off is taken up again where it was, and a server that goes away is waited for, `patience`
        seconds long; `away` is told why, once each time. Raises NotStreamed where a server tells events in pages alone.
        """
        last = None if after is None else str(after)
        address = f"/v1/jobs/{_part(job)}/events"
        for message in Following(self.http, address, last, metrics_after, patience, away):
            kind: type[Event | Job | Series] = STREAMED.get(message.event, Event)
            yield _told(kind, message.data, address)

    def news(
        self, *, after: str | int | None = None, patience: float = WATCH_PATIENCE, away: Away | None = None
    ) -> Iterator[Event]:
        """What happens to any job as it happens, without end, those that are queued later too: the events from now on,
        or beyond `after`. A product that waits for its trainings needs no other.

        A stream that breaks off is taken up again where it was, as by `stream`.
        """
        last = None if after is None else str(after)
        for message in Following(self.http, "/v1/events", last, None, patience, away, endless=True):
            yield _told(Event, message.data, "/v1/events")

    def metrics(self, job: str, *, after: int | None = None) -> Rows:
        """The job's time series: one row a report, keyed by `images` (beyond `after`)."""
        rows: Rows = _object(self.http.get(f"/v1/jobs/{_part(job)}/metrics", params={"after": after}))["data"]
        return rows

    def metrics_csv(self, job: str, *, after: int | None = None) -> str:
        """The same as a table of comma-separated values, with a line of headings."""
        asked = {"after": after}
        return self.http.get(f"/v1/jobs/{_part(job)}/metrics", params=asked, headers=_accept("text/csv")).text

    def preview(self, job: str, path: str | Path, *, at: int | None = None) -> Path:
        """Save the newest picture of the job's fixed seeds, or the one at so many images."""
        asked = {} if at is None else {"at": at}
        return _save(self.http, "GET", f"/v1/jobs/{_part(job)}/preview", Path(path), params=asked)

    def timelapse(self, job: str, path: str | Path, *, fps: float | None = None) -> Path:
        """Save all pictures of the job's fixed seeds as an animation, whose suffix says the format: .webp, .gif or
        .apng."""
        asked = {"timelapse": 1} | ({} if fps is None else {"fps": fps})
        headers = _accept(media_type_of(Path(path)))
        return _save(self.http, "GET", f"/v1/jobs/{_part(job)}/preview", Path(path), params=asked, headers=headers)


@dataclass(frozen=True)
class Models:
    """`/v1/models`."""

    http: Transport

    def get(self, model: str) -> Model:
        """One model with its checkpoints."""
        return _record(Model, self.http.get(f"/v1/models/{_part(model)}"))

    def list(self, *, after: str | None = None, limit: int | None = None) -> Page[Model]:
        """One page of models."""
        return _record(Page[Model], self.http.get("/v1/models", params={"after": after, "limit": limit}))

    def download(self, model: str, checkpoint: str, path: str | Path) -> Path:
        """Save the model part of a checkpoint (its id, its count of images, or `best`), a safetensors file."""
        address = f"/v1/models/{_part(model)}/checkpoints/{_part(checkpoint)}/download"
        return _save(self.http, "GET", address, Path(path))

    def upload(
        self, path: str | Path, name: str, *, progress: Report | None = None, idempotency_key: str | None = None
    ) -> Model:
        """Send a downloaded checkpoint, which becomes a model of that name. `progress` is told (bytes sent, in all)."""
        with _open(Path(path), progress) as body:
            files = {"file": (Path(path).name, body, "application/octet-stream")}
            form = {"name": name}
            return _record(Model, self.http.create("/v1/models", key=idempotency_key, data=form, files=files))

    def pin(self, model: str, checkpoint: str) -> Checkpoint:
        """Keep a checkpoint (its id, its count of images, or `best`) for good."""
        return self._pinned(model, checkpoint, pinned=True)

    def unpin(self, model: str, checkpoint: str) -> Checkpoint:
        """Let a checkpoint be retired again; it stays until the model's next one is published."""
        return self._pinned(model, checkpoint, pinned=False)

    def _pinned(self, model: str, checkpoint: str, *, pinned: bool) -> Checkpoint:
        address = f"/v1/models/{_part(model)}/checkpoints/{_part(checkpoint)}"
        return _record(Checkpoint, self.http.send("PATCH", address, json={"pinned": pinned}))

    def load(self, model: str, *, keep: bool = False) -> Memory:
        """Have a checkpoint's generator in the server's memory; with `keep` it never makes room for others.

        `model` is named as for samples: `faces`, `faces@best`, a `ckpt_` id. Raises LimitExceeded where too much would
        be kept.
        """
        return _record(Memory, self.http.send("PUT", f"/v1/models/{_part(model)}/memory", json={"kept": keep}))

    def memory(self, model: str) -> Memory:
        """What of a checkpoint lies in the server's memory."""
        return _record(Memory, self.http.get(f"/v1/models/{_part(model)}/memory"))

    def unload(self, model: str) -> None:
        """Let a checkpoint's networks leave the server's memory."""
        self.http.send("DELETE", f"/v1/models/{_part(model)}/memory")

    def neighbours(
        self,
        model: str,
        seed: int,
        *,
        label: str | int | None = None,
        truncation: float | None = None,
        condition: Sequence[float] | None = None,
        ema: float | Literal["raw"] | None = None,
        count: int | None = None,
    ) -> Neighbours:
        """The training data nearest to what a seed makes, nearest first."""
        numbers = None if condition is None else ",".join(map(str, condition))
        drawn = {"label": label, "truncation": truncation, "condition": numbers, "ema": ema}
        asked = {"seed": seed, **drawn, "count": count}
        return _record(Neighbours, self.http.get(f"/v1/models/{_part(model)}/neighbours", params=asked))

    def delete(self, model: str) -> None:
        """Delete a model and its checkpoints. Raises Conflict while a job trains it."""
        self.http.send("DELETE", f"/v1/models/{_part(model)}")


@dataclass(frozen=True)
class Drawings:
    """`/v1/samples` or `/v1/interpolations`: a request in, pictures, latents or points out."""

    http: Transport
    path: str

    def create(self, request: SampleSpec | InterpolationSpec | Mapping[str, Any], accept: str | None = None) -> Drawing:
        """The answer in memory. `accept` is a media type; by default the model's own: PNG, or JSON for points."""
        response = self.http.compute(self.path, json=_body(request), headers=_accept(accept))
        media_type = response.headers.get("Content-Type", "application/octet-stream").partition(";")[0]
        return Drawing(response.content, media_type, response.headers)

    def data(self, request: SampleSpec | InterpolationSpec | Mapping[str, Any]) -> JsonObject:
        """The answer as JSON: `{model, checkpoint, data: [{index, seed, label, …}]}`."""
        return _object(self.http.compute(self.path, json=_body(request), headers=_accept("application/json")))

    def save(
        self,
        request: SampleSpec | InterpolationSpec | Mapping[str, Any],
        path: str | Path,
        accept: str | None = None,
    ) -> Path:
        """Stream the answer to a file, whose suffix says the format (`MEDIA_TYPES`) unless `accept` does."""
        media_type = accept or media_type_of(Path(path))
        return patiently(
            lambda: _save(self.http, "POST", self.path, Path(path), json=_body(request), headers=_accept(media_type)),
            None,
        )


def media_type_of(path: Path) -> str:
    """The media type that a file's suffix stands for. Raises UsageError for a suffix that stands for none."""
    try:
        return MEDIA_TYPES[path.suffix.lower()]
    except KeyError:
        raise UsageError(f"{path}: the suffix must be one of {', '.join(MEDIA_TYPES)}") from None


def prepared(dataset: Dataset) -> Dataset:
    """The dataset, if it is not `failed`. Raises JobFailed."""
    if dataset.status == "failed":
        raise JobFailed(f"dataset {dataset.name}: {dataset.error or 'failed without a reason'}")
    return dataset


def succeeded(job: Job) -> Job:
    """The job, if it has succeeded. Raises JobFailed or JobCancelled."""
    if job.status == "failed":
        raise JobFailed(f"job {job.id}: {job.error or 'failed without a reason'}")
    if job.status == "cancelled":
        raise JobCancelled(f"job {job.id} was cancelled")
    return job


def _part(name: str) -> str:
    """A path segment. `@` stays readable; a slash cannot lead elsewhere."""
    if name in {"", ".", ".."}:
        raise UsageError(f"{name!r} is no id and no name")
    return quote(name, safe="@")


def _accept(media_type: str | None) -> dict[str, str]:
    return {"Accept": media_type} if media_type else {}


def _body(request: Words | Mapping[str, Any]) -> JsonObject:
    """The request as JSON has it. Raises UsageError for NaN and infinities, which JSON has not, naming the field."""
    if isinstance(request, Words):
        return request.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for field, value in _numbers(request, ""):
        if not isfinite(value):
            raise UsageError(f"{field} must be a finite number, not {value}")
    return dict(request)


def _with_pictures(body: JsonObject) -> JsonObject:
    """The body with its images as base64."""
    if isinstance(body.get("images"), list):
        body["images"] = [_picture(image) for image in body["images"]]
    return body


def _picture(image: str | Path | bytes) -> str:
    """A file's path or its bytes as base64; a word is base64 already."""
    if isinstance(image, str):
        return image
    return b64encode(image if isinstance(image, bytes) else image.read_bytes()).decode()


def _numbers(value: Any, place: str) -> Iterator[tuple[str, float]]:
    """Every float inside, with the dotted path to it."""
    if isinstance(value, float):
        yield place, value
    named = value.items() if isinstance(value, Mapping) else ()
    for name, one in enumerate(value) if isinstance(value, list | tuple) else named:
        yield from _numbers(one, f"{place}.{name}" if place else str(name))


def _object(response: httpx.Response) -> JsonObject:
    return _checked(JSON_OBJECT, response)


def _record(kind: type[R], response: httpx.Response) -> R:
    return _checked(TypeAdapter(kind), response)


def _checked(kind: TypeAdapter[T], response: httpx.Response) -> T:
    try:
        return kind.validate_json(response.content)
    except ValidationError as error:
        raise NotGanymede(f"{response.url} answered something else than the API says") from error


def _told(kind: type[R], data: str, address: str) -> R:
    """A message of a stream."""
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise NotGanymede(f"{address} told something else than the API says") from error


def _open(file: Path, progress: Report | None) -> Watched:
    try:
        return Watched(file, progress)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error


def _save(http: Transport, method: str, address: str, path: Path, **arguments: Any) -> Path:
    """Stream an answer to a temporary file beside `path` and rename it: no half file is ever seen under the name."""
    with http.stream(method, address, **arguments) as response, _beside(path) as scratch:
        for chunk in response.iter_bytes():
            scratch.write(chunk)
    return path


@contextmanager
def _beside(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which appears under `path` once it is whole. OSError, which names `path` and no other file."""
    try:
        with _direct(path) if path.exists() and not path.is_file() else _renamed(path) as file:
            yield file
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def _direct(path: Path) -> Iterator[IO[bytes]]:
    """A device or a pipe is written to, never replaced."""
    with path.open("wb") as direct:
        yield direct


@contextmanager
def _renamed(path: Path) -> Iterator[IO[bytes]]:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as scratch:
            yield scratch
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
