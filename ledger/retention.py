"""Which checkpoints and training states stay. What is given up is returned as paths, to be removed after the commit."""

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from ledger.records import Saved
from ledger.tables import CheckpointRow, JobRow, ModelRow

KEPT_STATES = 2
"""Training states kept a model: the newest, and one to go back to should the newest be damaged."""


def replace(session: Session, model_id: str, saved: Saved) -> list[str]:
    """Drop the checkpoint at as many images, which a resumed job made before it was interrupted; returns its paths."""
    same = delete(CheckpointRow).where(CheckpointRow.model_id == model_id, CheckpointRow.images == saved.images)
    rows = session.execute(same.returning(CheckpointRow.path, CheckpointRow.state_path))
    return [path for row in rows for path in row if path is not None]


def retire(session: Session, model_id: str, keep: int) -> list[str]:
    """Keep the newest `keep` and all pinned checkpoints, and the newest two states; returns the paths of the rest."""
    newest = select(CheckpointRow).where(CheckpointRow.model_id == model_id).order_by(CheckpointRow.number.desc())
    paths: list[str | None] = []
    for age, row in enumerate(list(session.scalars(newest))):
        if age >= KEPT_STATES:
            paths.append(row.state_path)
            row.state_path = row.state_bytes = row.state_sha256 = None
        if age >= keep and not row.pinned:
            paths += [row.path, row.state_path]
            session.delete(row)
    session.flush()
    return [path for path in paths if path is not None]


def drop_barren(session: Session, model_id: str | None) -> list[str]:
    """Delete a model that has neither a checkpoint nor a job; returns the path to remove."""
    model = session.scalars(select(ModelRow).where(ModelRow.id == model_id).with_for_update()).one_or_none()
    if model is None:
        return []
    checkpoint, job = exists().where(CheckpointRow.model_id == model_id), exists().where(JobRow.model_id == model_id)
    if session.scalars(select(or_(checkpoint, job))).one():
        return []
    session.delete(model)
    return [f"checkpoints/{model_id}"]
