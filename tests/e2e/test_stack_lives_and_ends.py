"""`ganymede up` as a whole: it ends within 10 s, leaves nothing behind, and goes on where it stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from running import END_SECONDS, Stack, environment_for, running_stack
from safetensors.numpy import load_file

from ganymede import Client, GanymedeError, JobCancelled
from ganymede.records import Job

LONG = ("--images", "100000000", "--width", "8", "--checkpoint-every", "6400")
"""A training that does not end by itself, with a checkpoint every second or so."""


def begin(stack: Stack, digits_zip: Path, *overrides: str) -> str:
    """A long training of a model `long`; the job's id, once it has a checkpoint."""
    assert stack.run("datasets", "add", str(digits_zip), "--name", "digits").returncode == 0
    done = stack.run("train", "digits", "--model", "long", *LONG, *overrides, "--json")
    assert done.returncode == 0, done.stderr
    with stack.client() as client:
        until(lambda: client.models.get("long").checkpoints)
    return str(json.loads(done.stdout)["id"])


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not come about in time"
        time.sleep(0.1)


def further(client: Client, job: str, images: int) -> Callable[[], bool]:
    """Whether the job runs and has come beyond so many images."""

    def look() -> bool:
        found = client.jobs.get(job)
        return found.status == "running" and images_of(found) > images

    return look


def images_of(job: Job) -> int:
    return job.progress.images if job.progress else 0


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_job_goes_on_exactly_at_the_next_start(own: Path, digits_zip: Path, tmp_path: Path) -> None:
    short = ("--images", "19200", "--seed", "7")
    with running_stack(own) as stack:
        job = begin(stack, digits_zip, *short)
        assert stack.end(signal.SIGINT) < END_SECONDS
        assert stack.process.wait() == 0
    with running_stack(own) as stack, stack.client() as client:
        found = client.jobs.wait(job, timeout=120)
        assert found.attempt == 0
        [resumed] = [event for event in client.jobs.events(job, limit=100).data if event.type == "job.resumed"]
        assert 0 < resumed.data["images"] < 19200
        assert stack.run("train", "digits", "--model", "straight", *LONG, *short, "--watch").returncode == 0
        interrupted, straight = (tensors(client, model, tmp_path) for model in ("long", "straight"))
    assert interrupted.keys() == straight.keys()
    assert all(np.array_equal(interrupted[name], straight[name]) for name in straight)


def tensors(client: Client, model: str, folder: Path) -> dict[str, np.ndarray]:
    """The networks of a model's newest checkpoint."""
    newest = max(client.models.get(model).checkpoints, key=lambda checkpoint: checkpoint.images)
    assert newest.images == 19200
    return load_file(client.models.download(model, newest.id, folder / f"{model}.safetensors"))


@pytest.mark.parametrize(
    "victim",
    [("worker", "--queue"), ("worker.child",), ("service",)],
    ids=["the worker", "its child", "the service"],
)
def test_a_process_that_is_killed_comes_back(own: Path, digits_zip: Path, victim: tuple[str, ...]) -> None:
    with running_stack(own) as stack, stack.client() as client:
        job = begin(stack, digits_zip)
        words = (*victim, "train") if "--queue" in victim else victim
        before = images_of(client.jobs.get(job))
        stack.find(*words).kill()
        until(lambda: answers(client) and further(client, job, before)())


def answers(client: Client) -> bool:
    try:
        return bool(client.ready())
    except GanymedeError:
        return False


def test_nothing_outlives_a_stack_that_is_killed(own: Path, digits_zip: Path) -> None:
    with running_stack(own) as stack:
        begin(stack, digits_zip)
        before = stack.processes()
        assert len(before) >= 5
        stack.process.kill()
        _, left = psutil.wait_procs(before, timeout=END_SECONDS)
        assert not left


def test_cancel_is_heard_within_seconds_while_it_trains(own: Path, digits_zip: Path) -> None:
    with running_stack(own) as stack, stack.client() as client:
        job = begin(stack, digits_zip)
        drawn = stack.run("sample", "long", "--count", "4", "--out", str(own / "live.png"))
        assert drawn.returncode == 0, drawn.stderr
        watching = subprocess.Popen(
            [sys.executable, "-m", "ganymede", "jobs", "watch", job, "--json"],
            env={**stack.environment, "GANYMEDE_URL": stack.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        asked = time.monotonic()
        assert stack.run("jobs", "cancel", job).returncode == 0
        with pytest.raises(JobCancelled):
            client.jobs.wait(job, timeout=20)
        assert time.monotonic() - asked < 10
        said, _ = watching.communicate(timeout=20)
        assert (watching.returncode, json.loads(said)["status"]) == (6, "cancelled")
        assert client.models.get("long").checkpoints


def test_a_second_stack_on_the_same_data_or_port_says_so(own: Path, tmp_path: Path) -> None:
    with running_stack(own) as stack:
        port = stack.url.rpartition(":")[2]
        same_data = up("--data", str(own), "--port", "0")
        same_port = up("--data", str(tmp_path / "other"), "--port", port)
    assert (same_data.returncode, same_port.returncode) == (1, 1)
    assert "is in use by another `ganymede up`" in same_data.stderr
    assert f"cannot listen at http://127.0.0.1:{port}: Address already in use" in same_port.stderr


def test_a_setting_that_makes_no_sense_is_one_line(own: Path) -> None:
    done = up("--data", str(own), "--port", "0", GANYMEDE_LEASE_SECONDS="soon")
    assert done.returncode != 0
    assert "lease_seconds" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def up(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ganymede", "up", *arguments]
    environment = environment_for(**settings) | {"COLUMNS": os.environ.get("COLUMNS", "80")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
