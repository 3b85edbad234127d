"""What the API answers with: the contract's resources as models, and how each is made from a ledger record."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from gan.formulas import formula_of, mathml
from gan.metrics import MetricName
from gan.recipes import Recipe as PublishedRecipe
from gan.spec import DirectionMethod, NetworkSpec, RecipeName, TrainingSpec, TrainRequest
from ledger import records
from ledger.best import followed, ranked
from service.averages import Averages

T = TypeVar("T", bound="Entry")
R = TypeVar("R")

JobStatus = Literal["queued", "running", "pausing", "paused", "cancelling", "cancelled", "succeeded", "failed"]
JobType = Literal["prepare", "train", "evaluate", "project"]


def moment(seconds: float) -> datetime:
    """Unix seconds as a UTC datetime, which JSON spells by RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC)


def moment_or_none(seconds: float | None) -> datetime | None:
    """The same for a time that may not have come."""
    return None if seconds is None else moment(seconds)


def example(**fields: Any) -> ConfigDict:
    """A model's configuration with the example that the OpenAPI document shows."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class Answer(BaseModel):
    """Base of everything that is answered."""


class Entry(Answer):
    """What can stand in a list."""

    id: str | int


class Resource(Entry):
    """What every resource has: an unguessable id, its kind, and when it was made."""

    created_at: datetime


# ---- errors ----


class FieldError(Answer):
    """One field that is wrong: a JSON pointer (RFC 6901) into the body, or to the query's field, and why."""

    pointer: str
    message: str


class Problem(Answer):
    """An error (RFC 9457). `code` is stable and machine-readable; `param` names the field at fault, dotted."""

    model_config = example(
        type="urn:ganymede:error:not_found",
        title="Not Found",
        status=404,
        detail="there is no job job_0123456789abcdef01234567",
        code="not_found",
        param=None,
        errors=[],
        request_id="req_5f1c0f3c8d2a4b6e9a7d1c2b",
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    param: str | None = None
    errors: list[FieldError] = []
    request_id: str | None = None


class JobError(Answer):
    """Why a job or a preparation failed; `code` names the cause (`out_of_memory`, `diverged`, …)."""

    code: str
    message: str
    param: str | None = None


# ---- datasets ----


class Skipped(Answer):
    """A file that preparation left out, and why."""

    file: str
    reason: str


class Balance(Answer):
    """How evenly rows are spread over classes: the sizes of the smallest and the largest, and their ratio."""

    classes: int
    smallest: int
    largest: int
    ratio: float
    effective_classes: float = Field(
        description="exp of the entropy of the classes' shares: `classes` if all are equal."
    )


class Report(Answer):
    """What preparation did: files accepted and skipped (the first of them by name), copies, examples of each class."""

    model_config = ConfigDict(extra="allow")

    accepted: int = 0
    skipped: list[Skipped] = []
    skipped_total: int = 0
    duplicates: int = 0
    per_class: dict[str, int] = {}
    conditions: list[str] = Field([], description="How the numbers of a condition vector are called, in their order.")
    balance: Balance | None = Field(None, description="Null where there are no classes.")
    notes: list[str] = []


class DatasetUrls(Answer):
    """Where to go from a dataset; `job` is the preparation."""

    self: str
    preview: str
    job: str | None


class Dataset(Resource):
    """A dataset. What preparation finds out is null until `status` is `ready`; sizes are pixels."""

    model_config = example(
        id="ds_5a1b6c7d8e9f0a1b2c3d4e5f",
        object="dataset",
        created_at="2026-01-31T12:00:00Z",
        name="digits",
        status="ready",
        error=None,
        kind="images",
        count=1797,
        width=8,
        height=8,
        channels=1,
        dims=None,
        condition_dims=0,
        input_channels=None,
        classes=["0", "1", "2"],
        bytes=115008,
        digest="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        report={
            "accepted": 1797,
            "skipped": [],
            "duplicates": 0,
            "per_class": {"0": 599, "1": 599, "2": 599},
            "balance": {"classes": 3, "smallest": 599, "largest": 599, "ratio": 1.0, "effective_classes": 3.0},
        },
        job="job_1c2d3e4f5a6b7c8d9e0f1a2b",
        urls={
            "self": "/v1/datasets/ds_5a1b6c7d8e9f0a1b2c3d4e5f",
            "preview": "/v1/datasets/ds_5a1b6c7d8e9f0a1b2c3d4e5f/preview",
            "job": "/v1/jobs/job_1c2d3e4f5a6b7c8d9e0f1a2b",
        },
    )

    id: str
    object: Literal["dataset"] = "dataset"
    name: str
    status: Literal["preparing", "ready", "failed"]
    error: JobError | None
    kind: Literal["images", "points"] | None
    count: int | None
    width: int | None
    height: int | None
    channels: int | None = Field(description="1 grey, 3 RGB; 2 and 4 the same with alpha.")
    dims: int | None = Field(description="Numbers of a point.")
    condition_dims: int = Field(description="Numbers of a condition vector; 0 where there is none.")
    input_channels: int | None = Field(description="Of pairs: channels of the inputs; `channels` are the targets'.")
    classes: list[str]
    bytes: int | None = Field(description="Size of the prepared form.")
    digest: str | None = Field(description="Content hash of the prepared form: equal data, equal digest.")
    report: Report | None
    job: str | None = Field(description="The job that prepares it.")
    urls: DatasetUrls

    @classmethod
    def of(cls, row: records.Dataset) -> Self:
        """The resource of a ledger record."""
        here = f"/v1/datasets/{row.id}"
        known = {name: getattr(row, name) for name in DATASET_FIELDS}
        return cls(
            **known,
            created_at=moment(row.created_at),
            job=row.job_id,
            urls=DatasetUrls(self=here, preview=f"{here}/preview", job=row.job_id and f"/v1/jobs/{row.job_id}"),
        )


