"""`ganymede backup` while a training runs, `ganymede restore` elsewhere: the same pictures, and the training ends."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from running import Stack, running_stack
from safetensors.numpy import load_file
from waiting import eventually

from ganymede import Client

IMAGES = 9_600
TRAIN = ("--images", str(IMAGES), "--seed", "7", "--width", "8", "--checkpoint-every", "3200")
SECONDS = 400.0
"""A training is nice, and busy neighbours leave it a tenth."""

SAMPLE = ("--seed", "3", "--count", "9", "--label", "5")

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def own(digits_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("own") / "data") as stack:
        done = stack.run("datasets", "add", str(digits_zip), "--name", "digits")
        assert done.returncode == 0, done.stderr
        yield stack


def ganymede(stack: Stack, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command on the server's own machine, as its administrator gives it."""
    done = stack.run(*arguments)
    assert done.returncode == 0, done.stderr + done.stdout
    return done


def drawn(stack: Stack, model: str, target: Path) -> bytes:
    ganymede(stack, "sample", model, *SAMPLE, "--out", str(target))
    return target.read_bytes()


def pixels(stack: Stack, model: str, target: Path) -> bytes:
    """Without the text chunks, which name the checkpoint: each server gives its own last one an id."""
    drawn(stack, model, target)
    with Image.open(target) as image:
        return image.tobytes()


def tensors(client: Client, model: str, target: Path) -> dict[str, np.ndarray]:
    newest = max(client.models.get(model).checkpoints, key=lambda one: one.images)
    assert newest.images == IMAGES
    return load_file(client.models.download(model, newest.id, target))


def test_a_server_is_backed_up_while_it_trains_and_goes_on_elsewhere(own: Stack, tmp_path: Path) -> None:
    copy, elsewhere = tmp_path / "backup.tar", tmp_path / "elsewhere"
    with own.client() as client:
        job = json.loads(ganymede(own, "train", "digits", "--model", "m", *TRAIN, "--json").stdout)["id"]
        eventually(lambda: client.models.get("m").checkpoints, SECONDS)
        assert client.jobs.get(job).status == "running"
        [newest, *_] = sorted(client.models.get("m").checkpoints, key=lambda one: -one.images)
        before = drawn(own, newest.id, tmp_path / "before.png")
        ganymede(own, "backup", str(copy), "--data", str(own.data))
        assert client.jobs.get(job).status in {"running", "succeeded"}
    said = ganymede(own, "restore", str(copy), "--data", str(elsewhere)).stdout
    assert said.endswith("1 jobs that ran are queued again\n")
    with running_stack(elsewhere) as other, own.client() as here, other.client() as there:
        assert drawn(other, newest.id, tmp_path / "after.png") == before
        for client in (here, there):
            assert client.jobs.wait(job, timeout=SECONDS).ended_by == "images"
        events = [event.type for event in there.jobs.events(job, limit=100).data]
        assert "job.resumed" in events
        original, restored = tensors(here, "m", tmp_path / "a"), tensors(there, "m", tmp_path / "b")
        assert original.keys() == restored.keys()
        assert [name for name in original if original[name].tobytes() != restored[name].tobytes()] == []
        assert pixels(other, "m", tmp_path / "there.png") == pixels(own, "m", tmp_path / "here.png")
        found = json.loads(ganymede(other, "doctor", "--data", str(elsewhere), "--deep", "--json").stdout)
        assert found["ok"], found


def test_a_server_that_has_anything_is_not_restored_over(own: Stack, tmp_path: Path) -> None:
    copy = tmp_path / "backup"
    ganymede(own, "backup", str(copy), "--data", str(own.data))
    done = own.run("restore", str(copy), "--data", str(own.data))
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert done.stderr.count("\n") == 1
    with own.client() as client:
        assert client.datasets.get("digits").status == "ready"
