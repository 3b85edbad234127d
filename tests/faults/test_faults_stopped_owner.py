"""Fault 3: a worker that is stopped beyond its lease, then goes on, writes neither ledger nor published files."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from fault_kit_processes import ROOT, House, Plan, Process, alone, check_same, eventually, house_in
from fault_table import row
from servers import PostgreSQL
from waiting import gone

from ledger.database import STALLED_SECONDS
from ledger.records import Job

pytestmark = pytest.mark.timeout(1200)

LEASE = {"lease_seconds": 3.0, "heartbeat_seconds": 0.5}

Stopped = Callable[[Process, int], list[int]]


def worker_and_child(worker: Process, child: int) -> list[int]:
    """As when the machine was suspended."""
    return [worker.pid, child]


def worker_alone(worker: Process, child: int) -> list[int]:
    """The child trains on, and fences itself; what it said meanwhile waits in the pipe for a worker without a claim."""
    return [worker.pid]


def send(pids: list[int], number: int) -> None:
    for pid in pids:
        os.kill(pid, number)


def stop_owner(house: House, job: Job, worker: Process, draw: random.Random, stopped: Stopped) -> Process:
    """Another worker takes the job over and gets further; then the stale one goes on, and finds it out.

    Returns the new owner; the stale worker, whose log says so, is ended.
    """
    before = house.newest(job)
    eventually(lambda: house.newest(job) > before)
    child, held = house.child(worker), house.jobs.get(job.id)
    pids = stopped(worker, child)
    time.sleep(draw.uniform(0, 0.5))
    with house.ledger.still():  # not in the middle of a write: on SQLite nobody could then write until it goes on
        send(pids, signal.SIGSTOP)
        eventually(lambda: all(psutil.Process(pid).status() == psutil.STATUS_STOPPED for pid in pids))
    successor = house.worker()
    eventually(lambda: house.jobs.get(job.id).epoch > held.epoch)
    taken, reached = house.published(job), house.newest(job)
    send(pids, signal.SIGCONT)
    eventually(lambda: "given up" in worker.log)
    eventually(lambda: gone(child))
    check_untouched(house, taken)
    eventually(lambda: house.newest(job) > reached)
    worker.popen.send_signal(signal.SIGTERM)
    assert worker.popen.wait(15) == 0
    assert house.jobs.get(job.id).epoch == held.epoch + 1
    return successor


def check_untouched(house: House, published: dict[str, str]) -> None:
    """Files that were published when the stale worker went on have the bytes they had, unless they were retired."""
    for path, digest in published.items():
        file = house.storage.path(path)
        if file.exists():
            house.storage.verify(path, digest)


def stop_in_turn(folder: Path, plan: Plan, ways: list[Stopped]) -> None:
    """One training whose owner is stopped again and again ends bit for bit as one left alone."""
    with house_in(folder, **LEASE) as house:
        job, draw = house.training(plan), random.Random(len(ways))
        worker = house.worker()
        for stopped in ways:
            worker = stop_owner(house, job, worker, draw, stopped)
        assert house.wait(job, "succeeded", "failed", seconds=1200) == "succeeded"
        check_same(house.made(job), alone(plan))
        house.check_published(job)
        reasons = [event.data["reason"] for event in house.events(job, "job.requeued")]
        assert reasons == ["lease_passed"] * len(ways)


def test_a_worker_stopped_beyond_its_lease_can_write_nothing_when_it_goes_on(tmp_path: Path) -> None:
    stop_in_turn(tmp_path, Plan(6), [worker_alone])


HOLDER = """
import os, signal, sys
from ledger.database import Ledger, record
from ledger.moves import hold
ledger = Ledger(sys.argv[1])
with ledger.writing() as session:
    hold(session, sys.argv[2], 1, progress={"percent": 50.0})
    record(session, sys.argv[2], "warning", {"about": "nothing"})
    if sys.argv[3] == "events":
        from ledger import database
        database._write_events(session)
    os.kill(os.getpid(), signal.SIGSTOP)
print("committed")
"""
"""A holder that is stopped in the middle of a transaction, with the row locked; or the events of all jobs as well."""


@pytest.mark.parametrize("locks", ["row", "events"])
def test_an_owner_stopped_in_a_transaction_holds_nobody_up_beyond_its_lease(
    tmp_path: Path, postgresql: PostgreSQL, locks: str
) -> None:
    """PostgreSQL ends the transaction; the stale one learns that nothing of it was written."""
    postgresql.sql(f"CREATE DATABASE stopped_{locks}")
    with house_in(tmp_path, database_url=postgresql.at(f"stopped_{locks}")) as house:
        job = house.stub("nothing")
        assert house.jobs.claim("light", "wrk_stale", 1.0) is not None
        command = [sys.executable, "-c", HOLDER, house.settings.database_url, job.id, locks]
        stale = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        eventually(lambda: psutil.Process(stale.pid).status() == psutil.STATUS_STOPPED)
        [taken] = eventually(lambda: house.jobs.expire("light"), STALLED_SECONDS + 20)
        assert (taken.id, taken.status) == (job.id, "queued")
        again = house.jobs.claim("light", "wrk_next", 30)
        assert again is not None
        assert again.epoch == 2
        os.kill(stale.pid, signal.SIGCONT)
        said, why = stale.communicate(timeout=60)
        assert said == ""
        assert "Unavailable" in why.splitlines()[-1]
        assert house.jobs.get(job.id).progress is None
        assert not house.events(job, "warning")


@pytest.mark.faults_long
@pytest.mark.timeout(7200)
def test_an_owner_is_stopped_thirty_times(tmp_path: Path) -> None:
    ways = [worker_and_child, worker_alone] * 15
    stop_in_turn(tmp_path, Plan(200), ways)
    outcome = "taken over each time; the stale one gave up, published files untouched; ends bit-identical"
    row("3", "SIGSTOP of the owner beyond its lease, then SIGCONT", len(ways), outcome)
