"""A job from claim to end, with a real child process and a real ledger."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from waiting import eventually, gone
from worker_kit import Bench

from gan.errors import Unavailable
from ledger.records import Job
from worker import supervisor
from worker.devices import CPU
from worker.protocol import Stop


def test_a_job_that_ends_well_has_succeeded_and_everything_it_said_is_in_the_ledger(bench: Bench) -> None:
    job = bench.job("work")
    bench.answer()
    ended = bench.jobs.get(job.id)
    assert (ended.status, ended.ended_by, ended.device, ended.error) == ("succeeded", "images", "cpu", None)
    assert ended.progress is not None
    assert ended.progress["images"] == 100
    assert [(row.images, row.values) for row in bench.jobs.metrics(job.id)] == [(50, {"loss": 0.5, "w": None})]
    assert [row.path for row in bench.jobs.previews(job.id)] == [f"previews/{job.id}/50.png"]
    assert bench.event(job, "warning") == {"about": "nothing"}


def test_an_empty_queue_is_answered_with_no(bench: Bench) -> None:
    assert supervisor.answer_one(bench.place, CPU) is False


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        ("diverged", "diverged", "the loss is NaN"),
        ("memory", "out_of_memory", "MemoryError"),
        ("cuda", "out_of_memory", "CUDA out of memory"),
        ("disk", "storage_full", "no space is left"),
        ("bug", "internal", "no such thing"),
    ],
)
def test_an_exception_in_a_job_is_a_typed_failure(bench: Bench, raised: str, code: str, says: str) -> None:
    job = bench.job("fail", **{"with": raised})
    bench.answer()
    error = bench.jobs.get(job.id).error
    assert error is not None
    assert (bench.status(job), error["code"]) == ("failed", code)
    assert says in error["message"]


def test_a_claim_is_kept_while_its_end_cannot_be_written(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full may have room for a heartbeat, and none for what else a job has to say."""
    bench = make_bench(lease_seconds=4, heartbeat_seconds=0.5)
    job, finish = bench.job("fail", **{"with": "disk"}), bench.jobs.finish
    refused: list[float] = []

    def finish_with_room(*arguments: Any, **more: Any) -> list[str]:
        refused.append(time.monotonic())
        assert not bench.jobs.expire("light")
        if refused[-1] - refused[0] < 6:
            raise Unavailable("the database cannot be reached: its disk is full")
        return finish(*arguments, **more)

    monkeypatch.setattr(bench.jobs, "finish", finish_with_room)
    bench.answer()
    ended = bench.jobs.get(job.id)
    assert ended.error is not None
    assert (ended.status, ended.epoch, ended.error["code"]) == ("failed", 1, "storage_full")


@pytest.mark.parametrize("act", ["kill", "segfault", "quit"])
def test_a_child_that_dies_without_a_word_is_an_attempt_and_the_third_fails_the_job(bench: Bench, act: str) -> None:
    job = bench.job(act)
    bench.answer()
    once = bench.jobs.get(job.id)
    assert (once.status, once.attempt) == ("queued", 1)
    bench.answer()
    bench.answer()
    error = bench.jobs.get(job.id).error
    assert error is not None
    assert (bench.status(job), error["code"]) == ("failed", "worker_lost")


def test_a_job_type_without_code_fails_by_name(bench: Bench) -> None:
    bench.place = bench.workplace()
    job = bench.jobs.create("project", {})
    object.__setattr__(bench.place, "job_table", "no_jobs")
    bench.answer()
    error = bench.jobs.get(job.id).error
    assert error is not None
    assert "project" in error["message"]


