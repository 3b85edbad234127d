"""Models and checkpoints over HTTP."""

from collections.abc import Callable
from typing import Any

from service_kit import Running

Check = Callable[..., dict[str, Any]]


def test_a_model_lists_its_checkpoints_newest_first_by_name_and_by_id(service: Running) -> None:
    job = service.running("shelf")
    for images in (10, 20):
        service.checkpoint(job, images)
    model = service.http.get("/v1/models/shelf").json()
    assert service.http.get(f"/v1/models/{model['id']}").json() == model
    assert (model["object"], model["name"], model["recipe"]) == ("model", "shelf", "r3gan")
    assert (model["dataset"], model["classes"]) == ("images", ["cat", "dog"])
    assert model["latent_dim"] == model["network"]["latent_dim"]
    assert model["loaded"] is False
    assert [one["images"] for one in model["checkpoints"]] == [20, 10]
    newest = model["checkpoints"][0]
    assert {"id", "images", "created_at", "bytes", "sha256", "metrics", "pinned"} <= set(newest)


def test_models_are_listed_in_pages(service: Running) -> None:
    for index in range(3):
        service.queued(f"row-{index}")
    page = service.http.get("/v1/models?limit=2").json()
    assert [model["name"] for model in page["data"]] == ["row-2", "row-1"]
    assert page["has_more"] is True
    rest = service.http.get("/v1/models", params={"after": page["last_id"], "limit": 1}).json()
    assert [model["name"] for model in rest["data"]] == ["row-0"]


def test_a_checkpoint_is_downloaded_by_id_or_by_its_images(service: Running, is_problem: Check) -> None:
    job = service.running("files")
    saved = service.checkpoint(job, 30)
    url = service.http.get("/v1/models/files").json()["checkpoints"][0]["url"]
    answer = service.http.get(url)
    assert answer.content == b"model 30"
    assert answer.headers["content-type"] == "application/x-safetensors"
    assert 'filename="files-30.safetensors"' in answer.headers["content-disposition"]
    assert answer.headers["etag"] == f'"{saved.sha256}"'
    assert service.http.get("/v1/models/files/checkpoints/30/download").content == b"model 30"
    is_problem(service.http.get("/v1/models/files/checkpoints/31/download"), 404, "not_found")
    is_problem(service.http.get("/v1/models/nobody/checkpoints/30/download"), 404, "not_found")
    service.running("other")
    is_problem(service.http.get(f"/v1/models/other/checkpoints/{saved.id}/download"), 409, "conflict")
    service.storage.remove(saved.path)
    is_problem(service.http.get(url), 404, "not_found")


def test_a_checkpoint_already_held_is_not_sent_again(service: Running) -> None:
    job = service.running("held")
    saved = service.checkpoint(job, 30)
    url = "/v1/models/held/checkpoints/30/download"
    answer = service.http.get(url, headers={"If-None-Match": f'W/"{saved.sha256}"'})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", f'"{saved.sha256}"')
    assert service.http.get(url, headers={"If-None-Match": '"other"'}).content == b"model 30"


def test_a_model_is_deleted_with_its_files_once_no_job_works_on_it(service: Running, is_problem: Check) -> None:
    job = service.running("finished")
    saved = service.checkpoint(job, 40)
    is_problem(service.http.delete("/v1/models/finished"), 409, "conflict")
    service.jobs.finish(job.id, job.epoch, "succeeded", ended_by="images")
    assert service.http.delete("/v1/models/finished").status_code == 204
    assert not service.storage.path(saved.path).exists()
    is_problem(service.http.get("/v1/models/finished"), 404, "not_found")
    assert service.http.get(f"/v1/jobs/{job.id}").json()["status"] == "succeeded"


# ---- pins ----


def test_a_checkpoint_is_pinned_kept_and_let_go(service: Running) -> None:
    job = service.running("kept", keep_checkpoints=2, keep_best=0)
    first = service.checkpoint(job, 10)
    url = "/v1/models/kept/checkpoints"
    pinned = service.http.patch(f"{url}/{first.id}", json={"pinned": True})
    assert (pinned.status_code, pinned.json()["pinned"], pinned.json()["id"]) == (200, True, first.id)
    for images in (20, 30, 40):
        service.checkpoint(job, images)
    model = service.http.get("/v1/models/kept").json()
    assert [(one["images"], one["pinned"]) for one in model["checkpoints"]] == [(40, False), (30, False), (10, True)]
    assert service.http.patch(f"{url}/10", json={"pinned": False}).json()["pinned"] is False
    assert len(service.http.get("/v1/models/kept").json()["checkpoints"]) == 3
    service.checkpoint(job, 50)
    assert [one["images"] for one in service.http.get("/v1/models/kept").json()["checkpoints"]] == [50, 40]


def test_a_pin_that_cannot_be_is_a_problem(service: Running, is_problem: Check) -> None:
    service.running("unpinned")
    url = "/v1/models/unpinned/checkpoints"
    is_problem(service.http.patch(f"{url}/10", json={"pinned": True}), 409, "conflict")
    job = service.running("pinnable")
    service.checkpoint(job, 10)
    url = "/v1/models/pinnable/checkpoints"
    for checkpoint in ("11", "ckpt_nobody", "best"):
        is_problem(service.http.patch(f"{url}/{checkpoint}", json={"pinned": True}), 404, "not_found")
    is_problem(service.http.patch("/v1/models/nobody/checkpoints/10", json={"pinned": True}), 404, "not_found")
    for body, param in [({}, "pinned"), ({"pinned": 1}, "pinned"), ({"pinned": True, "x": 1}, "x")]:
        is_problem(service.http.patch(f"{url}/10", json=body), 422, "invalid_request", param)
    is_problem(service.http.patch(f"{url}/10", content=b"pinned"), 415)
    assert service.http.get("/v1/models/pinnable").json()["checkpoints"][0]["pinned"] is False


def test_a_model_shows_the_metric_that_was_chosen_or_asked_for(service: Running, is_problem: Check) -> None:
    service.queued("chosen")
    asked = service.queued("asked", metric="recall", ema_halflives=[400])
    for name, metric in {"chosen": "fid", "asked": "recall"}.items():
        model = service.http.get(f"/v1/models/{name}").json()
        assert (model["metric"], model["best"]) == (metric, None)
    assert (asked["spec"]["ema_halflife"], asked["spec"]["ema_halflives"]) == (400.0, [400.0])
    is_problem(service.train("images", "points-metric", metric="wasserstein_exact"), 422, "invalid_request", "metric")
    refused = service.train("images", "contrary", ema_halflife=5, ema_halflives=[400])
    is_problem(refused, 422, "invalid_request", "ema_halflives")
    is_problem(service.train("images", "twice", ema_halflives=[4, 4]), 422, "invalid_request", "ema_halflives")
