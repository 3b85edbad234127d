"""`ganymede up` as a whole: it ends within 10 s, leaves nothing behind, and goes on where it stopped."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import psutil
import pytest
from running import END_SECONDS, Stack, environment_for, running_stack
from safetensors.numpy import load_file

from ganymede import Client, GanymedeError, JobCancelled

LONG = ("--images", "100000000", "--width", "8", "--checkpoint-every", "3200")
"""A training that does not end by itself, with a checkpoint every few seconds."""

IMAGES = 16_000
SHORT = ("--images", str(IMAGES), "--seed", "7")
"""What makes of it one that does, by the same steps each time, some seconds after its first checkpoint."""

SECONDS = 400.0
"""What a training may take until its end or its next checkpoint: it is nice, and busy neighbours leave it a tenth."""

pytestmark = pytest.mark.timeout(900)

NUMBERS = count()

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Training:
    """A job that trains, on a stack, seen by a client."""

    stack: Stack
    client: Client
    job: str
    model: str

    def images(self) -> int:
        progress = self.client.jobs.get(self.job).progress
        return progress.images if progress else 0

    def runs_beyond(self, images: int) -> bool:
        try:
            return self.client.jobs.get(self.job).status == "running" and self.images() > images
        except GanymedeError:
            return False

    def newest(self) -> int:
        return max((checkpoint.images for checkpoint in self.client.models.get(self.model).checkpoints), default=0)

    def resumptions(self) -> list[int]:
        """At how many images the job went on, each time."""
        events = self.client.jobs.events(self.job, limit=100).data
        return [event.data["images"] for event in events if event.type == "job.resumed"]


@pytest.fixture(scope="module")
def own(digits_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose processes these tests may kill."""
    with running_stack(tmp_path_factory.mktemp("own") / "data") as stack:
        add_digits(stack, digits_zip)
        yield stack


@pytest.fixture
def training(own: Stack) -> Iterator[Training]:
    """A long training that has a checkpoint; cancelled afterwards, so that the next has the worker."""
    with own.client() as client:
        training = begin(own, client)
        yield training
        client.jobs.cancel(training.job)
        until(lambda: client.jobs.get(training.job).ended)


@pytest.fixture(scope="module")
def straight(own: Stack, tmp_path_factory: pytest.TempPathFactory) -> Tensors:
    """What the short training ends with when it is left alone."""
    with own.client() as client:
        alone = begin(own, client, *SHORT)
        client.jobs.wait(alone.job, timeout=SECONDS)
        assert alone.resumptions() == []
        return tensors(alone, tmp_path_factory.mktemp("straight"))


def add_digits(stack: Stack, digits_zip: Path) -> None:
    done = stack.run("datasets", "add", str(digits_zip), "--name", "digits")
    assert done.returncode == 0, done.stderr


def queue(stack: Stack, client: Client, *overrides: str) -> Training:
    model = f"long-{next(NUMBERS)}"
    done = stack.run("train", "digits", "--model", model, *LONG, *overrides, "--json")
    assert done.returncode == 0, done.stderr
    return Training(stack, client, str(json.loads(done.stdout)["id"]), model)


def begin(stack: Stack, client: Client, *overrides: str) -> Training:
    training = queue(stack, client, *overrides)
    until(training.newest)
    return training


