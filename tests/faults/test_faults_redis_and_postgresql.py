"""Redis and PostgreSQL flushed, killed, away: what was accepted ends as if nothing had been (faults 5 and 6)."""

import signal
import time
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from fault_farm import Cluster, Farm, eventually, farm_in, same
from fault_table import row
from servers import Redis

IMAGES, EVERY = 40_000, 8_000
ACCEPTED_SECONDS = 2.0
"""In which a job must be accepted, whatever Redis does."""
LEASE = 2.0
"""Seconds of a lease, where PostgreSQL is away beyond it."""

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    server = Cluster()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster, redis: Redis) -> Iterator[Farm]:
    """A deployment on both, that has trained `straight` in peace."""
    servers = {"GANYMEDE_DATABASE_URL": cluster.url, "GANYMEDE_BROKER_URL": redis.url}
    with farm_in(tmp_path_factory.mktemp("farm"), **servers) as farm:
        farm.start("light", "train", "service")
        farm.add_ring()
        farm.succeed(farm.train("straight", IMAGES, EVERY))
        yield farm


def check_as_straight(farm: Farm, job: str, model: str) -> None:
    """The job ended with the weights, moments, averages and metrics of the one that was left alone."""
    done = farm.jobs.get(job)
    assert (done.status, done.attempt, done.ended_by) == ("succeeded", 0, "images"), (done.status, done.error)
    same(farm.end_of(model), farm.end_of("straight"))
    first = next(one for one in farm.jobs.list(order="asc", type="train").data if one.model == "straight")
    assert farm.series(job) == farm.series(first.id)


def accepted(farm: Farm, model: str) -> tuple[str, float]:
    """A job's id, and in how many seconds it was accepted."""
    before = time.monotonic()
    job = farm.train(model, IMAGES, EVERY)
    return job, time.monotonic() - before


# ---- 5: Redis ----


def harm_redis(farm: Farm, redis: Redis, name: str, away: float) -> float:
    """Flush, kill, wait, start again, with a job running and one queued; returns the longest that accepting took."""
    running, first = accepted(farm, f"{name}-running")
    eventually(lambda: farm.status(running) == "running" and farm.images(running) > 0)
    queued, second = accepted(farm, f"{name}-queued")
    flush(redis)
    redis.kill()
    with farm.client() as client:
        client.jobs.cancel(queued)
    meanwhile, third = accepted(farm, f"{name}-meanwhile")
    farm.succeed(running)
    time.sleep(away)
    eventually(lambda: farm.images(meanwhile) > 0)
    redis.start()
    for job, model in ((running, "running"), (meanwhile, "meanwhile")):
        farm.succeed(job)
        check_as_straight(farm, job, f"{name}-{model}")
        assert [event["epoch"] for event in farm.told(job, "job.running")] == [1], "it ran once, in one piece"
    return max(first, second, third)


def flush(redis: Redis) -> None:
    import redis as client

    with client.Redis(port=redis.port) as connection:
        connection.flushall()


def test_redis_flushed_and_killed_changes_nothing_about_jobs(farm: Farm, redis: Redis) -> None:
    assert harm_redis(farm, redis, "short", away=0) < ACCEPTED_SECONDS


@pytest.mark.faults_long
@pytest.mark.timeout(3600)
def test_redis_away_for_minutes_and_many_times(farm: Farm, redis: Redis) -> None:
    slowest = [harm_redis(farm, redis, f"long{number}", away=120 if number == 0 else 5) for number in range(5)]
    assert max(slowest) < ACCEPTED_SECONDS
    row(
        "5",
        "Redis flushed and killed, away for two minutes (once) or seconds, a job running and one coming each time",
        len(slowest),
        f"10 of 10 jobs ran once each and ended bit-identical; accepted within {max(slowest):.2f} s",
    )


# ---- 6: PostgreSQL ----


