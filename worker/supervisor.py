"""One job from claim to end, seen from outside its child: lease, orders, reports, and what became of it.

The supervisor alone writes to the ledger, every time under its epoch. While the database is away it keeps trying:
the child fences itself at the last deadline it was told, and the job goes back to its queue when the database returns.
It imports no torch.
"""

import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gan.errors import DatasetUnusable, JobFailure, LostClaim, StorageFull, Unavailable
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.logs import holding
from ledger.models import Models
from ledger.records import Job, Packed, Saved
from ledger.settings import Settings
from ledger.storage import Storage
from ledger.workers import Workers
from worker.assignments import assign, threads
from worker.devices import Device
from worker.launch import Child, environment
from worker.meters import Meters, Slot, timed
from worker.protocol import (
    FENCED,
    Assignment,
    Done,
    End,
    Estimated,
    Evaluated,
    Failed,
    Lease,
    Line,
    Measured,
    Metrics,
    Note,
    Prepared,
    Preview,
    Progress,
    Report,
    SavedCheckpoint,
    Started,
    Stop,
    Stopped,
)

LOOK_SECONDS = 1.0
"""How often the status is looked at, and an absent database is tried again."""

LISTEN_SECONDS = 0.25
CANCEL_SECONDS = 5.0
"""How long a cancelled child may take to end."""

RELEASE_SECONDS = 6.5
"""How long a child may take to save and end when the worker shuts down (10 s all told)."""

T = TypeVar("T")
_log = logging.getLogger("ganymede.worker")


@dataclass(frozen=True)
class Workplace:
    """What the supervisors of a worker process share. `stopping` is set when the process is asked to end."""

    settings: Settings
    queue: str
    jobs: Jobs
    datasets: Datasets
    models: Models
    workers: Workers
    storage: Storage
    worker: str
    host: str
    job_table: str | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    meters: Meters = field(default_factory=Meters)


def answer_one(place: Workplace, device: Device) -> bool:
    """Claim the head of the queue and see it through; False where the queue is empty. Raises Unavailable."""
    before = time.monotonic()
    with timed(place.meters.claims, place.meters.unclaimed):
        job = place.jobs.claim(place.queue, place.worker, place.settings.lease_seconds, place.host)
    if job is None:
        return False
    place.meters.claimed.labels(job.type).inc()
    Supervisor(place, job, device, before + place.settings.lease_seconds).run()
    return True


