"""Jobs as a caller reads, retries and deletes them."""

import pytest
from ledger_making import Maker, saved

from gan.errors import Conflict, InvalidRequest, NotFound
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.models import Models

ERROR = {"code": "diverged", "message": "a loss became NaN", "param": None}


def test_a_training_job_tells_what_was_asked(jobs: Jobs, make: Maker) -> None:
    dataset = make.dataset()
    job = jobs.create_training(make.spec(), dataset, "faces", 3, {"team": "art"})
    assert jobs.get(job.id) == job
    assert (job.type, job.queue, job.status, job.version, job.epoch) == ("train", "train", "queued", 1, 0)
    assert (job.model, job.dataset, job.dataset_id) == ("faces", "digits", dataset.id)
    assert (job.priority, job.metadata, job.seed) == (3, {"team": "art"}, 2**63 - 1)
    assert job.spec == make.spec().model_dump(mode="json")


def test_a_model_name_is_taken_once(jobs: Jobs, make: Maker) -> None:
    dataset = make.dataset()
    jobs.create_training(make.spec(), dataset, "faces")
    with pytest.raises(Conflict, match="faces exists") as caught:
        jobs.create_training(make.spec(), dataset, "faces")
    assert caught.value.param == "model"
    assert len(jobs.list(type="train").data) == 1


def test_a_job_needs_a_dataset_that_is_there_and_ready(jobs: Jobs, datasets: Datasets, make: Maker) -> None:
    preparing = datasets.create("new", {"kind": "upload", "path": "p"})
    with pytest.raises(Conflict, match="preparing"):
        jobs.create_training(make.spec(), preparing, "faces")
    jobs.cancel(preparing.job_id or "")
    datasets.delete("new")
    with pytest.raises(NotFound):
        jobs.create_training(make.spec(), preparing, "faces")


def test_unknown_jobs_are_named(jobs: Jobs) -> None:
    for act in (jobs.get, jobs.cancel, jobs.pause, jobs.resume, jobs.retry, jobs.delete):
        with pytest.raises(NotFound, match="job_nobody"):
            act("job_nobody")


def test_a_list_is_paged_in_either_order_and_filtered(jobs: Jobs, make: Maker) -> None:
    made = [make.training().id for _ in range(5)]
    jobs.cancel(made[1])
    first = jobs.list(type="train", limit=2)
    assert [job.id for job in first.data] == made[:2:-1]
    assert first.has_more
    rest = jobs.list(type="train", after=made[3], limit=3)
    assert [job.id for job in rest.data] == made[2::-1]
    assert not rest.has_more
    assert [job.id for job in jobs.list(type="train", order="asc", after=made[2]).data] == made[3:]
    assert [job.id for job in jobs.list(status="cancelled").data] == [made[1]]
    third = jobs.get(made[2])
    assert jobs.list(model="model3").data == jobs.list(model=third.model_id).data == [third]
    assert jobs.list(status="paused").data == []
    with pytest.raises(InvalidRequest) as caught:
        jobs.list(after="job_nobody")
    assert caught.value.param == "after"


def test_versions_tell_a_watcher_what_changed(jobs: Jobs, make: Maker) -> None:
    one, two = make.training(), make.training()
    jobs.pause(two.id)
    seen = jobs.glance([one.id, two.id, "job_nobody"])
    assert {id: (job.status, job.version, place) for id, (job, place) in seen.items()} == {
        one.id: ("queued", 1, 1),
        two.id: ("paused", 2, None),
    }


def test_metrics_and_previews_are_keyed_by_images_seen(jobs: Jobs, make: Maker) -> None:
    job = make.held()
    for images, loss in ((200, 0.2), (100, 0.1), (200, 0.3)):
        jobs.add_metrics(job.id, job.epoch, images, {"loss": loss, "jsd": None})
        jobs.add_preview(job.id, job.epoch, images, f"previews/{job.id}/{images}-{loss}.png")
    assert [(row.images, row.values) for row in jobs.metrics(job.id)] == [
        (100, {"loss": 0.1, "jsd": None}),
        (200, {"loss": 0.3, "jsd": None}),
    ]
    assert [row.images for row in jobs.metrics(job.id, after=100)] == [200]
    assert [row.images for row in jobs.metrics(job.id, limit=1)] == [100]
    assert [(row.images, row.path[-7:]) for row in jobs.previews(job.id)] == [(100, "0.1.png"), (200, "0.3.png")]