def test_a_published_checkpoint_is_gone_on_from_and_clears_the_attempts(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(queue="train")
    job = bench.training("checkpoint")
    for images in (100, 200):
        bench.answer()
        again = bench.jobs.get(job.id)
        assert (again.status, again.attempt) == ("queued", 1)
        assert bench.models.checkpoints(str(job.model_id))[0].images == images
    bench.answer()
    assert bench.status(job) == "succeeded"
    newest = bench.models.newest_states(str(job.model_id))
    assert [state.images for state in newest] == [300, 200]
    assert all(bench.storage.path(state.path).exists() for state in newest)


def test_a_child_finds_its_device_and_threads_set_and_none_of_our_secrets(bench: Bench) -> None:
    job = bench.job("tell")
    bench.answer()
    around = bench.event(job, "around")
    assert around["nice"] == min(19, os.nice(0) + 10)
    assert around == around | {
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "GANYMEDE_DATABASE_URL": None,
        "GANYMEDE_DATA": None,
        "group": True,
        "torch": False,
    }


# ---- orders ----


def test_a_cancelled_job_is_told_not_to_save_and_ends_cancelled(bench: Bench) -> None:
    job = bench.job("wait")
    thread = bench.answering()
    bench.child_pid(job)
    bench.jobs.cancel(job.id)
    thread.join(30)
    assert bench.status(job) == "cancelled"
    assert bench.event(job, "stopping") == {"save": False}


def test_a_cancelled_job_that_does_not_listen_is_killed_once_its_time_to_end_is_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(supervisor.ORDERS, "cancelling", (Stop(save=False), 1.0))
    job = bench.job("sleep")
    thread = bench.answering()
    pid = bench.child_pid(job)
    begun = time.monotonic()
    bench.jobs.cancel(job.id)
    thread.join(30)
    assert 1 <= time.monotonic() - begun < 15  # by itself it would sleep for a minute
    assert bench.status(job) == "cancelled"
    assert gone(pid)


def test_looking_listening_and_waiting_for_a_cancelled_child_take_six_and_a_half_seconds_at_most() -> None:
    _, patience = supervisor.ORDERS["cancelling"]
    assert patience == supervisor.CANCEL_SECONDS
    assert supervisor.LOOK_SECONDS + supervisor.LISTEN_SECONDS + patience <= 6.5


def test_a_paused_job_is_told_to_save_and_is_paused(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(queue="train")
    job = bench.training("wait")
    thread = bench.answering()
    bench.child_pid(job)
    bench.jobs.pause(job.id)
    thread.join(30)
    assert bench.status(job) == "paused"
    assert bench.models.checkpoints(str(job.model_id))[0].images == 100


def test_a_worker_that_stops_does_not_wait_for_a_paused_job_that_does_not_listen(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "RELEASE_SECONDS", 1.0)
    job = bench.job("sleep")
    thread = bench.answering()
    pid = bench.child_pid(job)
    bench.jobs.pause(job.id)
    time.sleep(2)  # it was told, and goes on
    assert not gone(pid)
    bench.place.stopping.set()
    thread.join(30)
    assert gone(pid)
    assert (bench.status(job), bench.jobs.get(job.id).attempt) == ("paused", 0)


def test_a_worker_that_stops_has_its_child_save_and_returns_the_job_with_no_attempt_charged(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(queue="train")
    job = bench.training("wait")
    thread = bench.answering()
    bench.child_pid(job)
    bench.place.stopping.set()
    thread.join(30)
    again = bench.jobs.get(job.id)
    assert (again.status, again.attempt) == ("queued", 0)
    assert bench.models.checkpoints(str(job.model_id))[0].images == 100


# ---- lost claims ----


def test_the_lease_is_renewed_for_as_long_as_the_child_works(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(lease_seconds=10, heartbeat_seconds=0.3)
    job = bench.job("wait")
    thread = bench.answering()
    bench.child_pid(job)
    for _ in range(3):
        until = bench.jobs.get(job.id).lease_until or 0.0
        eventually(lambda until=until: (bench.jobs.get(job.id).lease_until or 0.0) > until)
    assert bench.jobs.expire() == []
    assert bench.status(job) == "running"
    bench.place.stopping.set()
    thread.join(30)


def test_a_supervisor_that_lost_its_claim_kills_its_child_and_writes_nothing_more(bench: Bench) -> None:
    job = bench.job("wait")
    thread = bench.answering()
    pid = bench.child_pid(job)
    held = bench.jobs.get(job.id)
    bench.jobs.release(job.id, held.epoch)
    taken = bench.jobs.claim("light", "wrk_other", 30)
    assert taken is not None
    thread.join(30)
    assert gone(pid)
    assert not [event for event in bench.events(job) if event.type == "stopping"]
    assert bench.jobs.get(job.id).worker == "wrk_other"


def test_while_the_database_is_away_the_child_fences_itself_and_the_job_goes_back_uncharged(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(lease_seconds=4, heartbeat_seconds=0.5)
    job = bench.job("once")
    thread = bench.answering()
    pid = bench.child_pid(job)
    bench.ledger.closed = True
    eventually(lambda: gone(pid), 20)  # by itself it would sleep for a minute
    assert thread.is_alive()
    bench.ledger.closed = False
    thread.join(30)
    again = bench.jobs.get(job.id)
    assert (again.status, again.attempt) == ("queued", 0)


def running(bench: Bench, job: Job) -> int:
    """The child's pid once the ledger says that it runs."""
    eventually(lambda: bench.jobs.get(job.id).device)
    return bench.child_pid(job)


def test_a_stopped_child_goes_on_when_it_is_continued(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(lease_seconds=5, heartbeat_seconds=0.5)
    job = bench.job("wait")
    thread = bench.answering()
    pid = running(bench, job)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(5.5)  # beyond the lease it knew of; renewals wait in its pipe
    os.kill(pid, signal.SIGCONT)
    bench.jobs.cancel(job.id)
    thread.join(30)
    assert bench.status(job) == "cancelled"
    assert bench.event(job, "stopping") == {"save": False}  # it was there to hear it


def test_files_that_an_earlier_holder_never_published_are_removed(make_bench: Callable[..., Bench]) -> None:
    """What a holder wrote when it was killed is nobody's; what was written just now may be a successor's."""
    bench = make_bench(queue="train")
    job = bench.training("checkpoint")
    for name in ("orphan.model", "new.model"):
        bench.storage.write_bytes(f"checkpoints/{job.model_id}/{name}", b"weights")
    os.utime(bench.storage.path(f"checkpoints/{job.model_id}/orphan.model"), (1000, 1000))
    for _ in range(3):
        bench.answer()
    assert bench.status(job) == "succeeded"
    left = {bench.storage.relative(path) for path in bench.storage.path(f"checkpoints/{job.model_id}").iterdir()}
    assert left == bench.models.paths(job.model_id) | {f"checkpoints/{job.model_id}/new.model"}
