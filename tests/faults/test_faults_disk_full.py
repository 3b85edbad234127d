"""A disk without a byte left: under the storage, under the ledger, under everything (fault 8)."""

import io
import re
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from fault_disk import Disk, disk_at
from fault_farm import Cluster, Farm, eventually, farm_in, same
from fault_table import row
from safetensors import safe_open

from gan.errors import Unavailable
from ledger.database import Ledger

IMAGES, EVERY = 8_000, 800
WIDE = {"network": {"width": 64}}
"""A checkpoint of half a megabyte."""

pytestmark = pytest.mark.timeout(1500)


@dataclass
class Place:
    """A farm, and the disks that its storage and its ledger lie on."""

    farm: Farm
    storage: Disk
    ledger: Disk


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """It has trained `straight` while there was room."""
    folder = tmp_path_factory.mktemp("full")
    with disk_at(folder / "storage", 48) as storage, disk_at(folder / "ledger", 12) as ledger:
        where = {"GANYMEDE_STORAGE": f"{storage.root}/s", "GANYMEDE_DATABASE_URL": f"sqlite:///{ledger.root}/l.sqlite3"}
        short = {"GANYMEDE_LEASE_SECONDS": "3", "GANYMEDE_HEARTBEAT_SECONDS": "0.5"}
        with farm_in(folder / "farm", **where, **short) as farm:
            begin(farm)
            yield Place(farm, storage, ledger)


def begin(farm: Farm) -> None:
    farm.start("light", "train", "service")
    farm.add_ring()
    farm.succeed(farm.train("straight", IMAGES, EVERY, **WIDE))


def started(farm: Farm, model: str) -> str:
    """A training that has a checkpoint."""
    job = farm.train(model, IMAGES, EVERY, **WIDE)
    eventually(lambda: farm.checkpoints(model))
    return job


def check_intact(farm: Farm, model: str) -> None:
    """Every file that the ledger names is what was written, and no half of another has the name of a whole.

    What a holder wrote, or was writing when it ended (`.partial`), shortly before its successor's claim may lie there
    still: the next training of the model sweeps it.
    """
    for one in farm.checkpoints(model):
        farm.storage.verify(one.path, one.sha256)
    model_id = farm.models.get(model).id
    left = {farm.storage.relative(path) for path in farm.storage.path(f"checkpoints/{model_id}").iterdir()}
    named = farm.models.paths(model_id)
    assert named <= left
    newest = max(epoch_of(path) for path in named)
    for path in left - named:
        assert epoch_of(path) < newest, path
        if not path.endswith(".partial"):
            safe_open(farm.storage.path(path), "numpy").keys()


def epoch_of(path: str) -> int:
    """The epoch in a file's name."""
    found = re.fullmatch(r"e(\d+)-ckpt_[0-9a-f]{24}\.(model|state)\.safetensors(\.partial)?", path.rpartition("/")[2])
    assert found, path
    return int(found[1])


def upload(farm: Farm, name: str, rows: int) -> httpx.Response:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((rows, 2), dtype=np.float32) + np.arange(rows)[:, None])
    form = {"data": {"name": name}, "files": {"file": ("p.npy", buffer.getvalue())}}
    return httpx.post(f"{farm.url}/v1/datasets", timeout=60, **form)


def answers(farm: Farm, model: str) -> Counter[int]:
    """The statuses of reading, writing and drawing."""
    job = {"type": "train", "dataset": "ring", "model": f"more-{time.monotonic_ns()}", "recipe": "r3gan", "images": 320}
    with httpx.Client(base_url=farm.url, timeout=60) as client:
        found = Counter(client.get(path).status_code for path in ("/v1/jobs", "/v1/models", "/v1/datasets", "/readyz"))
        found[client.post("/v1/samples", json={"model": model, "seed": 1}).status_code] += 1
        accepted = client.post("/v1/jobs", json=job)
        if accepted.status_code == 202:
            client.post(f"/v1/jobs/{accepted.json()['id']}/cancel")
        found[accepted.status_code] += 1
        found[upload(farm, f"more-{time.monotonic_ns()}", 100_000).status_code] += 1
    return found


