"""What the ledger tells those who watch it, on both databases."""

from ledger_making import Maker, saved
from sqlalchemy import update

from ledger.census import FAMILIES, census
from ledger.clock import now
from ledger.database import Ledger
from ledger.jobs import Jobs
from ledger.tables import JobRow, WorkerRow
from ledger.workers import Workers

EMPTY = {
    "jobs_leases_passed": {(): 0},
    "training_images_per_second": {(): 0},
    "events": {(): 0},
    "workers": {("train",): 0, ("light",): 0},
    "dataset_bytes": {(): 0},
    "models": {(): 0},
    "checkpoints": {(): 0},
    "checkpoint_bytes": {("model",): 0, ("state",): 0},
}


def test_an_empty_ledger_has_nothing_to_tell_but_says_so(ledger: Ledger) -> None:
    assert census(ledger) == {family.name: EMPTY.get(family.name, {}) for family in FAMILIES}


def test_jobs_their_age_and_their_failures_are_counted(ledger: Ledger, jobs: Jobs, make: Maker) -> None:
    held = make.held()
    jobs.finish(held.id, held.epoch, "failed", error={"code": "diverged", "message": "NaN", "param": None})
    old, _ = make.training(priority=0), make.training(priority=5)
    with ledger.writing() as session:
        session.execute(update(JobRow).where(JobRow.id == old.id).values(created_at=now() - 100, attempt=2))
    told = census(ledger)
    assert told["jobs"] == {("light", "succeeded"): 1, ("train", "failed"): 1, ("train", "queued"): 2}
    assert told["jobs_failed"] == {("diverged",): 1}
    assert told["jobs_attempts"] == {("train",): 2}
    [(labels, age)] = told["queue_oldest_seconds"].items()
    assert labels == ("train",)
    assert 100 <= age < 160
    assert told["events"][()] == jobs.newest_event() > 0


def test_running_jobs_tell_their_rate_and_whether_anybody_holds_them(ledger: Ledger, jobs: Jobs, make: Maker) -> None:
    for rate in (100.5, 50.0):
        held = make.held()
        jobs.heartbeat(held.id, held.epoch, 30, {"images": 1, "images_per_second": rate})
    silent = make.held()
    jobs.heartbeat(silent.id, silent.epoch, -1)
    told = census(ledger)
    assert told["training_images_per_second"] == {(): 150.5}
    assert told["jobs_leases_passed"] == {(): 1}
    assert told["jobs"]["train", "running"] == 3


def test_workers_are_alive_or_have_an_age(ledger: Ledger, workers: Workers) -> None:
    fresh, stale = (workers.register("train", "cpu", host="here", pid=1, started=1.0) for _ in range(2))
    with ledger.writing() as session:
        session.execute(update(WorkerRow).where(WorkerRow.id == stale).values(heartbeat=now() - 300))
    told = census(ledger)
    assert told["workers"] == {("train",): 1, ("light",): 0}
    ages = told["worker_heartbeat_age_seconds"]
    assert -1 < ages["train", fresh] < 30
    assert 300 <= ages["train", stale] < 330


def test_bytes_of_datasets_and_checkpoints_are_summed_and_shared_ones_once(
    ledger: Ledger, jobs: Jobs, make: Maker
) -> None:
    make.dataset("one", "same")
    make.dataset("two", "same")
    make.dataset("three", "other")
    held = make.held()
    assert held.model_id is not None
    for images in (10, 20):
        jobs.publish_checkpoint(held.id, held.epoch, saved(images, held.model_id))
    told = census(ledger)
    assert told["datasets"] == {("ready",): 4}
    assert told["dataset_bytes"] == {(): 3 * 512}
    assert told["checkpoints"] == {(): 2}
    assert told["checkpoint_bytes"] == {("model",): 20, ("state",): 40}
    assert told["models"] == {(): 1}
