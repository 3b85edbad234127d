"""Trainings that go on from a checkpoint, in the ledger: whose model, which states, what stays, what is retried."""

import pytest
from ledger_making import Maker, saved

from gan.errors import Conflict, NotFound
from gan.spec import Origin
from ledger.jobs import Jobs
from ledger.models import Models
from ledger.records import Checkpoint, Job, StoredModel


def first(jobs: Jobs, make: Maker, images: tuple[int, ...] = (100, 200), keep: int = 3) -> Job:
    """A training of model1 that has succeeded with these checkpoints."""
    job = make.held(keep=keep)
    for n in images:
        jobs.publish_checkpoint(job.id, job.epoch, saved(n))
    jobs.finish(job.id, job.epoch, "succeeded", "images")
    return job


def go_on(jobs: Jobs, make: Maker, start: Checkpoint, name: str, into: bool = True, keep: int = 3) -> Job:
    """A queued training that goes on from a checkpoint of model1, under this name."""
    before = start.images if into else 0
    origin = Origin(model="model1", checkpoint=start.id, images=start.images, sha256=start.sha256, before=before)
    spec = make.spec(keep).model_copy(update={"resume_from": origin})
    return jobs.create_training(spec, make.ready, name)


def claimed(jobs: Jobs) -> Job:
    job = jobs.claim("train", "wrk_1", 30)
    assert job is not None
    return job


FAILURE = {"code": "diverged", "message": "the loss became NaN", "param": None}


def test_under_its_own_name_a_model_is_gone_on_with(jobs: Jobs, models: Models, make: Maker) -> None:
    old = first(jobs, make)
    job = go_on(jobs, make, models.resolve("model1")[1], "model1")
    assert (job.model_id, job.model, job.retry_of) == (old.model_id, "model1", None)
    assert job.spec["resume_from"]["checkpoint"] == "ckpt_m200"
    assert len(models.list().data) == 1
    held = claimed(jobs)
    jobs.publish_checkpoint(held.id, held.epoch, saved(300))
    assert [one.images for one in models.checkpoints(old.model_id or "")] == [300, 200, 100]


def test_under_another_name_a_new_model_is_made(jobs: Jobs, models: Models, make: Maker) -> None:
    old = first(jobs, make)
    job = go_on(jobs, make, models.resolve("model1@100")[1], "finer", into=False)
    assert job.model_id != old.model_id
    assert {one.name for one in models.list().data} == {"model1", "finer"}


def test_the_name_of_a_third_model_is_taken(jobs: Jobs, models: Models, make: Maker) -> None:
    first(jobs, make)
    make.training()
    with pytest.raises(Conflict, match='resume_from: "model2"') as refused:
        go_on(jobs, make, models.resolve("model1")[1], "model2", into=False)
    assert refused.value.param == "model"


def test_a_model_that_is_trained_is_not_gone_on_with_but_begun_from(jobs: Jobs, models: Models, make: Maker) -> None:
    job = make.held()
    jobs.publish_checkpoint(job.id, job.epoch, saved(100))
    start = models.resolve("model1")[1]
    with pytest.raises(Conflict, match=f"job {job.id} trains"):
        go_on(jobs, make, start, "model1")
    go_on(jobs, make, start, "finer", into=False)


def test_an_older_checkpoint_is_gone_on_from_under_another_name_alone(jobs: Jobs, models: Models, make: Maker) -> None:
    first(jobs, make, (100, 200, 300))
    start = models.resolve("model1@100")[1]
    with pytest.raises(Conflict, match=r"model1@100 has newer checkpoints .* \(model1@200, model1@300\)"):
        go_on(jobs, make, start, "model1")
    go_on(jobs, make, start, "finer", into=False)


def test_a_checkpoint_that_went_meanwhile_is_not_found(jobs: Jobs, models: Models, make: Maker) -> None:
    first(jobs, make)
    start = models.resolve("model1")[1]
    models.delete("model1")
    with pytest.raises(NotFound, match="retired just now") as refused:
        go_on(jobs, make, start, "model1")
    assert refused.value.param == "resume_from"


def test_the_states_of_the_first_training_are_not_its_own(jobs: Jobs, models: Models, make: Maker) -> None:
    old = first(jobs, make)
    go_on(jobs, make, models.resolve("model1")[1], "model1")
    assert models.newest_states(old.model_id or "", 200) == []
    job = claimed(jobs)
    jobs.publish_checkpoint(job.id, job.epoch, saved(300))
    assert [state.images for state in models.newest_states(old.model_id or "", 200)] == [300]


