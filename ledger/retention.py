"""Which checkpoints and training states stay. What is given up is returned as paths, to be removed after the commit."""

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from gan.metrics import MetricName
from ledger.best import followed, ranked
from ledger.records import Saved
from ledger.states import TERMINAL
from ledger.tables import GOES_ON_FROM, CheckpointRow, JobRow, ModelRow

KEPT_STATES = 2
"""Training states kept a model: the newest, and one to go back to should the newest be damaged."""

KEPT_BEST = 1
"""Best checkpoints kept by a job whose spec does not say."""


def replace(session: Session, model_id: str, saved: Saved) -> tuple[list[str], bool]:
    """Drop the checkpoint at as many images, which a resumed job made before it was interrupted.

    Returns its paths, and whether it was pinned: its successor then is.
    """
    same = delete(CheckpointRow).where(CheckpointRow.model_id == model_id, CheckpointRow.images == saved.images)
    returned = same.returning(CheckpointRow.pinned, CheckpointRow.path, CheckpointRow.state_path)
    rows = list(session.execute(returned))
    return [path for _, *paths in rows for path in paths if path is not None], any(pinned for pinned, *_ in rows)


def retire(session: Session, model_id: str, keep: int, keep_best: int) -> list[str]:
    """Keep the newest `keep`, the best `keep_best` and all pinned checkpoints, and the newest two states.

    A checkpoint that a job waits for or goes on from stays too, until retention passes by again. Returns the paths of
    the rest.
    The rows are locked: one that is being pinned stays.
    """
    newest = select(CheckpointRow).where(CheckpointRow.model_id == model_id).order_by(CheckpointRow.number.desc())
    rows = list(session.scalars(newest.with_for_update()))
    best = ranked(rows, _followed(session, model_id))[:keep_best]
    wanted = _waited_for(session, model_id)
    paths: list[str | None] = []
    for age, row in enumerate(rows):
        if age >= KEPT_STATES:
            paths.append(row.state_path)
            row.state_path = row.state_bytes = row.state_sha256 = None
        if age >= keep and not row.pinned and row not in best and row.id not in wanted:
            paths += [row.path, row.state_path]
            session.delete(row)
    session.flush()
    return [path for path in paths if path is not None]


def _waited_for(session: Session, model_id: str) -> set[str | None]:
    """The checkpoints that evaluations and projections are of which have not ended, and that trainings go on from."""
    live = JobRow.status.not_in(TERMINAL)
    evaluations = select(JobRow.spec["checkpoint"].as_string()).where(
        JobRow.model_id == model_id, JobRow.type.in_(("evaluate", "project")), live
    )
    trainings = select(GOES_ON_FROM).where(JobRow.type == "train", live)
    return {*session.scalars(evaluations), *session.scalars(trainings)}


def _followed(session: Session, model_id: str) -> MetricName:
    model = session.scalars(select(ModelRow).where(ModelRow.id == model_id)).one()
    return followed(model.metric, model.network)


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