def test_a_training_that_recovers_takes_back_the_path_that_it_gave_up(jobs: Jobs, make: Maker) -> None:
    """The newest preview is then of what it goes on from, not of what broke; another job's stay."""
    job, other = make.held(), make.held()
    for held in (job, other):
        for images in (100, 200, 300):
            jobs.add_metrics(held.id, held.epoch, images, {"loss": 0.1})
            jobs.add_preview(held.id, held.epoch, images, f"previews/{held.id}/{images}.png")
    jobs.note(job.id, job.epoch, "job.recovered", {"from_images": 300, "to_images": 200})
    for held, kept in ((job, [100, 200]), (other, [100, 200, 300])):
        assert [row.images for row in jobs.metrics(held.id)] == kept
        assert [row.images for row in jobs.previews(held.id)] == kept
    assert jobs.events_after(job.id)[-1].data == {"from_images": 300, "to_images": 200}


def test_not_a_number_never_enters_the_ledger(jobs: Jobs, make: Maker) -> None:
    job = make.held()
    with pytest.raises(Exception, match="not JSON compliant"):
        jobs.add_metrics(job.id, job.epoch, 1, {"loss": float("nan")})
    assert jobs.metrics(job.id) == []


def test_events_of_one_job_and_of_all(jobs: Jobs, make: Maker) -> None:
    start = jobs.newest_event()
    assert start == 0
    one, two = make.held(), make.held()
    jobs.note(one.id, one.epoch, "warning", {"remedy": "r1"})
    events = jobs.events_after(one.id)
    assert [event.type for event in events] == ["job.queued", "job.running", "warning"]
    assert events[-1].number == jobs.newest_event()
    assert events[-1].data == {"remedy": "r1"}
    assert [event.job_id for event in jobs.events_after(None, events[0].number)][-3:] == [two.id, two.id, one.id]
    assert jobs.events_after(one.id, events[-1].number) == []
    assert jobs.events_after(one.id, limit=1) == events[:1]


def test_a_retry_goes_on_with_the_same_model_and_spec(jobs: Jobs, models: Models, make: Maker) -> None:
    job = make.held()
    jobs.publish_checkpoint(job.id, job.epoch, saved(100))
    jobs.finish(job.id, job.epoch, "failed", error=ERROR)
    again = jobs.retry(job.id)
    assert (again.retry_of, again.status, again.attempt, again.error) == (job.id, "queued", 0, None)
    assert (again.spec, again.model_id, again.dataset_id) == (job.spec, job.model_id, job.dataset_id)
    assert [state.images for state in models.newest_states(again.model_id or "")] == [100]
    with pytest.raises(Conflict, match=again.id):
        jobs.retry(job.id)
    jobs.cancel(again.id)
    assert jobs.retry(job.id).retry_of == job.id


def test_a_retry_needs_its_model_and_its_dataset(jobs: Jobs, models: Models, datasets: Datasets, make: Maker) -> None:
    first, second = make.training(), make.training()
    jobs.cancel(first.id)
    jobs.cancel(second.id)
    models.delete(first.model or "")
    with pytest.raises(Conflict, match="model1 of job"):
        jobs.retry(first.id)
    datasets.delete("digits")
    with pytest.raises(NotFound, match="dataset"):
        jobs.retry(second.id)


def test_deleting_a_job_leaves_its_model_if_that_has_anything_to_show(jobs: Jobs, models: Models, make: Maker) -> None:
    kept = make.held()
    jobs.add_metrics(kept.id, kept.epoch, 1, {})
    jobs.add_preview(kept.id, kept.epoch, 1, "p")
    jobs.publish_checkpoint(kept.id, kept.epoch, saved(100))
    jobs.finish(kept.id, kept.epoch, "succeeded", "images")
    barren = make.training()
    jobs.cancel(barren.id)
    assert jobs.delete(kept.id) == [f"previews/{kept.id}"]
    assert jobs.delete(barren.id) == [f"previews/{barren.id}", f"checkpoints/{barren.model_id}"]
    assert jobs.events_after(kept.id) == jobs.metrics(kept.id) == jobs.previews(kept.id) == []
    assert models.resolve("model1")[1].images == 100
    assert not models.exists("model2")


def test_a_model_without_checkpoints_stays_while_another_job_has_it(jobs: Jobs, models: Models, make: Maker) -> None:
    job = make.training()
    jobs.cancel(job.id)
    again = jobs.retry(job.id)
    assert jobs.delete(job.id) == [f"previews/{job.id}"]
    assert models.get("model1").id == again.model_id


def test_numbers_of_deleted_jobs_are_not_used_again(jobs: Jobs, make: Maker) -> None:
    """A cursor or an event number never comes to mean something else."""
    job = make.training()
    newest = jobs.newest_event()
    jobs.cancel(job.id)
    jobs.delete(job.id)
    younger = make.training()
    assert younger.number > job.number
    assert jobs.events_after(younger.id)[0].number > newest