def until(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not come about in time"
        time.sleep(0.1)


@pytest.mark.parametrize(
    "victim", [("worker.child",), ("worker", "train"), ("service",)], ids=["the child", "its worker", "the service"]
)
def test_a_process_that_is_killed_comes_back(training: Training, victim: tuple[str, ...]) -> None:
    before = training.images()
    training.stack.find(*victim).kill()
    if victim != ("service",):
        until(training.resumptions)
    until(lambda: training.runs_beyond(before))


def test_a_training_whose_worker_and_child_are_killed_ends_as_if_nothing_had_been(
    own: Stack, straight: Tensors, tmp_path: Path
) -> None:
    with own.client() as client:
        killed = queue(own, client, *SHORT)
        until(lambda: client.jobs.get(killed.job).status == "running" and own.all_of("worker.child"))
        victims = own.find("worker", "train"), own.find("worker.child")
        until(killed.newest)
        for victim in victims:
            victim.kill()
        client.jobs.wait(killed.job, timeout=SECONDS)
        [images] = killed.resumptions()
        assert 0 < images < IMAGES
        check_same(tensors(killed, tmp_path), straight)


def test_a_paused_job_keeps_its_state_until_it_is_resumed(training: Training) -> None:
    assert training.stack.run("jobs", "pause", training.job).returncode == 0
    until(lambda: training.client.jobs.get(training.job).status == "paused")
    kept = training.newest()
    assert training.stack.run("jobs", "resume", training.job).returncode == 0
    until(lambda: training.runs_beyond(kept))
    assert training.resumptions() == [kept]


def test_a_cancelled_training_goes_on_from_its_newest_checkpoint_when_it_is_retried(training: Training) -> None:
    stack, client = training.stack, training.client
    assert stack.run("jobs", "cancel", training.job).returncode == 0
    until(lambda: client.jobs.get(training.job).ended)
    assert client.jobs.get(training.job).status == "cancelled"
    kept = training.newest()
    again = Training(stack, client, client.jobs.retry(training.job).id, training.model)
    try:
        until(lambda: again.runs_beyond(kept))
        assert again.resumptions() == [kept]
        assert client.jobs.get(again.job).retry_of == training.job
        until(lambda: again.newest() > kept)
    finally:
        client.jobs.cancel(again.job)
        until(lambda: client.jobs.get(again.job).ended)


def test_cancel_is_heard_within_seconds_and_leaves_a_model(training: Training, tmp_path: Path) -> None:
    stack, job = training.stack, training.job
    assert stack.run("sample", training.model, "--count", "4", "--out", str(tmp_path / "live.png")).returncode == 0
    watching = subprocess.Popen(
        [sys.executable, "-m", "ganymede", "jobs", "watch", job, "--json"],
        env={**stack.environment, "GANYMEDE_URL": stack.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    training.client.jobs.cancel(job)
    asked = time.monotonic()
    with pytest.raises(JobCancelled):
        training.client.jobs.wait(job, timeout=20)
    assert time.monotonic() - asked < 6.5
    said, _ = watching.communicate(timeout=20)
    assert (watching.returncode, json.loads(said)["status"]) == (6, "cancelled")
    assert training.newest() > 0


def test_a_second_stack_on_the_same_data_or_port_says_so(own: Stack, tmp_path: Path) -> None:
    port = own.url.rpartition(":")[2]
    same_data = up("--data", str(own.data), "--port", "0")
    same_port = up("--data", str(tmp_path / "other"), "--port", port)
    assert (same_data.returncode, same_port.returncode) == (1, 1)
    assert "is in use by another `ganymede up`" in same_data.stderr
    assert f"cannot listen at http://127.0.0.1:{port}: Address already in use" in same_port.stderr


def test_a_job_goes_on_exactly_at_the_next_start(straight: Tensors, tmp_path: Path, digits_zip: Path) -> None:
    """Ended by Ctrl-C in the middle, a training ends with the very tensors of one that was left alone."""
    with running_stack(tmp_path / "data") as stack, stack.client() as client:
        add_digits(stack, digits_zip)
        ended = begin(stack, client, *SHORT)
        assert stack.end(signal.SIGINT) < END_SECONDS
        assert stack.process.wait() == 0
    with running_stack(tmp_path / "data") as stack, stack.client() as client:
        resumed = Training(stack, client, ended.job, ended.model)
        assert client.jobs.wait(ended.job, timeout=SECONDS).attempt == 0
        [images] = resumed.resumptions()
        assert 0 < images < IMAGES
        check_same(tensors(resumed, tmp_path), straight)


def check_same(found: Tensors, wanted: Tensors) -> None:
    """Bit by bit."""
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if found[name].tobytes() != wanted[name].tobytes()] == []


def tensors(training: Training, folder: Path) -> Tensors:
    """The networks of a model's newest checkpoint."""
    newest = max(training.client.models.get(training.model).checkpoints, key=lambda checkpoint: checkpoint.images)
    assert newest.images == IMAGES
    target = folder / f"{training.model}.safetensors"
    return load_file(training.client.models.download(training.model, newest.id, target))


def test_nothing_outlives_a_stack_that_is_killed(tmp_path: Path, digits_zip: Path) -> None:
    with running_stack(tmp_path / "data") as stack, stack.client() as client:
        add_digits(stack, digits_zip)
        begin(stack, client)
        before = stack.processes()
        assert len(before) >= 5
        stack.process.kill()
        _, left = psutil.wait_procs(before, timeout=END_SECONDS)
        assert not left


def test_a_setting_that_makes_no_sense_is_one_line(tmp_path: Path) -> None:
    done = up("--data", str(tmp_path / "data"), "--port", "0", GANYMEDE_LEASE_SECONDS="soon")
    assert done.returncode != 0
    assert "lease_seconds" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def up(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ganymede", "up", *arguments]
    environment = environment_for(**settings)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
