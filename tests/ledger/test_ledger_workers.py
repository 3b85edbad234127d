"""Workers: known by host, process and start, so that a successor knows who is dead."""

import os
import subprocess
import sys
import time

from sqlalchemy import update

from ledger.database import Ledger
from ledger.tables import WorkerRow
from ledger.workers import Workers, process_started, this_host


def test_a_process_is_known_by_its_number_and_its_start() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = process_started(child.pid)
    assert started is not None
    assert started == process_started(child.pid)
    assert started >= (process_started(os.getpid()) or 0)
    assert child.stdin is not None
    child.stdin.close()
    deadline = time.monotonic() + 10
    while process_started(child.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process_started(child.pid) is None, "a zombie does not live"
    child.wait()
    assert process_started(child.pid) is None


def test_a_host_is_the_same_for_all_its_processes() -> None:
    code = "from ledger.workers import this_host; print(this_host())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert told == this_host()
    assert len(told) <= 255


def test_the_dead_are_told_from_the_living(workers: Workers) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = process_started(child.pid) or 0.0
    living = workers.register_self("train", "cuda:0")
    dying = workers.register("light", "cpu", host=this_host(), pid=child.pid, started=started)
    reused = workers.register("light", "cpu", host=this_host(), pid=os.getpid(), started=-1.0)
    workers.register("light", "cpu", host="elsewhere", pid=child.pid, started=started)
    assert workers.dead_on(this_host()) == [reused]
    child.communicate()
    assert workers.dead_on(this_host()) == [dying, reused]
    workers.forget(dying)
    assert workers.dead_on(this_host()) == [reused]
    assert living in [worker.id for worker in workers.live("train")]


def test_the_devices_are_those_of_train_workers_that_beat(ledger: Ledger, workers: Workers) -> None:
    assert workers.devices() == []
    silent = workers.register("train", "cuda:0", host="a", pid=1, started=1.0)
    workers.register("train", "cpu", host="b", pid=1, started=1.0)
    workers.register("light", "tpu", host="c", pid=1, started=1.0)
    assert workers.devices() == ["cpu", "cuda:0"]
    with ledger.writing() as session:
        session.execute(update(WorkerRow).where(WorkerRow.id == silent).values(heartbeat=ledger.time() - 60))
    assert workers.devices() == ["cpu"]
    workers.beat(silent)
    assert workers.devices() == ["cpu", "cuda:0"]


def test_workers_silent_for_a_day_are_forgotten(ledger: Ledger, workers: Workers) -> None:
    old = workers.register("train", "cpu", host="a", pid=1, started=1.0)
    with ledger.writing() as session:
        session.execute(update(WorkerRow).where(WorkerRow.id == old).values(heartbeat=ledger.time() - 90_000))
    workers.register("train", "cpu", host="b", pid=1, started=1.0)
    assert workers.dead_on("a", lambda _: False) == []
