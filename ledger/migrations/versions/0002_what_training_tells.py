"""What training tells: estimates and measurements of a job, its result, the metric a model is judged by, pairs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.add_column("datasets", sa.Column("input_channels", sa.Integer()))
    op.add_column("models", sa.Column("metric", sa.String(32)))
    for name in ("estimate", "measured", "result"):
        op.add_column("jobs", sa.Column(name, JSON))
