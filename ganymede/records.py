"""What the server answers, as typed records. Fields may be added to the API: a record ignores what it does not know."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
"""The states of a job that never change again."""


class Record(BaseModel):
    """Base of all records: frozen; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class Failure(Record):
    """Why a job or dataset failed: a stable code, a message, and the field at fault if one is."""

    code: str
    message: str
    param: str | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Balance(Record):
    """How evenly a dataset's rows are spread over its classes; `ratio` is the largest class over the smallest."""

    classes: int
    smallest: int
    largest: int
    ratio: float
    effective_classes: float


class Dataset(Record):
    """A dataset. What preparing finds out (`kind` to `report`) is None or empty while `status` is `preparing`."""

    id: str
    object: str = "dataset"
    name: str
    status: Literal["preparing", "ready", "failed"]
    error: Failure | None = None
    kind: Literal["images", "points"] | None = None
    count: int | None = None
    width: int | None = None
    height: int | None = None
    channels: int | None = None
    dims: int | None = None
    condition_dims: int | None = None
    input_channels: int | None = None
    classes: list[str] | None = None
    bytes: int | None = None
    digest: str | None = None
    job: str | None = None
    report: dict[str, Any] | None = None
    created_at: datetime

    @property
    def balance(self) -> Balance | None:
        """The report's `balance`; None where there are no classes, or nothing is known yet."""
        known = (self.report or {}).get("balance")
        return None if known is None else Balance.model_validate(known)


class Progress(Record):
    """How far a job is: images consumed by the discriminator, `percent` 0..100, seconds left if they can be told."""

    images: int = 0
    total_images: int | None = None
    percent: float | None = None
    images_per_second: float | None = None
    eta_seconds: float | None = None


class Job(Record):
    """A job; see the API's `A job` for its states."""

    id: str
    object: str = "job"
    type: str
    status: str
    spec: dict[str, Any] | None = None
    model: str | None = None
    dataset: str | None = None
    seed: int | None = None
    attempt: int | None = None
    priority: int | None = None
    progress: Progress | None = None
    estimate: dict[str, Any] | None = None
    measured: dict[str, Any] | None = None
    queue_position: int | None = None
    error: Failure | None = None
    result: dict[str, Any] | None = None
    ended_by: str | None = None
    retry_of: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    worker: str | None = None
    device: str | None = None
    metadata: dict[str, Any] | None = None
    urls: dict[str, str | None] | None = None

    @property
    def ended(self) -> bool:
        """Whether the state is terminal."""
        return self.status in TERMINAL


class TrainingEstimate(Record):
    """A training as it would be queued, and what it will take; None where its network is not counted."""

    object: str = "estimate"
    dataset: str
    model: str
    spec: dict[str, Any]
    estimate: dict[str, Any] | None = None


class Recipe(Record):
    """Published settings under a name: in words, in symbols (text, and MathML in `mathml`) and in figures."""

    id: str
    object: str = "recipe"
    name: str
    default: bool = False
    summary: str
    about: str
    formula: dict[str, Any]
    source: dict[str, Any]
    settings: dict[str, Any]


class Event(Record):
    """Something that happened to a job."""

    id: str | int
    object: str = "event"
    job: str
    type: str
    data: dict[str, Any] = {}
    created_at: datetime


class Series(Record):
    """Rows of a job's time series, keyed by `images`; a row replaces an earlier one at as many."""

    object: str = "metrics"
    job: str
    data: list[dict[str, float | None]]


class Checkpoint(Record):
    """A stored state of a model, after so many images."""

    id: str
    object: str = "checkpoint"
    images: int
    created_at: datetime
    bytes: int | None = None
    sha256: str | None = None
    metrics: dict[str, float | None] | None = None
    pinned: bool = False
    ema_halflife: float | None = None
    ema_halflives: list[float] | None = None


class Neighbour(Record):
    """A row of the training data: its number, how far it is from a sample, and a PNG in base64 or its numbers."""

    index: int
    distance: float
    label: str | None = None
    b64_json: str | None = None
    point: list[float] | None = None


class Neighbours(Record):
    """The training data nearest to a sample, nearest first; `typical` is how far the nearest is from its own like."""

    object: str = "neighbours"
    model: str
    checkpoint: str
    dataset: str | None = None
    seed: int
    label: str | None = None
    ema: float | None = None
    typical: float | None = None
    data: list[Neighbour]


class Score(Record):
    """What a discriminator thinks of an image or point: its logit, and the probability that it is real."""

    index: int
    logit: float
    probability: float | None = None
    label: str | None = None


class Scores(Record):
    """Scores, in the order of what was sent."""

    object: str = "scores"
    model: str
    checkpoint: str
    calibration: dict[str, Any] | None = None
    data: list[Score]


class Memory(Record):
    """What of a checkpoint lies in the server's memory: its generator's bytes, and whether it stays."""

    object: str = "memory"
    model: str
    checkpoint: str
    loaded: bool
    bytes: int
    kept: bool


class Model(Record):
    """A model: what was or is being trained, and its checkpoints, newest first; `best` is the id of one of them."""

    id: str
    object: str = "model"
    name: str
    network: dict[str, Any] | None = None
    recipe: str | None = None
    dataset: str | None = None
    classes: list[str] | None = None
    latent_dim: int | None = None
    loaded: bool | None = None
    metric: str | None = None
    best: str | None = None
    checkpoints: list[Checkpoint] = []
    created_at: datetime


T = TypeVar("T")


class DatasetImage(Record):
    """An image of a dataset: its number, its class or the numbers of its condition, and where it is to be had."""

    index: int
    label: str | None = None
    condition: list[float] | None = None
    url: str


class Page(Record, Generic[T]):
    """One page of a list; `last_id` is the `after` of the next where `has_more`."""

    object: str = "list"
    data: list[T]
    first_id: str | int | None = None
    last_id: str | int | None = None
    has_more: bool = False
