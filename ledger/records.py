"""What the ledger hands out: frozen records, detached from any session. Times are Unix seconds by database time."""

from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar

from gan.spec import DatasetFacts, ImageShape, PointShape

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; `has_more` says whether another follows in the same direction."""

    data: list[T]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset. `status` is preparing, ready or failed; what preparation found is None until it is ready.

    `source` is `{"kind": "upload", "path": …}` (below the storage root) or `{"kind": "folder", "path": …}` (below the
    import directory). `asked_width` and `asked_height` are the resolution that was asked for, if any.
    """

    id: str
    name: str
    status: str
    error: dict[str, Any] | None
    source: dict[str, Any]
    asked_width: int | None
    asked_height: int | None
    kind: str | None
    digest: str | None
    path: str | None
    bytes: int | None
    count: int | None
    width: int | None
    height: int | None
    channels: int | None
    dims: int | None
    condition_dims: int
    input_channels: int | None
    classes: list[str]
    report: dict[str, Any] | None
    created_at: float
    job_id: str | None

    def facts(self) -> DatasetFacts:
        """What choosing needs to know. The dataset must be ready."""
        assert self.status == "ready", self.status
        assert self.count is not None
        return DatasetFacts(
            count=self.count,
            shape=self._shape(),
            classes=tuple(self.classes),
            condition_dims=self.condition_dims,
            input_channels=self.input_channels,
        )

    def _shape(self) -> ImageShape | PointShape:
        if self.kind == "points":
            return PointShape.model_validate({"dims": self.dims})
        return ImageShape.model_validate({"channels": self.channels, "height": self.height, "width": self.width})


@dataclass(frozen=True, slots=True)
class Packed:
    """What preparation found and wrote: the fields of the worker's `prepared` line."""

    kind: str
    digest: str
    path: str
    bytes: int
    count: int
    width: int | None = None
    height: int | None = None
    channels: int | None = None
    dims: int | None = None
    condition_dims: int = 0
    input_channels: int | None = None
    classes: list[str] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stood when it was read. `model` and `dataset` are names; `version` changes with every visible change.

    `data` is the dataset it works on (None if it is gone), `request_id` the request that made it, if one did: only
    `Jobs.claim` fills them.
    """

    number: int
    id: str
    type: str
    queue: str
    status: str
    spec: dict[str, Any]
    model_id: str | None
    model: str | None
    dataset_id: str | None
    dataset: str | None
    seed: int | None
    priority: int
    attempt: int
    epoch: int
    lease_until: float | None
    worker: str | None
    host: str | None
    device: str | None
    progress: dict[str, Any] | None
    estimate: dict[str, Any] | None
    measured: dict[str, Any] | None
    error: dict[str, Any] | None
    result: dict[str, Any] | None
    ended_by: str | None
    retry_of: str | None
    metadata: dict[str, str]
    version: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    data: Dataset | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job. `number` grows in the order of commits, over all jobs."""

    number: int
    job_id: str
    type: str
    data: dict[str, Any]
    created_at: float


@dataclass(frozen=True, slots=True)
class MetricsRow:
    """One row of a job's series, keyed by images seen. None: not estimable there."""

    images: int
    values: dict[str, float | None]
    created_at: float


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture of fixed seeds at `images` seen, lying at `path` below the storage root."""

    images: int
    path: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A published checkpoint. `state_path` is None once its training state was retired; paths as in `Storage`."""

    number: int
    id: str
    model_id: str
    job_id: str | None
    images: int
    path: str
    bytes: int
    sha256: str
    state_path: str | None
    state_bytes: int | None
    state_sha256: str | None
    metrics: dict[str, float | None]
    pinned: bool
    created_at: float


@dataclass(frozen=True, slots=True)
class Saved:
    """Two files of a checkpoint, fsynced below the storage root: the fields of the worker's `checkpoint` line."""

    id: str
    images: int
    path: str
    bytes: int
    sha256: str
    state_path: str
    state_bytes: int
    state_sha256: str
    metrics: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint that is now in the ledger, and the files that nothing refers to any more."""

    checkpoint: Checkpoint
    delete: list[str]


@dataclass(frozen=True, slots=True)
class StateFile:
    """A training state to go on from; `path` is below the storage root."""

    checkpoint: str
    path: str
    sha256: str
    images: int


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model that was trained elsewhere, as its only file says; `path` is below the storage root."""

    id: str
    name: str
    recipe: str
    network: dict[str, Any]
    classes: list[str]
    checkpoint: str
    images: int
    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model: what is trained under a name. `network` is a NetworkSpec as JSON; `dataset` is a name.

    `metric` is what its best checkpoint is judged by (None: what is usual for its kind of data).
    """

    id: str
    name: str
    recipe: str
    network: dict[str, Any]
    dataset_id: str | None
    dataset: str | None
    classes: list[str]
    metric: str | None
    created_at: float


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process. `host` is `workers.this_host()`; `started` is its start time as the kernel counts it."""

    id: str
    host: str
    pid: int
    started: float
    queue: str
    device: str
    heartbeat: float
    created_at: float


@dataclass(frozen=True, slots=True)
class KeyQuotas:
    """What a key may have at most; None: as much as it likes."""

    requests_per_second: float | None = None
    images_per_second: float | None = None
    concurrent_jobs: int | None = None
    stored_bytes: int | None = None

    def columns(self) -> dict[str, float | int | None]:
        """The quotas by the names of a key's columns."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key, without what its holder shows. `revoked_at` and `expires_at`: since or until when it holds."""

    id: str
    name: str
    scopes: list[str]
    requests_per_second: float | None
    images_per_second: float | None
    concurrent_jobs: int | None
    stored_bytes: int | None
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    used_at: float | None


@dataclass(frozen=True, slots=True)
class Pass:
    """What a key or a session lets its holder be, and until when (None: until it is revoked)."""

    key: Key
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class Write:
    """A call that changes something, as the audit record has it. `key_id` is None where keys are off."""

    created_at: float
    key_id: str | None
    address: str | None
    method: str
    path: str
    status: int
    request_id: str
