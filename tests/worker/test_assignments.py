"""What a child is told of where its training goes on: its own states, else the checkpoint that the job names."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from worker_kit import Bench

from gan.errors import CheckpointCorrupt
from gan.spec import Origin, TrainingSpec
from ledger.records import Job, Saved
from worker.assignments import assign
from worker.devices import CPU
from worker.protocol import Assignment


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, queue="train")
    yield bench
    bench.ledger.close()


def saved(images: int) -> Saved:
    return Saved(f"ckpt_{images}", images, f"m{images}", 9, f"{images:064}", f"s{images}", 9, "b" * 64)


def held(bench: Bench, before: int | None = None, name: str = "m") -> Job:
    """A running training of "m"; one that goes on from its checkpoint at 200 images, counting from `before`."""
    if before is None:
        bench.training("finish")
    else:
        spec = bench.models.resolve("m")
        first = bench.jobs.list(type="train").data[-1]
        origin = Origin(model="m", checkpoint=spec[1].id, images=200, sha256=spec[1].sha256, before=before)
        known = {key: value for key, value in first.spec.items() if key != "act"}
        again = TrainingSpec.model_validate(known | {"resume_from": origin})
        bench.jobs.create_training(again, bench.datasets.get("digits"), name)
    job = bench.jobs.claim("train", "wrk", 60)
    assert job is not None
    return job


def trained(bench: Bench) -> None:
    job = held(bench)
    for images in (100, 200):
        bench.jobs.publish_checkpoint(job.id, job.epoch, saved(images))
    bench.jobs.finish(job.id, job.epoch, "succeeded", "images")


def told(bench: Bench, job: Job) -> Assignment:
    return assign(job, bench.settings, bench.models, bench.datasets, CPU, 1e18)


def test_a_job_that_begins_by_itself_is_given_no_checkpoint(bench: Bench) -> None:
    assignment = told(bench, held(bench))
    assert (assignment.start, assignment.resume) == (None, [])


@pytest.mark.parametrize(("before", "name"), [(200, "m"), (0, "new")])
def test_it_begins_with_the_checkpoint_and_goes_on_from_its_own_states(bench: Bench, before: int, name: str) -> None:
    trained(bench)
    job = held(bench, before, name)
    first = told(bench, job)
    assert first.resume == [], "the states of the training before are not its own"
    assert first.start is not None
    assert (first.start.checkpoint, first.start.path, first.start.images) == ("ckpt_200", "m200", 200)
    assert first.start.sha256 == saved(200).sha256
    own = saved(before + 50)
    bench.jobs.publish_checkpoint(job.id, job.epoch, own)
    again = told(bench, job)
    assert (again.start, [state.checkpoint for state in again.resume]) == (None, [own.id])


def test_a_start_that_is_gone_is_a_typed_failure_until_it_is_needed_no_more(bench: Bench) -> None:
    trained(bench)
    job = held(bench, 0, "new")
    bench.jobs.finish(job.id, job.epoch, "failed", error={"code": "diverged", "message": "NaN", "param": None})
    bench.models.delete("m")
    bench.jobs.retry(job.id)
    again = bench.jobs.claim("train", "wrk", 60)
    assert again is not None
    with pytest.raises(CheckpointCorrupt, match="ckpt_200"):
        told(bench, again)
    bench.jobs.publish_checkpoint(again.id, again.epoch, saved(50))
    assert [state.images for state in told(bench, again).resume] == [50]
