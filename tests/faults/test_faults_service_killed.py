"""The service is killed: after a commit and before the bell, in the middle of uploads, while it draws (fault 7)."""

import io
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from fault_farm import SECONDS, Farm, eventually, farm_in
from fault_table import row
from servers import Redis

from ganymede.errors import GanymedeError, ServerUnreachable
from ledger.storage import ABANDONED_SECONDS
from ledger.sweeping import sweep
from service.uploads import FLUSH_BYTES

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """Embedded, as `ganymede up` has it: SQLite, no broker. Nothing runs yet."""
    with farm_in(tmp_path / "farm") as farm:
        yield farm


def points() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32))
    return buffer.getvalue()


def upload(farm: Farm, name: str) -> httpx.Response:
    return httpx.post(f"{farm.url}/v1/datasets", data={"name": name}, files={"file": ("p.npy", points())}, timeout=30)


# ---- after the commit, before the bell ----


def kill_before_the_bell(farm: Farm, name: str) -> None:
    farm.service_dying_at("before the bell")
    with pytest.raises(httpx.TransportError):
        upload(farm, name)
    farm.await_death("service")
    eventually(lambda: farm.datasets.get(name).status == "ready")
    assert [event["epoch"] for event in farm.told(str(farm.datasets.get(name).job_id), "job.running")] == [1]


def test_a_job_whose_service_dies_before_the_bell_runs(tmp_path: Path, redis: Redis) -> None:
    with farm_in(tmp_path / "farm", GANYMEDE_BROKER_URL=redis.url) as farm:
        farm.start("light")
        kill_before_the_bell(farm, "committed")


@pytest.mark.faults_long
def test_jobs_whose_service_dies_before_the_bell_run(tmp_path: Path, redis: Redis) -> None:
    times = 20
    with farm_in(tmp_path / "farm", GANYMEDE_BROKER_URL=redis.url) as farm:
        farm.start("light")
        for number in range(times):
            kill_before_the_bell(farm, f"committed{number}")
    row("7", "SIGKILL of the service between commit and bell", times, "every job ran, once, by reconciliation")


# ---- during an upload ----


WHOLE = 100_000_000
HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.npy"\r\n\r\n'


def broken_off(farm: Farm, sent: int) -> socket.socket:
    """An upload of a hundred megabytes of which so many bytes came; the connection stays."""
    lines = ["POST /v1/datasets HTTP/1.1", "Host: localhost", "Content-Type: multipart/form-data; boundary=b"]
    request = "\r\n".join([*lines, f"Content-Length: {WHOLE}", "", ""]).encode()
    connection = socket.create_connection(("127.0.0.1", farm.port))
    connection.sendall(request + HEAD + b"x" * sent)
    return connection


def answered(connection: socket.socket) -> bytes:
    """An answer: its head, and its body, which comes behind it."""
    connection.settimeout(60)
    answer = b""
    while b"}" not in answer and (more := connection.recv(65536)):
        answer += more
    return answer


def files(farm: Farm, folder: str) -> list[Path]:
    root = farm.storage.path(folder)
    return [path for path in root.rglob("*") if path.is_file()] if root.is_dir() else []


def came(farm: Farm) -> int:
    """Bytes of uploads that have not ended."""
    return sum(path.stat().st_size for path in files(farm, "scratch"))


def an_hour_passes(farm: Farm) -> None:
    """For the files that lie there now."""
    for path in [*farm.storage.root.rglob("*")]:
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - ABANDONED_SECONDS - 60))


def nothing_is_visible(farm: Farm) -> bool:
    with farm.client() as client:
        return client.datasets.list().data == [] and not files(farm, "datasets")


def kill_during_an_upload(farm: Farm, sent: int) -> None:
    """While bytes come: what came is gone an hour later, when a process starts; no dataset was ever there."""
    farm.start("service")
    with broken_off(farm, sent):
        eventually(lambda: files(farm, "scratch"))
        assert nothing_is_visible(farm)
        farm.kill("service")
    assert files(farm, "scratch")
    assert not files(farm, "uploads")
    an_hour_passes(farm)
    farm.start("service")
    assert nothing_is_visible(farm)
    assert not files(farm, "scratch")
    farm.kill("service")


