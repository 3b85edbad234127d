"""Models and checkpoints: publication, retention, references."""

import pytest
from ledger_making import Maker, saved

from gan.errors import Conflict, NotFound
from ledger.jobs import Jobs
from ledger.models import Models


def publish(jobs: Jobs, make: Maker, images: list[int], keep: int = 3) -> tuple[str, list[str]]:
    """Publish these checkpoints from one job; returns the model's id and all paths that were given up."""
    job = make.held(keep=keep)
    given_up = [path for n in images for path in jobs.publish_checkpoint(job.id, job.epoch, saved(n)).delete]
    given_up += jobs.finish(job.id, job.epoch, "succeeded", "images")
    assert job.model_id is not None
    return job.model_id, given_up


def test_retention_keeps_the_newest_and_two_training_states(jobs: Jobs, models: Models, make: Maker) -> None:
    model, given_up = publish(jobs, make, [100, 200, 300, 400, 500], keep=3)
    kept = models.checkpoints(model)
    assert [one.images for one in kept] == [500, 400, 300]
    assert [one.state_path is not None for one in kept] == [True, True, False]
    assert sorted(given_up) == sorted(
        [saved(n).state_path for n in (100, 200, 300)] + [saved(n).path for n in (100, 200)]
    )
    assert [state.images for state in models.newest_states(model)] == [500, 400]
    assert models.paths(model) == {saved(n).path for n in (300, 400, 500)} | {saved(n).state_path for n in (400, 500)}


def test_one_kept_checkpoint_has_a_second_to_go_back_to_until_the_job_succeeds(
    jobs: Jobs, models: Models, make: Maker
) -> None:
    job = make.held(keep=1)
    for images in (100, 200, 300):
        jobs.publish_checkpoint(job.id, job.epoch, saved(images))
    assert [one.images for one in models.checkpoints(job.model_id or "")] == [300, 200]
    assert jobs.finish(job.id, job.epoch, "succeeded", "images") == [saved(200).path, saved(200).state_path]
    assert [state.images for state in models.newest_states(job.model_id or "")] == [300]


def test_a_checkpoint_made_again_after_a_death_replaces_the_first(jobs: Jobs, models: Models, make: Maker) -> None:
    job = make.held()
    for tag in ("a", "b"):
        published = jobs.publish_checkpoint(job.id, job.epoch, saved(100, tag=tag))
    assert published.delete == [saved(100, tag="a").path, saved(100, tag="a").state_path]
    assert [one.id for one in models.checkpoints(job.model_id or "")] == ["ckpt_m100b"]


def test_publishing_the_very_same_checkpoint_twice_deletes_nothing(jobs: Jobs, models: Models, make: Maker) -> None:
    """After a lost connection a worker cannot know whether its write was committed: it may repeat it."""
    job = make.held()
    jobs.publish_checkpoint(job.id, job.epoch, saved(100))
    assert jobs.publish_checkpoint(job.id, job.epoch, saved(100)).delete == []
    assert len(models.checkpoints(job.model_id or "")) == 1


def test_the_state_to_go_on_from_is_the_one_published_last(jobs: Jobs, models: Models, make: Maker) -> None:
    """A job that had to go back behind a damaged checkpoint does not try that one again."""
    model, _ = publish(jobs, make, [100, 200, 150])
    assert [state.images for state in models.newest_states(model)] == [150, 200]


def test_references_name_a_checkpoint(jobs: Jobs, models: Models, make: Maker) -> None:
    model, _ = publish(jobs, make, [100, 200])
    for reference, images in {
        "model1": 200,
        model: 200,
        "model1@100": 100,
        f"{model}@200": 200,
        "ckpt_m100": 100,
        "model1@ckpt_m100": 100,
    }.items():
        found, checkpoint = models.resolve(reference)
        assert (found.id, checkpoint.images) == (model, images), reference


@pytest.mark.parametrize(
    ("reference", "named"),
    [
        ("nobody", "no model nobody"),
        ("model1@300", "model1 has no checkpoint at 300 images"),
        ("model1@best", "model1 has no checkpoint best"),
        ("model1@", "model1 has no checkpoint"),
        ("model1@9999999999999999999999", "model1 has no checkpoint 9"),
        ("model1@²", "model1 has no checkpoint ²"),
        ("ckpt_nobody", "no checkpoint ckpt_nobody"),
        ("model1@ckpt_nobody", "model1 has no checkpoint ckpt_nobody"),
    ],
)
def test_a_reference_to_nothing_says_what_is_not_there(
    reference: str, named: str, jobs: Jobs, models: Models, make: Maker
) -> None:
    publish(jobs, make, [100])
    with pytest.raises(NotFound, match=named) as caught:
        models.resolve(reference)
    assert caught.value.param == "model"


def test_a_model_without_a_checkpoint_cannot_be_sampled_yet(models: Models, make: Maker) -> None:
    make.training()
    with pytest.raises(Conflict, match="no checkpoint yet"):
        models.resolve("model1")


def test_a_model_is_described_and_listed(jobs: Jobs, models: Models, make: Maker) -> None:
    first, _ = publish(jobs, make, [100])
    second = make.training().model_id
    model = models.get("model1")
    assert models.get(first) == model
    assert (model.name, model.recipe, model.dataset, model.classes) == ("model1", "r3gan", "digits", ["0", "1"])
    assert model.network["latent_dim"] == 8
    assert [one.id for one in models.list().data] == [second, first]
    assert [one.id for one in models.list(limit=1, order="asc").data] == [first]
    assert models.list(limit=1).has_more
    found = models.checkpoints_of([first, second or ""])
    assert ([one.images for one in found[first]], found[second or ""]) == ([100], [])


def test_a_model_in_training_cannot_be_deleted(jobs: Jobs, models: Models, make: Maker) -> None:
    job = make.held()
    jobs.publish_checkpoint(job.id, job.epoch, saved(100))
    with pytest.raises(Conflict, match=job.id):
        models.delete("model1")
    jobs.finish(job.id, job.epoch, "succeeded", "images")
    assert models.delete("model1") == [f"checkpoints/{job.model_id}"]
    with pytest.raises(NotFound):
        models.resolve("ckpt_m100")
    assert jobs.get(job.id).model == "model1"


def test_an_id_wins_over_a_model_named_like_it(jobs: Jobs, models: Models, make: Maker) -> None:
    job = make.training()
    other = jobs.create_training(make.spec(), make.ready, job.model_id or "")
    assert models.get(job.model_id or "").name == "model1"
    assert models.get(other.model_id or "").name == job.model_id
