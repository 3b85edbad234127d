"""`python -m worker --queue train|light`: a worker process."""

import argparse
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from gan.errors import GanymedeError, Unavailable
from ledger import logs
from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.doorbell import BELLS, Doorbell, make_app
from ledger.jobs import Jobs
from ledger.lifeline import end_with_parent
from ledger.models import Models
from ledger.settings import Settings, read_settings
from ledger.storage import Storage
from ledger.workers import Workers, this_host
from worker.celery import add_task, start_consumer, stop_consumer
from worker.crew import Crew
from worker.devices import Device, described, devices_for
from worker.housekeeper import start_housekeeper
from worker.meters import serve
from worker.reconciler import Reconciler
from worker.supervisor import Workplace

STOP_SECONDS = 9.5
"""How long after SIGTERM or SIGINT the process ends, whatever still hangs."""

IDLE_SECONDS = 9.0
"""How long the job slots have of that."""

CONSUMER_SECONDS = 0.2

CHATTY = ("ganymede.doorbell",)
"""What the reconciler says as well."""

_log = logging.getLogger("ganymede.worker")


def main(given: list[str] | None = None) -> int:
    """Work until SIGTERM or SIGINT; returns the exit status, with one line on stderr where it cannot start."""
    options = arguments_of(given)
    stopping = threading.Event()
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, lambda *_: stopping.set())
    try:
        settings = read_settings()
        logs.configure(settings, CHATTY)
        devices = devices_for(options.queue, settings.train_device)
        place = move_in(settings, options, devices, stopping)
    except (GanymedeError, OSError) as error:
        sys.stderr.write(f"ganymede work: {error}\n")
        return 1
    if options.until_stdin_closes:
        end_with_parent()
    return 0 if work(place, devices) else 1


def arguments_of(given: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument("--queue", choices=BELLS, required=True, help="whose jobs to run")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the process that holds stdin ends")
    parser.add_argument("--jobs", help=argparse.SUPPRESS)  # a module with another job table: for tests
    return parser.parse_args(given)


def move_in(
    settings: Settings, options: argparse.Namespace, devices: list[Device], stopping: threading.Event
) -> Workplace:
    """Check the ledger and the storage, and make the worker known. Raises LedgerMismatch, Unavailable, OSError."""
    ledger = Ledger(settings.database_url)
    ledger.check_version()
    storage = Storage(settings.storage)
    storage.prepare()
    if options.queue == "light":
        start_housekeeper(ledger, storage, stopping)
    workers = Workers(ledger)
    return Workplace(
        settings=settings,
        queue=options.queue,
        jobs=Jobs(ledger),
        datasets=Datasets(ledger),
        models=Models(ledger),
        workers=workers,
        storage=storage,
        worker=workers.register_self(options.queue, described(devices[0])),
        host=this_host(),
        job_table=options.jobs,
        stopping=stopping,
    )


def work(place: Workplace, devices: list[Device]) -> bool:
    """Run jobs until the process is asked to end; whether all of them were let go of in time."""
    settings = place.settings
    app = make_app(settings)
    crew = Crew(place, devices)
    place.meters.size.set(crew.size)
    serve(place.meters, settings, place.queue)
    add_task(app, crew)
    consumer = start_consumer(app, crew)
    pace = settings.poll_seconds if settings.embedded else settings.reconcile_seconds
    Reconciler(crew, Doorbell(settings, own_process=True, app=app), pace).start()
    _log.info("%s works for %s on %s", place.worker, place.queue, ", ".join(map(str, devices)))
    place.stopping.wait()
    _log.info("%s is ending", place.worker)
    return let_go(place, crew, consumer)


def let_go(place: Workplace, crew: Crew, consumer: threading.Thread) -> bool:
    """Wait for the supervisors, who have their children save and end; but the process ends, whatever hangs."""
    deadline = threading.Timer(STOP_SECONDS, os._exit, (1,))
    deadline.daemon = True
    deadline.start()
    stop_consumer()
    orderly = crew.wait_idle(IDLE_SECONDS)
    with suppress(Unavailable):
        place.workers.forget(place.worker)
    consumer.join(CONSUMER_SECONDS)
    return orderly


def end(status: int) -> NoReturn:
    """End at once: Celery's threads may sit in a socket, and nothing is left that they could lose."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    end(main())
