"""Evaluations in the ledger: the result of one, what its checkpoint keeps, and that it gives nothing up."""

import pytest
from ledger_making import Maker, saved

from gan.errors import Conflict, LostClaim
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.models import Models
from ledger.records import Job

RESULT = {"metrics": {"fid": 2.5}}


@pytest.fixture
def trained(jobs: Jobs, make: Maker) -> Job:
    """A job whose model has three checkpoints."""
    job = make.held(keep=3)
    for images in (10, 20, 30):
        jobs.publish_checkpoint(job.id, job.epoch, saved(images))
    return job


def evaluation(jobs: Jobs, make: Maker, trained: Job) -> Job:
    jobs.create("evaluate", {}, dataset=make.ready, model_id=trained.model_id, model=trained.model)
    job = jobs.claim("light", "wrk_2", 30)
    assert job is not None
    return job


def test_a_result_ends_the_job_and_joins_what_the_checkpoint_has(
    jobs: Jobs, models: Models, make: Maker, trained: Job
) -> None:
    newest = models.checkpoints(trained.model_id or "")[0]
    for name, value in (("evaluated_fid", 2.5), ("evaluated_kid", 0.1)):
        job = evaluation(jobs, make, trained)
        jobs.finish_evaluation(job.id, job.epoch, RESULT, newest.id, {name: value})
    ended = jobs.get(job.id)
    assert (ended.status, ended.ended_by, ended.result) == ("succeeded", "done", RESULT)
    after = models.checkpoints(trained.model_id or "")
    assert after[0].metrics == newest.metrics | {"evaluated_fid": 2.5, "evaluated_kid": 0.1}
    assert after[1].metrics == {}


def test_an_evaluation_gives_no_checkpoint_up(jobs: Jobs, models: Models, make: Maker, trained: Job) -> None:
    job = evaluation(jobs, make, trained)
    jobs.finish_evaluation(job.id, job.epoch, RESULT)
    assert jobs.finish(trained.id, trained.epoch, "succeeded", ended_by="images") == []
    assert [checkpoint.images for checkpoint in models.checkpoints(trained.model_id or "")] == [30, 20, 10]


def test_a_checkpoint_stays_while_an_evaluation_waits_for_it(
    jobs: Jobs, models: Models, make: Maker, trained: Job
) -> None:
    oldest = models.checkpoints(trained.model_id or "")[-1]
    asked = {"dataset": make.ready, "model_id": trained.model_id, "model": trained.model}
    waiting = jobs.create("evaluate", {"checkpoint": oldest.id}, **asked)
    jobs.publish_checkpoint(trained.id, trained.epoch, saved(40))
    jobs.publish_checkpoint(trained.id, trained.epoch, saved(50))
    assert [checkpoint.images for checkpoint in models.checkpoints(trained.model_id or "")] == [50, 40, 30, 10]
    jobs.cancel(waiting.id)
    jobs.publish_checkpoint(trained.id, trained.epoch, saved(60))
    assert [checkpoint.images for checkpoint in models.checkpoints(trained.model_id or "")] == [60, 50, 40]


def test_an_evaluation_that_lost_its_claim_writes_nothing(
    jobs: Jobs, models: Models, make: Maker, trained: Job
) -> None:
    newest = models.checkpoints(trained.model_id or "")[0]
    job = evaluation(jobs, make, trained)
    jobs.release(job.id, job.epoch)
    with pytest.raises(LostClaim):
        jobs.finish_evaluation(job.id, job.epoch, RESULT, newest.id, {"evaluated_fid": 2.5})
    assert jobs.get(job.id).result is None
    assert models.checkpoints(trained.model_id or "")[0].metrics == newest.metrics


def test_a_checkpoint_that_is_gone_is_passed_over(jobs: Jobs, make: Maker, trained: Job) -> None:
    job = evaluation(jobs, make, trained)
    jobs.finish_evaluation(job.id, job.epoch, RESULT, "ckpt_gone", {"evaluated_fid": 2.5})
    assert jobs.get(job.id).status == "succeeded"


def test_a_cancelled_evaluation_can_be_tried_again(jobs: Jobs, make: Maker, trained: Job) -> None:
    job = evaluation(jobs, make, trained)
    jobs.cancel(job.id)
    jobs.release(job.id, job.epoch)
    again = jobs.retry(job.id)
    assert (again.type, again.model_id, again.status) == ("evaluate", trained.model_id, "queued")


def test_neither_side_of_an_evaluation_can_be_deleted_before_it_has_ended(
    jobs: Jobs, datasets: Datasets, make: Maker
) -> None:
    left, right = make.dataset("left", "abc"), make.dataset("right", "def")
    make.dataset("other", "ghi")
    job = jobs.create("evaluate", {"checkpoint": None, "against": "right"}, dataset=left)
    for used in (left, right):
        with pytest.raises(Conflict, match=f"in use by job {job.id}"):
            datasets.delete(used.id)
    datasets.delete("other")
    jobs.cancel(job.id)
    assert datasets.delete("right")