def kill_between_upload_and_commit(farm: Farm) -> None:
    """All bytes came and lie in their place, and the ledger never hears of them: a worker removes them."""
    farm.service_dying_at("before the commit")
    with pytest.raises(httpx.TransportError):
        upload(farm, "unheard")
    farm.await_death("service")
    assert files(farm, "uploads")
    farm.start("service", "light")
    assert nothing_is_visible(farm)
    assert files(farm, "uploads"), "what was written within the hour may be someone's who is at work"
    farm.kill("light")
    an_hour_passes(farm)
    farm.start("light")
    eventually(lambda: not files(farm, "uploads"))
    farm.kill("light")
    farm.kill("service")


def test_half_an_upload_is_never_a_dataset_and_its_space_comes_back(farm: Farm) -> None:
    kill_during_an_upload(farm, 3_000_000)
    kill_between_upload_and_commit(farm)
    farm.start("light", "service")
    assert upload(farm, "unheard").status_code == 202, "the name is free"
    eventually(lambda: farm.datasets.get("unheard").status == "ready")


@pytest.mark.faults_long
@pytest.mark.timeout(1800)
def test_half_an_upload_many_times(farm: Farm) -> None:
    random, times = np.random.default_rng(7), 10
    for _ in range(times):
        kill_during_an_upload(farm, int(random.integers(1_200_000, 60_000_000)))
        kill_between_upload_and_commit(farm)
    row("7", "SIGKILL of the service during an upload", 2 * times, "no dataset visible, all space back")


def test_an_upload_that_stood_still_for_an_hour_is_told_so(farm: Farm) -> None:
    farm.start("service")
    sent = 3_000_000
    with broken_off(farm, sent) as connection:
        eventually(lambda: came(farm) > sent - FLUSH_BYTES)  # what is left waits for more
        an_hour_passes(farm)
        assert len(sweep(farm.ledger, farm.storage)) == 1
        rest = b'\r\n--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nlate\r\n--b--\r\n'
        connection.sendall(b"x" * (WHOLE - len(HEAD) - sent - len(rest)) + rest)
        answer = answered(connection)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"upload it again" in answer
    assert nothing_is_visible(farm)


# ---- while sampling ----


class Sampler(threading.Thread):
    """A caller who draws the same two pictures again and again, and asks again where the service is away."""

    def __init__(self, farm: Farm, wanted: dict[int, bytes]) -> None:
        super().__init__(daemon=True)
        self.farm, self.wanted = farm, wanted
        self.drawn, self.refused, self.wrong = 0, 0, 0
        self.others: list[Exception] = []
        self.ending = threading.Event()

    def run(self) -> None:
        with self.farm.client() as client:
            while not self.ending.is_set():
                seed = self.drawn % len(self.wanted)
                try:
                    found = client.samples.create({"model": "m", "seed": seed}).content
                except ServerUnreachable:
                    self.refused += 1
                    time.sleep(0.05)
                except GanymedeError as error:
                    self.others.append(error)
                else:
                    self.drawn += 1
                    self.wrong += found != self.wanted[seed]


def kill_while_sampling(farm: Farm, kills: int) -> tuple[int, int]:
    """Callers and pictures through so many kills; the number of pictures and of requests that were cut off."""
    farm.add_model("m")
    farm.start("service")
    with farm.client() as client:
        wanted = {seed: client.samples.create({"model": "m", "seed": seed}).content for seed in range(2)}
    callers = [Sampler(farm, wanted) for _ in range(4)]
    for caller in callers:
        caller.start()
    for _ in range(kills):
        before = [caller.drawn for caller in callers]
        eventually(lambda before=before: all(c.drawn > b + 3 for c, b in zip(callers, before, strict=True)))
        farm.kill("service")
        farm.start("service")
    before = [caller.drawn for caller in callers]
    eventually(lambda: all(caller.drawn > b for caller, b in zip(callers, before, strict=True)))
    for caller in callers:
        caller.ending.set()
    for caller in callers:
        caller.join(SECONDS)
        assert (caller.others, caller.wrong) == ([], 0)
    return sum(caller.drawn for caller in callers), sum(caller.refused for caller in callers)


def test_a_service_killed_while_it_draws_draws_the_same_after_its_restart(farm: Farm) -> None:
    kill_while_sampling(farm, kills=1)


@pytest.mark.faults_long
@pytest.mark.timeout(1800)
def test_a_service_killed_many_times_while_it_draws(farm: Farm) -> None:
    drawn, refused = kill_while_sampling(farm, kills=20)
    outcome = f"{drawn:,} pictures, all right; the client's own 2 s of patience did not suffice {refused:,} times"
    row("7", "SIGKILL of the service while 4 callers draw", 20, outcome)
