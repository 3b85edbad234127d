"""Fault 10: a job that kills its worker, or its own process, every time it runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fault_kit_processes import House, Plan, Process, house_in
from fault_table import row

from ledger.records import Job

pytestmark = pytest.mark.timeout(1200)

ATTEMPTS = 3


class Keeper:
    """What keeps a worker running in deployment: it is started anew whenever it has died."""

    def __init__(self, house: House, queue: str) -> None:
        self._house, self._queue = house, queue
        self._over = threading.Event()
        self.workers: list[Process] = []
        self._thread = threading.Thread(target=self._keep)

    def _keep(self) -> None:
        while not self._over.wait(0.1):
            if not self.workers or self.workers[-1].popen.poll() is not None:
                self.workers.append(self._house.worker(self._queue, jobs="fault_jobs"))

    def __enter__(self) -> "Keeper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def deaths(self) -> int:
        return sum(worker.popen.poll() is not None for worker in self.workers)


@contextmanager
def kept(folder: Path, queue: str) -> Iterator[tuple[House, Keeper]]:
    with house_in(folder) as house, Keeper(house, queue) as keeper:
        yield house, keeper


def check_worn(house: House, job: Job) -> None:
    """It ran three times, and says why it does no more."""
    ended = house.jobs.get(job.id)
    assert ended.error is not None
    assert (ended.status, ended.error["code"], ended.attempt) == ("failed", "worker_lost", ATTEMPTS)
    assert house.runs().count(job.id) == ATTEMPTS
    assert [event.data["attempt"] for event in house.events(job, "job.requeued")] == [1, 2]


def kill_with_jobs(folder: Path, killers: int) -> int:
    """Jobs that kill before, between and behind jobs that do nothing; how many workers died of them."""
    with kept(folder, "light") as (house, keeper):
        acts = ["kill_worker", "nothing", "kill_child", "nothing"] * killers
        jobs = [house.stub(act) for act in acts]
        for job, act in zip(jobs, acts, strict=True):
            assert house.wait(job, "succeeded", "failed", seconds=1200) == (
                "succeeded" if act == "nothing" else "failed"
            )
        for job, act in zip(jobs, acts, strict=True):
            if act != "nothing":
                check_worn(house, job)
            else:
                assert house.runs().count(job.id) == 1
        assert keeper.deaths == ATTEMPTS * killers, "jobs that kill their own process leave the worker alive"
        return keeper.deaths


def test_a_job_that_kills_every_time_fails_after_three_attempts_and_the_queue_moves(tmp_path: Path) -> None:
    kill_with_jobs(tmp_path, 1)


def test_a_training_that_gets_further_each_time_is_not_given_up(tmp_path: Path) -> None:
    """Two deaths, of the worker and of its child, each after one more checkpoint."""
    with kept(tmp_path, "train") as (house, _):
        job = house.training(Plan(3))
        assert house.wait(job, "succeeded", "failed") == "succeeded"
        assert [event.data["attempt"] for event in house.events(job, "job.requeued")] == [1, 1]
        assert house.newest(job) == 300


@pytest.mark.faults_long
@pytest.mark.timeout(3600)
def test_many_jobs_that_kill_their_workers_fail_and_all_others_run(tmp_path: Path) -> None:
    killers = 10
    deaths = kill_with_jobs(tmp_path, killers)
    outcome = (
        f"failed (worker_lost) after 3 attempts each, {deaths} workers died; {2 * killers} jobs between them ran once"
    )
    row("10", "jobs that kill their worker, or their child, every time", 2 * killers, outcome)
