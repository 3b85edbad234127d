"""The first ledger: datasets, jobs with events, metrics and previews, models with checkpoints, workers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    _datasets()
    _models()
    _jobs()
    _of_jobs()
    _checkpoints()
    _workers()


def _datasets() -> None:
    op.create_table(
        "datasets",
        sa.Column("number", BIG, primary_key=True),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error", JSON),
        sa.Column("source", JSON, nullable=False),
        sa.Column("asked_width", sa.Integer()),
        sa.Column("asked_height", sa.Integer()),
        sa.Column("kind", sa.String(16)),
        sa.Column("digest", sa.String(80)),
        sa.Column("path", sa.Text()),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("count", sa.BigInteger()),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("channels", sa.Integer()),
        sa.Column("dims", sa.Integer()),
        sa.Column("condition_dims", sa.Integer(), nullable=False),
        sa.Column("classes", JSON, nullable=False),
        sa.Column("report", JSON),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("job_id", sa.String(40)),
        sa.PrimaryKeyConstraint("number", name="pk_datasets"),
        sa.UniqueConstraint("id", name="uq_datasets_id"),
        sa.UniqueConstraint("name", name="uq_datasets_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_datasets_digest", "datasets", ["digest"])


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("number", BIG, primary_key=True),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("recipe", sa.String(32), nullable=False),
        sa.Column("network", JSON, nullable=False),
        sa.Column("dataset_id", sa.String(40)),
        sa.Column("dataset", sa.String(100)),
        sa.Column("classes", JSON, nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_models"),
        sa.UniqueConstraint("id", name="uq_models_id"),
        sa.UniqueConstraint("name", name="uq_models_name"),
        sqlite_autoincrement=True,
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", BIG, primary_key=True),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("queue", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("spec", JSON, nullable=False),
        sa.Column("model_id", sa.String(40)),
        sa.Column("model", sa.String(100)),
        sa.Column("dataset_id", sa.String(40)),
        sa.Column("dataset", sa.String(100)),
        sa.Column("seed", sa.BigInteger()),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Double()),
        sa.Column("worker", sa.String(40)),
        sa.Column("host", sa.String(255)),
        sa.Column("device", sa.String(255)),
        sa.Column("progress", JSON),
        sa.Column("error", JSON),
        sa.Column("ended_by", sa.String(32)),
        sa.Column("retry_of", sa.String(40)),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double()),
        sa.Column("finished_at", sa.Double()),
        sa.PrimaryKeyConstraint("number", name="pk_jobs"),
        sa.UniqueConstraint("id", name="uq_jobs_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_queue_order", "jobs", ["queue", "status", sa.text("priority DESC"), "number"])
    op.create_index("ix_jobs_status_lease", "jobs", ["status", "lease_until"])
    op.create_index("ix_jobs_model_id", "jobs", ["model_id"])
    op.create_index("ix_jobs_dataset_id", "jobs", ["dataset_id"])


def _of_jobs() -> None:
    op.create_table(
        "events",
        sa.Column("number", BIG, primary_key=True),
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_events"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_events_job_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_job_number", "events", ["job_id", "number"])
    op.create_table(
        "metrics",
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("values", JSON, nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "images", name="pk_metrics"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_metrics_job_id", ondelete="CASCADE"),
    )
    op.create_table(
        "previews",
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "images", name="pk_previews"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_previews_job_id", ondelete="CASCADE"),
    )


def _checkpoints() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("number", BIG, primary_key=True),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("model_id", sa.String(40), nullable=False),
        sa.Column("job_id", sa.String(40)),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("state_path", sa.Text()),
        sa.Column("state_bytes", sa.BigInteger()),
        sa.Column("state_sha256", sa.String(64)),
        sa.Column("metrics", JSON, nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_checkpoints"),
        sa.UniqueConstraint("id", name="uq_checkpoints_id"),
        sa.UniqueConstraint("model_id", "images", name="uq_checkpoints_model_id_images"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_checkpoints_model_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )


def _workers() -> None:
    op.create_table(
        "workers",
        sa.Column("number", BIG, primary_key=True),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started", sa.Double(), nullable=False),
        sa.Column("queue", sa.String(16), nullable=False),
        sa.Column("device", sa.String(255), nullable=False),
        sa.Column("heartbeat", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_workers"),
        sa.UniqueConstraint("id", name="uq_workers_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_workers_host", "workers", ["host"])