def ends_well(farm: Farm, job: str, model: str) -> None:
    """By itself, or asked once more where it failed for want of space; with what it would have had."""
    eventually(lambda: farm.status(job) in {"succeeded", "failed"})
    if farm.status(job) == "failed":
        assert (farm.jobs.get(job).error or {})["code"] == "storage_full"
        with farm.client() as client:
            job = client.jobs.retry(job).id
    farm.succeed(job)
    same(farm.end_of(model), farm.end_of("straight"))


# ---- the storage ----


def full_while_saving(place: Place, model: str, share: float) -> None:
    """Room is left for so much of one more checkpoint."""
    farm = place.farm
    job = started(farm, model)
    one = farm.models.newest_states(farm.models.get(model).id)[0]
    size = farm.checkpoints(model)[0].bytes + farm.storage.path(one.path).stat().st_size
    place.storage.fill(int(share * size))
    eventually(lambda: farm.status(job) == "failed")
    error = farm.jobs.get(job).error or {}
    assert (error["code"], str(farm.folder) in error["message"]) == ("storage_full", False)
    check_intact(farm, model)
    found = answers(farm, model)
    assert set(found) == {200, 202, 507}
    assert found[507] == 1, "the upload alone needs space"
    place.storage.empty()
    ends_well(farm, job, model)
    check_intact(farm, model)


def test_a_full_storage_ends_a_training_typed_and_a_retry_ends_as_if_it_had_not_been(place: Place) -> None:
    full_while_saving(place, "saving", share=0.5)


def full_while_preparing(place: Place, name: str, leave: int) -> None:
    """The upload fits and what is made of it does not."""
    farm = place.farm
    farm.kill("light")
    assert upload(farm, name, 400_000).status_code == 202
    place.storage.fill(leave)
    farm.start("light")
    eventually(lambda: farm.datasets.get(name).status == "failed")
    data = farm.datasets.get(name)
    assert (data.error or {})["code"] == "storage_full"
    assert not list(farm.storage.path("scratch").iterdir())
    place.storage.empty()
    with farm.client() as client:
        client.jobs.retry(str(data.job_id))
        assert client.datasets.wait(name, timeout=60).count == 400_000
        client.datasets.delete(name)


def test_a_full_storage_ends_a_preparation_typed_and_a_retry_prepares_it(place: Place) -> None:
    full_while_preparing(place, "preparing", leave=1_000_000)


# ---- the ledger ----


def full_ledger(place: Place, model: str) -> None:
    """Nothing can be written down: reading goes on, writing is 503, the child ends with its lease, and goes on."""
    farm = place.farm
    job = started(farm, model)
    with closing(sqlite3.connect(f"{place.ledger.root}/l.sqlite3")) as connection:
        eventually(lambda: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
        place.ledger.fill()  # and nothing left in its log to write over
    eventually(lambda: not farm.children())
    found = answers(farm, model)
    assert set(found) == {200, 503}, found
    assert farm.status(job) == "running", "what was there can be read"
    place.ledger.empty()
    farm.succeed(job)
    assert farm.jobs.get(job).attempt == 0
    same(farm.end_of(model), farm.end_of("straight"))
    check_intact(farm, model)


def test_a_full_ledger_holds_a_training_up_until_there_is_room(place: Place) -> None:
    full_ledger(place, "written")


# ---- the ledger, in PostgreSQL ----


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Farm, Cluster, Disk]]:
    """A farm whose ledger is in a PostgreSQL on a disk of its own, where its user may go. It has trained `straight`."""
    with tempfile.TemporaryDirectory(prefix="gpg") as folder, disk_at(Path(folder) / "disk", 256) as disk:
        Path(folder).chmod(0o755)
        disk.root.chmod(0o755)
        cluster = Cluster(disk.root)
        short = {"GANYMEDE_LEASE_SECONDS": "3", "GANYMEDE_HEARTBEAT_SECONDS": "0.5"}
        url = cluster.at("postgres")
        with farm_in(tmp_path_factory.mktemp("served") / "farm", GANYMEDE_DATABASE_URL=url, **short) as farm:
            begin(farm)
            yield farm, cluster, disk
        cluster.stop()


