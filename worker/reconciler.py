"""Keeps what the ledger says and what this worker does in agreement, whatever became of bells, workers and the broker.

Every few seconds: jobs whose lease passed or whose worker is dead go back to their queue; and where jobs wait while
slots are free, at most as many bells are rung. A bell that nobody heard in time (the broker is away, or Celery is not
connected to it yet) is answered from here.
"""

import logging
import threading
import time

from gan.errors import Unavailable
from ledger.doorbell import Doorbell
from ledger.logs import holding
from ledger.records import Job
from worker.crew import Crew

BEAT_SECONDS = 5.0
"""How often the worker says that it lives, and looks for dead workers of its host."""

PATIENCE_SECONDS = 2.0
"""How long a bell may go unheard."""

_log = logging.getLogger("ganymede.reconciler")


class Reconciler:
    """One a worker process. `seconds` lie between two looks."""

    def __init__(self, crew: Crew, doorbell: Doorbell, seconds: float) -> None:
        self._crew, self._place = crew, crew.place
        self._doorbell, self._seconds = doorbell, seconds
        self._next_beat = 0.0
        self._judge_from = 0.0
        self._clocks = time.time() - time.monotonic()
        self._rung_at: float | None = None
        self._away = False
        self._answered = True

    def start(self) -> threading.Thread:
        """Run in a daemon thread until the worker stops."""
        thread = threading.Thread(target=self._run, name="reconciler", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        while not self._place.stopping.is_set():
            try:
                self.look()
                self._back()
            except Unavailable as away:
                self._gone(away)
            except Exception:  # whatever it is, the next look may go well, and without looks no job is ever taken up
                _log.exception("this look at the ledger failed")
            self._place.stopping.wait(self._seconds)

    def look(self) -> None:
        """One look at the ledger, and what follows from it. Raises Unavailable."""
        self._beat()
        self._notice_sleep()
        if time.monotonic() >= self._judge_from:
            for job in self._place.jobs.expire(self._place.queue):
                _say_of(job, "its lease passed")
        wanted = min(self._crew.free, self._place.jobs.waiting(self._place.queue))
        if wanted == 0:
            self._rung_at = None
        elif self._unheard():
            self._answer(wanted)
        elif self._rung_at is None:
            self._ring(wanted)

    def _beat(self) -> None:
        if time.monotonic() < self._next_beat:
            return
        self._next_beat = time.monotonic() + BEAT_SECONDS
        self._broker_answers()
        self._place.workers.beat(self._place.worker)
        dead = self._place.workers.dead_on(self._place.host)
        for job in self._place.jobs.release_dead(dead) if dead else []:
            _say_of(job, "its worker died")

    def _notice_sleep(self) -> None:
        """A machine that slept, or whose clock was set, finds leases passed that nobody could renew: holders first."""
        before, self._clocks = self._clocks, time.time() - time.monotonic()
        if abs(self._clocks - before) > self._place.settings.heartbeat_seconds:
            _log.warning("the clock jumped by %.0f seconds", self._clocks - before)
            self._wait_for_holders()

    def _wait_for_holders(self) -> None:
        self._judge_from = time.monotonic() + 2 * self._place.settings.heartbeat_seconds

    # ---- bells ----

    def _unheard(self) -> bool:
        """Whether bells are of no use now: the broker is away, or the last one was not answered in time."""
        late = self._rung_at is not None and time.monotonic() - self._rung_at > PATIENCE_SECONDS
        return late or not self._broker_answers()

    def _broker_answers(self) -> bool:
        """One line when it goes and one when it is back."""
        answers = self._doorbell.broker_state() != "degraded"
        if answers != self._answered:
            _log.warning(BROKER_NEWS[answers])
        self._answered = answers
        return answers

    def _ring(self, bells: int) -> None:
        self._rung_at = time.monotonic()
        self._place.meters.rung.inc(bells)
        for _ in range(bells):
            self._doorbell.ring(self._place.queue)

    def _answer(self, jobs: int) -> None:
        self._rung_at = None
        self._place.meters.reconciled.inc(jobs)
        for _ in range(jobs):
            threading.Thread(target=self._crew.answer, name="answer", daemon=True).start()

    # ---- an absent database ----

    def _gone(self, away: Unavailable) -> None:
        """Nobody could renew a lease meanwhile: when the database is back, holders get time to say that they live.

        It is back once it can be written to: one whose disk is full can still be read.
        """
        self._judge_from, self._next_beat = float("inf"), 0.0
        if not self._away:
            _log.error("%s; trying again every %g seconds", away, self._seconds)
        self._away = True

    def _back(self) -> None:
        if self._away:
            _log.warning("the database answers again")
            self._wait_for_holders()
        self._away = False


def _say_of(job: Job, what: str) -> None:
    with holding(job.id, job.attempt, job.epoch, job.request_id):
        _log.warning("%s; the job is %s", what, job.status)


BROKER_NEWS = {
    False: "the broker does not answer: jobs are taken straight from the ledger until it does",
    True: "the broker answers again",
}
