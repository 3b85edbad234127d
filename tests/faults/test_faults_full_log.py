"""A child whose log cannot be written says what it must and ends when it must (fault 8): /dev/full is its stderr."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from worker.protocol import FENCED, Assignment, Failed, FromChild

HERE = Path(__file__).parent
ABANDONED = 74


def child(act: str, lease: float, *, hang_up: bool = False) -> tuple[int, list[object]]:
    """Its exit status and its reports."""
    heard, report = os.pipe()
    command = [sys.executable, "-m", "worker.child", str(report), "--jobs", "full_log_jobs"]
    path = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    deadline = time.monotonic() + lease
    given = {"job": "job_1", "epoch": 1, "type": "project", "spec": {"act": act}, "storage": "/nowhere"}
    assignment = Assignment(**given, device="cpu", threads=1, deadline=deadline)
    with (
        open("/dev/full", "wb") as full,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=full, pass_fds=(report,), env=os.environ | {"PYTHONPATH": path}
        ) as process,
        os.fdopen(heard, "rb") as reports,
    ):
        os.close(report)
        assert process.stdin is not None
        process.stdin.write(assignment.model_dump_json().encode() + b"\n")
        process.stdin.flush()
        if hang_up:
            process.stdin.close()
        said = [FromChild.validate_json(line) for line in reports]
        return process.wait(30), said


@pytest.mark.parametrize(("act", "code"), [("foreseen", "diverged"), ("unforeseen", "internal")])
def test_a_failure_is_reported_though_it_cannot_be_logged(act: str, code: str) -> None:
    status, said = child(act, lease=60)
    assert status == 0
    assert [(type(one), getattr(one, "code", None)) for one in said] == [(Failed, code)]


def test_a_child_fences_itself_though_it_cannot_say_so() -> None:
    assert child("sleep", lease=3) == (FENCED, [])


def test_a_child_without_a_supervisor_ends_though_it_cannot_say_so() -> None:
    assert child("sleep", lease=60, hang_up=True) == (ABANDONED, [])
