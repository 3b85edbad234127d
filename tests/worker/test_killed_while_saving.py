"""A training whose process is killed in the middle of writing a checkpoint, with a real child and real files."""

from collections.abc import Callable

import numpy as np
from safetensors.numpy import load_file
from worker_kit import Bench

from gan.choosing import resolve
from gan.spec import DatasetFacts, PointShape, TrainRequest
from ledger.records import Job, Packed

COUNT = 200


def prepared(bench: Bench) -> None:
    """A dataset of points, packed: `ring`."""
    bench.datasets.create("ring", {"kind": "upload", "path": "uploads/x"})
    held = bench.jobs.claim("light", "wrk_test", 30)
    assert held is not None
    with bench.storage.building("datasets/ring") as folder:
        np.save(folder / "data.npy", np.random.default_rng(0).normal(size=(COUNT, 2)).astype(np.float32))
        facts = DatasetFacts(count=COUNT, shape=PointShape(dims=2))
        (folder / "facts.json").write_text(facts.model_dump_json())
    bench.datasets.finish_prepare(held.id, held.epoch, Packed("points", "ring", "datasets/ring", 1600, COUNT, dims=2))


def training(bench: Bench, model: str) -> Job:
    """A queued training with a checkpoint every 16 of its 64 images."""
    data = bench.datasets.get("ring")
    budget = {"images": 64, "batch_size": 16, "checkpoint_every": 16, "network": {"width": 8}}
    asked = TrainRequest.model_validate({"type": "train", "dataset": "ring", "model": model} | budget)
    return bench.jobs.create_training(resolve(asked, data.facts(), "cpu"), data, model)


def run(bench: Bench, job: Job, table: str | None) -> dict[str, np.ndarray]:
    """Answer bells until the job is over; the tensors of its last checkpoint."""
    object.__setattr__(bench.place, "job_table", table)
    while bench.status(job) == "queued":
        bench.answer()
    assert bench.status(job) == "succeeded"
    newest = bench.models.newest_states(str(job.model_id))[0]
    assert newest.images == 64
    return load_file(bench.storage.path(newest.path))


def test_killed_twice_while_it_saves_a_training_ends_as_if_nothing_had_been(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(queue="train", train_threads=1)
    prepared(bench)
    straight = run(bench, training(bench, "straight"), None)
    job = training(bench, "killed")
    killed = run(bench, job, "dying_jobs")
    died = [event.data["file"].split(".", 1)[1] for event in bench.events(job) if event.type == "dying"]
    assert died == ["model.safetensors.partial", "state.safetensors.partial"]
    resumed = [event.data["images"] for event in bench.events(job) if event.type == "job.resumed"]
    assert resumed == [16, 16]
    assert not [event for event in bench.events(job) if event.type == "checkpoint.skipped"]
    assert killed.keys() == straight.keys()
    assert [name for name in straight if killed[name].tobytes() != straight[name].tobytes()] == []
    for checkpoint in bench.models.checkpoints(str(job.model_id)):
        bench.storage.verify(checkpoint.path, checkpoint.sha256)
