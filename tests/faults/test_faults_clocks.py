"""Clocks an hour apart on the service and two workers: leases go by the database's alone (fault 14)."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_farm import Farm, eventually, farm_in, same
from fault_table import row
from servers import PostgreSQL

from ledger.workers import Workers

HOUR = 3600.0
IMAGES, EVERY = 9_600, 960
SKEWED = Path(__file__).with_name("skewed_clock")

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture
def farm(tmp_path: Path, postgresql: PostgreSQL) -> Iterator[Farm]:
    """A service an hour behind, one worker an hour ahead and one an hour behind, on one PostgreSQL."""
    name = f"clocks_{time.monotonic_ns()}"
    postgresql.sql(f"CREATE DATABASE {name}")
    with farm_in(tmp_path / "farm", GANYMEDE_DATABASE_URL=postgresql.at(name)) as farm:
        for worker in ("ahead", "behind"):
            farm.programs[worker] = ["-m", "worker", "--queue", "train"]
        farm.start("light")
        farm.start("ahead", **off_by(HOUR))
        farm.start("behind", **off_by(-HOUR))
        farm.start("service", **off_by(-HOUR))
        farm.add_ring()
        yield farm


def off_by(seconds: float) -> dict[str, str]:
    path = [str(SKEWED), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(path), "FAULT_CLOCK_OFFSET": str(seconds)}


def holder(farm: Farm, job: str) -> str:
    """Which of the two workers holds a job."""
    pids = {worker.id: worker.pid for worker in Workers(farm.ledger).live("train")}
    pid = pids[str(farm.jobs.get(job).worker)]
    return next(name for name in ("ahead", "behind") if farm.processes[name].pid == pid)


def check_undisturbed(farm: Farm, job: str) -> None:
    """It ran beyond several leases, and neither worker took it from the other."""
    farm.succeed(job)
    assert [event["epoch"] for event in farm.told(job, "job.running")] == [1]
    assert farm.told(job, "job.requeued") == []
    found = farm.jobs.get(job)
    for moment in (found.created_at, found.started_at, found.finished_at):
        assert abs(moment - time.time()) < HOUR / 2, "times are the database's"


def take_over(farm: Farm, model: str) -> str:
    """The holder stops: the other takes the job when the lease passes, not an hour later and not an hour sooner."""
    job = farm.train(model, IMAGES, EVERY)
    eventually(lambda: farm.checkpoints(model))
    held_by = holder(farm, job)
    farm.processes[held_by].send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    eventually(lambda: farm.told(job, "job.requeued"), 90)
    assert time.monotonic() - stopped > farm.settings.lease_seconds - 2 * farm.settings.heartbeat_seconds
    assert [event["reason"] for event in farm.told(job, "job.requeued")] == ["lease_passed"]
    farm.succeed(job)
    farm.processes[held_by].send_signal(signal.SIGCONT)
    for one in farm.checkpoints(model):
        farm.storage.verify(one.path, one.sha256)
    return job


def test_leases_hold_and_pass_by_the_databases_clock(farm: Farm) -> None:
    take_over(farm, "taken")


@pytest.mark.faults_long
@pytest.mark.timeout(1800)
def test_leases_with_clocks_an_hour_apart_many_times(farm: Farm) -> None:
    check_undisturbed(farm, farm.train("straight", 4 * IMAGES, EVERY, max_seconds=600))
    check_undisturbed(farm, farm.train("calm", IMAGES, EVERY))
    times = 5
    for number in range(times):
        take_over(farm, f"taken{number}")
        same(farm.end_of(f"taken{number}"), farm.end_of("calm"))
        time.sleep(2)
    outcome = "undisturbed beyond several leases; a stopped holder is relieved after its lease; all bit-identical"
    row("14", "wall clocks an hour ahead and behind on service and two workers (PostgreSQL)", times + 2, outcome)
