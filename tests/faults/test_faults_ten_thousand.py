"""Fault 13: thousands of queued jobs whose child does nothing, and four workers."""

import random
from collections import Counter
from pathlib import Path

import psutil
import pytest
from fault_kit_processes import House, Process, eventually, every_event, house_in
from fault_table import row

from ledger.census import census
from ledger.records import Event, Job

pytestmark = pytest.mark.timeout(1200)

WORKERS = 4
FLAT = 24 * 2**20
"""How much more memory a worker may have at the end than when it had done a fifth of its jobs, in bytes."""


def queue(house: House, count: int) -> list[Job]:
    draw = random.Random(count)
    return [house.stub("nothing", priority=draw.choice([-5, 0, 0, 0, 5])) for _ in range(count)]


def resident(workers: list[Process]) -> list[int]:
    return [psutil.Process(worker.pid).memory_info().rss for worker in workers]


def work_off(folder: Path, count: int) -> tuple[int, list[int]]:
    """Have so many jobs done; how much memory the workers had gained at most, and how many jobs each had done."""
    with house_in(folder) as house:
        made = queue(house, count)
        workers = [house.worker("light", program="idle_worker") for _ in range(WORKERS)]
        eventually(lambda: house.jobs.waiting("light") < 0.8 * count, 1200, pause=0.2)
        early = resident(workers)
        done = {("light", "succeeded"): float(count)}
        eventually(lambda: census(house.ledger)["jobs"] == done, 3600, pause=0.5)
        gained = max(later - before for before, later in zip(early, resident(workers), strict=True))
        shares = check_all_done(house, made)
        assert gained < FLAT
        assert [worker.popen.poll() for worker in workers] == [None] * WORKERS
        return gained, shares


def check_all_done(house: House, made: list[Job]) -> list[int]:
    """Each ran once, in the order of priority and age: by the order of commits, in which events are numbered."""
    told: dict[str, list[Event]] = {job.id: [] for job in made}
    claimed = []
    for event in every_event(house.jobs, None):
        told[event.job_id].append(event)
        if event.type == "job.running":
            claimed.append(event.job_id)
    story = ["job.queued", "job.running", "job.started", "job.succeeded"]
    assert [id for id, events in told.items() if [event.type for event in events] != story] == []
    assert claimed == [job.id for job in sorted(made, key=lambda job: (-job.priority, job.number))]
    return list(Counter(events[1].data["worker"] for events in told.values()).values())


def test_hundreds_of_queued_jobs_run_once_each_in_order(tmp_path: Path) -> None:
    _, shares = work_off(tmp_path, 200)
    assert len(shares) == WORKERS, "every worker had some"


@pytest.mark.faults_long
@pytest.mark.timeout(7200)
def test_ten_thousand_queued_jobs_run_once_each_in_order_and_memory_stays_flat(tmp_path: Path) -> None:
    gained, shares = work_off(tmp_path, 10_000)
    outcome = (
        "none lost, none doubled, first in first out within a priority; a worker gained at most "
        f"{gained / 2**20:.1f} MiB after its first fifth"
    )
    row("13", f"queued jobs whose child does nothing, {len(shares)} workers", 10_000, outcome)