def full_server(farm: Farm, cluster: Cluster, disk: Disk, model: str) -> None:
    """Its tables cannot grow. Where its log cannot either it gives up, and is started again once there is room."""
    job = started(farm, model)
    disk.fill()
    cluster.grow()
    found = eventually(lambda: seen if (seen := answers(farm, model))[503] else None)
    assert set(found) <= {200, 202, 503}, found
    disk.empty()
    cluster.shrink()
    farm.succeed(job)
    assert farm.jobs.get(job).attempt == 0
    same(farm.end_of(model), farm.end_of("straight"))
    check_intact(farm, model)


@pytest.mark.faults_long
@pytest.mark.timeout(3600)
def test_a_full_disk_of_postgresql_holds_trainings_up_until_there_is_room(served: tuple[Farm, Cluster, Disk]) -> None:
    times = 3
    for number in range(times):
        full_server(*served, f"served-{number}")
    row("8", "disk full under PostgreSQL", times, "503, then resumed, bit-identical")


# ---- everything on one disk, logs too: as `ganymede up` has it ----


def full_altogether(farm: Farm, disk: Disk, model: str, leave: int, seconds: float) -> Counter[int]:
    job = started(farm, model)
    disk.fill(leave)
    until, found = time.monotonic() + seconds, Counter[int]()
    while time.monotonic() < until:
        found += answers(farm, model)
    assert set(found) <= {200, 202, 503, 507}, found
    disk.empty()
    ends_well(farm, job, model)
    check_intact(farm, model)
    assert not farm.told(job, "job.requeued") or {e["reason"] for e in farm.told(job, "job.requeued")} == {"released"}
    return found


def test_a_ledger_on_a_full_disk_says_so_and_opens_when_there_is_room(tmp_path: Path) -> None:
    """SQLite has files of its own beside it, which it makes when it is opened, and calls their lack an I/O error."""
    with disk_at(tmp_path / "disk", 4) as disk:
        url = f"sqlite:///{disk.root}/ledger.sqlite3"
        with closing(Ledger(url)) as ledger:
            ledger.migrate()
        disk.fill()
        with (
            closing(Ledger(url)) as ledger,
            pytest.raises(Unavailable, match="; its disk is full"),
        ):
            ledger.check_version()
        disk.empty()
        with closing(Ledger(url)) as ledger:
            ledger.check_version()


SHARES = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9]
LEAVES = [0, 50_000, 100_000, 200_000, 400_000, 800_000]


@pytest.mark.faults_long
@pytest.mark.timeout(3600)
def test_a_disk_full_of_everything_loses_nothing(tmp_path: Path) -> None:
    found = Counter[int]()
    with disk_at(tmp_path / "disk", 48) as disk, farm_in(disk.root / "farm") as farm:
        begin(farm)
        for leave in LEAVES:
            found += full_altogether(farm, disk, f"all-{leave}", leave, 10)
    told = ", ".join(f"{count} × {status}" for status, count in sorted(found.items()))
    row("8", "disk full under everything, logs too", len(LEAVES), f"all ended bit-identical; answers: {told}")


@pytest.mark.faults_long
@pytest.mark.timeout(3600)
def test_full_disks_many_times(place: Place) -> None:
    for share, leave in zip(SHARES, LEAVES, strict=True):
        full_while_saving(place, f"saving-{share}", share)
        full_while_preparing(place, f"preparing-{leave}", leave)
        full_ledger(place, f"written-{leave}")
    row("8", "disk full while a checkpoint is written", len(LEAVES), "`storage_full`; a retry ends bit-identical")
    row("8", "disk full while a dataset is prepared", len(LEAVES), "`storage_full`; a retry prepares it; uploads 507")
    row("8", "disk full under the ledger (SQLite)", len(LEAVES), "503, then resumed by itself, bit-identical")
