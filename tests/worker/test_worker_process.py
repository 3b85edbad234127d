"""`python -m worker`: real processes, real signals, a real broker."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
from servers import Redis
from waiting import eventually, gone
from worker_kit import ROOT, Bench, WorkerProcess, digits

from ledger.doorbell import Doorbell

Start = Callable[..., WorkerProcess]

GONE = "the broker does not answer: jobs are taken straight from the ledger"
BACK = "the broker answers again"


def test_an_upload_becomes_a_dataset_and_the_upload_is_removed(bench: Bench, start_worker: Start) -> None:
    data = bench.upload("digits", "digits.zip", digits(6))
    start_worker(bench)
    ready = eventually(lambda: one if (one := bench.datasets.get(data.id)).status != "preparing" else None)
    assert (ready.status, ready.count, ready.width, ready.height, ready.channels) == ("ready", 6, 8, 8, 1)
    assert ready.classes == ["0", "1"]
    assert ready.path is not None
    assert np.load(bench.storage.path(ready.path) / "data.npy").shape == (6, 8, 8, 1)
    assert json.loads((bench.storage.path(ready.path) / "facts.json").read_text())["per_class"] == {"0": 3, "1": 3}
    eventually(lambda: not bench.storage.path(f"uploads/{data.id}").exists())
    assert bench.jobs.get(str(data.job_id)).status == "succeeded"


def test_an_unusable_upload_is_a_failed_dataset_with_the_reason(bench: Bench, start_worker: Start) -> None:
    data = bench.upload("junk", "junk.zip", b"PK\x03\x04 and no more")
    start_worker(bench)
    failed = eventually(lambda: one if (one := bench.datasets.get(data.id)).status != "preparing" else None)
    assert failed.error is not None
    assert (failed.status, failed.error["code"]) == ("failed", "dataset_unusable")
    assert "not a readable zip" in failed.error["message"]


def test_jobs_run_one_after_the_other_in_order(bench: Bench, start_worker: Start) -> None:
    jobs = [bench.job("work") for _ in range(3)]
    start_worker(bench)
    eventually(lambda: all(bench.status(job) == "succeeded" for job in jobs))
    ended = [bench.jobs.get(job.id).finished_at or 0.0 for job in jobs]
    begun = [bench.jobs.get(job.id).started_at or 0.0 for job in jobs]
    assert ended[0] <= begun[1]
    assert ended[1] <= begun[2]


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_asked_to_end_lets_go_of_its_job_uncharged(
    bench: Bench, start_worker: Start, asked: int
) -> None:
    job = bench.job("wait")
    worker = start_worker(bench)
    pid = bench.child_pid(job)
    status, _ = worker.stop(asked)
    assert status == 0
    assert gone(pid)
    assert bench.event(job, "stopping") == {"save": True}  # it was told and ended by itself: nobody waited to kill it
    again = bench.jobs.get(job.id)
    assert (again.status, again.attempt) == ("queued", 0)
    assert bench.workers.live("light") == [one for one in bench.workers.live("light") if one.id == bench.place.worker]


def test_a_worker_whose_child_does_not_listen_still_ends_within_ten_seconds(bench: Bench, start_worker: Start) -> None:
    job = bench.job("sleep")
    worker = start_worker(bench)
    pid = bench.child_pid(job)
    status, _ = worker.stop(signal.SIGTERM, seconds=10)
    assert status == 0
    assert gone(pid)
    assert bench.jobs.get(job.id).attempt == 0
    assert bench.status(job) == "queued"


def test_a_worker_ends_when_its_parent_does(bench: Bench, start_worker: Start) -> None:
    job = bench.job("wait")
    worker = start_worker(bench)
    bench.child_pid(job)
    worker.close_stdin()
    assert worker.process.wait(10) == 0
    assert bench.status(job) == "queued"


def test_the_child_of_a_killed_worker_ends_and_the_next_worker_takes_over_without_waiting_for_the_lease(
    make_bench: Callable[..., Bench], start_worker: Start
) -> None:
    bench = make_bench(lease_seconds=300)
    job = bench.job("once")
    worker = start_worker(bench)
    pid = bench.child_pid(job)
    worker.process.kill()
    eventually(lambda: gone(pid), 10)  # by itself it would sleep for a minute
    worker.process.wait()
    start_worker(bench)
    eventually(lambda: bench.status(job) == "succeeded")
    assert bench.jobs.get(job.id).epoch == 2


def test_a_worker_stopped_beyond_its_lease_loses_the_job_and_cannot_write(
    make_bench: Callable[..., Bench], start_worker: Start
) -> None:
    bench = make_bench(lease_seconds=2, heartbeat_seconds=0.5)
    job = bench.job("once")
    stale = start_worker(bench)
    pid = bench.child_pid(job)
    eventually(lambda: bench.jobs.get(job.id).device)
    with bench.ledger.still():  # so that it is not stopped in the middle of a write, holding SQLite's lock
        for stopped in (stale.process.pid, pid):
            os.kill(stopped, signal.SIGSTOP)
            eventually(lambda one=stopped: psutil.Process(one).status() == psutil.STATUS_STOPPED)
    start_worker(bench)
    eventually(lambda: bench.status(job) == "succeeded", 120)
    before = bench.jobs.get(job.id)
    for stopped in (stale.process.pid, pid):
        os.kill(stopped, signal.SIGCONT)
    eventually(lambda: gone(pid), 20)
    eventually(lambda: "given up" in stale.log)
    assert bench.jobs.get(job.id) == before
    status, _ = stale.stop()
    assert status == 0
    assert bench.jobs.get(job.id) == before


# ---- the broker ----


def test_a_bell_starts_a_job_long_before_the_reconciler_would(
    make_bench: Callable[..., Bench], start_worker: Start, redis: Redis
) -> None:
    bench = make_bench(broker_url=redis.url, reconcile_seconds=300)
    worker = start_worker(bench)
    eventually(lambda: len(bench.workers.live("light")) == 2)
    time.sleep(1.5)  # the reconciler has looked once, the consumer is connected
    doorbell = Doorbell(bench.settings)
    for _ in range(2):
        job = bench.job("work")
        doorbell.ring("light", job.id)
        eventually(lambda job=job: bench.status(job) == "succeeded")
    status, _ = worker.stop()
    assert status == 0


def test_jobs_run_while_redis_is_dead_and_when_it_is_back(
    make_bench: Callable[..., Bench], start_worker: Start, redis: Redis
) -> None:
    bench = make_bench(broker_url=redis.url, reconcile_seconds=0.5)
    worker = start_worker(bench)
    jobs = [bench.job("work")]
    eventually(lambda: bench.status(jobs[0]) == "succeeded")
    known = len(worker.log)
    redis.kill()
    jobs.append(bench.job("work"))
    eventually(lambda: bench.status(jobs[1]) == "succeeded")
    eventually(lambda: GONE in worker.log[known:])
    redis.start()
    jobs.append(bench.job("work"))
    eventually(lambda: bench.status(jobs[2]) == "succeeded")
    assert [bench.jobs.get(job.id).epoch for job in jobs] == [1, 1, 1]
    eventually(lambda: BACK in worker.log[known:].partition(GONE)[2])
    status, log = worker.stop()
    assert status == 0
    said = [line for line in log.splitlines() if "broker" in line]
    assert all(GONE in line or BACK in line for line in said)
    assert all((GONE in one) != (GONE in other) for one, other in pairwise(said)), "nothing is said twice"
    assert "Traceback" not in log


def test_a_worker_without_its_broker_starts_works_and_ends(
    make_bench: Callable[..., Bench], start_worker: Start, tmp_path: Path
) -> None:
    bench = make_bench(broker_url=Redis(tmp_path).url, reconcile_seconds=0.5)
    worker = start_worker(bench)
    job = bench.job("work")
    eventually(lambda: bench.status(job) == "succeeded")
    status, log = worker.stop()
    assert status == 0
    assert len([line for line in log.splitlines() if "broker" in line]) <= 2


# ---- starting ----


def start_and_fail(environment: dict[str, str], queue: str = "light") -> str:
    """The one line that a worker that cannot start says."""
    command = [sys.executable, "-m", "worker", "--queue", queue]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_worker_without_a_ledger_says_what_to_do(tmp_path: Path) -> None:
    said = start_and_fail({**os.environ, "GANYMEDE_DATA": str(tmp_path)})
    assert "ganymede migrate" in said


def test_a_worker_whose_database_cannot_be_reached_says_so(tmp_path: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    said = start_and_fail({**os.environ, "GANYMEDE_DATA": str(tmp_path), "GANYMEDE_DATABASE_URL": url})
    assert "database cannot be reached" in said


def test_a_train_worker_whose_device_is_missing_says_so(bench: Bench) -> None:
    environment = bench.settings.environment() | {"GANYMEDE_TRAIN_DEVICE": "cuda:7"}
    assert "GANYMEDE_TRAIN_DEVICE=cuda:7" in start_and_fail(environment, "train")


def test_a_bad_setting_is_named(bench: Bench) -> None:
    environment = bench.settings.environment() | {"GANYMEDE_LEASE_SECONDS": "soon"}
    assert start_and_fail(environment).startswith("ganymede work: GANYMEDE_LEASE_SECONDS: ")


def test_supervising_and_preparing_do_without_torch() -> None:
    modules = "worker.__main__, worker.supervisor, worker.reconciler, worker.child, worker.attempt, worker.jobs.prepare"
    program = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