DATASET_FIELDS = (
    *("id", "name", "status", "error", "kind", "count", "width", "height", "channels"),
    *("dims", "condition_dims", "input_channels", "classes", "bytes", "digest", "report"),
)
"""Fields that a dataset's record and resource share."""


# ---- jobs ----


class Progress(Answer):
    """Where a job stands. `percent` is 0 to 100; the rate is per second of wall clock."""

    model_config = ConfigDict(extra="allow")

    images: int
    total_images: int | None = None
    percent: float
    images_per_second: float | None = None
    eta_seconds: float | None = None


class Estimate(Answer):
    """What a job will take. `basis`: `counted` from its network, `measured_jobs` (scaled by such jobs of this server),
    or `measured` (by the job itself, once it has run for some seconds).
    """

    model_config = ConfigDict(extra="allow")

    seconds: float | None = None
    memory_bytes: int | None = None
    checkpoint_bytes: int | None = None
    basis: str


class Measured(Answer):
    """What a job has taken: seconds of training, the most memory, its pace, and figures that a break had changed."""

    model_config = ConfigDict(extra="allow")

    seconds: float
    peak_memory_bytes: int
    images_per_second: float | None = None
    changes: list[dict[str, Any]] = []


class TrainingEstimate(Answer):
    """What a training would be, every figure chosen (`spec`, with the reasons in `spec.chosen`), and what it will take:
    null where its network is not counted."""

    model_config = example(
        object="estimate",
        type="train",
        dataset="digits",
        model="digits",
        spec={"recipe": "r3gan", "seed": 0, "batch_size": 64, "chosen": {"batch_size": "as published for r3gan"}},
        estimate={"seconds": 61.0, "memory_bytes": 549453824, "checkpoint_bytes": 9437184, "basis": "counted"},
    )

    object: Literal["estimate"] = "estimate"
    type: Literal["train"] = "train"
    dataset: str
    model: str
    spec: dict[str, Any]
    estimate: Estimate | None

    @classmethod
    def of(cls, spec: TrainingSpec, dataset: str, model: str, estimate: dict[str, Any] | None) -> Self:
        """The answer, with the names of the dataset and the model."""
        known = None if estimate is None else Estimate(**estimate)
        return cls(dataset=dataset, model=model, spec=spec.model_dump(mode="json"), estimate=known)


class JobUrls(Answer):
    """Where to go from a job."""

    self: str
    events: str
    metrics: str
    preview: str
    cancel: str


