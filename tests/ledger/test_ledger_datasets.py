"""Datasets: prepared by a job, named once, deleted when nothing needs them."""

import pytest
from ledger_making import Maker

from gan.errors import Conflict, LostClaim, NotFound
from gan.spec import PointShape
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.records import Packed

UPLOAD = {"kind": "upload", "path": "uploads/ds_1/digits.zip"}


def test_a_new_dataset_comes_with_the_job_that_prepares_it(jobs: Jobs, datasets: Datasets) -> None:
    id = datasets.new_id()
    dataset = datasets.create("digits", UPLOAD, 16, 8, id=id)
    assert (dataset.id, dataset.status, dataset.asked_width, dataset.asked_height) == (id, "preparing", 16, 8)
    assert datasets.get(id) == datasets.get("digits") == dataset
    assert datasets.exists("digits")
    assert not datasets.exists("letters")
    job = jobs.claim("light", "wrk_1", 30)
    assert job is not None
    assert (job.id, job.type, job.data) == (dataset.job_id, "prepare", dataset)


def test_a_dataset_of_points_is_ready_with_its_facts(jobs: Jobs, datasets: Datasets) -> None:
    datasets.create("ring", UPLOAD)
    job = jobs.claim("light", "wrk_1", 30)
    assert job is not None
    report = {"accepted": 100, "skipped": [{"file": "a.png", "reason": "broken"}], "duplicates": 2, "per_class": {}}
    packed = Packed("points", "abc", "datasets/abc", 800, 100, dims=2, condition_dims=1, report=report)
    dataset = datasets.finish_prepare(job.id, job.epoch, packed)
    assert dataset == datasets.get("ring")
    assert (dataset.status, dataset.digest, dataset.path, dataset.report) == ("ready", "abc", "datasets/abc", report)
    facts = dataset.facts()
    assert (facts.count, facts.shape, facts.condition_dims) == (100, PointShape(dims=2), 1)
    assert jobs.get(job.id).status == "succeeded"


def test_a_preparation_that_lost_its_claim_publishes_nothing(jobs: Jobs, datasets: Datasets) -> None:
    datasets.create("digits", UPLOAD)
    job = jobs.claim("light", "wrk_1", -1)
    assert job is not None
    jobs.expire()
    with pytest.raises(LostClaim):
        datasets.finish_prepare(job.id, job.epoch, Packed("points", "abc", "datasets/abc", 8, 1, dims=2))
    assert datasets.get("digits").status == "preparing"


def test_a_dataset_whose_preparation_fails_says_why(jobs: Jobs, datasets: Datasets) -> None:
    datasets.create("digits", UPLOAD)
    job = jobs.claim("light", "wrk_1", 30)
    assert job is not None
    error = {"code": "dataset_unusable", "message": "the archive is empty", "param": "file"}
    jobs.finish(job.id, job.epoch, "failed", error=error)
    dataset = datasets.get("digits")
    assert (dataset.status, dataset.error) == ("failed", error)


def test_a_dataset_whose_preparation_keeps_dying_is_failed_too(jobs: Jobs, datasets: Datasets) -> None:
    datasets.create("digits", UPLOAD)
    for _ in range(3):
        jobs.claim("light", "wrk_1", -1)
        jobs.expire()
    error = datasets.get("digits").error
    assert error is not None
    assert error["code"] == "worker_lost"


def test_a_cancelled_preparation_can_be_tried_again(jobs: Jobs, datasets: Datasets) -> None:
    dataset = datasets.create("digits", UPLOAD)
    jobs.cancel(dataset.job_id or "")
    failed = datasets.get("digits")
    assert (failed.status, (failed.error or {})["code"]) == ("failed", "cancelled")
    again = jobs.retry(dataset.job_id or "")
    renewed = datasets.get("digits")
    assert (renewed.status, renewed.error, renewed.job_id) == ("preparing", None, again.id)
    with pytest.raises(Conflict):
        jobs.retry(dataset.job_id or "")


def test_a_name_is_taken_once(datasets: Datasets, jobs: Jobs) -> None:
    datasets.create("digits", UPLOAD)
    with pytest.raises(Conflict, match="digits exists") as caught:
        datasets.create("digits", UPLOAD)
    assert caught.value.param == "name"
    assert len(jobs.list().data) == 1


def test_a_name_that_a_failed_dataset_holds_can_be_freed_and_it_is_said_how(datasets: Datasets, jobs: Jobs) -> None:
    dataset = datasets.create("digits", UPLOAD)
    jobs.cancel(dataset.job_id or "")
    with pytest.raises(Conflict, match=r"ganymede datasets rm digits.*DELETE /v1/datasets/digits") as caught:
        datasets.create("digits", UPLOAD)
    assert caught.value.param == "name"
    datasets.delete("digits")
    assert datasets.create("digits", UPLOAD).status == "preparing"


def test_datasets_are_listed_newest_first(datasets: Datasets) -> None:
    made = [datasets.create(name, UPLOAD).id for name in ("a", "b", "c")]
    page = datasets.list(limit=2)
    assert [one.id for one in page.data] == made[:0:-1]
    assert page.has_more
    assert [one.id for one in datasets.list(after=made[1]).data] == made[:1]


def test_a_dataset_in_use_cannot_be_deleted(jobs: Jobs, datasets: Datasets, make: Maker) -> None:
    job = make.training()
    with pytest.raises(Conflict, match=job.id):
        datasets.delete("digits")
    jobs.cancel(job.id)
    assert datasets.delete("digits") == [f"uploads/{make.ready.id}", "datasets/abc"]
    with pytest.raises(NotFound):
        datasets.get("digits")
    assert jobs.get(job.id).dataset == "digits"


def test_a_dataset_that_an_evaluation_measures_by_another_is_in_use_too(
    jobs: Jobs, datasets: Datasets, make: Maker
) -> None:
    left, right = make.dataset("left"), make.dataset("right", digest="def")
    job = jobs.create("evaluate", {"against": right.name}, dataset=left)
    for name in ("left", "right"):
        with pytest.raises(Conflict, match=job.id):
            datasets.delete(name)
    jobs.cancel(job.id)
    assert datasets.delete("right") == [f"uploads/{right.id}", "datasets/def"]


def test_packed_data_stay_while_another_dataset_shares_them(datasets: Datasets, make: Maker) -> None:
    first, second = make.dataset("first"), make.dataset("second")
    assert datasets.delete("first") == [f"uploads/{first.id}"]
    assert datasets.delete(second.id) == [f"uploads/{second.id}", "datasets/abc"]


def test_packed_data_stay_while_a_preparation_may_find_the_same(jobs: Jobs, datasets: Datasets, make: Maker) -> None:
    first = make.dataset("first")
    datasets.create("second", UPLOAD)
    job = jobs.claim("light", "wrk_1", 30)
    assert job is not None
    assert datasets.delete("first") == [f"uploads/{first.id}"]
    second = datasets.finish_prepare(job.id, job.epoch, Packed("points", "abc", "datasets/abc", 8, 1, dims=2))
    assert datasets.delete("second") == [f"uploads/{second.id}", "datasets/abc"]