class Supervisor:
    """Holds one claimed job. `deadline` (CLOCK_MONOTONIC) is when the claim's lease passes."""

    def __init__(self, place: Workplace, job: Job, device: Device, deadline: float) -> None:
        self._place, self._job, self._device = place, job, device
        self._claim = (job.id, job.epoch)
        self._deadline = deadline
        self._swept_before = self._storage_time() - place.settings.lease_seconds
        self._next_beat = deadline - place.settings.lease_seconds + place.settings.heartbeat_seconds
        self._next_look = 0.0
        self._retry_at = 0.0
        self._kill_at = float("inf")
        self._told: Stop | None = None
        self._away = False
        self._slot: Slot
        self._outbox: deque[Report] = deque()
        self._progress: dict[str, Any] | None = None
        self._end: End | None = None
        self._death = ""
        self._blameless = False

    def run(self) -> None:
        """See the job to its end, or until the claim is lost or the worker must go."""
        with holding(self._job.id, self._job.attempt + 1, self._job.epoch, self._job.request_id):
            outcome = self._see_through()
        self._place.meters.ended.labels(self._job.type, outcome).inc()

    def _see_through(self) -> str:
        """How it was let go of."""
        self._say("claimed")
        try:
            self._work()
            return self._insist(self._settle)
        except LostClaim as lost:
            self._say(f"given up: {lost}", logging.WARNING)
            return "lost"
        except Unavailable as away:
            self._say(f"given up, its lease will pass: {away}", logging.ERROR)
            return "left"

    def _work(self) -> None:
        """Run the child to its end, and note how it ended."""
        try:
            assignment = self._insist(self._assign)
            child = self._launch()
        except JobFailure as error:
            self._end = Failed(code=error.code, message=error.message, param=error.param)
        except OSError as error:
            self._death = f"no process could be started: {error.strerror}"
        else:
            with child, self._place.meters.running(Slot(self._device, self._job.type, child.pid)) as self._slot:
                child.tell(assignment)
                while not child.ended:
                    self._outbox.extend(child.reports(LISTEN_SECONDS))
                    self._turn(child)
                self._death = child.how()
                self._end = self._end or overrun(child.status, assignment)
                self._blameless = self._told is not None or child.status == FENCED

    def _assign(self) -> Assignment:
        return assign(
            self._job, self._place.settings, self._place.models, self._place.datasets, self._device, self._deadline
        )

    def _launch(self) -> Child:
        env = environment(self._device, threads(self._job.queue, self._place.settings))
        return Child(env, self._place.job_table)

    # ---- while it runs ----

    def _turn(self, child: Child) -> None:
        now = time.monotonic()
        if self._place.stopping.is_set():
            self._order(child, Stop(save=True), RELEASE_SECONDS)
        if now >= self._kill_at:
            child.kill()
        if now < self._retry_at:
            return
        try:
            self._flush()
            self._keep(child, now)
            self._away = False
        except Unavailable as error:
            self._note_away(error)

    def _keep(self, child: Child, now: float) -> None:
        """Renew the lease when it is time or there is news; look at the status in between."""
        looking = now >= self._next_look
        if now >= self._next_beat or (looking and self._progress is not None):
            status = self._beat()
            child.tell(Lease(deadline=self._deadline))
        elif looking:
            status = self._place.jobs.look(*self._claim)
        else:
            return
        self._next_look = now + LOOK_SECONDS
        if status in ORDERS:
            self._order(child, *ORDERS[status])

    def _beat(self) -> str:
        """The deadline counts from before the call: by the database's clock the lease lasts at least as long."""
        before = time.monotonic()
        lease = self._place.settings.lease_seconds
        with timed(self._place.meters.beats, self._place.meters.unbeaten):
            status = self._place.jobs.heartbeat(*self._claim, lease, self._progress)
        self._progress = None
        self._deadline = before + lease
        self._next_beat = before + self._place.settings.heartbeat_seconds
        return status

    def _order(self, child: Child, stop: Stop, patience: float | None) -> None:
        """Tell it to end, once; a cancel outranks what was said before. A child that does not is killed in the end."""
        if patience is not None:
            self._kill_at = min(self._kill_at, time.monotonic() + patience)
        if self._told is None or (self._told.save and not stop.save):
            self._told = stop
            child.tell(stop)

    # ---- what it said ----

    def _flush(self) -> None:
        """Write its reports to the ledger, in order; one that could not be written stays first in line."""
        while self._outbox:
            report = self._outbox[0]
            PUBLISHED[type(report)](self, report)
            self._outbox.popleft()

    def _note_started(self, report: Started) -> None:
        self._say(f"running on {report.device}")
        self._place.jobs.started(*self._claim, report.device)

    def _note_progress(self, report: Progress) -> None:
        self._progress = self._slot.progress = _fields(report)

    def _note_metrics(self, report: Metrics) -> None:
        self._place.jobs.add_metrics(*self._claim, report.images, report.values)

    def _note_preview(self, report: Preview) -> None:
        self._place.jobs.add_preview(*self._claim, report.images, report.path)

    def _note_checkpoint(self, report: SavedCheckpoint) -> None:
        published = self._place.jobs.publish_checkpoint(*self._claim, Saved(**_fields(report)))
        self._remove(published.delete)
        self._say(f"checkpoint {report.id} at {report.images} images")

    def _note_event(self, report: Note) -> None:
        self._place.jobs.note(*self._claim, report.type, report.data)

    def _note_estimated(self, report: Estimated) -> None:
        self._place.jobs.estimated(*self._claim, _fields(report))

    def _note_measured(self, report: Measured) -> None:
        self._place.jobs.measured(*self._claim, _fields(report))

    def _note_end(self, report: End) -> None:
        self._end = report

    # ---- how it ended ----

    def _settle(self) -> str:
        """Write what is left to be written, and the end, and say which. A child that ended without a word was told to,
        or died.

        The claim is kept meanwhile: a ledger whose disk is full may have room for a heartbeat, and not for an end.
        """
        if time.monotonic() >= self._next_beat:
            self._beat()
        self._flush()
        if self._progress is not None:
            self._beat()
        self._sweep()
        if self._end is not None:
            outcome, finish = ENDS[type(self._end)]
            finish(self, self._end)
            return outcome
        if self._blameless:
            self._release()
            return "released"
        became = self._place.jobs.lost(*self._claim, self._death)
        self._say(f"the child died: {self._death}; the job is {became}", logging.WARNING)
        return "died"

    def _finish_done(self, end: Done) -> None:
        self._remove(self._place.jobs.finish(*self._claim, "succeeded", ended_by=end.ended_by))
        self._say(f"succeeded by {end.ended_by}")

    def _finish_prepared(self, end: Prepared) -> None:
        """The upload has served its purpose once what was made of it is in the ledger."""
        dataset = self._place.datasets.finish_prepare(*self._claim, Packed(**_fields(end)))
        self._remove([f"uploads/{dataset.id}"])
        self._say(f"dataset {dataset.name} is ready: {end.count} {end.kind}")

    def _finish_evaluated(self, end: Evaluated) -> None:
        self._place.jobs.finish_evaluation(*self._claim, end.result, end.checkpoint, end.metrics)
        self._say("evaluated")

    def _finish_failed(self, end: Failed) -> None:
        self._place.jobs.finish(*self._claim, "failed", error=_fields(end))
        self._say(f"failed, {end.code}: {end.message}", logging.WARNING)

    def _release(self, _end: Stopped | None = None) -> None:
        self._say(f"let go: the job is {self._place.jobs.release(*self._claim)}")

    # ---- helpers ----

    def _insist(self, action: Callable[[], T]) -> T:
        """Do it, again and again while the database is away. Raises Unavailable where the worker must go first."""
        while True:
            try:
                return action()
            except Unavailable as error:
                self._note_away(error)
                if self._place.stopping.wait(LOOK_SECONDS):
                    raise

    def _note_away(self, error: Unavailable) -> None:
        """One line an outage."""
        self._retry_at = time.monotonic() + LOOK_SECONDS
        if not self._away:
            self._say(f"{error}; trying again until it answers", logging.WARNING)
        self._away = True

    def _remove(self, paths: list[str]) -> None:
        """Files that nothing refers to any more; one that stays costs space and no more."""
        try:
            self._place.storage.remove(*paths)
        except OSError as error:
            self._say(f"could not remove {error.filename}: {error.strerror}", logging.WARNING)

    def _sweep(self) -> None:
        """Remove the files that earlier holders of the model left and never published.

        Those written since a lease before this claim stay: a successor may be about to publish them.
        """
        if self._job.model_id is None or self._job.type != "train":  # an evaluation writes no files
            return
        kept = self._place.models.paths(self._job.model_id)
        try:
            self._place.storage.sweep(f"checkpoints/{self._job.model_id}", kept, self._swept_before)
        except OSError as error:
            self._say(f"could not sweep {error.filename}: {error.strerror}", logging.WARNING)

    def _storage_time(self) -> float:
        """Now, as files are stamped here; the beginning of time, before which nothing is swept, where none can be."""
        try:
            return self._place.storage.clock()
        except (OSError, StorageFull):
            return 0.0

    def _say(self, text: str, level: int = logging.INFO) -> None:
        _log.log(level, "%s", text)


