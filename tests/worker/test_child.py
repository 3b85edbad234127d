"""The child by itself, held at the other end of its pipes by the test."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from waiting import eventually, gone
from worker_kit import ROOT

from gan.errors import CheckpointCorrupt, ChecksumMismatch, OutOfMemory, StorageFull
from worker.attempt import failure
from worker.child import ABANDONED
from worker.devices import CPU
from worker.launch import Child, environment
from worker.protocol import FENCED, Assignment, Failed, Lease, Report, Started, Stop, Stopped


def assignment(folder: Path, act: str) -> Assignment:
    return Assignment(
        job="job_1",
        epoch=1,
        type="project",
        spec={"act": act},
        storage=str(folder),
        device="cpu",
        threads=1,
        deadline=time.monotonic() + 60,
    )


@contextmanager
def child(folder: Path, act: str) -> Iterator[Child]:
    """A child whose job has begun."""
    with Child(environment(CPU, 1), "stub_jobs") as started:
        started.tell(assignment(folder, act))
        assert hear(started)[0] == Started(device="cpu")
        eventually((folder / "job_1.pid").exists)
        yield started


def lease(one: Child, seconds: float) -> float:
    """Tell it of a lease of so many seconds; returns the deadline that it was told."""
    deadline = time.monotonic() + seconds
    one.tell(Lease(deadline=deadline))
    return deadline


def hear(one: Child) -> list[Report]:
    return eventually(lambda: one.reports(0.1) or None)


def test_a_child_whose_control_pipe_closes_ends_at_once(tmp_path: Path) -> None:
    with child(tmp_path, "sleep") as one:  # for a minute, as long as its lease
        assert one._process.stdin is not None
        one._process.stdin.close()
        eventually(lambda: gone(one.pid), 10)
        assert one.status == ABANDONED


SUPERVISOR = """
import sys, time
from worker.devices import CPU
from worker.launch import Child, environment
child = Child(environment(CPU, 1) | {"PYTHONPATH": sys.argv[1]})
print(child.pid, flush=True)
time.sleep(60)
"""
SLOW = "import pathlib, time; (pathlib.Path(__file__).parent / 'loading').touch(); time.sleep(60)"
"""A library that takes a minute to load; it stands in the place of `argparse`, which a child needs."""


def test_a_child_that_is_still_loading_ends_with_its_supervisor(tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text(SLOW)
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        eventually((tmp_path / "loading").exists)
        supervisor.kill()
        killed = time.monotonic()
        eventually(lambda: gone(pid), 30)
        assert time.monotonic() - killed < 1


def test_a_child_whose_supervisor_is_gone_before_it_begins_loads_nothing(tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text(SLOW)
    orders, closed = os.pipe()
    os.close(closed)
    env = environment(CPU, 1) | {"PYTHONPATH": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-m", "worker.child", "1"], cwd=ROOT, stdin=orders, env=env) as process:
        os.close(orders)
        assert process.wait(30) == ABANDONED
    assert not (tmp_path / "loading").exists()


def test_a_child_fences_itself_at_its_deadline(tmp_path: Path) -> None:
    with child(tmp_path, "sleep") as one:
        deadline = lease(one, 0.6)
        eventually(lambda: gone(one.pid), 20)
        assert time.monotonic() >= deadline
        assert one.status == FENCED


def test_a_renewed_lease_moves_the_deadline(tmp_path: Path) -> None:
    with child(tmp_path, "sleep") as one:
        lease(one, 2)
        deadline = lease(one, 4)
        eventually(lambda: gone(one.pid), 20)
        assert time.monotonic() >= deadline
        assert one.status == FENCED


def test_a_child_that_was_stopped_beyond_its_lease_ends_when_it_is_continued(tmp_path: Path) -> None:
    with child(tmp_path, "wait") as one:
        deadline = lease(one, 3)
        os.kill(one.pid, signal.SIGSTOP)
        time.sleep(deadline + 0.3 - time.monotonic())
        assert not gone(one.pid)
        os.kill(one.pid, signal.SIGCONT)
        eventually(lambda: gone(one.pid), 20)
        assert one.status == FENCED
        assert one.reports(0) == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_signals_that_are_meant_for_the_worker_leave_the_child_alone(tmp_path: Path, sent: int) -> None:
    with child(tmp_path, "wait") as one:
        os.kill(one.pid, sent)
        time.sleep(0.3)
        assert not gone(one.pid)
        one.tell(Stop(save=True))
        eventually(lambda: Stopped() in one.reports(0.1))
        eventually(lambda: one.reports(0.1) == [] and one.ended)
        assert one.status == 0


def test_a_stop_that_comes_with_the_assignment_is_heard(tmp_path: Path) -> None:
    with Child(environment(CPU, 1), "stub_jobs") as one:
        one.tell(assignment(tmp_path, "wait"))
        one.tell(Stop(save=False))
        eventually(lambda: Stopped() in one.reports(0.1))


def test_leaving_a_child_kills_it(tmp_path: Path) -> None:
    with child(tmp_path, "sleep") as one:
        pid = one.pid
    assert gone(pid)
    assert one.status == -signal.SIGKILL


@pytest.mark.parametrize(("what", "traced"), [("diverged", False), ("bug", True)])
def test_only_a_failure_that_nobody_foresaw_leaves_its_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str, traced: bool
) -> None:
    with Child(environment(CPU, 1), "stub_jobs") as one:
        begun = assignment(tmp_path, "fail")
        one.tell(begun.model_copy(update={"spec": {"act": "fail", "with": what}}))
        eventually(lambda: one.reports(0.1) == [] and one.ended)
        assert one.status == 0
    assert ("Traceback" in caplog.text) == traced
    assert traced or [record.getMessage() for record in caplog.records] == ["project failed, diverged: the loss is NaN"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ChecksumMismatch("bytes"), CheckpointCorrupt.code),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), OutOfMemory.code),
        (OSError(28, "full"), StorageFull.code),
        (OSError(5, "io"), "internal"),
        (ValueError("x"), "internal"),
    ],
)
def test_every_exception_has_a_failure_code(error: Exception, code: str) -> None:
    assert failure(error).code == code
    assert isinstance(failure(error), Failed)


def test_what_a_caller_is_told_of_a_failure_names_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as gone:
        (tmp_path / "secret.npy").read_bytes()
    assert failure(gone.value).message == "FileNotFoundError: No such file or directory"
