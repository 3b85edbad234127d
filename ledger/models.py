"""Models and their checkpoints: what is trained under a name, and which files serve it."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gan.errors import Conflict, NotFound
from ledger.best import followed, ranked
from ledger.database import Ledger, mint
from ledger.idempotency import note
from ledger.jobs import live_job
from ledger.mapping import checkpoint_record, model_record
from ledger.queries import by_reference, page
from ledger.quotas import check_bytes
from ledger.records import Checkpoint, Model, Page, StateFile, StoredModel
from ledger.tables import GOES_ON_FROM, CheckpointRow, JobRow, ModelRow


class Models:
    """The models of a ledger. Every method is one transaction; all raise Unavailable when the database is away."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def get(self, reference: str) -> Model:
        """A model by id or name. Raises NotFound."""
        with self._ledger.reading() as session:
            return model_record(_find(session, reference))

    def exists(self, name: str) -> bool:
        """Whether the name is taken."""
        with self._ledger.reading() as session:
            return session.scalars(select(ModelRow.number).where(ModelRow.name == name)).first() is not None

    def new_ids(self) -> tuple[str, str]:
        """Ids for a model and its checkpoint, whose file is then written under them."""
        return mint("mdl"), mint("ckpt")

    def add(self, stored: StoredModel) -> Model:
        """A model that was trained elsewhere, with its only checkpoint. Raises Conflict where the name is taken."""
        said = {name: getattr(stored, name) for name in ("id", "name", "recipe", "network", "classes")}
        file = {name: getattr(stored, name) for name in ("images", "path", "bytes", "sha256")}
        with self._ledger.writing() as session:
            check_bytes(session, stored.bytes)
            model = ModelRow(**said)
            session.add(model)
            try:
                session.flush()
            except IntegrityError as error:
                taken = f"a model named {stored.name} exists already: choose another name"
                raise Conflict(taken, param="name") from error
            session.add(CheckpointRow(id=stored.checkpoint, model_id=stored.id, **file))
            note(session, stored.id)
            session.flush()
            return model_record(model)

    def delete(self, reference: str) -> list[str]:
        """Delete a model with its checkpoints; returns the paths to remove from storage.

        Raises NotFound, or Conflict while a job that has not ended works on it.
        """
        with self._ledger.writing() as session:
            row = _find(session, reference, lock=True)
            checkpoints = select(CheckpointRow.id).where(CheckpointRow.model_id == row.id)
            job = live_job(session, or_(JobRow.model_id == row.id, GOES_ON_FROM.in_(checkpoints)))
            if job is not None:
                raise Conflict(f"model {row.name} is in use by job {job}")
            note(session, row.id)
            session.delete(row)
            return [f"checkpoints/{row.id}"]

    def checkpoints(self, model_id: str) -> list[Checkpoint]:
        """A model's checkpoints, newest first."""
        with self._ledger.reading() as session:
            return [checkpoint_record(row) for row in session.scalars(_newest(CheckpointRow.model_id == model_id))]

    def checkpoints_of(self, model_ids: Iterable[str]) -> dict[str, list[Checkpoint]]:
        """`checkpoints` for many models in one query."""
        found: dict[str, list[Checkpoint]] = {id: [] for id in model_ids}
        with self._ledger.reading() as session:
            for row in session.scalars(_newest(CheckpointRow.model_id.in_(list(found)))):
                found[row.model_id].append(checkpoint_record(row))
        return found

    def resolve(self, reference: str) -> tuple[Model, Checkpoint]:
        """The model and checkpoint that a reference means.

        `faces` or `mdl_…` is the newest checkpoint, `faces@best` the one with the best value of the model's metric,
        `faces@120000` the one at that many images, `faces@ckpt_…` and `ckpt_…` that one. Raises NotFound, or Conflict
        where the model has no checkpoint yet.
        """
        with self._ledger.reading() as session:
            return _meant(session, reference)

    def resolve_each(self, references: Iterable[str]) -> dict[str, tuple[Model, Checkpoint] | NotFound | Conflict]:
        """`resolve` for many references in one snapshot; what it would raise is said instead."""
        with self._ledger.reading() as session:
            return {reference: _meant_or_why_not(session, reference) for reference in references}

    def pin(self, reference: str, which: str, pinned: bool) -> Checkpoint:
        """Pin a checkpoint, named as behind `@` in `resolve`, or let it go: it then stays until retention passes by.

        Raises NotFound, also where it has just been retired, or Conflict where the model has no checkpoint yet.
        """
        with self._ledger.writing() as session:
            model = _find(session, reference)
            row = _resolve_in(session, model, which)
            own = update(CheckpointRow).where(CheckpointRow.number == row.number).values(pinned=pinned)
            found = session.scalars(own.returning(CheckpointRow), execution_options={"populate_existing": True})
            for changed in found:
                return checkpoint_record(changed)
            raise NotFound(f"checkpoint {row.id} was retired just now", param="model")

    def checkpoint(self, id: str, sha256: str) -> Checkpoint:
        """A checkpoint by its id; where it is gone, one with the very same bytes. Raises NotFound."""
        same = CheckpointRow.id == id, CheckpointRow.sha256 == sha256
        with self._ledger.reading() as session:
            found = session.scalars(select(CheckpointRow).where(or_(*same)).order_by(same[0].desc()).limit(1))
            for row in found:
                return checkpoint_record(row)
        raise NotFound(f"there is no checkpoint {id}")

    def newest_states(self, model_id: str, before: int = 0) -> list[StateFile]:
        """The training states beyond `before` images that a job may go on from, newest first."""
        own = (CheckpointRow.model_id == model_id) & (CheckpointRow.images > before)
        wanted = _newest(own).where(CheckpointRow.state_path.is_not(None))
        with self._ledger.reading() as session:
            return [_state(row) for row in session.scalars(wanted)]

    def paths(self, model_id: str) -> set[str]:
        """Every file below the storage root that the model's checkpoints refer to; other files there are nobody's."""
        paths = {path for one in self.checkpoints(model_id) for path in (one.path, one.state_path)}
        return {path for path in paths if path is not None}

    # last in its class: below it, `list` would mean this method
    def list(self, *, after: str | None = None, limit: int = 20, order: str = "desc") -> Page[Model]:
        """A page of models, newest first (`order="asc"`: oldest first), beginning after the model `after`."""
        with self._ledger.reading() as session:
            rows = page(session, select(ModelRow), ModelRow, after=after, limit=limit, order=order)
            return Page([model_record(row) for row in rows[:limit]], len(rows) > limit)