class Job(Resource):
    """A job. `spec` is what was asked and what was chosen for it, `spec.chosen` why; times are null until they come."""

    model_config = example(
        id="job_0123456789abcdef01234567",
        object="job",
        created_at="2026-01-31T12:00:00Z",
        type="train",
        status="running",
        spec={"recipe": "r3gan", "seed": 0, "batch_size": 64, "chosen": {"batch_size": "small images on a CPU"}},
        model="digits",
        dataset="digits",
        seed=0,
        attempt=0,
        priority=0,
        progress={
            "images": 64000,
            "total_images": 200000,
            "percent": 32.0,
            "images_per_second": 3100.0,
            "eta_seconds": 43.9,
        },
        estimate={"seconds": 61.0, "memory_bytes": 549453824, "checkpoint_bytes": 9437184, "basis": "counted"},
        measured=None,
        queue_position=None,
        error=None,
        result=None,
        ended_by=None,
        retry_of=None,
        started_at="2026-01-31T12:00:01Z",
        finished_at=None,
        worker="wrk_0a1b2c3d4e5f60718293a4b5",
        device="cpu",
        metadata={},
        urls={
            "self": "/v1/jobs/job_0123456789abcdef01234567",
            "events": "/v1/jobs/job_0123456789abcdef01234567/events",
            "metrics": "/v1/jobs/job_0123456789abcdef01234567/metrics",
            "preview": "/v1/jobs/job_0123456789abcdef01234567/preview",
            "cancel": "/v1/jobs/job_0123456789abcdef01234567/cancel",
        },
    )

    id: str
    object: Literal["job"] = "job"
    type: JobType
    status: JobStatus
    spec: dict[str, Any]
    model: str | None
    dataset: str | None
    seed: int | None
    attempt: int = Field(description="Unexplained deaths since the last published checkpoint; three end the job.")
    priority: int
    progress: Progress | None
    estimate: Estimate | None = Field(description="Of a training: before it starts, and refined once it runs.")
    measured: Measured | None = Field(description="Of a training: when it ends or is let go of.")
    queue_position: int | None = Field(description="Jobs that go before it, itself included; null unless queued.")
    error: JobError | None
    result: dict[str, Any] | None = Field(description="Of an evaluation or projection that has succeeded.")
    ended_by: str | None
    retry_of: str | None
    started_at: datetime | None
    finished_at: datetime | None
    worker: str | None
    device: str | None
    metadata: dict[str, str]
    urls: JobUrls

    @classmethod
    def of(cls, row: records.Job, queue_position: int | None) -> Self:
        """The resource of a ledger record."""
        here = f"/v1/jobs/{row.id}"
        known = {name: getattr(row, name) for name in JOB_FIELDS}
        return cls(
            **known,
            created_at=moment(row.created_at),
            started_at=moment_or_none(row.started_at),
            finished_at=moment_or_none(row.finished_at),
            queue_position=queue_position,
            urls=JobUrls(self=here, **{name: f"{here}/{name}" for name in JOB_LINKS}),
        )


JOB_FIELDS = (
    *("id", "type", "status", "spec", "model", "dataset", "seed", "attempt", "priority", "progress", "error"),
    "result",
    *("ended_by", "retry_of", "worker", "device", "metadata", "estimate", "measured"),
)
"""Fields that a job's record and resource share."""

JOB_LINKS = ("events", "metrics", "preview", "cancel")
"""A job's sub-resources that its `urls` name."""


class Event(Resource):
    """Something that happened to a job. Ids grow in the order in which things happened: `after` takes one."""

    model_config = example(
        id=17, object="event", created_at="2026-01-31T12:00:01Z", job="job_0123", type="status", data={"to": "running"}
    )

    id: int
    object: Literal["event"] = "event"
    job: str
    type: str
    data: dict[str, Any]

    @classmethod
    def of(cls, row: records.Event) -> Self:
        """The resource of a ledger record."""
        created = moment(row.created_at)
        return cls(id=row.number, created_at=created, job=row.job_id, type=row.type, data=row.data)


class Metrics(Answer):
    """A job's time series: one row a report, keyed by `images` seen; null where a value could not be estimated."""

    model_config = example(
        object="metrics",
        job="job_0123456789abcdef01234567",
        data=[{"images": 6400, "loss_discriminator": 1.21, "loss_generator": 0.84, "jensen_shannon": None}],
    )

    object: Literal["metrics"] = "metrics"
    job: str
    data: list[dict[str, float | None]]

    @classmethod
    def of(cls, job: str, rows: Iterable[records.MetricsRow]) -> Self:
        """The series of ledger records."""
        return cls(job=job, data=[{"images": row.images} | row.values for row in rows])


# ---- recipes ----


class Game(Answer):
    """What either player minimises, and what keeps the discriminator Lipschitz; null where nothing does."""

    discriminator: str
    generator: str
    kept_lipschitz_by: str | None


class Formula(Game):
    """A game in symbols: r = D(x) and f = D(G(z)) are logits of real and generated data, σ⁺ is softplus, all are means
    over a batch. As text, and as MathML for pages."""

    mathml: Game


