"""Jobs: made, claimed, held under a lease and an epoch, ended. SQL is the truth about them.

Who holds a job is `(id, epoch)` while its status is running, pausing or cancelling. Everything that a holder writes is
guarded by that and raises LostClaim when it no longer holds. Leases go by database time alone.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gan.errors import Conflict, LostClaim, NotFound
from gan.spec import Origin, TrainingSpec
from ledger.clock import now
from ledger.database import Ledger, mint, record
from ledger.idempotency import note
from ledger.logs import REQUEST
from ledger.mapping import checkpoint_record, dataset_record, event_record, job_record, metrics_record, preview_record
from ledger.moves import end, held_under, hold, lock, lose, move
from ledger.places import Glance, glances, places
from ledger.queries import page, page_numbers
from ledger.quotas import check_bytes, check_jobs
from ledger.records import Dataset, Event, Job, MetricsRow, Page, Preview, Published, Saved
from ledger.retention import KEPT_BEST, KEPT_STATES, drop_barren, replace, retire
from ledger.states import CANCELLED, HELD, LET_GO, PAUSED, QUEUES, RESUMED, TERMINAL
from ledger.tables import CheckpointRow, DatasetRow, EventRow, JobRow, MetricsTable, ModelRow, PreviewRow, WorkerRow


class Jobs:
    """The jobs of a ledger. Every method is one transaction; all raise Unavailable when the database is away."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # ---- making -----------------------------------------------------------------------------------------------------

    def create(
        self,
        type: str,
        spec: dict[str, Any],
        *,
        dataset: Dataset | None = None,
        model_id: str | None = None,
        model: str | None = None,
        seed: int | None = None,
        priority: int = 0,
        metadata: dict[str, str] | None = None,
    ) -> Job:
        """Queue a job of a type of `QUEUES`. Raises Conflict unless its dataset (if any) is still there and ready."""
        with self._ledger.writing() as session:
            ready = _ready(session, dataset.id) if dataset else None
            return add_job(
                session,
                type=type,
                spec=spec,
                dataset_id=ready.id if ready else None,
                dataset=ready.name if ready else None,
                model_id=model_id,
                model=model,
                seed=seed,
                priority=priority,
                labels=metadata or {},
            )

    def create_training(
        self,
        spec: TrainingSpec,
        dataset: Dataset,
        model_name: str,
        priority: int = 0,
        metadata: dict[str, str] | None = None,
        estimate: dict[str, Any] | None = None,
    ) -> Job:
        """Make a model, or go on with the one that `spec` goes on from if that is its name, and the job that trains it.

        Raises Conflict when the name is taken, the dataset not ready, or the model cannot be gone on with from there;
        NotFound where the checkpoint has gone.
        """
        with self._ledger.writing() as session:
            check_bytes(session)
            ready = _ready(session, dataset.id)
            same = _start_of(session, spec.resume_from, model_name) if spec.resume_from else None
            model = _add_model(session, spec, ready, model_name) if same is None else _go_on(same, spec, ready)
            return add_job(
                session,
                type="train",
                spec=spec.model_dump(mode="json"),
                dataset_id=ready.id,
                dataset=ready.name,
                model_id=model.id,
                model=model.name,
                seed=spec.seed,
                priority=priority,
                labels=metadata or {},
                estimate=estimate,
            )

    def refuse_training(self, spec: TrainingSpec, dataset: Dataset, model_name: str) -> None:
        """Raises what `create_training` would raise now, but for quotas, and makes nothing."""
        with self._ledger.reading() as session:
            _ready(session, dataset.id)
            same = _start_of(session, spec.resume_from, model_name) if spec.resume_from else None
            named = session.scalars(select(ModelRow.id).where(ModelRow.name == model_name)).one_or_none()
            if same is None and named is not None:
                raise _taken(model_name)

    def retry(self, id: str) -> Job:
        """A new job with the same spec, dataset and model, going on from the model's newest checkpoint.

        Raises NotFound, or Conflict where the job has not failed or been cancelled, its dataset or model is gone,
        or another job works on them.
        """
        with self._ledger.writing() as session:
            old = _find(session, id)
            if old.status not in {"failed", "cancelled"}:
                raise Conflict(f"job {id} is {old.status}: only failed and cancelled jobs can be retried")
            _RETRY_CHECKS.get(old.type, _check_dataset)(session, old)
            copied = (
                "type",
                "spec",
                "dataset_id",
                "dataset",
                "model_id",
                "model",
                "seed",
                "priority",
                "labels",
                "estimate",
            )
            job = add_job(session, retry_of=old.id, **{name: getattr(old, name) for name in copied})
            preparing = update(DatasetRow).where(DatasetRow.id == job.dataset_id, DatasetRow.status == "preparing")
            session.execute(preparing.values(job_id=job.id))
            return job

    # ---- reading ----------------------------------------------------------------------------------------------------

    def get(self, id: str) -> Job:
        """Raises NotFound."""
        with self._ledger.reading() as session:
            return job_record(_find(session, id))

    def glance(self, ids: Collection[str]) -> dict[str, tuple[Glance, int | None]]:
        """Of each of these jobs that exists its version and its place in the queue, if it is in one."""
        with self._ledger.reading() as session:
            found = glances(session, ids)
            there = places(session, found)
            return {job.id: (job, there.get(job.id)) for job in found}

    def get_many(self, ids: Collection[str]) -> list[Job]:
        """Those of these jobs that exist."""
        with self._ledger.reading() as session:
            return [job_record(row) for row in session.scalars(select(JobRow).where(JobRow.id.in_(list(ids))))]

    def queue_position(self, id: str) -> int | None:
        """1 for the job that is claimed next, 2 for the one behind it …; None for a job that is not queued."""
        return self.queue_positions([id]).get(id)

    def queue_positions(self, ids: Iterable[str]) -> dict[str, int]:
        """`queue_position` for many jobs; jobs that are not queued are left out."""
        with self._ledger.reading() as session:
            return places(session, glances(session, list(ids)))

    def waiting(self, queue: str) -> int:
        """How many jobs are queued there."""
        with self._ledger.reading() as session:
            count = select(func.count()).where(JobRow.queue == queue, JobRow.status == "queued")
            return session.scalars(count).one()

    # ---- a caller's wishes ------------------------------------------------------------------------------------------

    def cancel(self, id: str) -> tuple[Job, bool]:
        """Ask for the end: a job nobody holds ends at once. The flag is False where there was nothing to do.

        Raises NotFound, or Conflict for a job that succeeded or failed.
        """
        return self._wish(id, CANCELLED, nothing={"cancelling", "cancelled"}, verb="cancelled")

    def pause(self, id: str) -> tuple[Job, bool]:
        """Ask for a pause. Raises NotFound, or Conflict for a job that is ending or has ended."""
        return self._wish(id, PAUSED, nothing={"pausing", "paused"}, verb="paused")

    def resume(self, id: str) -> tuple[Job, bool]:
        """Put a paused job back into its queue. Raises NotFound, or Conflict for a job that is ending or has ended."""
        return self._wish(id, RESUMED, nothing={"queued", "running"}, verb="resumed")

    def _wish(self, id: str, becomes: dict[str, str], *, nothing: set[str], verb: str) -> tuple[Job, bool]:
        with self._ledger.writing() as session:
            row = _find(session, id, lock=True)
            if row.status in nothing:
                return job_record(row), False
            if row.status not in becomes:
                raise Conflict(f"job {id} is {row.status} and cannot be {verb}")
            note(session, id)
            changed = update(JobRow).where(JobRow.id == id)
            return job_record(move(session, changed, {row.status: becomes[row.status]}, {"by": "request"})[0]), True

    def delete(self, id: str) -> list[str]:
        """Delete a job that has ended, with its events, metrics and previews; returns the paths to remove from storage.

        Its model stays, unless it has no checkpoint and no other job. Raises NotFound, or Conflict before its end.
        """
        with self._ledger.writing() as session:
            row = _find(session, id, lock=True)
            if row.status not in TERMINAL:
                raise Conflict(f"job {id} is {row.status}: cancel it first")
            note(session, id)
            images = [row.spec["images"]] if row.type == "project" else []
            session.execute(delete(JobRow).where(JobRow.id == id))
            return [f"previews/{id}", *images, *drop_barren(session, row.model_id)]

    # ---- a worker's claim -------------------------------------------------------------------------------------------

    def claim(self, queue: str, worker: str, lease_seconds: float, host: str | None = None) -> Job | None:
        """Take the head of the queue (priority, then age), or None when it is empty.

        One guarded UPDATE: the epoch rises, the lease runs from now. `data` of the record is the job's dataset,
        `request_id` says who asked for it.
        """
        head = (
            select(JobRow.number)
            .where(JobRow.queue == queue, JobRow.status == "queued")
            .order_by(JobRow.priority.desc(), JobRow.number)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        holder = {
            "epoch": JobRow.epoch + 1,
            "lease_until": now() + lease_seconds,
            "worker": worker,
            "host": host,
            "started_at": func.coalesce(JobRow.started_at, now()),
        }
        with self._ledger.writing() as session:
            taken = update(JobRow).where(JobRow.number == head)
            for row in move(session, taken, {"queued": "running"}, {"worker": worker}, **holder):
                data = session.scalars(select(DatasetRow).where(DatasetRow.id == row.dataset_id)).one_or_none()
                return job_record(row, dataset_record(data) if data else None, _asked_by(session, row.id))
            return None

    def look(self, id: str, epoch: int) -> str:
        """The status of a held job, without writing. Raises LostClaim."""
        with self._ledger.reading() as session:
            status = session.scalars(select(JobRow.status).where(*held_under(id, epoch))).one_or_none()
            if status is None:
                raise LostClaim(f"job {id} is no longer held under epoch {epoch}")
            return status

    def heartbeat(self, id: str, epoch: int, lease_seconds: float, progress: dict[str, Any] | None = None) -> str:
        """Renew the lease, with news of progress if there is any; returns the status. Raises LostClaim."""
        news = {} if progress is None else {"progress": progress, "version": JobRow.version + 1}
        with self._ledger.writing() as session:
            return hold(session, id, epoch, lease_until=now() + lease_seconds, **news).status

    def started(self, id: str, epoch: int, device: str) -> None:
        """The job's own code runs, on this device. Raises LostClaim."""
        with self._ledger.writing() as session:
            hold(session, id, epoch, device=device, version=JobRow.version + 1)
            record(session, id, "job.started", {"device": device, "epoch": epoch})

    def note(self, id: str, epoch: int, type: str, data: dict[str, Any]) -> None:
        """Write an event. Raises LostClaim.

        A training that recovered, `job.recovered`, takes back what its series and its previews have of the path that it
        gave up: all beyond its `to_images`.
        """
        with self._ledger.writing() as session:
            lock(session, id, epoch)
            record(session, id, type, data)
            if type == "job.recovered":
                for table in (MetricsTable, PreviewRow):
                    session.execute(delete(table).where(table.job_id == id, table.images > data["to_images"]))

    def estimated(self, id: str, epoch: int, news: dict[str, Any]) -> None:
        """What the holder now expects the job to take; what it does not know stays as it was. Raises LostClaim."""
        known = {name: value for name, value in news.items() if value is not None}
        with self._ledger.writing() as session:
            row = hold(session, id, epoch, version=JobRow.version + 1)
            row.estimate = (row.estimate or {}) | known | {"basis": "measured"}

    def measured(self, id: str, epoch: int, values: dict[str, Any]) -> None:
        """What the job has taken so far; of memory the most that any holder took. Raises LostClaim."""
        with self._ledger.writing() as session:
            row = hold(session, id, epoch, version=JobRow.version + 1)
            most = max((row.measured or {}).get("peak_memory_bytes", 0), values["peak_memory_bytes"])
            row.measured = values | {"peak_memory_bytes": most}

    def add_metrics(self, id: str, epoch: int, images: int, values: dict[str, float | None]) -> None:
        """Write one row of the series, over an earlier one at as many images. Raises LostClaim."""
        with self._ledger.writing() as session:
            lock(session, id, epoch)
            session.merge(MetricsTable(job_id=id, images=images, values=values, created_at=now()))

    def add_preview(self, id: str, epoch: int, images: int, path: str) -> None:
        """Record a preview that lies at `path`, over an earlier one at as many images. Raises LostClaim."""
        with self._ledger.writing() as session:
            lock(session, id, epoch)
            session.merge(PreviewRow(job_id=id, images=images, path=path))
            record(session, id, "preview.saved", {"images": images})

    def publish_checkpoint(self, id: str, epoch: int, saved: Saved) -> Published:
        """Make a saved checkpoint the model's newest; the count of attempts starts anew.

        Keeps `keep_checkpoints` of the job's spec (and at least two while the job is not over), besides the `keep_best`
        best and pinned ones, and the training states of the newest two. Raises LostClaim; the files are then nobody's.
        """
        with self._ledger.writing() as session:
            job = hold(session, id, epoch, attempt=0, version=JobRow.version + 1)
            assert job.model_id is not None
            retired, pinned = replace(session, job.model_id, saved)
            row = CheckpointRow(model_id=job.model_id, job_id=id, pinned=pinned, **asdict(saved))
            session.add(row)
            session.flush()
            newest, best = _kept(job)
            retired += retire(session, job.model_id, max(KEPT_STATES, newest), best)
            record(session, id, "checkpoint.published", {"checkpoint": saved.id, "images": saved.images})
            kept = {saved.path, saved.state_path}
            return Published(checkpoint_record(row), [path for path in retired if path not in kept])

    def finish(
        self,
        id: str,
        epoch: int,
        status: str,
        ended_by: str | None = None,
        error: dict[str, Any] | None = None,
    ) -> list[str]:
        """End a held job: `succeeded`, `failed` (with `error` = {code, message, param}) or `cancelled`.

        Returns the paths that retention gives up now. Raises LostClaim, or Conflict for an edge that there is not.
        """
        assert status in TERMINAL, status
        assert (error is not None) == (status == "failed"), "a failure, and only a failure, has an error"
        with self._ledger.writing() as session:
            row = end(session, id, epoch, status, {"ended_by": ended_by, "error": error})
            if status != "succeeded" or row.model_id is None or row.type != "train":
                return []
            return retire(session, row.model_id, *_kept(row))

    def finish_evaluation(
        self,
        id: str,
        epoch: int,
        result: dict[str, Any],
        checkpoint: str | None = None,
        metrics: dict[str, float | None] | None = None,
    ) -> None:
        """End a held evaluation as succeeded, with its result; what a checkpoint scored joins the metrics it has.

        A checkpoint that was given up meanwhile is passed over. Raises LostClaim, Conflict.
        """
        with self._ledger.writing() as session:
            end(session, id, epoch, "succeeded", {"ended_by": "done", "result": result})
            wanted = select(CheckpointRow).where(CheckpointRow.id == checkpoint).with_for_update()
            for row in session.scalars(wanted):
                row.metrics = row.metrics | (metrics or {})

    def release(self, id: str, epoch: int) -> str:
        """Let go of a held job, no attempt charged; returns what it became: queued, paused or cancelled.

        Raises LostClaim.
        """
        with self._ledger.writing() as session:
            mine = update(JobRow).where(*held_under(id, epoch))
            for row in move(session, mine, LET_GO, {"reason": "released"}):
                return row.status
            raise LostClaim(f"job {id} is no longer held under epoch {epoch}")

    def lost(self, id: str, epoch: int, reason: str) -> str:
        """The child of a held job died without a word: an attempt is charged; returns what the job became.

        It goes back to its queue, or is `failed` (worker_lost) the third time. Raises LostClaim.
        """
        with self._ledger.writing() as session:
            for row in lose(session, held_under(id, epoch), reason):
                return row.status
            raise LostClaim(f"job {id} is no longer held under epoch {epoch}")

    def expire(self, queue: str | None = None) -> list[Job]:
        """Take every job whose lease has passed from its holder, an attempt charged; returns what they became."""
        condition: list[ColumnElement[bool]] = [JobRow.lease_until < now()]
        if queue is not None:
            condition.append(JobRow.queue == queue)
        if not self._any_held(condition):
            return []
        with self._ledger.writing() as session:
            return [job_record(row) for row in lose(session, condition, "lease_passed")]

    def _any_held(self, condition: Iterable[ColumnElement[bool]]) -> bool:
        """A look first: a poll that finds nothing takes no write lock."""
        with self._ledger.reading() as session:
            held = select(JobRow.number).where(JobRow.status.in_(HELD), *condition).limit(1)
            return session.scalars(held).first() is not None

    def release_dead(self, workers: Collection[str]) -> list[Job]:
        """Take the jobs of these workers (known to be dead) at once, an attempt charged, and forget the workers."""
        if not workers:
            return []
        with self._ledger.writing() as session:
            lost = lose(session, [JobRow.worker.in_(list(workers))], "worker_died")
            session.execute(delete(WorkerRow).where(WorkerRow.id.in_(list(workers))))
            return [job_record(row) for row in lost]

    # ---- what happened ----------------------------------------------------------------------------------------------

    def events_after(self, job: str | Sequence[str] | None, after: int = 0, limit: int = 100) -> list[Event]:
        """The events of a job, or of several (None: of all) with numbers above `after`, oldest first."""
        wanted = select(EventRow).where(EventRow.number > after).order_by(EventRow.number).limit(limit)
        if job is not None:
            wanted = wanted.where(EventRow.job_id.in_([job] if isinstance(job, str) else job))
        with self._ledger.reading() as session:
            return [event_record(row) for row in session.scalars(wanted)]

    def newest_event(self) -> int:
        """The highest event number there is, over all jobs; 0 where there is none."""
        with self._ledger.reading() as session:
            return session.scalars(select(func.coalesce(func.max(EventRow.number), 0))).one()

    def metrics(self, job: str, after: int = -1, limit: int | None = None) -> list[MetricsRow]:
        """A job's series in order of images seen, from beyond `after` images."""
        wanted = select(MetricsTable).where(MetricsTable.job_id == job, MetricsTable.images > after)
        with self._ledger.reading() as session:
            return [metrics_record(row) for row in session.scalars(wanted.order_by(MetricsTable.images).limit(limit))]

    def previews(self, job: str) -> list[Preview]:
        """A job's previews in order of images seen."""
        wanted = select(PreviewRow).where(PreviewRow.job_id == job).order_by(PreviewRow.images)
        with self._ledger.reading() as session:
            return [preview_record(row) for row in session.scalars(wanted)]

    def measured_trainings(self, limit: int) -> Sequence[Job]:
        """The newest training jobs that ended and were measured."""
        wanted = select(JobRow).where(JobRow.type == "train", JobRow.measured.is_not(None), JobRow.status.in_(TERMINAL))
        with self._ledger.reading() as session:
            return [job_record(row) for row in session.scalars(wanted.order_by(JobRow.number.desc()).limit(limit))]

    def list_ids(
        self, *, after: str | None = None, limit: int = 20, order: str = "desc", **only: str | None
    ) -> Page[str]:
        """The ids of `list`'s jobs."""
        with self._ledger.reading() as session:
            numbers = page_numbers(session, _only(**only), JobRow, after=after, limit=limit, order=order)
            rows = session.execute(select(JobRow.number, JobRow.id).where(JobRow.number.in_(numbers)))
            ids = {row.number: row.id for row in rows}
            return Page([ids[number] for number in numbers[:limit] if number in ids], len(numbers) > limit)

    # last in its class: below it, `list` would mean this method
    def list(self, *, after: str | None = None, limit: int = 20, order: str = "desc", **only: str | None) -> Page[Job]:
        """A page of jobs, newest first (`order="asc"`: oldest first), beginning after the job `after`.

        `only` are a `status`, a `type`, and the name or id of a `model`. Raises InvalidRequest where `after` is no job.
        """
        with self._ledger.reading() as session:
            rows = page(session, _only(**only), JobRow, after=after, limit=limit, order=order)
            return Page([job_record(row) for row in rows[:limit]], len(rows) > limit)


# ---- shared by the repositories -------------------------------------------------------------------------------------


def add_job(session: Session, *, type: str, **fields: Any) -> Job:
    """Add a queued job in this transaction. Raises QuotaExceeded where the acting key has as many as it may."""
    check_jobs(session)
    row = JobRow(id=mint("job"), type=type, queue=QUEUES[type], **fields)
    session.add(row)
    note(session, row.id)
    session.flush()
    request = {"request_id": REQUEST.get()} if REQUEST.get() else {}
    record(session, row.id, "job.queued", {"status": "queued", "retry_of": row.retry_of, **request})
    return job_record(row)


def succeed(session: Session, id: str, epoch: int) -> JobRow:
    """End a held job as succeeded in this transaction. Raises LostClaim."""
    return end(session, id, epoch, "succeeded", {"ended_by": "done"})


def live_job(session: Session, condition: ColumnElement[bool]) -> str | None:
    """The id of a job that has not ended and meets the condition, if there is one."""
    return session.scalars(select(JobRow.id).where(condition, JobRow.status.not_in(TERMINAL)).limit(1)).one_or_none()


# ---- below: one transaction's steps ---------------------------------------------------------------------------------


def _only(status: str | None = None, type: str | None = None, model: str | None = None) -> Select[Any]:
    """The jobs of one status, type, model: a name or an id."""
    wanted = select(JobRow)
    for column, value in ((JobRow.status, status), (JobRow.type, type)):
        wanted = wanted if value is None else wanted.where(column == value)
    return wanted if model is None else wanted.where(or_(JobRow.model == model, JobRow.model_id == model))


def _asked_by(session: Session, id: str) -> str | None:
    """The request that made a job: its first event says."""
    asked = select(EventRow.data["request_id"].as_string()).where(EventRow.job_id == id, EventRow.type == "job.queued")
    return session.scalars(asked.order_by(EventRow.number).limit(1)).one_or_none()


def _find(session: Session, id: str, *, lock: bool = False) -> JobRow:
    wanted = select(JobRow).where(JobRow.id == id)
    row = session.scalars(wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise NotFound(f"there is no job {id}")
    return row


def _ready(session: Session, dataset_id: str) -> DatasetRow:
    """A ready dataset, kept from deletion until this transaction ends. Raises NotFound or Conflict."""
    wanted = select(DatasetRow).where(DatasetRow.id == dataset_id).with_for_update(read=True)
    row = session.scalars(wanted).one_or_none()
    if row is None:
        raise NotFound(f"there is no dataset {dataset_id}")
    if row.status != "ready":
        raise Conflict(f"dataset {row.name} is {row.status}, not ready")
    return row


def _add_model(session: Session, spec: TrainingSpec, dataset: DatasetRow, name: str) -> ModelRow:
    row = ModelRow(
        id=mint("mdl"),
        name=name,
        recipe=spec.recipe,
        network=spec.network.model_dump(mode="json"),
        dataset_id=dataset.id,
        dataset=dataset.name,
        classes=dataset.classes if spec.network.conditioning.kind == "class" else [],
        metric=spec.metric,
    )
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        raise _taken(name) from error
    return row


def _taken(name: str) -> Conflict:
    """The refusal of a name that a model has."""
    otherwise = f'choose another name, or go on with it by resume_from: "{name}"'
    return Conflict(f"a model named {name} exists already: {otherwise}", param="model")


def _start_of(session: Session, origin: Origin, name: str) -> ModelRow | None:
    """The model of the checkpoint that a training goes on from, where that is its name; None where a new one is made.

    Model and checkpoint stay until this transaction ends, and the checkpoint then until the job has ended. Raises
    NotFound, or Conflict where another job trains the model or has gone on from there.
    """
    of_it = select(CheckpointRow.model_id).where(CheckpointRow.id == origin.checkpoint).scalar_subquery()
    model = session.scalars(select(ModelRow).where(ModelRow.id == of_it).with_for_update()).one_or_none()
    wanted = select(CheckpointRow).where(CheckpointRow.id == origin.checkpoint).with_for_update(read=True)
    start = session.scalars(wanted).one_or_none()
    if model is None or start is None:
        raise NotFound(f"checkpoint {origin.checkpoint} was retired just now", param="resume_from")
    if model.name != name:
        return None
    _refuse_second_training(session, model, param="model")
    own = (CheckpointRow.model_id == model.id) & (CheckpointRow.number > start.number)
    newer = list(session.scalars(select(CheckpointRow.images).where(own).order_by(CheckpointRow.number)))
    if newer:
        there = ", ".join(f"{name}@{images}" for images in newer)
        otherwise = "go on from the newest, or give the model that goes on from there another name (model)"
        raise Conflict(f"{name}@{start.images} has newer checkpoints behind it ({there}): {otherwise}", param="model")
    return model


def _go_on(model: ModelRow, spec: TrainingSpec, dataset: DatasetRow) -> ModelRow:
    """The model as it is trained from now on; its network, classes and metric stay."""
    model.recipe, model.dataset_id, model.dataset = spec.recipe, dataset.id, dataset.name
    return model


def _refuse_second_training(session: Session, model: ModelRow, param: str | None = None) -> None:
    """Raises Conflict where a job that has not ended trains the model."""
    other = live_job(session, (JobRow.model_id == model.id) & (JobRow.type == "train"))
    if other is not None:
        raise Conflict(f"job {other} trains the model {model.name} already", param=param)


def _kept(job: JobRow) -> tuple[int, int]:
    """How many of its newest and of its best checkpoints a training keeps."""
    return job.spec.get("keep_checkpoints", KEPT_STATES), job.spec.get("keep_best", KEPT_BEST)


def _check_dataset(session: Session, job: JobRow) -> None:
    if job.dataset_id is not None:
        _ready(session, job.dataset_id)


def _check_training(session: Session, job: JobRow) -> None:
    """Its dataset and model are there, and no other job trains the model or has trained it since."""
    _check_dataset(session, job)
    model = session.scalars(select(ModelRow).where(ModelRow.id == job.model_id).with_for_update()).one_or_none()
    if model is None:
        raise Conflict(f"the model {job.model} of job {job.id} was deleted: create a new job")
    _refuse_second_training(session, model)
    _refuse_trained_since(session, job, model)


def _refuse_trained_since(session: Session, job: JobRow, model: ModelRow) -> None:
    """Raises Conflict where the model's newest checkpoint is of another training, which went on from this one's."""
    newest_first = select(CheckpointRow).where(CheckpointRow.model_id == model.id).order_by(CheckpointRow.number.desc())
    newest = session.scalars(newest_first.limit(1)).one_or_none()
    start = (job.spec.get("resume_from") or {}).get("checkpoint")
    if newest is None or newest.id == start:
        return
    trainings = session.scalars(select(JobRow).where(JobRow.model_id == model.id, JobRow.type == "train"))
    same = [one for one in trainings if one.spec.get("resume_from") == job.spec.get("resume_from")]
    if newest.job_id not in {id for one in same for id in (one.id, one.retry_of)}:
        otherwise = f'create a new job with resume_from: "{model.name}"'
        raise Conflict(f"the model {model.name} was trained on since job {job.id}: {otherwise}")


def _renew_dataset(session: Session, job: JobRow) -> None:
    """A preparation is tried again: its dataset is preparing once more."""
    failed = update(DatasetRow).where(DatasetRow.id == job.dataset_id, DatasetRow.status == "failed")
    if session.scalars(failed.values(status="preparing", error=None).returning(DatasetRow.id)).one_or_none() is None:
        raise Conflict(f"the dataset {job.dataset} of job {job.id} was deleted or is prepared already")


_RETRY_CHECKS = {"train": _check_training, "prepare": _renew_dataset}
"""Job type → what must hold before it is tried again (the others: `_check_dataset`)."""