def _find(session: Session, reference: str, *, lock: bool = False) -> ModelRow:
    row: ModelRow | None = by_reference(session, ModelRow, reference, lock=lock)
    if row is None:
        raise NotFound(f"there is no model {reference}", param="model")
    return row


def _meant(session: Session, reference: str) -> tuple[Model, Checkpoint]:
    name, at, which = reference.partition("@")
    if not at and reference.startswith("ckpt_"):
        checkpoint = _checkpoint(session, CheckpointRow.id == reference, f"there is no checkpoint {reference}")
        return model_record(_find(session, checkpoint.model_id)), checkpoint_record(checkpoint)
    model = _find(session, name)
    return model_record(model), checkpoint_record(_resolve_in(session, model, which if at else None))


def _meant_or_why_not(session: Session, reference: str) -> tuple[Model, Checkpoint] | NotFound | Conflict:
    try:
        return _meant(session, reference)
    except (NotFound, Conflict) as error:
        return error


def _newest(condition: Any) -> Any:
    return select(CheckpointRow).where(condition).order_by(CheckpointRow.number.desc())


def _checkpoint(session: Session, condition: Any, otherwise: str) -> CheckpointRow:
    row: CheckpointRow | None = session.scalars(_newest(condition).limit(1)).one_or_none()
    if row is None:
        raise NotFound(otherwise, param="model")
    return row


def _resolve_in(session: Session, model: ModelRow, which: str | None) -> CheckpointRow:
    """The checkpoint of a model that the part behind `@` means (None: the newest)."""
    own = CheckpointRow.model_id == model.id
    newest: CheckpointRow | None = session.scalars(_newest(own).limit(1)).one_or_none()
    if newest is None:
        raise Conflict(f"model {model.name} has no checkpoint yet", param="model")
    if which is None:
        return newest
    otherwise = f"model {model.name} has no checkpoint {which}"
    if which.isascii() and which.isdigit() and len(which) <= 18:
        at = f"model {model.name} has no checkpoint at {which} images"
        return _checkpoint(session, own & (CheckpointRow.images == int(which)), at)
    if which == "best":
        return _best(session, model, otherwise)
    return _checkpoint(session, own & (CheckpointRow.id == which), otherwise)


def _best(session: Session, model: ModelRow, otherwise: str) -> CheckpointRow:
    metric = followed(model.metric, model.network)
    measured: list[CheckpointRow] = list(session.scalars(_newest(CheckpointRow.model_id == model.id)))
    for best in ranked(measured, metric):
        return best
    remedy = "name one of its checkpoints, or the model alone for its newest"
    raise NotFound(f"{otherwise}: none of them has a value of {metric}; {remedy}", param="model")


def _state(row: CheckpointRow) -> StateFile:
    assert row.state_path is not None
    assert row.state_sha256 is not None
    return StateFile(checkpoint=row.id, path=row.state_path, sha256=row.state_sha256, images=row.images)
