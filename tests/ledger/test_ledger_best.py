"""The best checkpoint, which ones stay, and pins."""

import threading
import time
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import pytest
from ledger_making import Maker, saved
from sqlalchemy import update

from gan.errors import Conflict, NotFound
from ledger.best import followed, ranked
from ledger.database import Ledger
from ledger.jobs import Jobs
from ledger.models import Models
from ledger.records import Job
from ledger.tables import CheckpointRow, ModelRow


def publish(jobs: Jobs, job: Job, values: dict[int, float | None], metric: str = "fid") -> list[str]:
    """Checkpoints at so many images with that value of the metric; returns the paths that were given up."""
    measured = [replace(saved(images), metrics={metric: value}) for images, value in values.items()]
    return [path for one in measured for path in jobs.publish_checkpoint(job.id, job.epoch, one).delete]


def kept(models: Models, job: Job) -> list[int]:
    return [one.images for one in models.checkpoints(job.model_id or "")]


def measure(ledger: Ledger, checkpoint: str, **metrics: float | None) -> None:
    """What an evaluation writes."""
    with ledger.writing() as session:
        session.execute(update(CheckpointRow).where(CheckpointRow.id == checkpoint).values(metrics=metrics))


def test_the_best_is_the_checkpoint_with_the_best_finite_value(jobs: Jobs, models: Models, make: Maker) -> None:
    job = make.held(keep=9)
    publish(jobs, job, {100: 30.0, 200: 10.0, 300: None, 400: 20.0, 500: None})
    assert models.resolve("model1@best")[1].images == 200
    assert models.resolve("model1")[1].images == 500
    assert models.resolve(f"{job.model_id}@best")[1].images == 200


def test_of_equally_good_checkpoints_the_newest_is_the_best(jobs: Jobs, models: Models, make: Maker) -> None:
    publish(jobs, make.held(keep=9), {100: 10.0, 200: 10.0, 300: 11.0})
    assert models.resolve("model1@best")[1].images == 200


def test_the_best_goes_by_the_models_own_metric_and_its_direction(
    ledger: Ledger, jobs: Jobs, models: Models, make: Maker
) -> None:
    job = make.held(keep=9)
    for images, values in {100: {"fid": 1.0, "coverage": 0.5}, 200: {"fid": 2.0, "coverage": 0.9}}.items():
        jobs.publish_checkpoint(job.id, job.epoch, replace(saved(images), metrics=values))
    assert models.resolve("model1@best")[1].images == 100
    with ledger.writing() as session:
        session.execute(update(ModelRow).values(metric="coverage"))
    assert models.resolve("model1@best")[1].images == 200


def test_a_model_remembers_the_metric_that_its_training_chose(jobs: Jobs, models: Models, make: Maker) -> None:
    spec = make.spec().model_copy(update={"metric": "recall"})
    make.ready = make.dataset()
    jobs.create_training(spec, make.ready, "m")
    assert models.get("m").metric == "recall"
    assert followed("recall", spec.network.model_dump()) == "recall"
    assert followed(None, spec.network.model_dump()) == "fid"
    assert followed(None, {"shape": {"kind": "points"}}) == "wasserstein_exact"


def test_without_a_measurement_there_is_no_best_and_the_remedy_is_named(
    ledger: Ledger, jobs: Jobs, models: Models, make: Maker
) -> None:
    with pytest.raises(NotFound):
        models.resolve("model1@best")
    job = make.held()
    with pytest.raises(Conflict, match="no checkpoint yet"):
        models.resolve("model1@best")
    publish(jobs, job, {100: None, 200: None})
    with pytest.raises(NotFound, match=r"no checkpoint best: none of them has a value of fid; name one") as no:
        models.resolve("model1@best")
    assert no.value.param == "model"
    measure(ledger, "ckpt_m100", evaluated_fid=50.0)  # of other rows: no evaluation is a remedy
    with pytest.raises(NotFound):
        models.resolve("model1@best")
    measure(ledger, "ckpt_m100", fid=50.0)
    assert models.resolve("model1@best")[1].id == "ckpt_m100"


def test_ranking_is_by_value_and_then_by_age_and_leaves_out_what_has_no_finite_value() -> None:
    values = {1: 0.2, 2: 0.9, 3: 0.9, 4: None, 5: float("nan"), 6: float("inf")}
    rows = [SimpleNamespace(number=number, metrics={"recall": value}) for number, value in values.items()]
    rows.append(SimpleNamespace(number=7, metrics={}))
    assert [one.number for one in ranked(rows, "recall")] == [3, 2, 1]


# ---- retention ----


