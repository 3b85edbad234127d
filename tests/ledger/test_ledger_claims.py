"""Claims: one holder a job, in order, under a lease that goes by database time."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ledger_making import Maker, saved
from sqlalchemy import update

from gan.errors import LostClaim
from ledger.database import Ledger
from ledger.jobs import Jobs
from ledger.records import Event, Job
from ledger.tables import JobRow
from ledger.workers import Workers


def claimed(jobs: Jobs, queue: str = "train", worker: str = "wrk_1", lease: float = 30) -> Job:
    job = jobs.claim(queue, worker, lease)
    assert job is not None
    return job


def test_the_queue_is_served_by_priority_and_then_by_age(jobs: Jobs, make: Maker) -> None:
    made = [make.training(priority) for priority in (0, 5, 0, -3, 5)]
    order = [made[i].id for i in (1, 4, 0, 2, 3)]
    assert [jobs.queue_position(id) for id in order] == [1, 2, 3, 4, 5]
    assert jobs.queue_positions(job.id for job in made) == {id: place for place, id in enumerate(order, 1)}
    assert jobs.waiting("train") == 5
    assert [claimed(jobs).id for _ in made] == order
    assert jobs.claim("train", "wrk_1", 30) is None
    assert jobs.queue_position(order[0]) is None
    assert jobs.waiting("train") == 0


def test_a_claim_holds_all_that_an_assignment_needs(jobs: Jobs, make: Maker) -> None:
    job = make.held()
    assert job.data == make.ready
    assert job.data.facts().count == 8
    assert job.spec["batch_size"] == 8
    assert job.seed == 2**63 - 1
    assert job.lease_until is not None
    assert 29 < job.lease_until - jobs._ledger.time() <= 30
    assert abs(jobs._ledger.time() - time.time()) < 5


def test_threads_that_claim_at_once_never_get_the_same_job(jobs: Jobs, make: Maker) -> None:
    made = {make.training().id for _ in range(24)}
    start = threading.Barrier(6)

    def claim_all(worker: int) -> list[str]:
        start.wait()
        taken = []
        while (job := jobs.claim("train", f"wrk_{worker}", 30)) is not None:
            taken.append(job.id)
        return taken

    with ThreadPoolExecutor(6) as pool:
        taken = [id for ids in pool.map(claim_all, range(6)) for id in ids]
    assert sorted(taken) == sorted(made)


CLAIM_ALL = """
import sys
from ledger.database import Ledger
from ledger.jobs import Jobs
jobs = Jobs(Ledger(sys.argv[1]))
while (job := jobs.claim("train", sys.argv[2], 30)) is not None:
    jobs.heartbeat(job.id, job.epoch, 30, {"images": 1})
    jobs.add_metrics(job.id, job.epoch, 1, {"loss": 0.5})
    jobs.finish(job.id, job.epoch, "succeeded", "images")
    print(job.id)
