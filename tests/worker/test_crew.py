"""Slots, bells and the reconciler, on a real ledger with real children."""

import threading
import time
from collections.abc import Callable

import pytest
from waiting import eventually
from worker_kit import Bench

from gan.errors import Unavailable
from ledger.doorbell import BrokerState, Doorbell
from worker.crew import Crew
from worker.devices import CPU
from worker.reconciler import PATIENCE_SECONDS, Reconciler


class Bell(Doorbell):
    """A doorbell that counts, at a broker that is well or not."""

    def __init__(self, state: BrokerState = "ok") -> None:
        self.state: BrokerState = state
        self.rung = 0

    def ring(self, queue: str, job: str | None = None) -> None:
        self.rung += 1

    def broker_state(self) -> BrokerState:
        return self.state


def ring(crew: Crew, times: int) -> list[threading.Thread]:
    threads = [threading.Thread(target=crew.answer, daemon=True) for _ in range(times)]
    for thread in threads:
        thread.start()
    return threads


def test_fifty_bells_for_one_job_are_one_run(bench: Bench) -> None:
    job = bench.job("work")
    crew = Crew(bench.place, [CPU, CPU, CPU])
    for thread in ring(crew, 50):
        thread.join(20)
    assert (bench.status(job), bench.jobs.get(job.id).epoch) == ("succeeded", 1)
    assert crew.free == 3


def test_no_more_jobs_run_than_there_are_slots(bench: Bench) -> None:
    jobs = [bench.job("wait") for _ in range(4)]
    crew = Crew(bench.place, [CPU, CPU])
    threads = ring(crew, 8)
    eventually(lambda: [bench.status(job) for job in jobs].count("running") == 2)
    assert crew.free == 0
    time.sleep(0.5)
    assert [bench.status(job) for job in jobs] == ["running", "running", "queued", "queued"]
    bench.place.stopping.set()
    for thread in threads:
        thread.join(10)
    assert [bench.status(job) for job in jobs] == ["queued"] * 4


def test_a_free_slot_works_the_queue_off_in_order_of_priority_and_age(bench: Bench) -> None:
    low, first, second = bench.job("work"), *(bench.jobs.create("project", {"act": "work"}, priority=5) for _ in "ab")
    Crew(bench.place, [CPU]).answer()
    ended = [bench.jobs.get(job.id).finished_at or 0.0 for job in (first, second, low)]
    assert ended == sorted(ended)
    assert ended[0] > 0


# ---- the reconciler ----


def test_as_many_bells_are_rung_as_slots_are_free_and_jobs_wait(bench: Bench) -> None:
    for _ in range(5):
        bench.job("work")
    bell = Bell()
    reconciler = Reconciler(Crew(bench.place, [CPU, CPU]), bell, 5)
    reconciler.look()
    reconciler.look()
    assert bell.rung == 2


def test_an_empty_queue_rings_nothing(bench: Bench) -> None:
    bell = Bell()
    Reconciler(Crew(bench.place, [CPU]), bell, 5).look()
    assert bell.rung == 0


def test_a_bell_that_nobody_hears_is_answered_in_the_end(bench: Bench) -> None:
    job = bench.job("work")
    reconciler = Reconciler(Crew(bench.place, [CPU]), Bell(), 5)
    reconciler.look()
    assert bench.status(job) == "queued"
    time.sleep(PATIENCE_SECONDS + 0.1)
    reconciler.look()
    eventually(lambda: bench.status(job) == "succeeded")


def test_without_a_broker_jobs_are_answered_at_once(bench: Bench) -> None:
    job = bench.job("work")
    bell = Bell("degraded")
    Reconciler(Crew(bench.place, [CPU]), bell, 5).look()
    eventually(lambda: bench.status(job) == "succeeded")
    assert bell.rung == 0


