"""What a child says in its worker's log: whoever said it, under the job."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from waiting import eventually
from worker_kit import ROOT, Bench, WorkerProcess

from ledger.logs import REQUEST
from worker.child import ABANDONED

Start = Callable[..., WorkerProcess]


def test_every_line_of_worker_and_child_says_the_request_and_the_job(bench: Bench, start_worker: Start) -> None:
    REQUEST.set("req_of_the_test")
    job = bench.job("talk")
    REQUEST.set(None)
    worker = start_worker(bench, GANYMEDE_LOG_FORMAT="json")
    eventually(lambda: bench.status(job) == "failed", 60)
    _, log = worker.stop()
    lines = [json.loads(line) for line in log.splitlines()]
    of_job = [line for line in lines if line.get("job") == job.id]
    assert {line["request_id"] for line in of_job} == {"req_of_the_test"}
    assert {line["attempt"] for line in of_job} == {1, 2, 3}
    assert {line["epoch"] for line in of_job} == {1, 2, 3}
    first = [(line["logger"], line["level"], line["message"]) for line in of_job if line["attempt"] == 1]
    assert first[0] == ("ganymede.worker", "info", "claimed")
    assert "the child died: killed by signal 6" in first[-1][2]
    said = first[1:-1]
    assert ("a.library", "warning", "logged 1") in said
    assert any(logger == "py.warnings" and "warned of" in message for logger, _, message in said)
    assert ("ganymede.child", "info", "printed") in said
    assert ("ganymede.child", "info", '{"not": "a record"}') in said
    assert ("ganymede.child", "info", "and � last words") in said
    assert sum(len(message) for _, _, message in said if message.startswith("xxx")) == 20_000
    assert not any("of no interest" in message for _, _, message in said)


def test_in_words_as_well_and_a_trace_keeps_its_lines(bench: Bench, start_worker: Start) -> None:
    job = bench.job("fail", **{"with": "bug"})
    worker = start_worker(bench)
    eventually(lambda: bench.status(job) == "failed")
    _, log = worker.stop()
    [said] = [line for line in log.splitlines() if "ganymede.child: project failed" in line]
    assert said.endswith(f"[job={job.id} attempt=1 epoch=1]")
    assert "Traceback (most recent call last):" in log.splitlines()


def test_an_abandoned_child_ends_although_nobody_reads_what_it_says(tmp_path: Path) -> None:
    """Its worker is stopped, or gone: its stderr is full."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while select.select([], [writing], [], 0)[1]:
        os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    report_read, report = os.pipe()
    command = [sys.executable, "-m", "worker.child", str(report)]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=writing, pass_fds=(report,))
    assert child.stdin is not None
    child.stdin.close()
    try:
        assert child.wait(30) == ABANDONED
    finally:
        child.kill()
        for descriptor in (reading, writing, report_read, report):
            os.close(descriptor)
