"""Celery's part: one task that hears bells, and the consumer that runs it, in a thread of its own.

The process's main thread keeps the signals and the time: a consumer that hangs in a socket must not delay its end.
Bells are acknowledged when they are heard, so nothing is lost with a consumer that is dropped.
"""

import logging
import threading

from celery import Celery
from celery.worker import state

from ledger.doorbell import TASK
from worker.crew import Crew

REVIVE_SECONDS = 5.0

_log = logging.getLogger("ganymede.worker")


def add_task(app: Celery, crew: Crew) -> None:
    """Register the one task. The job named in a bell is a hint: the ledger says whose turn it is."""

    @app.task(name=TASK, ignore_result=True)  # type: ignore[untyped-decorator]  # Celery is untyped
    def answer(queue: str, job: str | None = None) -> None:
        crew.place.meters.heard.inc()
        _log.debug("a bell for %s (%s)", queue, job)
        crew.answer()


def start_consumer(app: Celery, crew: Crew) -> threading.Thread:
    """Listen for bells in a daemon thread: as many at once as there are slots."""
    app.set_default()  # pool threads look the task up in the default app
    thread = threading.Thread(target=_consume, args=(app, crew), name="celery", daemon=True)
    thread.start()
    return thread


def _consume(app: Celery, crew: Crew) -> None:
    """Celery reconnects to a broker that was away; after an answer that it takes for final, it is started anew."""
    while not crew.place.stopping.is_set():
        app.WorkController(
            pool="threads",
            concurrency=crew.size,
            queues=[crew.place.queue],
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        ).start()
        crew.place.stopping.wait(REVIVE_SECONDS)


def stop_consumer() -> None:
    """Have it end when it next looks; it may never."""
    state.should_stop = 0
