"""The ledger's tables. `migrations/` makes them; a test compares the two."""

from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ledger.acting import acting_key
from ledger.clock import now

Json = JSON(none_as_null=True)
Big = BigInteger().with_variant(Integer, "sqlite")
Object = dict[str, Any]


class Table(DeclarativeBase):
    """Base of all tables: constraint names are fixed, times are doubles (Unix seconds), numbers are never reused."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        float: Double,
        Object: Json,
        list[str]: Json,
        dict[str, str]: Json,
        dict[str, float | None]: Json,
    }


class DatasetRow(Table):
    """A dataset: its source, and what preparation found."""

    __tablename__ = "datasets"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[int] = mapped_column(Big, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    status: Mapped[str] = mapped_column(String(16), default="preparing")
    error: Mapped[Object | None]
    source: Mapped[Object]
    asked_width: Mapped[int | None]
    asked_height: Mapped[int | None]
    kind: Mapped[str | None] = mapped_column(String(16))
    digest: Mapped[str | None] = mapped_column(String(80), index=True)
    path: Mapped[str | None] = mapped_column(Text)
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    count: Mapped[int | None] = mapped_column(BigInteger)
    width: Mapped[int | None]
    height: Mapped[int | None]
    channels: Mapped[int | None]
    input_channels: Mapped[int | None]
    dims: Mapped[int | None]
    condition_dims: Mapped[int] = mapped_column(default=0)
    classes: Mapped[list[str]] = mapped_column(default=list)
    report: Mapped[Object | None]
    created_at: Mapped[float] = mapped_column(default=now())
    job_id: Mapped[str | None] = mapped_column(String(40))
    key_id: Mapped[str | None] = mapped_column(String(40), default=acting_key)


class ModelRow(Table):
    """A model: what is trained under a name."""

    __tablename__ = "models"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[int] = mapped_column(Big, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    recipe: Mapped[str] = mapped_column(String(32))
    network: Mapped[Object]
    dataset_id: Mapped[str | None] = mapped_column(String(40))
    dataset: Mapped[str | None] = mapped_column(String(100))
    classes: Mapped[list[str]] = mapped_column(default=list)
    metric: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[float] = mapped_column(default=now())
    key_id: Mapped[str | None] = mapped_column(String(40), default=acting_key)


class JobRow(Table):
    """A job. Names of model and dataset are copied in, so that it tells its story after they are deleted."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_queue_order", "queue", "status", text("priority DESC"), "number"),
        Index("ix_jobs_status_lease", "status", "lease_until"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Big, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    type: Mapped[str] = mapped_column(String(16))
    queue: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16), default="queued")
    spec: Mapped[Object]
    model_id: Mapped[str | None] = mapped_column(String(40), index=True)
    model: Mapped[str | None] = mapped_column(String(100))
    dataset_id: Mapped[str | None] = mapped_column(String(40), index=True)
    dataset: Mapped[str | None] = mapped_column(String(100))
    seed: Mapped[int | None] = mapped_column(BigInteger)
    priority: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    epoch: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[float | None]
    worker: Mapped[str | None] = mapped_column(String(40))
    host: Mapped[str | None] = mapped_column(String(255))
    device: Mapped[str | None] = mapped_column(String(255))
    progress: Mapped[Object | None]
    error: Mapped[Object | None]
    estimate: Mapped[Object | None]
    measured: Mapped[Object | None]
    result: Mapped[Object | None]
    ended_by: Mapped[str | None] = mapped_column(String(32))
    retry_of: Mapped[str | None] = mapped_column(String(40))
    labels: Mapped[dict[str, str]] = mapped_column("metadata", default=dict)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[float] = mapped_column(default=now())
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]
    key_id: Mapped[str | None] = mapped_column(String(40), default=acting_key, index=True)


GOES_ON_FROM = JobRow.spec[("resume_from", "checkpoint")].as_string()
"""The id of the checkpoint that a training goes on from; null for one that begins by itself."""