def restart_at_once(farm: Farm, cluster: Cluster, job: str) -> float:
    """Crash it while the job works, and start it again; how many seconds it was away."""
    before, began = farm.images(job), time.monotonic()
    cluster.halt()
    cluster.start()
    away = time.monotonic() - began
    eventually(lambda: ended(farm, job) or farm.images(job) > before)
    return away


def away_beyond_the_lease(farm: Farm, cluster: Cluster, job: str, seconds: float) -> None:
    """Crash it, see that the child ends by itself, and start it again after so many seconds more."""
    eventually(farm.children)
    cluster.halt()
    check_says_unavailable(farm, job)
    eventually(lambda: not farm.children(), 60)
    time.sleep(seconds)
    cluster.start()
    eventually(lambda: farm.told(job, "job.resumed"))


def ended(farm: Farm, job: str) -> bool:
    return farm.status(job) in {"succeeded", "failed", "cancelled"}


def check_says_unavailable(farm: Farm, job: str) -> None:
    """Without its database the service answers 503 and when to come back, to everything."""
    body = {"type": "train", "dataset": "ring", "model": "no", "recipe": "r3gan"}
    with httpx.Client(base_url=farm.url, timeout=30) as client:
        for answer in (client.get(f"/v1/jobs/{job}"), client.get("/v1/datasets"), client.post("/v1/jobs", json=body)):
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert int(answer.headers["Retry-After"]) > 0
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200


@pytest.fixture(scope="module")
def hasty(farm: Farm) -> Farm:
    """The same, with a worker whose leases are short."""
    farm.kill("train", signal.SIGTERM)
    farm.start("train", GANYMEDE_LEASE_SECONDS=str(LEASE), GANYMEDE_HEARTBEAT_SECONDS="0.5")
    return farm


def harm_postgresql(farm: Farm, cluster: Cluster, model: str, restarts: int, absences: int, seconds: float) -> None:
    """One job, all the while: restarts at once, then absences beyond its lease; it ends as if nothing had been."""
    job = farm.train(model, IMAGES, EVERY)
    eventually(lambda: farm.status(job) == "running" and farm.images(job) > 0)
    away = [restart_at_once(farm, cluster, job) for _ in range(restarts)]
    assert max(away) > LEASE / 2 or not farm.told(job, "job.requeued"), "a restart within the lease costs no claim"
    for _ in range(absences):
        eventually(lambda: farm.checkpoints(model) and (farm.children() or ended(farm, job)))
        if not ended(farm, job):
            away_beyond_the_lease(farm, cluster, job, seconds)
    farm.succeed(job)
    check_as_straight(farm, job, model)
    assert {event["reason"] for event in farm.told(job, "job.requeued")} <= {"released"}


def test_postgresql_restarted_at_once_and_away_beyond_the_lease(hasty: Farm, cluster: Cluster) -> None:
    harm_postgresql(hasty, cluster, "short-sql", restarts=1, absences=1, seconds=0)


@pytest.mark.faults_long
@pytest.mark.timeout(3600)
def test_postgresql_many_times(hasty: Farm, cluster: Cluster) -> None:
    for number in range(4):
        harm_postgresql(hasty, cluster, f"long-sql-{number}", restarts=5, absences=3, seconds=30 if number == 0 else 1)
    row("6", "PostgreSQL crashed and restarted at once", 20, "no attempt charged, jobs bit-identical")
    row("6", "PostgreSQL away beyond the lease (up to 36 s)", 12, "children fenced, resumed, no attempt charged")


def test_a_commit_that_was_answered_survives_a_crash_of_the_database(hasty: Farm, cluster: Cluster) -> None:
    with hasty.client() as client:
        before = {job.id for job in client.jobs.list(limit=100).data}
    cluster.halt()
    with pytest.raises(psycopg.OperationalError):
        cluster.ask("postgres", "SELECT 1")
    cluster.start()
    eventually(hasty.ready)
    with hasty.client() as client:
        assert {job.id for job in client.jobs.list(limit=100).data} == before
