"""What supervisor and child say to each other: one JSON object a line, over two pipes.

The supervisor's first line is an `Assignment`; after it come `Lease` and `Stop`. The child answers with reports.
A closed control pipe means that the supervisor is gone, and the child ends at once.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

FENCED = 75
"""Exit status of a child that reached its last lease deadline (EX_TEMPFAIL)."""


class Line(BaseModel):
    """Base of all lines."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ---- supervisor → child ----


class StateFile(Line):
    """A checkpoint's file that the job may go on from. `path` is relative to the storage root."""

    checkpoint: str
    path: str
    sha256: str
    images: int


class Bounds(Line):
    """What a child may use: bytes of memory that it can write to, and seconds of CPU time."""

    memory_bytes: int
    cpu_seconds: int


class Assignment(Line):
    """All that a child needs; it reads neither the ledger nor the environment for its job.

    `resume` is newest first: a file that fails its checksum is passed over for the next. `start` is a model part that
    the job begins with where it has no state of its own yet.
    `deadline` is on CLOCK_MONOTONIC, which all processes of a machine share.
    """

    say: Literal["assignment"] = "assignment"
    job: str
    epoch: int
    type: str
    spec: dict[str, Any]
    storage: str
    device: str
    threads: int
    deadline: float
    model: str | None = None
    """The model's id: `checkpoints/{model}/` is where its files go."""
    dataset: dict[str, Any] | None = None
    """`{id, digest, path, facts: DatasetFacts}` for training; `{id, source, width, height, limits}` for preparing."""
    resume: list[StateFile] = []
    start: StateFile | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """What a training computes in; `auto`: bfloat16 where it is safe, on a GPU with tensor cores for it."""
    capture: bool = False
    """Whether a GPU replays training's steps as CUDA graphs."""
    changes: list[dict[str, Any]] = []
    """What earlier holders of the job changed after a break (`worker.training.recovery.Change`), oldest first."""
    bounds: Bounds | None = None
    """None: whatever there is. A child that decodes what strangers sent is bounded."""
    evaluation: dict[str, Any] | None = None
    """`{checkpoint, against, inception}` for evaluating: `{id, path, sha256}`, a dataset as above, a path; or None."""


class Lease(Line):
    """The claim was renewed; it holds until `deadline` (CLOCK_MONOTONIC seconds)."""

    say: Literal["lease"] = "lease"
    deadline: float


class Stop(Line):
    """Save what must be saved and end. `save` is False for a cancelled job, whose newest state nobody will resume."""

    say: Literal["stop"] = "stop"
    save: bool = True


ToChild = TypeAdapter[Assignment | Lease | Stop](Annotated[Assignment | Lease | Stop, Field(discriminator="say")])

# ---- child → supervisor ----


class Started(Line):
    """The job's own code runs, on this device (`cpu`, `cuda:0 NVIDIA …`)."""

    say: Literal["started"] = "started"
    device: str


class Progress(Line):
    """Where the job stands. `percent` is 0..100; rates are per second of wall clock; `eta_seconds` may be unknown."""

    say: Literal["progress"] = "progress"
    images: int
    total_images: int | None
    percent: float
    images_per_second: float | None = None
    eta_seconds: float | None = None


class Metrics(Line):
    """One row of the series, keyed by images seen. A value of None was not estimable; the event log says why."""

    say: Literal["metrics"] = "metrics"
    images: int
    values: dict[str, float | None]


class Preview(Line):
    """A picture of fixed seeds, lying at `path` below the storage root."""

    say: Literal["preview"] = "preview"
    images: int
    path: str


class SavedCheckpoint(Line):
    """Two files lie fsynced below the storage root; the supervisor publishes them by a guarded write."""

    say: Literal["checkpoint"] = "checkpoint"
    id: str
    images: int
    path: str
    bytes: int
    sha256: str
    state_path: str
    state_bytes: int
    state_sha256: str
    metrics: dict[str, float | None] = {}


class Prepared(Line):
    """A dataset lies packed under its digest. The fields are the dataset's, as in the API."""

    say: Literal["prepared"] = "prepared"
    kind: Literal["images", "points"]
    digest: str
    path: str
    bytes: int
    count: int
    width: int | None
    height: int | None
    channels: int | None
    dims: int | None
    condition_dims: int
    input_channels: int | None = None
    classes: list[str]
    report: dict[str, Any]


class Evaluated(Line):
    """An evaluation reached its end: its `result`, and what the evaluated `checkpoint` (if there is one) scored."""

    say: Literal["evaluated"] = "evaluated"
    result: dict[str, Any]
    checkpoint: str | None = None
    metrics: dict[str, float | None] = {}


class Note(Line):
    """Something worth an event: `warning`, `job.resumed`, `checkpoint.skipped`, …"""

    say: Literal["note"] = "note"
    type: str
    data: dict[str, Any] = {}


class Estimated(Line):
    """What the job as a whole will take, now that some of it is done. What is None is as it was estimated before."""

    say: Literal["estimated"] = "estimated"
    seconds: float | None
    memory_bytes: int | None


class Measured(Line):
    """What the job has taken so far: wall clock over all its holders, the most memory of this one, and its changes."""

    say: Literal["measured"] = "measured"
    seconds: float
    peak_memory_bytes: int
    images_per_second: float | None
    changes: list[dict[str, Any]] = []


class Done(Line):
    """The job reached its end. `ended_by`: `images`, `time` or `done`."""

    say: Literal["done"] = "done"
    ended_by: str


class Stopped(Line):
    """The job ended because it was told to; whatever was to be saved was reported before this line."""

    say: Literal["stopped"] = "stopped"


class Failed(Line):
    """A typed failure: `code` is one of `gan.errors.failure_codes()`."""

    say: Literal["failed"] = "failed"
    code: str
    message: str
    param: str | None = None


News = Started | Progress | Metrics | Preview | SavedCheckpoint | Note | Estimated | Measured
End = Done | Prepared | Evaluated | Stopped | Failed
Report = News | End
FromChild = TypeAdapter[Report](Annotated[Report, Field(discriminator="say")])