def test_a_reconciler_that_met_an_unforeseen_error_looks_again(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = make_bench()
    reconciler = Reconciler(Crew(bench.place, [CPU]), Bell("degraded"), 0.05)
    looks, look = iter([RuntimeError("unforeseen")]), reconciler.look

    def sometimes() -> None:
        for error in looks:
            raise error
        look()

    monkeypatch.setattr(reconciler, "look", sometimes)
    reconciler.start()
    job = bench.job("work")
    eventually(lambda: bench.status(job) == "succeeded")
    assert "unforeseen" in caplog.text


def test_after_the_clock_jumped_holders_get_time_to_renew_before_they_are_judged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that slept finds every lease passed, those of its own live workers too."""
    reconciler = Reconciler(Crew(bench.place, []), Bell(), 5)
    job = bench.job("work")
    assert bench.jobs.claim("light", "wrk_elsewhere", 0.05) is not None
    time.sleep(0.1)
    true_time = time.time
    monkeypatch.setattr(time, "time", lambda: true_time() + 3600)
    reconciler.look()
    assert bench.status(job) == "running"
    reconciler._judge_from = 0
    reconciler.look()
    assert bench.status(job) == "queued"


def test_a_job_whose_lease_passed_goes_back_to_the_queue(bench: Bench) -> None:
    job = bench.job("work")
    assert bench.jobs.claim("light", "wrk_elsewhere", 0.05) is not None
    time.sleep(0.1)
    Reconciler(Crew(bench.place, []), Bell(), 5).look()
    again = bench.jobs.get(job.id)
    assert (again.status, again.attempt) == ("queued", 1)


def test_after_the_database_was_away_holders_get_time_to_renew_before_they_are_judged(
    make_bench: Callable[..., Bench], caplog: pytest.LogCaptureFixture
) -> None:
    bench = make_bench(lease_seconds=60, heartbeat_seconds=20)
    job = bench.job("work")
    assert bench.jobs.claim("light", "wrk_elsewhere", 0.05) is not None
    bench.ledger.closed = True
    reconciler = Reconciler(Crew(bench.place, []), Bell(), 0.05)
    with pytest.raises(Unavailable):
        reconciler.look()
    thread = reconciler.start()
    eventually(lambda: "trying again" in caplog.text)
    bench.ledger.closed = False
    eventually(lambda: "the database answers again" in caplog.text)
    time.sleep(0.3)  # some looks at a lease that passed long ago
    assert bench.status(job) == "running"
    bench.place.stopping.set()
    thread.join(30)
    reconciler._judge_from = 0.0  # two heartbeats later
    reconciler.look()
    assert bench.status(job) == "queued"


def test_a_database_that_can_only_be_read_is_not_back(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its disk is full: no holder can renew its lease."""
    bench = make_bench(lease_seconds=60, heartbeat_seconds=0.05)
    beat, full = bench.workers.beat, threading.Event()
    full.set()

    def beat_with_room(worker: str) -> None:
        if full.is_set():
            raise Unavailable("the database cannot be reached: its disk is full")
        beat(worker)

    monkeypatch.setattr(bench.workers, "beat", beat_with_room)
    job = bench.job("work")
    assert bench.jobs.claim("light", "wrk_elsewhere", 0.05) is not None
    thread = Reconciler(Crew(bench.place, []), Bell(), 0.05).start()
    eventually(lambda: "trying again" in caplog.text)
    time.sleep(1)  # many looks, and many heartbeats that could have been
    assert bench.status(job) == "running"
    assert "answers again" not in caplog.text
    full.clear()
    eventually(lambda: bench.status(job) != "running")
    assert "the database answers again" in caplog.text
    bench.place.stopping.set()
    thread.join(30)


def test_the_jobs_of_a_dead_worker_of_this_host_are_taken_back_at_once(bench: Bench) -> None:
    job = bench.job("work")
    dead = bench.workers.register("light", "cpu", host=bench.place.host, pid=2**22 - 1, started=1.0)
    assert bench.jobs.claim("light", dead, 300) is not None
    Reconciler(Crew(bench.place, []), Bell(), 5).look()
    assert bench.status(job) == "queued"
