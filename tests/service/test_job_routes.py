"""Jobs over HTTP: queued, listed, steered in every state, watched."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from service_kit import Running, png, serving, settings_in

Check = Callable[..., dict[str, Any]]
FAILURE = {"code": "diverged", "message": "the loss became NaN", "param": None}


# ---- making ----


def test_a_short_request_is_accepted_and_everything_chosen_comes_back_with_reasons(service: Running) -> None:
    service.images("digits")
    answer = service.train("digits", "first", seed=7, metadata={"owner": "me"})
    assert answer.status_code == 202
    assert answer.headers["retry-after"]
    job = answer.json()
    assert answer.headers["location"] == job["urls"]["self"] == f"/v1/jobs/{job['id']}"
    assert (job["object"], job["type"], job["status"]) == ("job", "train", "queued")
    assert (job["model"], job["dataset"], job["seed"], job["attempt"]) == ("first", "digits", 7, 0)
    assert job["metadata"] == {"owner": "me"}
    assert job["spec"]["network"]["shape"] == {"kind": "images", "channels": 1, "height": 8, "width": 8}
    assert job["spec"]["chosen"]["batch_size"]
    assert job["started_at"] is None
    assert set(job["urls"]) == {"self", "events", "metrics", "preview", "cancel"}
    for name in ("events", "metrics"):
        assert service.http.get(job["urls"][name]).status_code == 200


def test_what_cannot_be_trained_is_refused_and_named(service: Running, is_problem: Check) -> None:
    is_problem(service.train("nothing", "m"), 404, "not_found", "dataset")
    service.upload("unready")
    problem = is_problem(service.train("unready", "m"), 409, "conflict", "dataset")
    assert "prepared" in problem["detail"]
    job = service.claim("light")
    service.jobs.finish(job.id, job.epoch, "failed", error=FAILURE | {"message": "no image in it"})
    problem = is_problem(service.train("unready", "m"), 409, "conflict", "dataset")
    assert "no image in it" in problem["detail"]
    service.points("cloud", None)
    is_problem(service.train("cloud", "m", network={"architecture": "dcgan"}), 422, "invalid_request")
    is_problem(service.train("cloud", "m", conditional=True), 422, "invalid_request", "conditional")


def test_a_model_name_that_is_taken_is_409(service: Running, is_problem: Check) -> None:
    service.queued("unique")
    is_problem(service.train("images", "unique"), 409, "conflict", "model")


def test_a_full_queue_is_503_and_retrying_counts(tmp_path: Path, is_problem: Check) -> None:
    with serving(settings_in(tmp_path, max_queued_jobs=1)) as running:
        job = running.running("one")
        running.jobs.finish(job.id, job.epoch, "failed", error=FAILURE)
        running.queued("two")
        answer = running.train("images", "three")
        is_problem(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
        is_problem(running.http.post(f"/v1/jobs/{job.id}/retry"), 503, "unavailable")


# ---- finding ----


def test_a_job_shows_what_its_worker_reports(service: Running) -> None:
    job = service.running("shown")
    service.jobs.started(job.id, job.epoch, "cpu")
    progress = {"images": 100, "total_images": 400, "percent": 25.0, "images_per_second": 50.0, "eta_seconds": 6.0}
    service.jobs.heartbeat(job.id, job.epoch, 30, progress=progress)
    seen = service.http.get(f"/v1/jobs/{job.id}").json()
    assert seen["progress"] == progress
    assert (seen["status"], seen["device"], seen["worker"]) == ("running", "cpu", "wrk_test")
    assert seen["queue_position"] is None
    assert seen["started_at"].endswith("Z")
    service.jobs.finish(job.id, job.epoch, "failed", error=FAILURE)
    seen = service.http.get(f"/v1/jobs/{job.id}").json()
    assert (seen["status"], seen["error"]) == ("failed", FAILURE)
    assert seen["finished_at"] >= seen["started_at"]


def test_the_place_in_the_queue_follows_priority_and_age(service: Running) -> None:
    ids = [service.queued(f"place-{index}", priority=index // 2)["id"] for index in range(3)]
    places = {item["id"]: item["queue_position"] for item in service.http.get("/v1/jobs").json()["data"]}
    assert [places[id] for id in ids] == [2, 3, 1]
    assert [service.http.get(f"/v1/jobs/{id}").json()["queue_position"] for id in ids] == [2, 3, 1]


def test_what_is_more_urgent_goes_before_what_waits_and_interrupts_nothing_that_runs(service: Running) -> None:
    running = service.running("urgent-running", priority=-100)
    waiting = [service.queued(f"urgent-{priority}", priority=priority) for priority in (0, -1, 100)]
    assert service.http.get(f"/v1/jobs/{running.id}").json()["status"] == "running"
    assert [service.claim("train").id for _ in waiting] == [waiting[place]["id"] for place in (2, 0, 1)]
    assert service.http.get(f"/v1/jobs/{running.id}").json()["status"] == "running"


@pytest.mark.parametrize("priority", [-101, 101])
def test_a_priority_out_of_bounds_is_refused_and_the_bounds_are_documented(
    service: Running, is_problem: Check, priority: int
) -> None:
    is_problem(service.train("images", "m", priority=priority), 422, "invalid_request", "priority")
    schemas = service.http.get("/openapi.json").json()["components"]["schemas"]
    for name in ("TrainRequest", "EvaluateRequest", "ProjectRequest"):
        field = schemas[name]["properties"]["priority"]
        assert (field["minimum"], field["maximum"]) == (-100, 100)
        assert "Higher goes first" in field["description"]


def test_an_unknown_job_is_404_everywhere(service: Running, is_problem: Check) -> None:
    is_problem(service.http.get("/v1/jobs/job_none"), 404, "not_found")
    is_problem(service.http.delete("/v1/jobs/job_none"), 404, "not_found")
    for what in ("events", "metrics", "preview"):
        is_problem(service.http.get(f"/v1/jobs/job_none/{what}"), 404, "not_found")
    for verb in ("cancel", "pause", "resume", "retry"):
        is_problem(service.http.post(f"/v1/jobs/job_none/{verb}"), 404, "not_found")


def test_lists_are_filtered_and_paged_without_gaps_or_repeats(service: Running) -> None:
    ids = [service.queued(f"listed-{index}")["id"] for index in range(7)]
    seen: list[str] = []
    params: dict[str, Any] = {"status": "queued", "type": "train", "limit": 3}
    while True:
        page = service.http.get("/v1/jobs", params=params).json()
        assert page["object"] == "list"
        assert page["first_id"] == page["data"][0]["id"]
        seen += [job["id"] for job in page["data"]]
        if not page["has_more"]:
            break
        params["after"] = page["last_id"]
    assert seen == ids[::-1]
    upwards = service.http.get("/v1/jobs?status=queued&order=asc").json()["data"]
    assert [job["id"] for job in upwards] == ids
    own = service.http.get("/v1/jobs?model=listed-3").json()["data"]
    assert [job["id"] for job in own] == [ids[3]]
    empty = service.http.get("/v1/jobs?status=pausing").json()
    assert empty == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


def test_an_unchanged_job_is_304_and_every_visible_change_is_another_version(service: Running) -> None:
    job = service.running("versioned")
    url = f"/v1/jobs/{job.id}"
    first = service.http.get(url)
    etag = first.headers["etag"]
    same = service.http.get(url, headers={"If-None-Match": f'"other", W/{etag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    progress = {"images": 1, "total_images": 4, "percent": 25.0}
    service.jobs.heartbeat(job.id, job.epoch, 30, progress=progress)
    changed = service.http.get(url, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


def test_a_place_that_moves_up_is_another_version(service: Running) -> None:
    first, second = service.queued("ahead"), service.queued("behind")
    url = second["urls"]["self"]
    etag = service.http.get(url).headers["etag"]
    service.http.post(first["urls"]["cancel"])
    moved = service.http.get(url, headers={"If-None-Match": etag})
    assert moved.status_code == 200
    assert moved.json()["queue_position"] == 1


# ---- steering ----

QUEUED, RUNNING, PAUSING, PAUSED, CANCELLING = "queued", "running", "pausing", "paused", "cancelling"
ENDED = ("succeeded", "failed", "cancelled")


def job_in(service: Running, status: str, model: str) -> str:
    """A training job brought into that state by the ways there are."""
    if status in (QUEUED, PAUSED, "cancelled"):
        id = str(service.queued(model)["id"])
        {QUEUED: lambda _: None, PAUSED: service.jobs.pause, "cancelled": service.jobs.cancel}[status](id)
        return id
    job = service.running(model)
    steps: dict[str, Callable[[], Any]] = {
        RUNNING: lambda: None,
        PAUSING: lambda: service.jobs.pause(job.id),
        CANCELLING: lambda: service.jobs.cancel(job.id),
        "succeeded": lambda: service.jobs.finish(job.id, job.epoch, "succeeded", ended_by="images"),
        "failed": lambda: service.jobs.finish(job.id, job.epoch, "failed", error=FAILURE),
    }
    steps[status]()
    return job.id


STEERED = [
    ("cancel", QUEUED, 202, "cancelled"),
    ("cancel", RUNNING, 202, CANCELLING),
    ("cancel", PAUSING, 202, CANCELLING),
    ("cancel", PAUSED, 202, "cancelled"),
    ("cancel", CANCELLING, 200, CANCELLING),
    ("cancel", "cancelled", 200, "cancelled"),
    ("cancel", "succeeded", 409, "succeeded"),
    ("cancel", "failed", 409, "failed"),
    ("pause", QUEUED, 202, PAUSED),
    ("pause", RUNNING, 202, PAUSING),
    ("pause", PAUSING, 200, PAUSING),
    ("pause", PAUSED, 200, PAUSED),
    ("pause", CANCELLING, 409, CANCELLING),
    ("pause", "succeeded", 409, "succeeded"),
    ("resume", PAUSED, 202, QUEUED),
    ("resume", PAUSING, 202, QUEUED),
    ("resume", QUEUED, 200, QUEUED),
    ("resume", RUNNING, 200, RUNNING),
    ("resume", CANCELLING, 409, CANCELLING),
    ("resume", "failed", 409, "failed"),
    ("retry", QUEUED, 409, QUEUED),
    ("retry", RUNNING, 409, RUNNING),
    ("retry", "succeeded", 409, "succeeded"),
]


@pytest.mark.parametrize(("verb", "status", "code", "becomes"), STEERED)
def test_a_wish_in_each_state_is_granted_idle_or_refused(
    service: Running, is_problem: Check, verb: str, status: str, code: int, becomes: str
) -> None:
    id = job_in(service, status, f"{verb}-{status}")
    answer = service.http.post(f"/v1/jobs/{id}/{verb}")
    if code == 409:
        is_problem(answer, 409, "conflict")
    else:
        assert answer.status_code == code
        assert answer.json()["status"] == becomes
        assert ("location" in answer.headers) == (code == 202)
    assert service.http.get(f"/v1/jobs/{id}").json()["status"] == becomes


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_retry_is_a_new_job_on_the_same_model(service: Running, status: str) -> None:
    old = job_in(service, status, f"again-{status}")
    answer = service.http.post(f"/v1/jobs/{old}/retry")
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["retry_of"], job["status"], job["model"]) == (old, "queued", f"again-{status}")
    assert job["spec"] == service.http.get(f"/v1/jobs/{old}").json()["spec"]


@pytest.mark.parametrize("status", [QUEUED, RUNNING, PAUSING, PAUSED, CANCELLING])
def test_only_a_job_that_has_ended_can_be_deleted(service: Running, is_problem: Check, status: str) -> None:
    id = job_in(service, status, f"kept-{status}")
    is_problem(service.http.delete(f"/v1/jobs/{id}"), 409, "conflict")


@pytest.mark.parametrize("status", ENDED)
def test_deleting_takes_previews_along_and_leaves_checkpoints(service: Running, is_problem: Check, status: str) -> None:
    job = service.running(f"ended-{status}")
    saved = service.checkpoint(job, 10)
    service.preview(job, 10, 7)
    if status == "cancelled":
        service.jobs.cancel(job.id)
    service.jobs.finish(job.id, job.epoch, status, error=FAILURE if status == "failed" else None)
    assert service.http.delete(f"/v1/jobs/{job.id}").status_code == 204
    is_problem(service.http.get(f"/v1/jobs/{job.id}"), 404, "not_found")
    assert not service.storage.path(f"previews/{job.id}").exists()
    assert service.storage.path(saved.path).exists()


# ---- watching ----


def test_events_tell_the_story_in_order_and_in_pages(service: Running) -> None:
    job = service.running("story")
    service.jobs.started(job.id, job.epoch, "cpu")
    service.jobs.note(job.id, job.epoch, "warning", {"message": "it saturates"})
    service.jobs.finish(job.id, job.epoch, "succeeded", ended_by="images")
    whole = service.http.get(f"/v1/jobs/{job.id}/events").json()
    types = [event["type"] for event in whole["data"]]
    assert types == ["job.queued", "job.running", "job.started", "warning", "job.succeeded"]
    assert whole["data"][3]["data"] == {"message": "it saturates"}
    assert all(event["object"] == "event" and event["job"] == job.id for event in whole["data"])
    ids = [event["id"] for event in whole["data"]]
    assert ids == sorted(ids)
    page = service.http.get(f"/v1/jobs/{job.id}/events", params={"after": ids[1], "limit": 2}).json()
    assert [event["id"] for event in page["data"]] == ids[2:4]
    assert (page["last_id"], page["has_more"]) == (ids[3], True)
    assert service.http.get(f"/v1/jobs/{job.id}/events", params={"after": ids[-1]}).json()["data"] == []


def test_metrics_are_a_series_keyed_by_images(service: Running) -> None:
    job = service.running("series")
    service.jobs.add_metrics(job.id, job.epoch, 200, {"v": -1.0, "jensen_shannon": None})
    service.jobs.add_metrics(job.id, job.epoch, 100, {"v": -1.3})
    answer = service.http.get(f"/v1/jobs/{job.id}/metrics").json()
    assert answer["object"] == "metrics"
    assert answer["job"] == job.id
    assert answer["data"] == [{"images": 100, "v": -1.3}, {"images": 200, "v": -1.0, "jensen_shannon": None}]
    later = service.http.get(f"/v1/jobs/{job.id}/metrics?after=100").json()
    assert [row["images"] for row in later["data"]] == [200]


def test_previews_are_the_newest_or_the_one_asked_for(service: Running, is_problem: Check) -> None:
    job = service.running("preview")
    url = f"/v1/jobs/{job.id}/preview"
    problem = is_problem(service.http.get(url), 404, "not_found")
    assert "yet" in problem["detail"]
    service.preview(job, 100, 10)
    service.preview(job, 200, 20)
    newest = service.http.get(url)
    assert newest.headers["content-type"] == "image/png"
    assert newest.content == png(20)
    assert service.http.get(f"{url}?at=100").content == png(10)
    assert newest.headers["content-location"] == f"{url}?at=200"
    is_problem(service.http.get(f"{url}?at=150"), 404, "not_found")
    is_problem(service.http.get(f"{url}?at=new"), 422, "invalid_request", "at")
    is_problem(service.http.get(f"{url}?timelapse=2"), 422, "invalid_request", "timelapse")


def test_a_preview_already_held_is_not_sent_again_and_a_new_one_is(service: Running) -> None:
    job = service.running("held")
    url = f"/v1/jobs/{job.id}/preview"
    service.preview(job, 100, 10)
    tag = service.http.get(url).headers["etag"]
    answer = service.http.get(url, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert answer.headers["content-location"] == f"{url}?at=100"
    service.preview(job, 200, 20)
    assert service.http.get(url, headers={"If-None-Match": tag}).content == png(20)


def test_a_job_that_has_ended_is_not_said_to_have_no_preview_yet(service: Running, is_problem: Check) -> None:
    service.upload("unseen")
    job = service.claim("light")
    service.jobs.finish(job.id, job.epoch, "failed", error=FAILURE)
    problem = is_problem(service.http.get(f"/v1/jobs/{job.id}/preview"), 404, "not_found")
    assert problem["detail"] == f"job {job.id} has no preview"


@pytest.mark.parametrize(
    ("what", "offered"),
    [("events", "application/json, text/event-stream"), ("metrics", "application/json, text/csv")],
)
def test_a_type_that_is_not_served_is_406_with_those_that_are(
    service: Running, is_problem: Check, what: str, offered: str
) -> None:
    url = service.queued(f"accept-{what}")["urls"][what]
    problem = is_problem(service.http.get(url, headers={"Accept": "text/html"}), 406, "not_acceptable")
    assert problem["detail"].endswith(f"what can: {offered}")
    for accepted in ("text/html, application/json;q=0.1", "text/html, */*;q=0.1", ""):
        answer = service.http.get(url, headers={"Accept": accepted})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
