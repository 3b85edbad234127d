"""Fault 4: one bell, rung fifty times at once on four workers, is one run."""

import threading
from pathlib import Path

import pytest
from fault_kit_processes import House, eventually, house_in
from fault_table import row
from redis import Redis as Asking
from servers import Redis

from ledger.doorbell import Doorbell
from ledger.records import Job

pytestmark = pytest.mark.timeout(1200)

WORKERS, BELLS, RINGERS = 4, 50, 5


def ring_at_once(house: House, job: Job) -> None:
    """Fifty bells from five doorbells, which begin together."""
    together = threading.Barrier(RINGERS)

    def ring() -> None:
        doorbell = Doorbell(house.settings)
        together.wait()
        for _ in range(BELLS // RINGERS):
            doorbell.ring("light", job.id)

    ringers = [threading.Thread(target=ring) for _ in range(RINGERS)]
    for one in ringers:
        one.start()
    for one in ringers:
        one.join()


def ring_rounds(folder: Path, redis: Redis, rounds: int) -> None:
    """A job a round; bells alone start it, as nobody looks at the ledger by himself for five minutes."""
    with house_in(folder, broker_url=redis.url, reconcile_seconds=300) as house:
        workers = [house.worker("light", jobs="fault_jobs") for _ in range(WORKERS)]
        eventually(lambda: all("works for light" in worker.log for worker in workers))
        eventually(lambda: listening(redis) >= WORKERS)
        for _ in range(rounds):
            job = house.stub("moment", seconds=0.5)
            ring_at_once(house, job)
            house.wait(job, "succeeded")
            eventually(lambda: waiting(redis) == 0)
            check_one_run(house, job)
        assert [worker.popen.poll() for worker in workers] == [None] * WORKERS
        assert len(house.runs()) == rounds


def check_one_run(house: House, job: Job) -> None:
    told = [event.type for event in house.events(job)]
    assert told == ["job.queued", "job.running", "job.started", "job.succeeded"]
    assert house.jobs.get(job.id).epoch == 1
    assert house.runs().count(job.id) == 1


def listening(redis: Redis) -> int:
    """How many connections wait for messages."""
    with Asking(port=redis.port) as asking:
        return sum(client["cmd"].lower() == "brpop" for client in asking.client_list())


def waiting(redis: Redis) -> int:
    """How many bells nobody has heard yet."""
    with Asking(port=redis.port) as asking:
        return int(asking.llen("light"))  # type: ignore[arg-type]


def test_fifty_bells_at_once_on_four_workers_are_one_run(tmp_path: Path, redis: Redis) -> None:
    ring_rounds(tmp_path, redis, 1)


@pytest.mark.faults_long
@pytest.mark.timeout(3600)
def test_fifty_bells_at_once_are_one_run_each_time(tmp_path: Path, redis: Redis) -> None:
    ring_rounds(tmp_path, redis, 100)
    row("4", "one bell rung 50 times at once on 4 workers (Redis)", 100, "one run each time, every bell heard")