class Source(Answer):
    """The paper that the figures are from."""

    authors: str
    title: str
    year: int
    url: str


class Recipe(Entry):
    """Published settings under a name, which is its id as well. They come with the program, and have no time."""

    model_config = example(
        id="dcgan",
        object="recipe",
        name="dcgan",
        default=False,
        summary="The classic: the same game with a generator's gradient that does not fade.",
        about="The discriminator is that of the game of 2014; the generator ascends log D(G(z)) instead. …",
        formula={
            "discriminator": "σ⁺(−r) + σ⁺(f)",
            "generator": "σ⁺(−f)",
            "kept_lipschitz_by": None,
            "mathml": {"discriminator": "<math>…</math>", "generator": "<math>…</math>", "kept_lipschitz_by": None},
        },
        source={
            "authors": "Radford, Metz and Chintala",
            "title": "Unsupervised representation learning with deep convolutional generative adversarial networks",
            "year": 2016,
            "url": "https://arxiv.org/abs/1511.06434",
        },
        settings={"loss": "non_saturating", "lipschitz": "none", "learning_rate": 0.0002, "betas": [0.5, 0.999]},
    )

    id: RecipeName
    object: Literal["recipe"] = "recipe"
    name: RecipeName
    default: bool = Field(description="Whether it is taken where a request names none.")
    summary: str = Field(description="A line.")
    about: str = Field(description="A paragraph: what it does, when to choose it and how it fails.")
    formula: Formula
    source: Source
    settings: dict[str, Any] = Field(description="Every figure, before data and device change what they must.")

    @classmethod
    def of(cls, name: RecipeName, row: PublishedRecipe) -> Self:
        """The resource of a row of the recipes."""
        figures = asdict(row)
        said = {field: figures.pop(field) for field in ("summary", "about", "source")}
        texts = asdict(formula_of(row))
        drawn = {player: text and mathml(text) for player, text in texts.items()}
        formula = Formula(**texts, mathml=Game(**drawn))
        return cls(id=name, name=name, default=name == DEFAULT_RECIPE, formula=formula, settings=figures, **said)


DEFAULT_RECIPE: RecipeName = TrainRequest.model_fields["recipe"].default


# ---- models ----


CHECKPOINT: dict[str, Any] = {
    "id": "ckpt_0123456789abcdef01234567",
    "object": "checkpoint",
    "created_at": "2026-01-31T12:01:00Z",
    "images": 200000,
    "bytes": 1204224,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "metrics": {"fid": 9.4},
    "pinned": False,
    "ema_halflife": 10000,
    "ema_halflives": [0, 400, 2000, 10000],
    "url": "/v1/models/mdl_0123456789abcdef01234567/checkpoints/ckpt_0123456789abcdef01234567/download",
}


class Checkpoint(Resource):
    """A published checkpoint: the model at that many images. `bytes` and `sha256` are those of its download.

    A pinned one is never retired.
    """

    model_config = example(**CHECKPOINT)

    id: str
    object: Literal["checkpoint"] = "checkpoint"
    images: int
    bytes: int
    sha256: str
    metrics: dict[str, float | None]
    pinned: bool
    ema_halflife: float | None = Field(description="The average that draws by default; 0: none; null: not known.")
    ema_halflives: list[float] = Field(description="What `ema` takes, in images; 0 is the raw generator.")
    url: str = Field(description="The download: the model part, as safetensors.")

    @classmethod
    def of(cls, row: records.Checkpoint, averages: Averages) -> Self:
        """The resource of a ledger record, and of what its file has."""
        known = {name: getattr(row, name) for name in ("id", "images", "bytes", "sha256", "metrics", "pinned")}
        url = f"/v1/models/{row.model_id}/checkpoints/{row.id}/download"
        halflives = {"ema_halflife": averages.default, "ema_halflives": list(averages.halflives)}
        return cls(**known, **halflives, created_at=moment(row.created_at), url=url)