class EventRow(Table):
    """What happened to a job, in the order of commits."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_job_number", "job_id", "number"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(Big, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    type: Mapped[str] = mapped_column(String(64))
    data: Mapped[Object] = mapped_column(default=dict)
    created_at: Mapped[float] = mapped_column(default=now())


class MetricsTable(Table):
    """A job's series: one row a report, keyed by images seen."""

    __tablename__ = "metrics"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    images: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    values: Mapped[dict[str, float | None]]
    created_at: Mapped[float] = mapped_column(default=now())


class PreviewRow(Table):
    """A job's preview grids, keyed by images seen."""

    __tablename__ = "previews"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    images: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(default=now())


class CheckpointRow(Table):
    """A published checkpoint: a model part, and for the newest two the training state."""

    __tablename__ = "checkpoints"
    __table_args__ = (UniqueConstraint("model_id", "images"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(Big, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    job_id: Mapped[str | None] = mapped_column(String(40))
    images: Mapped[int] = mapped_column(BigInteger)
    path: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    state_path: Mapped[str | None] = mapped_column(Text)
    state_bytes: Mapped[int | None] = mapped_column(BigInteger)
    state_sha256: Mapped[str | None] = mapped_column(String(64))
    metrics: Mapped[dict[str, float | None]] = mapped_column(default=dict)
    pinned: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[float] = mapped_column(default=now())


class WorkerRow(Table):
    """A worker process, so that its successor on the same host knows whether it still lives."""

    __tablename__ = "workers"
    __table_args__ = (Index("ix_workers_host", "host"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(Big, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    started: Mapped[float]
    queue: Mapped[str] = mapped_column(String(16))
    device: Mapped[str] = mapped_column(String(255))
    heartbeat: Mapped[float] = mapped_column(default=now())
    created_at: Mapped[float] = mapped_column(default=now())


class KeyRow(Table):
    """An API key. The key itself is known to its owner alone; quotas of None are unlimited."""

    __tablename__ = "api_keys"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[int] = mapped_column(Big, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]]
    requests_per_second: Mapped[float | None]
    images_per_second: Mapped[float | None]
    concurrent_jobs: Mapped[int | None]
    stored_bytes: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[float] = mapped_column(default=now())
    expires_at: Mapped[float | None]
    revoked_at: Mapped[float | None]
    used_at: Mapped[float | None]


class SessionRow(Table):
    """A browser's session: what its cookie holds, hashed, stands for a key until it expires."""

    __tablename__ = "sessions"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[int] = mapped_column(Big, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[float] = mapped_column(default=now())
    expires_at: Mapped[float]


class AuditRow(Table):
    """A write: who asked for it, for what, and how it was answered."""

    __tablename__ = "audit"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[int] = mapped_column(Big, primary_key=True)
    created_at: Mapped[float] = mapped_column(default=now(), index=True)
    key_id: Mapped[str | None] = mapped_column(String(40), index=True)
    address: Mapped[str | None] = mapped_column(String(64))
    method: Mapped[str] = mapped_column(String(8))
    path: Mapped[str] = mapped_column(Text)
    status: Mapped[int]
    request_id: Mapped[str] = mapped_column(String(64))


class IdempotencyRow(Table):
    """A write that was given an `Idempotency-Key`: by whom, what it was, what it made, how it was answered.

    `owner` is a key's id, empty where keys are off. `status` is None until it is answered; `resource` is what it made
    first, written with it. `digest` is the sha256 of the body, None until all of it was read.
    """

    __tablename__ = "idempotency"
    __table_args__ = (UniqueConstraint("owner", "key"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(Big, primary_key=True)
    owner: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(255))
    call: Mapped[str] = mapped_column(Text)
    digest: Mapped[str | None] = mapped_column(String(64))
    resource: Mapped[str | None] = mapped_column(String(40))
    status: Mapped[int | None]
    headers: Mapped[dict[str, str]] = mapped_column(default=dict)
    body: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(default=now(), index=True)
