"""Settings: the only reader of the environment. Everything else receives values."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from gan.errors import InvalidRequest

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
OrChosen = Annotated[int, Field(ge=0)]

BROKERS = ("memory://", "redis://", "rediss://", "redis+socket://")
PREFIX = "GANYMEDE_"
"""Every setting's environment variable is this prefix and the field's name in capitals."""


class Settings(BaseSettings):
    """All settings, with defaults that work on a laptop. Frozen; bad values are a pydantic `ValidationError`.

    `Settings()` reads the environment once, at a process's start; `environment()` gives it on to a child process.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    data: Path = Field(Path("data"), description="Root of the embedded default: ledger, storage and logs lie below it.")
    database_url: str = Field(
        "",
        description="The ledger's database: `sqlite:///…` or `postgresql://…`. Default: SQLite in the data root.",
    )
    broker_url: str = Field(
        "memory://", description="Celery's broker: `redis://…` in deployment; `memory://` is the embedded default."
    )
    storage: Path = Field(
        Path(),
        description="Where uploads, datasets, checkpoints and previews lie. Default: `storage` in the data root.",
    )
    import_dir: Path | None = Field(
        None, description="Folders below this directory may be imported as datasets. Unset: folder import is refused."
    )
    inception_weights: Path | None = Field(
        None,
        description="Inception v3 weights for `fid` and `kid`: a safetensors file or a torch state dict. "
        "Unset: untrained features, whose figures compare with one another only.",
    )
    service_device: str = Field(
        "auto",
        description="The device that sampling runs on: `cpu`, `cuda`, `cuda:1`, or `auto` (a GPU if there is one).",
    )
    train_device: str = Field("auto", description="The device that training runs on, in the same words.")
    train_precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="What training computes in; `auto`: `bfloat16` where it is safe on a GPU that has it (compute "
        "capability 8), else `float32`.",
    )
    train_capture: bool = Field(
        False, description="Whether a GPU replays training's steps as CUDA graphs. Not yet tested on a GPU."
    )
    service_threads: OrChosen = Field(
        0,
        description="Cores that forward passes in the service may use at once; 0 = all of them.",
    )
    train_threads: OrChosen = Field(
        0, description="CPU threads of a training child; 0 = all cores but one, which serves."
    )
    lease_seconds: Seconds = Field(30.0, description="How long a claim on a job holds without a heartbeat, in seconds.")
    heartbeat_seconds: Seconds = Field(5.0, description="How often a worker renews its claim, in seconds.")
    poll_seconds: Seconds = Field(
        0.25, description="How often an embedded worker (`memory://`) looks for queued jobs, in seconds."
    )
    reconcile_seconds: Seconds = Field(
        5.0, description="How often a worker with a real broker looks for jobs whose bell was lost, in seconds."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What the processes log.")
    log_format: Literal["text", "json"] = Field(
        "text", description="How they log it: lines for people, or a JSON object a line for machines."
    )

    worker_metrics_port: Annotated[int, Field(ge=0, le=65534)] = Field(
        0,
        description="Where a `train` worker serves its metrics to Prometheus; a `light` one does at the port after it. "
        "0: nowhere.",
    )
    worker_metrics_host: str = Field(
        "127.0.0.1", description="The address that workers serve their metrics at; whoever reaches it may read them."
    )

    api_keys_required: bool = Field(
        False,
        description="Whether every call needs an API key. Beyond loopback the service starts only where it is so.",
    )
    allowed_hosts: str | None = Field(
        None,
        description="Further names, with commas between, by which browsers may know this service: of a proxy before it "
        "that changes `Host`, or where no keys are required and it is called by another name than its own.",
    )
    audit_days: Seconds = Field(90.0, description="How long the audit record of writes is kept, in days.")

    max_upload_bytes: Count = Field(2 * 2**30, description="Largest upload, in bytes.")
    max_json_bytes: Count = Field(16 * 2**20, description="Largest JSON body, in bytes.")
    max_archive_entries: Count = Field(
        100_000, description="Most entries in an uploaded archive, and most rows of its labels.csv."
    )
    max_expanded_bytes: Count = Field(8 * 2**30, description="Most bytes that an archive's entries may expand to.")
    max_expansion_ratio: Count = Field(100, description="Most times its own size that an archive may expand to.")
    max_pixels: Count = Field(64 * 10**6, description="Most pixels of one source image (width × height).")
    prepare_memory_bytes: Count = Field(
        2 * 2**30, description="Memory that the process of a preparation may have, in bytes (Linux)."
    )
    prepare_cpu_seconds: Count = Field(
        4 * 3600, description="Seconds of CPU time that the preparation of a dataset may take."
    )
    max_points: Count = Field(10_000_000, description="Most rows of a dataset of points.")
    max_dataset_bytes: Count = Field(16 * 2**30, description="Most bytes of a packed dataset.")
    max_samples: Count = Field(10_000, description="Most samples in one request.")
    max_frames: Count = Field(1_000, description="Most frames of one interpolation.")
    max_pixels_per_request: Count = Field(
        256 * 10**6, description="Most pixels that one sampling request may produce, all images together."
    )
    max_queued_jobs: Count = Field(100_000, description="Most jobs waiting in a queue before new ones get 503.")
    max_waiting_requests: OrChosen = Field(
        0,
        description="Most sampling requests waiting for the device before 503; 0 = as many single images as fill the "
        "next batches, at least 32.",
    )
    max_loaded_bytes: Count = Field(
        2 * 2**30, description="Most bytes of generators kept in memory; the least recently used leave first."
    )

    max_kept_bytes: Annotated[int, Field(ge=0)] = Field(
        64 * 2**20, description="Most bytes of encoded pictures kept to be sent again; 0 keeps none."
    )

    @model_validator(mode="before")
    @classmethod
    def below_data(cls, given: dict[str, object]) -> dict[str, object]:
        """Ledger and storage lie below the data root unless they are named."""
        data = Path(str(given.get("data", "data"))).absolute()
        defaults = {"database_url": f"sqlite:///{data}/ledger.sqlite3", "storage": data / "storage"}
        return defaults | given | {"data": data}

    @field_validator("storage", "import_dir", "inception_weights")
    @classmethod
    def whatever_the_folder(cls, path: Path | None) -> Path | None:
        """Absolute, so that a child process in another folder means the same."""
        return None if path is None else path.absolute()

    @field_validator("broker_url")
    @classmethod
    def known_broker(cls, url: str) -> str:
        """A broker that Ganymede is tested with."""
        if not url.startswith(BROKERS):
            raise ValueError(f"must begin with one of {', '.join(BROKERS)}")
        return url

    @model_validator(mode="after")
    def heartbeat_within_lease(self) -> Self:
        """A claim must survive a missed heartbeat."""
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise ValueError(f"{PREFIX}HEARTBEAT_SECONDS: must be at most half of {PREFIX}LEASE_SECONDS")
        return self

    @property
    def hosts(self) -> frozenset[str]:
        """`allowed_hosts`, one by one and in lower case."""
        return frozenset(name.strip().lower() for name in (self.allowed_hosts or "").split(",") if name.strip())

    @property
    def embedded(self) -> bool:
        """Whether each process has its own in-memory broker, and workers poll the ledger."""
        return self.broker_url.startswith("memory://")

    def environment(self) -> dict[str, str]:
        """The process environment with these settings spelled out, for a child process started with `env=`."""
        values = self.model_dump(mode="json", exclude_none=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return inherited | {PREFIX + name.upper(): str(value) for name, value in values.items()}


def read_settings() -> Settings:
    """`Settings()` for the processes' entry points. Raises InvalidRequest, one line that names each bad variable."""
    try:
        return Settings()
    except ValidationError as error:
        raise InvalidRequest("; ".join(map(_complaint, error.errors()))) from error


def _complaint(error: ErrorDetails) -> str:
    reason = error["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{str(error['loc'][0]).upper()}: {reason}" if error["loc"] else reason
