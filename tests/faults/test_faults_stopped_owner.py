"""Fault 3: a worker that is stopped beyond its lease, then goes on, writes neither ledger nor published files."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_kit_processes import House, Plan, Process, alone, check_same, eventually, gone, house_in
from fault_table import row

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
    with house.ledger.writing():  # not in the middle of a write: on SQLite nobody could then write until it goes on
        send(pids, signal.SIGSTOP)
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
    stop_in_turn(tmp_path, Plan(8), [worker_and_child, worker_alone])


@pytest.mark.faults_long
@pytest.mark.timeout(7200)
def test_an_owner_is_stopped_thirty_times(tmp_path: Path) -> None:
    ways = [worker_and_child, worker_alone] * 15
    stop_in_turn(tmp_path, Plan(200), ways)
    outcome = "taken over each time; the stale one gave up, published files untouched; ends bit-identical"
    row("3", "SIGSTOP of the owner beyond its lease, then SIGCONT", len(ways), outcome)