def test_the_best_stay_beside_the_newest_with_their_model_but_without_their_state(
    jobs: Jobs, models: Models, make: Maker
) -> None:
    job = make.held(keep=2, best=2)
    given_up = publish(jobs, job, {100: 5.0, 200: 1.0, 300: 9.0, 400: 3.0, 500: 8.0, 600: 7.0})
    assert kept(models, job) == [600, 500, 400, 200]
    assert [state.images for state in models.newest_states(job.model_id or "")] == [600, 500]
    gone, stateless = (100, 300), (100, 200, 300, 400)
    assert sorted(given_up) == sorted([saved(n).path for n in gone] + [saved(n).state_path for n in stateless])


def test_what_is_no_longer_among_the_best_is_given_up_when_a_better_one_comes(
    jobs: Jobs, models: Models, make: Maker
) -> None:
    job = make.held(keep=2)
    publish(jobs, job, {100: 5.0, 200: 6.0, 300: 7.0})
    assert kept(models, job) == [300, 200, 100]
    publish(jobs, job, {400: 1.0})
    assert kept(models, job) == [400, 300]


def test_none_need_be_kept_for_being_good(jobs: Jobs, models: Models, make: Maker) -> None:
    job = make.held(keep=2, best=0)
    publish(jobs, job, {100: 1.0, 200: 6.0, 300: 7.0})
    assert kept(models, job) == [300, 200]


def test_the_end_of_a_job_keeps_the_best_too(ledger: Ledger, jobs: Jobs, models: Models, make: Maker) -> None:
    job = make.held(keep=1)
    publish(jobs, job, {100: None, 200: None, 300: None})
    measure(ledger, "ckpt_m200", fid=3.0)
    measure(ledger, "ckpt_m300", fid=4.0)
    assert jobs.finish(job.id, job.epoch, "succeeded", "images") == []
    assert kept(models, job) == [300, 200]


# ---- pins ----


def test_a_pinned_checkpoint_stays_until_it_is_let_go_and_the_next_one_comes(
    jobs: Jobs, models: Models, make: Maker
) -> None:
    job = make.held(keep=2, best=0)
    publish(jobs, job, {100: None})
    assert models.pin("model1", "100", True).pinned
    publish(jobs, job, {200: None, 300: None, 400: None})
    assert kept(models, job) == [400, 300, 100]
    assert not models.pin(job.model_id or "", "ckpt_m100", False).pinned
    assert kept(models, job) == [400, 300, 100]
    assert publish(jobs, job, {500: None}) == [saved(300).state_path, saved(300).path, saved(100).path]
    assert kept(models, job) == [500, 400]


def test_pinning_names_a_checkpoint_as_sampling_does(jobs: Jobs, models: Models, make: Maker) -> None:
    publish(jobs, make.held(keep=9), {100: 1.0, 200: 2.0})
    assert models.pin("model1", "best", True).images == 100
    assert [one.pinned for one in models.checkpoints(models.get("model1").id)] == [False, True]
    for which in ("300", "ckpt_nobody", "newest"):
        with pytest.raises(NotFound, match="no checkpoint"):
            models.pin("model1", which, True)
    with pytest.raises(NotFound, match="no model nobody"):
        models.pin("nobody", "100", True)


def test_a_checkpoint_made_again_after_a_death_is_pinned_as_the_first_was(
    jobs: Jobs, models: Models, make: Maker
) -> None:
    job = make.held()
    publish(jobs, job, {100: None})
    models.pin("model1", "100", True)
    jobs.publish_checkpoint(job.id, job.epoch, saved(100, tag="again"))
    assert [(one.id, one.pinned) for one in models.checkpoints(job.model_id or "")] == [("ckpt_m100again", True)]


def test_a_pin_does_not_keep_a_model_from_being_deleted(jobs: Jobs, models: Models, make: Maker) -> None:
    job = make.held()
    publish(jobs, job, {100: None})
    models.pin("model1", "100", True)
    jobs.finish(job.id, job.epoch, "succeeded", "images")
    assert models.delete("model1") == [f"checkpoints/{job.model_id}"]
    with pytest.raises(NotFound):
        models.resolve("ckpt_m100")


def test_a_checkpoint_pinned_while_others_are_published_stays(jobs: Jobs, models: Models, make: Maker) -> None:
    """Whoever was told that it is pinned finds it afterwards, however close retention was."""
    job = make.held(keep=2, best=0)
    publish(jobs, job, {1: None})
    pinned: set[int] = set()
    done = threading.Event()

    def pin() -> None:
        while not done.is_set():
            for oldest in [one for one in models.checkpoints(job.model_id or "") if not one.pinned][-1:]:
                with suppress(NotFound):
                    pinned.add(models.pin("model1", oldest.id, True).images)

    pinning = threading.Thread(target=pin)
    pinning.start()
    try:
        for images in range(2, 200):
            publish(jobs, job, {images: None})
            if len(pinned) >= 5:
                break
            time.sleep(0.005)  # SQLite's lock is not a fair one
    finally:
        done.set()
        pinning.join()
    assert len(pinned) >= 5
    assert pinned <= set(kept(models, job))
