"""Training that goes on, through real processes: in the same model, in a new one, from an upload, and when killed."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import psutil
import pytest
from running import Stack
from waiting import eventually

from ganymede import Client, Conflict

SECONDS = 600.0
"""What a training of a few seconds may take: it is nice, and busy neighbours leave it a tenth of a core or less."""
NAMES = count()

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def circle(client: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of a circle around (5, 5) that has seen 12,800 points; its name, and that of its dataset."""
    draws = np.random.default_rng(1)
    angles = draws.uniform(0, 2 * np.pi, 2000)
    points = 5 + np.stack([np.cos(angles), np.sin(angles)], axis=1) + draws.normal(0, 0.05, (2000, 2))
    path = tmp_path_factory.mktemp("data") / "circle.npy"
    np.save(path, points.astype(np.float32))
    client.datasets.upload(path, "circle")
    client.datasets.wait("circle")
    asked = {"type": "train", "dataset": "circle", "model": "circle", "images": 12_800, "network": {"width": 32}}
    client.jobs.wait(client.jobs.create(asked).id, timeout=SECONDS)
    return "circle"


def going_on(client: Client, start: str, **more: object) -> str:
    """A job that goes on from there under a new name, by the same steps each time; the name."""
    name = f"circle-{next(NAMES)}"
    asked = {"type": "train", "dataset": "circle", "model": name, "resume_from": start, "images": 25_600}
    client.jobs.create({**asked, "checkpoint_every": 3200, **more})
    return name


def job_of(client: Client, model: str) -> str:
    return client.jobs.list(model=model).data[0].id


def newest(client: Client, model: str) -> tuple[int, str]:
    """How much the newest checkpoint has seen, and its sha256; (0, "") before there is one."""
    there = client.models.get(model).checkpoints
    return (there[0].images, there[0].sha256) if there else (0, "")


def test_the_command_goes_on_with_a_model_under_its_own_name(stack: Stack, client: Client, circle: str) -> None:
    done = stack.run("train", "circle", "--model", circle, "--resume-from", circle, "--images", "6400", "--json")
    assert done.returncode == 0, done.stderr
    job = client.jobs.wait(json.loads(done.stdout)["id"], timeout=SECONDS)
    assert job.spec["resume_from"]["before"] == 12_800
    assert (job.progress.images, job.progress.total_images, job.progress.percent) == (6400, 6400, 100.0)
    assert newest(client, circle)[0] == 19_200
    assert min(row["images"] for row in client.jobs.metrics(job.id)) > 12_800
    assert "job.began_from" in [event.type for event in client.jobs.events(job.id, limit=100).data]
    with pytest.raises(Conflict, match="newer checkpoints"):
        client.jobs.create({"type": "train", "dataset": "circle", "model": circle, "resume_from": f"{circle}@12800"})


def test_what_goes_on_from_a_model_draws_what_that_drew_at_first(client: Client, circle: str) -> None:
    """Two steps at a rate of next to nothing leave the generator as it was: the same points in the same units.

    The raw one: an average is as long as 5 % of what its model has seen, and the new one has seen next to nothing.
    """
    start = client.models.get(circle).checkpoints[0]
    name = going_on(client, start.id, images=128, learning_rate=1e-12, holdout=0)
    client.jobs.wait(job_of(client, name), timeout=SECONDS)
    asked = {"seed": 3, "count": 50, "ema": "raw"}
    rows = [client.samples.data({"model": model, **asked})["data"] for model in (start.id, name)]
    drawn = [np.array([row["point"] for row in part]) for part in rows]
    assert np.allclose(*drawn, atol=1e-4)


def test_killed_again_and_again_it_ends_with_the_very_bytes(stack: Stack, client: Client, circle: str) -> None:
    """Before its first own checkpoint it begins again from the start, after it from its own state."""
    start = client.models.get(circle).checkpoints[0].id
    straight = going_on(client, start)
    client.jobs.wait(job_of(client, straight), timeout=SECONDS)
    killed = going_on(client, start)
    job = job_of(client, killed)
    kill_once(stack, lambda: "job.began_from" in types(client, job))
    kill_once(stack, lambda: newest(client, killed)[0] > 0)
    client.jobs.wait(job, timeout=SECONDS)
    assert {"job.began_from", "job.resumed"} <= set(types(client, job))
    assert newest(client, killed) == newest(client, straight)


def types(client: Client, job: str) -> list[str]:
    return [event.type for event in client.jobs.events(job, limit=100).data]


def kill_once(stack: Stack, due: Callable[[], object]) -> None:
    """Kill the child of the only job that runs, when that is so."""
    eventually(lambda: due() and stack.all_of("worker.child"), SECONDS)
    for child in stack.all_of("worker.child"):
        child.kill()
        psutil.wait_procs([child], timeout=10)


def test_a_download_that_comes_back_is_gone_on_with(client: Client, circle: str, tmp_path: Path) -> None:
    start = client.models.get(circle).checkpoints[0]
    client.models.upload(client.models.download(circle, start.id, tmp_path / "circle.safetensors"), "visitor")
    asked = {"type": "train", "dataset": "circle", "model": "visitor", "resume_from": "visitor", "images": 1280}
    job = client.jobs.create(asked)
    client.jobs.wait(job.id, timeout=SECONDS)
    there = [one.images for one in client.models.get("visitor").checkpoints]
    assert (there[0], there[-1]) == (start.images + 1280, start.images)
    began = next(e for e in client.jobs.events(job.id, limit=100).data if e.type == "job.began_from")
    assert began.data["generator"] == "raw"
