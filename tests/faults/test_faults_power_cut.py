"""The power is cut, a checkpoint is cut short, a bit flips: noticed before use; the one before is used (fault 9)."""

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from fault_farm import Farm, eventually, farm_in, same
from fault_journal import Journal
from fault_table import row

from gan.checkpoint import load_discriminator, load_generator
from gan.choosing import resolve
from gan.errors import CheckpointCorrupt
from gan.spec import TrainingSpec, TrainRequest
from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.models import Models
from ledger.records import Job, Packed, Saved
from ledger.settings import Settings
from ledger.storage import Storage
from worker.jobs import prepare, train
from worker.jobs.limits import Limits
from worker.line import ControlLine
from worker.protocol import Assignment, Prepared, Report, SavedCheckpoint
from worker.training.state import load_state

pytestmark = pytest.mark.timeout(1500)

LIMITS = dict.fromkeys(Limits.model_fields, 2**24)


class Line(ControlLine):
    """What a supervisor does with reports, and a journal of what the ledger then refers to."""

    def __init__(self, place: "Place", job: Job) -> None:
        self._stop = None
        self.place, self.job = place, job

    def send(self, report: Report) -> None:
        fields = report.model_dump(exclude={"say"})
        if isinstance(report, Prepared):
            self.place.datasets.finish_prepare(self.job.id, self.job.epoch, Packed(**fields))
            self.place.committed()
        elif isinstance(report, SavedCheckpoint):
            published = self.place.jobs.publish_checkpoint(self.job.id, self.job.epoch, Saved(**fields))
            self.place.committed()
            self.place.storage.remove(*published.delete)


class Place:
    """A ledger, a storage on a disk that notes what is synced, and jobs that run in this process."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data=folder)
        self.ledger = Ledger(self.settings.database_url)
        self.ledger.migrate()
        self.jobs, self.models, self.datasets = Jobs(self.ledger), Models(self.ledger), Datasets(self.ledger)
        self.settings.storage.mkdir(parents=True)
        self.storage = Storage(self.settings.storage)
        self.journal = Journal(self.storage.root)

    def committed(self) -> None:
        """Every file that the ledger refers to, and its checksum."""
        paths: dict[str, str] = {}
        for data in self.datasets.list().data:
            for file in self.storage.path(data.path).iterdir() if data.path else ():
                paths[self.storage.relative(file)] = hashlib.sha256(file.read_bytes()).hexdigest()
        for model in self.models.list().data:
            paths |= {one.path: one.sha256 for one in self.models.checkpoints(model.id)}
            paths |= {one.path: one.sha256 for one in self.models.newest_states(model.id)}
        self.journal.committed(paths)

    def prepare(self) -> None:
        """`ring`, of an upload that is published as the service does it."""
        id = self.datasets.new_id()
        with self.storage.building(f"uploads/{id}") as folder:
            points = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
            np.save(folder / "upload.npy", points)
        self.datasets.create("ring", {"kind": "upload", "path": f"uploads/{id}/upload.npy"}, id=id)
        asked = {"id": id, "source": str(self.storage.path(f"uploads/{id}/upload.npy")), "limits": LIMITS}
        asked |= {"width": None, "height": None}
        job = self.held("light")
        prepare.run(self.assignment(job, asked), Line(self, job))

    def train(self) -> tuple[TrainingSpec, str]:
        """A training with four checkpoints; its spec and its model's id."""
        data = self.datasets.get("ring")
        asked = {"type": "train", "dataset": "ring", "model": "m", "images": 64, "batch_size": 16}
        asked |= {"checkpoint_every": 16, "network": {"width": 8}}
        spec = resolve(TrainRequest.model_validate(asked), data.facts(), "cpu")
        self.jobs.create_training(spec, data, "m")
        job = self.held("train")
        given = {"id": data.id, "digest": data.digest, "path": data.path}
        train.run(self.assignment(job, given, model=job.model_id), Line(self, job))
        return spec, str(job.model_id)

    def held(self, queue: str) -> Job:
        job = self.jobs.claim(queue, "wrk_test", 600)
        assert job is not None
        return job

    def assignment(self, job: Job, dataset: dict[str, Any], **more: Any) -> Assignment:
        given = {"job": job.id, "epoch": job.epoch, "type": job.type, "spec": job.spec, "device": "cpu", "threads": 1}
        return Assignment(**given, storage=str(self.storage.root), deadline=1e18, dataset=dataset, **more)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "data")
    yield place
    place.ledger.close()


# ---- the power is cut ----


