"""`resume_from` over HTTP: resolved, answered in the job, refused by its field; what a worker would do is by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from seeded import IMAGES, network, write_seeded
from service_kit import Running

from gan.checkpoint import ModelHeader, write_model
from gan.spec import TrainingSpec
from ledger.database import mint
from ledger.records import Job, Saved

Check = Callable[..., dict[str, Any]]
WIDTH = {"network": {"width": 8}}


def checkpoint(service: Running, job: Job, images: int, **metrics: float) -> Saved:
    """Publish a checkpoint whose model part says what a worker's would say of itself."""
    id, where, spec = mint("ckpt"), f"checkpoints/{job.model_id}", TrainingSpec.model_validate(job.spec)
    data = service.datasets.get(str(job.dataset_id))
    header = ModelHeader(
        network=spec.network, recipe=spec.recipe, images=images, seed=spec.seed, dataset_digest=str(data.digest)
    )
    path = f"{where}/{id}.model.safetensors"
    written = write_model(service.storage.path(path), header, {"generator.x": torch.zeros(1)})
    saved = Saved(
        id, images, path, written.bytes, written.sha256, f"{where}/{id}.state.safetensors", 9, "cd" * 32, metrics
    )
    service.jobs.publish_checkpoint(job.id, job.epoch, saved)
    return saved


def trained(service: Running, model: str, *images: int, **more: Any) -> list[Saved]:
    """A model with these checkpoints, whose training is over; each is better than the one before it."""
    job = service.running(model, **(WIDTH | more))
    saved = [checkpoint(service, job, n, fid=1 / n) for n in images]
    service.jobs.finish(job.id, job.epoch, "succeeded", "images")
    return saved


def go_on(service: Running, model: str, start: str, dataset: str = "images", **more: Any) -> Any:
    return service.train(dataset, model, resume_from=start, **more)


def test_a_model_is_gone_on_with_and_the_job_says_from_where(service: Running) -> None:
    saved = trained(service, "whole", 100, 200, seed=7, recipe="dcgan")
    answer = go_on(service, "whole", "whole", images=50_000)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["model"], job["retry_of"]) == ("whole", None)
    assert job["spec"]["resume_from"] == {
        "model": "whole",
        "checkpoint": saved[-1].id,
        "images": 200,
        "sha256": saved[-1].sha256,
        "before": 200,
        "split_seed": 7,
    }
    assert (job["spec"]["recipe"], job["spec"]["network"]["width"], job["spec"]["images"]) == ("dcgan", 8, 50_000)
    for field in ("recipe", "network.width", "metric", "holdout"):
        assert job["spec"]["chosen"][field] == "resume_from: as in whole@200"
    assert job["estimate"]["seconds"] > 0
    assert service.http.get("/v1/models/whole").status_code == 200
    assert service.http.get("/v1/jobs?model=whole").json()["data"][0]["id"] == job["id"]


@pytest.mark.parametrize("reference", ["several@best", "several", "several@300", "the id"])
def test_every_way_to_name_a_checkpoint_is_resolved(service: Running, reference: str) -> None:
    if not service.models.exists("several"):
        trained(service, "several", 200, 300)
    newest = service.models.resolve("several")[1]
    name = newest.id if reference == "the id" else reference
    answer = go_on(service, f"of-{reference.replace(' ', '-').replace('@', '-')}", name)
    assert answer.status_code == 202, answer.text
    origin = answer.json()["spec"]["resume_from"]
    assert (origin["checkpoint"], origin["before"]) == (newest.id, 0)


def test_a_job_that_begins_by_itself_says_that_it_goes_on_from_nothing(service: Running) -> None:
    assert service.queued("alone")["spec"]["resume_from"] is None


def test_what_cannot_be_gone_on_from_is_refused_by_its_field(service: Running, is_problem: Check) -> None:
    trained(service, "refused", 100, 200)
    is_problem(go_on(service, "new", "nobody"), 404, "not_found", "resume_from")
    is_problem(go_on(service, "new", "refused@150"), 404, "not_found", "resume_from")
    is_problem(go_on(service, "new", "ckpt_nobody"), 404, "not_found", "resume_from")
    is_problem(go_on(service, "new", "a@b@c"), 422, "invalid_request", "resume_from")
    service.queued("untrained")
    is_problem(go_on(service, "new", "untrained"), 409, "conflict", "resume_from")
    problem = is_problem(go_on(service, "refused", "refused@100"), 409, "conflict", "model")
    assert "refused@200" in problem["detail"]
    problem = is_problem(service.train("images", "refused"), 409, "conflict", "model")
    assert 'resume_from: "refused"' in problem["detail"]
    is_problem(go_on(service, "refused", "refused", network={"width": 16}), 422, "invalid_request", "network.width")
    is_problem(go_on(service, "refused", "refused", conditional=False), 422, "invalid_request", "conditional")
    is_problem(go_on(service, "refused", "refused", recipe="sngan"), 422, "invalid_request", "recipe")
    is_problem(go_on(service, "refused", "refused", metric="recall"), 422, "invalid_request", "metric")
    is_problem(go_on(service, "refused", "refused", holdout=0.4), 422, "invalid_request", "holdout")
    service.points("cloud", None)
    is_problem(go_on(service, "new", "refused", dataset="cloud"), 422, "invalid_request", "dataset")
    assert go_on(service, "refused", "refused").status_code == 202
    problem = is_problem(go_on(service, "refused", "refused"), 409, "conflict", "model")
    assert "trains the model refused already" in problem["detail"]