@pytest.mark.parametrize("into", [True, False])
def test_its_start_is_not_retired_before_it_has_ended(jobs: Jobs, models: Models, make: Maker, into: bool) -> None:
    old = first(jobs, make, (100, 200))
    start = models.resolve("model1")[1]
    if into:
        go_on(jobs, make, start, "model1", keep=1)
        job = claimed(jobs)
    else:
        waiting = go_on(jobs, make, start, "finer", into=False)
        go_on(jobs, make, start, "model1", keep=1)
        held = {one.id: one for one in (claimed(jobs), claimed(jobs))}
        job = next(one for id, one in held.items() if id != waiting.id)
    for images in (300, 400, 500):
        jobs.publish_checkpoint(job.id, job.epoch, saved(images))
    assert [one.images for one in models.checkpoints(old.model_id or "")] == [500, 400, 200]
    jobs.finish(job.id, job.epoch, "succeeded", "images")
    kept = [one.images for one in models.checkpoints(old.model_id or "")]
    assert kept == ([500] if into else [500, 200]), "the other job still needs it"


def test_a_model_that_a_training_begins_from_is_not_deleted_under_it(jobs: Jobs, models: Models, make: Maker) -> None:
    first(jobs, make)
    job = go_on(jobs, make, models.resolve("model1")[1], "finer", into=False)
    with pytest.raises(Conflict, match=job.id):
        models.delete("model1")
    jobs.cancel(job.id)
    models.delete("model1")


def test_a_checkpoint_is_found_by_its_bytes_where_its_id_is_gone(jobs: Jobs, models: Models, make: Maker) -> None:
    first(jobs, make)
    found = models.checkpoint("ckpt_m100", "0" * 64)
    assert found.images == 100
    assert models.checkpoint("ckpt_gone", found.sha256).sha256 == found.sha256
    with pytest.raises(NotFound):
        models.checkpoint("ckpt_gone", "0" * 64)


def test_it_is_retried_from_where_it_was_and_its_spec_stays(jobs: Jobs, models: Models, make: Maker) -> None:
    first(jobs, make)
    go_on(jobs, make, models.resolve("model1")[1], "model1")
    job = claimed(jobs)
    jobs.finish(job.id, job.epoch, "failed", error=FAILURE)
    jobs.retry(job.id)
    again = claimed(jobs)
    assert again.spec == job.spec
    jobs.publish_checkpoint(again.id, again.epoch, saved(300))
    jobs.finish(again.id, again.epoch, "failed", error=FAILURE)
    assert jobs.retry(job.id).spec == job.spec, "also where its retry has got further"


def test_a_training_is_not_retried_that_another_has_gone_on_from(jobs: Jobs, models: Models, make: Maker) -> None:
    old = make.held()
    jobs.publish_checkpoint(old.id, old.epoch, saved(100))
    jobs.finish(old.id, old.epoch, "failed", error=FAILURE)
    go_on(jobs, make, models.resolve("model1")[1], "model1")
    job = claimed(jobs)
    jobs.publish_checkpoint(job.id, job.epoch, saved(200))
    jobs.finish(job.id, job.epoch, "succeeded", "images")
    with pytest.raises(Conflict, match='resume_from: "model1"'):
        jobs.retry(old.id)
    jobs.delete(job.id)
    with pytest.raises(Conflict, match='resume_from: "model1"'):
        jobs.retry(old.id)


def test_a_training_is_retried_where_the_one_that_went_on_from_it_made_nothing(
    jobs: Jobs, models: Models, make: Maker
) -> None:
    old = make.held()
    jobs.publish_checkpoint(old.id, old.epoch, saved(100))
    jobs.finish(old.id, old.epoch, "failed", error=FAILURE)
    job = go_on(jobs, make, models.resolve("model1")[1], "model1")
    jobs.cancel(job.id)
    assert jobs.retry(old.id).spec == old.spec


def test_a_model_from_elsewhere_is_gone_on_with_and_is_then_of_that_data(
    jobs: Jobs, models: Models, make: Maker
) -> None:
    make.ready = make.dataset()
    network = make.spec().network.model_dump(mode="json")
    models.add(StoredModel("mdl_up", "model1", "dcgan", network, ["0", "1"], "ckpt_up", 50, "x", 9, "c" * 64))
    job = go_on(jobs, make, models.resolve("model1")[1], "model1")
    assert job.model_id == "mdl_up"
    model = models.get("model1")
    assert (model.dataset_id, model.dataset, model.recipe) == (make.ready.id, "digits", "r3gan")