def test_whenever_the_power_is_cut_all_that_the_ledger_refers_to_is_whole(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every operation of an upload, a preparation and a training, on both kinds of disk."""
    with monkeypatch.context() as patched:
        place.journal.watch(patched)
        place.prepare()
        place.train()
    steps = place.journal.steps
    assert [step.what for step in steps].count("commit") == 5
    assert len(steps[-1].referred) > 5
    for number, step in enumerate(steps):
        for kind in ("lazy", "eager"):
            there = tmp_path / f"{kind}{number}"
            place.journal.replay(step, getattr(step, kind), there)
            left = Storage(there)
            for path, sha256 in step.referred.items():
                left.verify(path, sha256)
    harm = "power cut after each file operation, on two kinds of disk"
    row("9", harm, 2 * len(steps), "all that the ledger refers to is whole")


def test_a_disk_that_forgets_a_folder_is_told_apart(place: Place, tmp_path: Path, monkeypatch: Any) -> None:
    """The journal sees what it must: a file renamed into a folder that is not synced is not there after the cut."""
    with monkeypatch.context() as patched:
        place.journal.watch(patched)
        (place.storage.root / "a").write_bytes(b"whole")
        with (place.storage.root / "a").open("rb") as file:
            os.fsync(file.fileno())
        (place.storage.root / "a").rename(place.storage.root / "b")
    last = place.journal.steps[-1]
    place.journal.replay(last, last.lazy, tmp_path / "lazy")
    place.journal.replay(last, last.eager, tmp_path / "eager")
    assert list((tmp_path / "lazy").iterdir()) == []
    assert (tmp_path / "eager" / "b").read_bytes() == b"whole"


# ---- a file is damaged ----


def damages(data: bytes, count: int) -> Iterator[bytes]:
    """The file with one bit flipped, at `count` places (its first 400 bytes among them), and cut short at as many."""
    random = np.random.default_rng(9)
    for place in [*range(0, 400, max(1, 800 // count)), *random.integers(0, len(data), count // 2)]:
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(random.integers(8))
        yield bytes(flipped)
    for length in [0, 1, 7, 8, 9, len(data) - 1, *random.integers(0, len(data), count // 2)]:
        yield data[:length]


def damage_everywhere(place: Place, tmp_path: Path, count: int) -> int:
    """Every reader notices every damage, by the checksum and, where nothing but the file is known, mostly without."""
    place.prepare()
    spec, model = place.train()
    state, checkpoint = place.models.newest_states(model)[0], place.models.checkpoints(model)[0]
    path, tried = tmp_path / "damaged.safetensors", 0
    for damaged in damages(place.storage.path(state.path).read_bytes(), count):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointCorrupt):
            load_state(path, spec, torch.device("cpu"), state.sha256)
        tried += 1
    for damaged in damages(place.storage.path(checkpoint.path).read_bytes(), count):
        path.write_bytes(damaged)
        for load in (load_generator, load_discriminator):
            with pytest.raises(CheckpointCorrupt):
                load(path, checkpoint.sha256)
        tried += 1
    return tried


def test_a_flipped_bit_or_a_cut_is_noticed_wherever_it_is(place: Place, tmp_path: Path) -> None:
    assert damage_everywhere(place, tmp_path, 60) > 120


@pytest.mark.faults_long
def test_a_flipped_bit_or_a_cut_is_noticed_at_thousands_of_places(place: Place, tmp_path: Path) -> None:
    tried = damage_everywhere(place, tmp_path, 5_000)
    row("9", "one bit flipped, or the file cut short, anywhere in a checkpoint's two files", tried, "all noticed")


IMAGES, EVERY = 9_600, 800


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)


def damage_newest(farm: Farm, model: str, harm: Any) -> None:
    """Kill the worker in the middle, damage both files of its newest checkpoint, and let another go on."""
    job = farm.train(model, IMAGES, EVERY)
    eventually(lambda: len(farm.checkpoints(model)) >= 3)
    farm.kill("train", signal.SIGKILL)
    eventually(lambda: not any(alive(one) for one in farm.cut_off))
    newest, before = farm.checkpoints(model)[:2]
    state = farm.models.newest_states(farm.models.get(model).id)[0]
    for path in (newest.path, state.path):
        harm(farm.storage.path(path))
    check_served(farm, newest.id, before.id)
    farm.start("train")
    farm.succeed(job)
    assert [event["checkpoint"] for event in farm.told(job, "checkpoint.skipped")] == [newest.id]
    assert [event["checkpoint"] for event in farm.told(job, "job.resumed")] == [before.id]
    same(farm.end_of(model), farm.end_of("straight"))


def alive(process: Any) -> bool:
    return bool(process.is_running()) and process.status() != "zombie"


def check_served(farm: Farm, damaged: str, whole: str) -> None:
    """What is damaged is never drawn from, and said to be; the one before it is served."""
    with httpx.Client(base_url=farm.url, timeout=60) as client:
        refused = client.post("/v1/samples", json={"model": damaged, "seed": 1})
        assert (refused.status_code, refused.json()["code"]) == (409, "checkpoint_corrupt")
        assert client.post("/v1/samples", json={"model": whole, "seed": 1}).status_code == 200


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with farm_in(tmp_path / "farm") as farm:
        farm.start("light", "train", "service")
        farm.add_ring()
        farm.succeed(farm.train("straight", IMAGES, EVERY))
        yield farm


def test_a_training_goes_on_from_the_checkpoint_before_a_damaged_one(farm: Farm) -> None:
    damage_newest(farm, "flipped", flip)


@pytest.mark.faults_long
@pytest.mark.timeout(3600)
def test_a_training_goes_on_from_the_checkpoint_before_a_damaged_one_many_times(farm: Farm) -> None:
    times = 6
    for number in range(times):
        damage_newest(farm, f"damaged{number}", (flip, cut)[number % 2])
    outcome = "noticed by training and serving, event `checkpoint.skipped`, resumed from the one before, bit-identical"
    row("9", "newest checkpoint flipped or cut, worker killed", times, outcome)