class Model(Resource):
    """A model: what is trained under a name. `loaded` says whether this service has it ready in memory."""

    model_config = example(
        id="mdl_0123456789abcdef01234567",
        object="model",
        created_at="2026-01-31T12:00:00Z",
        name="digits",
        network={
            "architecture": "r3",
            "width": 32,
            "latent_dim": 64,
            "latent_distribution": "normal",
            "shape": {"kind": "images", "channels": 1, "height": 8, "width": 8},
            "conditioning": {"kind": "class", "size": 10},
            "batch_norm": False,
            "spectral_norm": False,
        },
        recipe="r3gan",
        dataset="digits",
        classes=["0", "1", "2"],
        latent_dim=64,
        loaded=True,
        metric="fid",
        best="ckpt_0123456789abcdef01234567",
        checkpoints=[CHECKPOINT],
    )

    id: str
    object: Literal["model"] = "model"
    name: str
    network: NetworkSpec
    recipe: str
    dataset: str | None
    classes: list[str]
    latent_dim: int
    loaded: bool
    metric: MetricName = Field(description="What its best checkpoint is judged by.")
    best: str | None = Field(description="The best checkpoint's id; null where the metric was measured of none.")
    checkpoints: list[Checkpoint] = Field(description="Newest first.")

    @classmethod
    def of(
        cls,
        row: records.Model,
        checkpoints: Sequence[records.Checkpoint],
        averages: Mapping[str, Averages],
        loaded: Collection[str],
    ) -> Self:
        """The resource of a ledger record, its checkpoints, their averages, and the ids of those that lie in memory."""
        network = NetworkSpec.model_validate(row.network)
        metric = followed(row.metric, row.network)
        known = {name: getattr(row, name) for name in ("id", "name", "recipe", "dataset", "classes")}
        return cls(
            **known,
            created_at=moment(row.created_at),
            network=network,
            latent_dim=network.latent_dim,
            loaded=any(checkpoint.id in loaded for checkpoint in checkpoints),
            metric=metric,
            best=next((checkpoint.id for checkpoint in ranked(checkpoints, metric)), None),
            checkpoints=[Checkpoint.of(checkpoint, averages[checkpoint.id]) for checkpoint in checkpoints],
        )


# ---- lists and probes ----


class Memory(Answer):
    """What of a checkpoint lies in this service's memory: its generator's bytes, and whether it stays."""

    model_config = example(
        object="memory",
        model="digits",
        checkpoint="ckpt_0123456789abcdef01234567",
        loaded=True,
        bytes=2236416,
        kept=False,
    )

    object: Literal["memory"] = "memory"
    model: str
    checkpoint: str
    loaded: bool
    bytes: int
    kept: bool


class Session(Answer):
    """Who calls: the name of its key and what that is for (empty: nobody), and until when it is so (null: until the key
    is revoked). Where no keys are required, everybody may do everything."""

    model_config = example(
        object="session",
        keys_required=True,
        key="studio",
        scopes=["read", "sample"],
        expires_at="2026-01-01T12:00:00Z",
    )

    object: Literal["session"] = "session"
    keys_required: bool
    key: str | None
    scopes: list[str]
    expires_at: datetime | None


class List(Answer, Generic[T]):
    """A page. `last_id` is what `after` takes for the next one, while `has_more`."""

    object: Literal["list"] = "list"
    data: list[T]
    first_id: str | int | None
    last_id: str | int | None
    has_more: bool

    @classmethod
    def of(cls, page: records.Page[R], make: Callable[[R], T]) -> Self:
        """The page of a ledger page."""
        data = [make(row) for row in page.data]
        first, last = (data[0].id, data[-1].id) if data else (None, None)
        return cls(data=data, first_id=first, last_id=last, has_more=page.has_more)


class DatasetImage(Answer):
    """An image of a dataset: its number, its class or the numbers of its condition, and its address (a PNG)."""

    index: int
    label: str | None
    condition: list[float] | None
    url: str


class ImageSheet(Answer):
    """A page's images as one picture, row by row without gaps: image i is in row `i // columns`. Cells are pixels."""

    url: str
    columns: int
    rows: int
    width: int
    height: int


class DatasetImages(Answer):
    """A page of a dataset's images. `last_id` is what `after` takes for the next one, while `has_more`; `total` counts
    the images of all pages; `sheet` is null on an empty page."""

    model_config = example(
        object="list",
        dataset="digits",
        data=[
            {
                "index": 42,
                "label": "7",
                "condition": None,
                "url": "/v1/datasets/ds_5a1b6c7d8e9f0a1b2c3d4e5f/images/42.png",
            }
        ],
        first_id=42,
        last_id=42,
        has_more=True,
        total=1797,
        sheet={
            "url": "/v1/datasets/ds_5a1b6c7d8e9f0a1b2c3d4e5f/images.png?limit=1&order=spread",
            "columns": 1,
            "rows": 1,
            "width": 8,
            "height": 8,
        },
    )

    object: Literal["list"] = "list"
    dataset: str
    data: list[DatasetImage]
    first_id: int | None
    last_id: int | None
    has_more: bool
    total: int
    sheet: ImageSheet | None