def overrun(status: int | None, assignment: Assignment) -> Failed | None:
    """The failure of a child that was ended for the CPU time it took. Trying again would take as long."""
    if assignment.bounds is None or status != -signal.SIGXCPU:
        return None
    limit = f"{assignment.bounds.cpu_seconds:,} seconds of CPU time (GANYMEDE_PREPARE_CPU_SECONDS)"
    return Failed(code=DatasetUnusable.code, message=f"preparing takes more than {limit}", param="file")


def _fields(line: Line) -> dict[str, Any]:
    return line.model_dump(exclude={"say"})


ORDERS: dict[str, tuple[Stop, float | None]] = {
    "cancelling": (Stop(save=False), CANCEL_SECONDS),
    "pausing": (Stop(save=True), None),
}
"""Status → what the child is told, and how long it may take before it is killed (None: as long as its lease holds)."""

PUBLISHED: dict[type[Line], Callable[[Supervisor, Any], None]] = {
    Started: Supervisor._note_started,
    Progress: Supervisor._note_progress,
    Metrics: Supervisor._note_metrics,
    Preview: Supervisor._note_preview,
    SavedCheckpoint: Supervisor._note_checkpoint,
    Note: Supervisor._note_event,
    Estimated: Supervisor._note_estimated,
    Measured: Supervisor._note_measured,
    Done: Supervisor._note_end,
    Prepared: Supervisor._note_end,
    Evaluated: Supervisor._note_end,
    Stopped: Supervisor._note_end,
    Failed: Supervisor._note_end,
}
"""Report → how it reaches the ledger."""

ENDS: dict[type[Line], tuple[str, Callable[[Supervisor, Any], None]]] = {
    Done: ("succeeded", Supervisor._finish_done),
    Prepared: ("succeeded", Supervisor._finish_prepared),
    Evaluated: ("succeeded", Supervisor._finish_evaluated),
    Stopped: ("released", Supervisor._release),
    Failed: ("failed", Supervisor._finish_failed),
}
"""Last report → what it counts as, and how the job ends."""
