"""The production wiring, as docker-compose.yml has it: PostgreSQL, Redis, migration, service, both workers.

Real processes and real servers on 127.0.0.1. The tests run in order on one deployment; the last one ends it.
"""

import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from deployed import END_SECONDS, PASSWORD, PROCESSES, Deployment
from PIL import Image
from servers import PostgreSQL, Redis, silent_port

from ganymede import Client, NotAuthorized

SMALL = {"type": "train", "dataset": "digits", "recipe": "r3gan", "network": {"width": 8}}

SOON = 4.0
"""To accept a job; to wait for the answer of a Redis that says nothing takes five seconds."""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgreSQL) -> Iterator[Deployment]:
    """A blank database and Redis; nothing of ours runs yet."""
    folder = tmp_path_factory.mktemp("deployed")
    postgresql.database("ganymede", PASSWORD)
    redis = Redis(folder)
    deployment = Deployment(folder, postgresql, redis)
    redis.start(*deployment.services["redis"]["command"][1:])
    yield deployment
    deployment.kill()
    redis.kill()


@pytest.fixture(scope="module")
def migrated(deployment: Deployment) -> Deployment:
    done = deployment.run("migrate", deployment.services["migrate"]["command"])
    assert done.returncode == 0, done.stderr
    return deployment


@pytest.fixture(scope="module")
def client(migrated: Deployment, digits_zip: Path) -> Iterator[Client]:
    """Of the running service, with a dataset that is ready, called `digits`."""
    for name in PROCESSES:
        migrated.start(name)
    migrated.await_ready()
    with migrated.client() as nobody, pytest.raises(NotAuthorized):
        nobody.datasets.list()
    migrated.make_key()
    with migrated.client() as client:
        client.datasets.upload(digits_zip, "digits")
        assert client.datasets.wait("digits", timeout=60).count == 1797
        yield client


def test_before_the_migration_a_process_says_what_is_missing(deployment: Deployment) -> None:
    done = deployment.run("service", deployment.services["service"]["command"])
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "ganymede migrate" in done.stderr


def test_a_worker_that_does_not_run_is_not_healthy(migrated: Deployment) -> None:
    assert not migrated.healthy("worker-light")


def test_the_demos_path_leads_through_it(deployment: Deployment, client: Client) -> None:
    ready = client.ready()
    assert [ready[part] for part in ("status", "database", "storage", "broker")] == ["ready", "ok", "ok", "ok"]
    job = client.jobs.create({**SMALL, "model": "digits", "images": 1280})
    seen = [(one.status, one.progress) for one in client.jobs.watch(job.id)]
    assert seen[-1][0] == "succeeded"
    done = client.jobs.get(job.id)
    assert (done.ended_by, done.device) == ("images", "cpu")
    grid = client.samples.create({"model": "digits", "seed": 0, "count": 20, "columns": 10, "size": 32})
    assert Image.open(BytesIO(grid.content)).size >= (320, 64)
    walk = {"model": "digits", "keyframes": [{"seed": 1, "label": "3"}, {"seed": 2, "label": "8"}], "frames": 5}
    film = client.interpolations.create({**walk, "layout": "animation"}, "image/gif")
    assert getattr(Image.open(BytesIO(film.content)), "n_frames", 1) == 5
    assert list(deployment.folder.rglob("*.sqlite3*")) == []
    assert list((deployment.folder / "storage" / "checkpoints").rglob("*.safetensors"))


def test_every_process_is_healthy_by_its_own_check(deployment: Deployment, client: Client) -> None:
    assert [name for name in PROCESSES if not deployment.healthy(name)] == []


def test_with_redis_killed_jobs_are_accepted_and_run(deployment: Deployment, client: Client) -> None:
    deployment.redis.kill()
    check_runs_without_redis(deployment, client, "without")


def test_with_a_redis_that_says_nothing_jobs_are_accepted_at_once_and_run(
    deployment: Deployment, client: Client
) -> None:
    deployment.redis.kill()
    with silent_port(deployment.redis.port):
        check_runs_without_redis(deployment, client, "silence")


def check_runs_without_redis(deployment: Deployment, client: Client, model: str) -> None:
    before = time.monotonic()
    job = client.jobs.create({**SMALL, "model": model, "images": 640})
    assert time.monotonic() - before < SOON
    assert client.jobs.wait(job.id, timeout=60).ended_by == "images"
    ready = client.ready()
    assert (ready["status"], ready["broker"]) == ("ready", "degraded")
    assert deployment.healthy("service")


def test_all_end_in_time_and_a_running_job_goes_back_to_its_queue(
    deployment: Deployment, client: Client, postgresql: PostgreSQL
) -> None:
    job = client.jobs.create({**SMALL, "model": "long", "max_seconds": 600})
    progress = (one.progress for one in client.jobs.watch(job.id))
    assert next(one.images for one in progress if one is not None and one.images > 0)
    assert len(deployment.all_processes()) > len(PROCESSES)
    took, statuses = deployment.end()
    assert took < END_SECONDS
    assert statuses == dict.fromkeys(PROCESSES, 0)
    [(status, attempt)] = postgresql.ask("ganymede", f"SELECT status, attempt FROM jobs WHERE id = '{job.id}'")
    assert (status, attempt) == ("queued", 0)