class Neighbour(Answer):
    """A row of the training data: its number, how far it is from the sample, and itself (a PNG, or its numbers)."""

    index: int
    distance: float
    label: str | None = None
    b64_json: str | None = None
    point: list[float] | None = None


class Neighbours(Answer):
    """The data nearest to a sample, nearest first.

    Distances of images are root mean square differences of levels as a share of the range, 0 to 1; of points,
    Euclidean. `typical` is how far the nearest of them is from its own nearest other row; null where it is alone.
    """

    model_config = example(
        object="neighbours",
        model="digits",
        checkpoint="ckpt_0123456789abcdef01234567",
        dataset="digits",
        seed=42,
        label="7",
        ema=10000,
        typical=0.11,
        data=[{"index": 512, "distance": 0.12, "label": "7", "b64_json": "iVBORw0KGgo…", "point": None}],
    )

    object: Literal["neighbours"] = "neighbours"
    model: str
    checkpoint: str
    dataset: str | None
    seed: int
    label: str | None
    ema: float | None = Field(description="Half-life of the average that drew; 0: the raw generator; null: not known.")
    typical: float | None
    data: list[Neighbour]


class Calibration(Answer):
    """What the probabilities come from: the log-odds of real at some `logits`, with straight lines between.

    Counted of `rows` real images or points and as many samples. `held_out`: whether the real ones were kept from
    training. Where they were not, the discriminator may know them.
    """

    logits: list[float]
    log_odds: list[float]
    unit: float = Field(description="Log-odds fall by 1 for so much below the first of `logits`.")
    rows: int
    held_out: bool


class Score(Answer):
    """What the discriminator thinks: its logit, and the probability that this is real where half of all are.

    `probability` is null for a checkpoint without a calibration. `label` is the class that it was judged as.
    """

    index: int
    logit: float
    probability: float | None
    label: str | None = None


class Scores(Answer):
    """Images (or points) as a discriminator judges them."""

    model_config = example(
        object="scores",
        model="digits",
        checkpoint="ckpt_0123456789abcdef01234567",
        calibration={"logits": [-1.0, 2.0], "log_odds": [-2.2, 1.8], "unit": 1.4, "rows": 170, "held_out": True},
        data=[{"index": 0, "logit": 1.3, "probability": 0.7, "label": "3"}],
    )

    object: Literal["scores"] = "scores"
    model: str
    checkpoint: str
    calibration: Calibration | None
    data: list[Score]


class Direction(Answer):
    """A direction of the latent space: a unit vector, and its share of all that varies."""

    index: int
    strength: float
    vector: list[float]


class DirectionList(Answer):
    """Along which a model's pictures change most, the strongest first."""

    model_config = example(
        object="directions",
        model="digits",
        checkpoint="ckpt_0123456789abcdef01234567",
        ema=10000,
        method="pca",
        data=[{"index": 0, "strength": 0.11, "vector": [0.6, -0.8]}],
    )

    object: Literal["directions"] = "directions"
    model: str
    checkpoint: str
    ema: float | None = Field(description="Half-life of the average that draws; 0: the raw generator; null: not known.")
    method: DirectionMethod
    data: list[Direction]


class Projected(Answer):
    """The latent of an image, the class that it was looked for as, and how far its picture is from the image."""

    index: int
    latent: list[float]
    label: str | None
    distance: float = Field(description="Root mean square of levels, as a share of the range.")


class Projection(Answer):
    """Images, as latents of a model."""

    model_config = example(
        object="projection",
        model="digits",
        checkpoint="ckpt_0123456789abcdef01234567",
        ema=10000,
        data=[{"index": 0, "latent": [0.5, -1.2], "label": "3", "distance": 0.08}],
    )

    object: Literal["projection"] = "projection"
    model: str
    checkpoint: str
    ema: float | None = Field(description="Half-life of the average that draws; null: the default.")
    data: list[Projected]


class Alive(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(Answer):
    """Whether the service can do its work, and how its parts are. `degraded`: jobs are accepted and run later.

    `engine` is `failed` where the device asked for is not there: sampling answers 503, all else works.
    """

    model_config = example(status="ready", database="ok", storage="ok", broker="ok", engine="ready")

    status: Literal["ready", "unavailable"]
    database: Literal["ok", "away"]
    storage: Literal["ok", "away"]
    broker: Literal["ok", "degraded"]
    engine: Literal["loading", "ready", "failed"]