"""


def test_processes_share_a_sqlite_ledger_without_a_quarrel(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    from ledger.datasets import Datasets

    jobs = Jobs(sqlite_ledger)
    make = Maker(jobs, Datasets(sqlite_ledger))
    made = [make.training().id for _ in range(40)]
    command = [sys.executable, "-c", CLAIM_ALL, str(sqlite_ledger.url)]
    running = [subprocess.Popen([*command, f"wrk_{n}"], stdout=subprocess.PIPE, text=True) for n in range(3)]
    ids = [id for process in running for id in process.communicate(timeout=60)[0].split()]
    assert sorted(ids) == sorted(made)
    assert {jobs.get(id).status for id in made} == {"succeeded"}
    assert {jobs.get(id).epoch for id in made} == {1}


def test_a_holder_whose_job_was_taken_can_write_nothing_more(jobs: Jobs, make: Maker) -> None:
    old = make.held(lease=-1)
    assert [job.status for job in jobs.expire()] == ["queued"]
    new = claimed(jobs, worker="wrk_2")
    assert (new.id, new.epoch) == (old.id, old.epoch + 1)
    for write in (
        lambda: jobs.heartbeat(old.id, old.epoch, 30),
        lambda: jobs.add_metrics(old.id, old.epoch, 1, {}),
        lambda: jobs.publish_checkpoint(old.id, old.epoch, saved(1)),
        lambda: jobs.finish(old.id, old.epoch, "succeeded", "images"),
    ):
        with pytest.raises(LostClaim):
            write()
    assert jobs.get(old.id) == claimed_again(jobs, new)


def claimed_again(jobs: Jobs, job: Job) -> Job:
    return Job(**{name: getattr(job, name) for name in Job.__dataclass_fields__} | {"data": None})


def test_a_heartbeat_renews_the_lease_and_tells_of_a_wish(jobs: Jobs, make: Maker) -> None:
    job = make.held(lease=-1)
    assert jobs.heartbeat(job.id, job.epoch, 30) == "running"
    assert jobs.expire() == []
    assert jobs.get(job.id).version == job.version
    jobs.heartbeat(job.id, job.epoch, 30, {"images": 64, "percent": 6.4})
    assert jobs.get(job.id).version == job.version + 1
    assert jobs.get(job.id).progress == {"images": 64, "percent": 6.4}
    jobs.cancel(job.id)
    assert jobs.heartbeat(job.id, job.epoch, 30) == jobs.look(job.id, job.epoch) == "cancelling"


def test_only_the_queue_that_is_named_expires(jobs: Jobs, make: Maker) -> None:
    make.held(lease=-1)
    assert jobs.expire("light") == []
    assert len(jobs.expire("train")) == 1


def test_three_deaths_without_a_checkpoint_fail_a_job(jobs: Jobs, make: Maker) -> None:
    make.training()
    ends = []
    for _ in range(3):
        claimed(jobs, lease=-1)
        ends += [(job.status, job.attempt) for job in jobs.expire()]
    assert ends == [("queued", 1), ("queued", 2), ("failed", 3)]
    job = jobs.list(type="train").data[0]
    assert job.error is not None
    assert job.error["code"] == "worker_lost"
    assert jobs.events_after(job.id)[-1].data["reason"] == "lease_passed"


def test_a_published_checkpoint_forgives_earlier_deaths(jobs: Jobs, make: Maker) -> None:
    make.training()
    for _ in range(2):
        held = claimed(jobs)
        assert jobs.lost(held.id, held.epoch, "killed by signal 9") == "queued"
    held = claimed(jobs)
    assert held.attempt == 2
    jobs.publish_checkpoint(held.id, held.epoch, saved(100))
    assert jobs.get(held.id).attempt == 0
    assert jobs.lost(held.id, held.epoch, "killed by signal 9") == "queued"


def test_letting_go_in_order_charges_no_attempt(jobs: Jobs, make: Maker) -> None:
    make.training()
    for _ in range(5):
        held = claimed(jobs)
        assert jobs.release(held.id, held.epoch) == "queued"
    assert jobs.get(held.id).attempt == 0


def test_a_restarted_worker_takes_only_its_dead_predecessors_jobs(jobs: Jobs, workers: Workers, make: Maker) -> None:
    make.training()
    make.training()
    dead = workers.register("train", "cpu", host="here", pid=1, started=1.0)
    alive = workers.register("train", "cpu", host="here", pid=2, started=2.0)
    elsewhere = workers.register("train", "cpu", host="there", pid=1, started=1.0)
    first, second = claimed(jobs, worker=dead), claimed(jobs, worker=alive)
    gone = workers.dead_on("here", lambda worker: worker.pid == 2)
    assert gone == [dead]
    assert [(job.id, job.attempt) for job in jobs.release_dead(gone)] == [(first.id, 1)]
    assert jobs.get(second.id).status == "running"
    assert {worker.id for worker in workers.live()} == {alive, elsewhere}
    assert jobs.release_dead([]) == []


def test_a_lease_is_measured_by_the_databases_clock(ledger: Ledger, jobs: Jobs, make: Maker) -> None:
    """A lease that ends an hour hence by database time stands, whatever the caller's clock says."""
    job = make.held(lease=3600)
    assert jobs.expire() == []
    with ledger.writing() as session:
        session.execute(update(JobRow).where(JobRow.id == job.id).values(lease_until=ledger.time() - 0.01))
    assert [lost.id for lost in jobs.expire()] == [job.id]


def test_a_follower_of_the_events_misses_none(ledger: Ledger, jobs: Jobs, make: Maker) -> None:
    """Events of transactions that overlap appear in the order of their numbers, so that following by number is safe."""
    held = [make.held() for _ in range(4)]
    done = threading.Event()
    followed: list[Event] = []

    def follow() -> None:
        after = 0
        while True:
            finished = done.is_set()
            news = jobs.events_after(None, after, 1000)
            followed.extend(news)
            after = news[-1].number if news else after
            if finished:
                return

    def write(job: Job) -> None:
        for n in range(25):
            jobs.note(job.id, job.epoch, "warning", {"n": n})

    follower = threading.Thread(target=follow)
    follower.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, held))
    done.set()
    follower.join()
    assert [event.number for event in followed] == [event.number for event in jobs.events_after(None, 0, 1000)]
    assert sum(event.type == "warning" for event in followed) == 100