def test_other_data_of_the_same_kind_are_for_a_new_model(service: Running, is_problem: Check) -> None:
    trained(service, "first-data", 100)
    service.images("other", count=100)
    problem = is_problem(go_on(service, "first-data", "first-data", dataset="other"), 422, "invalid_request", "dataset")
    assert "another name" in problem["detail"]
    answer = go_on(service, "other-data", "first-data", dataset="other", holdout=0.3)
    assert answer.status_code == 202, answer.text
    assert answer.json()["spec"]["resume_from"]["split_seed"] is None


def test_data_with_the_same_content_are_the_same_data(service: Running) -> None:
    trained(service, "content", 100, seed=5)
    data = service.datasets.get("images")
    service.upload("twin")
    job = service.claim("light")
    from ledger.records import Packed

    packed = Packed("images", str(data.digest), str(data.path), 9, 120, 8, 8, 1, classes=["cat", "dog"])
    service.datasets.finish_prepare(job.id, job.epoch, packed)
    answer = go_on(service, "content", "content", dataset="twin")
    assert answer.status_code == 202, answer.text
    assert answer.json()["spec"]["resume_from"]["split_seed"] == 5


def test_an_evaluation_of_what_went_on_knows_the_rows_that_were_never_seen(service: Running) -> None:
    trained(service, "unseen", 100, seed=9)
    assert go_on(service, "unseen", "unseen", seed=1).status_code == 202
    job = service.claim("train")
    checkpoint(service, job, 150)
    answer = service.http.post("/v1/jobs", json={"type": "evaluate", "model": "unseen"})
    assert answer.json()["spec"]["split"] == {"share": job.spec["holdout"], "seed": 9}


def test_an_uploaded_model_is_gone_on_with(service: Running, tmp_path: Path) -> None:
    """It has classes, no data and no training: it goes on under its own name, or another's."""
    spec = network("plain", IMAGES, "class", 2)
    path = tmp_path / "m.safetensors"
    written = write_seeded(path, spec, classes=("cat", "dog"), counts=(1, 1))
    with path.open("rb") as file:
        answer = service.http.post("/v1/models", data={"name": "uploaded"}, files={"file": ("m.safetensors", file)})
    assert answer.status_code == 201, answer.text
    service.queued("any")
    answer = go_on(service, "uploaded", "uploaded@1000", holdout=0.2)
    assert answer.status_code == 202, answer.text
    origin = answer.json()["spec"]["resume_from"]
    assert (origin["sha256"], origin["before"], origin["split_seed"]) == (written.sha256, 1000, None)
    assert service.http.get("/v1/models/uploaded").json()["dataset"] == "images"


def test_a_file_that_cannot_be_read_is_409_and_names_the_field(service: Running, is_problem: Check) -> None:
    (saved,) = trained(service, "broken", 100)
    service.storage.path(saved.path).write_bytes(b"nothing of the kind")
    is_problem(go_on(service, "mended", "broken"), 409, "checkpoint_corrupt", "resume_from")


def test_a_training_that_another_went_on_from_is_not_retried(service: Running, is_problem: Check) -> None:
    job = service.running("retried", **WIDTH)
    checkpoint(service, job, 100)
    failure = {"code": "diverged", "message": "NaN", "param": None}
    service.jobs.finish(job.id, job.epoch, "failed", error=failure)
    assert go_on(service, "retried", "retried").status_code == 202
    other = service.claim("train")
    checkpoint(service, other, 200)
    service.jobs.finish(other.id, other.epoch, "succeeded", "images")
    problem = is_problem(service.http.post(f"/v1/jobs/{job.id}/retry"), 409, "conflict")
    assert 'resume_from: "retried"' in problem["detail"]
    is_problem(service.http.post(f"/v1/jobs/{other.id}/retry"), 409, "conflict")


def test_the_models_start_is_not_deleted_under_the_job(service: Running, is_problem: Check) -> None:
    trained(service, "base", 100)
    job = go_on(service, "built", "base").json()
    problem = is_problem(service.http.delete("/v1/models/base"), 409, "conflict")
    assert job["id"] in problem["detail"]
