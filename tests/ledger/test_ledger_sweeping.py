"""What killed processes left in storage goes; what is somebody's, or may be about to be, stays."""

import os
import time
from pathlib import Path

import pytest
from ledger_making import Maker

from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.models import Models
from ledger.records import StoredModel
from ledger.storage import ABANDONED_SECONDS, Storage
from ledger.sweeping import sweep


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "storage")


def an_hour_ago(storage: Storage, *paths: str) -> None:
    for path in paths:
        root = storage.path(path)
        for one in (*root.rglob("*"), root):
            stamp = one.stat().st_mtime - ABANDONED_SECONDS - 60
            os.utime(one, (stamp, stamp))


def test_only_what_is_old_and_nobodys_goes(
    ledger: Ledger, datasets: Datasets, jobs: Jobs, models: Models, make: Maker, storage: Storage
) -> None:
    ready = make.dataset("ready")
    waiting = datasets.create("waiting", {"kind": "upload", "path": "uploads/x"})
    models.add(StoredModel("mdl_a", "a", "r3gan", {}, [], "ckpt_a", 1, "checkpoints/mdl_a/f", 1, "0" * 64))
    job = jobs.create("project", {"images": "projections/a.npz"})
    kept = (f"uploads/{waiting.id}/u.npy", "checkpoints/mdl_a/f", f"previews/{job.id}/1.png", "projections/a.npz")
    left = (f"uploads/{ready.id}/u.npy", "uploads/ds_x/u", "checkpoints/mdl_x/f", "previews/job_x/1", "projections/x")
    packed = ("datasets/nobody/data.npy",)
    for path in (*kept, *left, *packed, "scratch/old/upload.part"):
        storage.write_bytes(path, b"data")
    an_hour_ago(storage, *(path.split("/")[0] for path in (*kept, *packed)), "scratch")
    for path in ("uploads/ds_new/u", "checkpoints/mdl_new/f", "scratch/new/upload.part"):
        storage.write_bytes(path, b"written just now, and soon somebody's")
    gone = {str(Path(path).parent) for path in left[:-1]} | {left[-1], "scratch/old"}
    assert set(sweep(ledger, storage)) == gone
    there = {storage.relative(path) for path in storage.root.rglob("*") if path.is_file()}
    new = {"uploads/ds_new/u", "checkpoints/mdl_new/f", "scratch/new/upload.part"}
    assert there == {*kept, *packed, *new}
    assert sweep(ledger, storage) == []


def test_the_storages_clock_is_that_which_stamps_its_files(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    true = time.time()
    monkeypatch.setattr(time, "time", lambda: true + 3600)
    assert abs(storage.clock() - true) < 60
    assert list(storage.path("scratch").iterdir()) == []
