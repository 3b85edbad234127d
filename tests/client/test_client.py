"""The Python client: what a caller sees of answers, refusals, broken connections and long waits."""

import tracemalloc
from pathlib import Path

import pytest
from fake_server import Answer, Fake, dataset, job, problem

import ganymede
from gan.spec import InterpolationSpec, Keyframe, SampleSpec, TrainRequest
from ganymede import Client, Conflict, JobCancelled, JobFailed, NotFound, NotGanymede, ProblemError, ServerUnreachable
from ganymede.errors import BY_STATUS, problem_class
from ganymede.transport import patiently


def test_the_public_names_are_all_there() -> None:
    assert all(getattr(ganymede, name).__name__ == name for name in ganymede.__all__)
    with pytest.raises(AttributeError, match="Clinet"):
        _ = ganymede.Clinet


def test_url_and_key_come_from_the_environment(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANYMEDE_API_KEY", "secret")
    fake.on("GET /v1/jobs/job_1", job("queued"))
    with Client() as client:
        client.jobs.get("job_1")
    assert fake.calls("GET /v1/jobs/job_1")[0]["Authorization"] == "Bearer secret"


def test_fields_that_are_new_to_this_client_do_not_disturb_it(fake: Fake) -> None:
    fake.on("GET /v1/jobs/job_1", job("running", mood="hopeful"))
    with Client() as client:
        found = client.jobs.get("job_1")
    assert found.status == "running"
    assert found.progress is not None
    assert found.progress.images_per_second == 320.0
    assert found.created_at.tzinfo is not None


def test_a_refusal_carries_every_field_of_its_problem_document(fake: Fake) -> None:
    fake.on("POST /v1/jobs", problem(422, "invalid_request", "must be even", "batch_size"))
    with Client() as client, pytest.raises(ProblemError) as caught:
        client.jobs.create({"type": "train"})
    error = caught.value
    assert (error.status, error.code, error.param, error.detail) == (
        422,
        "invalid_request",
        "batch_size",
        "must be even",
    )
    assert error.request_id == "req_1"
    assert error.line() == "batch_size: must be even (422 invalid_request)"


def test_each_status_has_its_class() -> None:
    for status, kind in BY_STATUS.items():
        assert problem_class(status) is kind
    assert problem_class(500) is ganymede.ServerError
    assert problem_class(422) is ganymede.BadRequest


def test_an_answer_that_is_no_problem_document_is_still_an_error(fake: Fake) -> None:
    fake.on("GET /v1/jobs/job_1", Answer(502, b"<html>bad gateway</html>"))
    with Client() as client, pytest.raises(ganymede.ServerError, match="502 Bad Gateway"):
        client.jobs.get("job_1")


def test_a_server_that_is_not_ganymede_is_named(fake: Fake) -> None:
    fake.on("GET /v1/jobs/job_1", Answer(200, b"<html>hello</html>"))
    with Client() as client, pytest.raises(NotGanymede, match="v1/jobs/job_1"):
        client.jobs.get("job_1")


def test_a_missing_server_is_unreachable_within_seconds() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(ServerUnreachable, match="Connection refused"):
        client.models.list()


def test_a_get_waits_while_the_server_says_503(fake: Fake) -> None:
    away = problem(503, "unavailable", "the database is away", **{"Retry-After": "0"})
    fake.on("GET /v1/models", away, away, Answer(200, {"object": "list", "data": []}))
    with Client() as client:
        assert client.models.list().data == []
    assert len(fake.calls("GET /v1/models")) == 3


def test_a_get_waits_while_its_key_has_used_up_its_quota(fake: Fake) -> None:
    soon = problem(429, "quota_exceeded", "this key may have 1 requests a second", **{"Retry-After": "0"})
    late = problem(429, "quota_exceeded", "this key may have 1 requests an hour", **{"Retry-After": "3600"})
    fake.on("GET /v1/models", soon, soon, Answer(200, {"object": "list", "data": []}))
    fake.on("GET /v1/jobs", late)
    with Client() as client:
        assert client.models.list().data == []
        with pytest.raises(ganymede.TooManyRequests) as refused:
            client.jobs.list()
    assert refused.value.retry_after == 3600
    assert len(fake.calls("GET /v1/models")) == 3
    assert len(fake.calls("GET /v1/jobs")) == 1


def test_a_post_is_sent_once(fake: Fake) -> None:
    fake.on("POST /v1/jobs", problem(503, "unavailable", "the queue is full", **{"Retry-After": "0"}))
    with Client() as client, pytest.raises(ganymede.Unavailable):
        client.jobs.create({"type": "train"})
    assert len(fake.calls("POST /v1/jobs")) == 1


def test_patience_ends() -> None:
    tries = []

    def refuse() -> None:
        tries.append(1)
        raise ServerUnreachable("gone")

    with pytest.raises(ServerUnreachable):
        patiently(refuse, 0.25)
    assert len(tries) == 2


def test_watching_follows_a_job_to_its_end(fake: Fake) -> None:
    away = problem(503, "unavailable", "restarting", **{"Retry-After": "0"})
    fake.on("GET /v1/jobs/job_1", job("queued"), away, job("running"), job("succeeded", ended_by="time"))
    with Client() as client:
        seen = [found.status for found in client.jobs.watch("job_1")]
    assert seen == ["queued", "running", "succeeded"]
    assert [headers.get("Prefer") for headers in fake.calls("GET /v1/jobs/job_1")] == [None, *["wait=1"] * 3]


def test_waiting_raises_how_a_job_ended(fake: Fake) -> None:
    failure = {"code": "diverged", "message": "the loss is NaN"}
    with Client() as client:
        fake.on("GET /v1/jobs/job_1", job("failed", error=failure))
        with pytest.raises(JobFailed, match="diverged: the loss is NaN"):
            client.jobs.wait("job_1")
        fake.on("GET /v1/jobs/job_1", job("cancelled"))
        with pytest.raises(JobCancelled):
            client.jobs.wait("job_1")
        fake.on("GET /v1/jobs/job_1", job("running"))
        with pytest.raises(TimeoutError):
            client.jobs.wait("job_1", timeout=0.0)


def test_waiting_for_a_dataset_says_why_it_failed(fake: Fake) -> None:
    failure = {"code": "dataset_unusable", "message": "no images in it"}
    fake.on("GET /v1/datasets/digits", dataset("preparing"), dataset("failed", error=failure))
    with Client() as client, pytest.raises(JobFailed, match="no images in it"):
        client.datasets.wait("digits")


def test_uploading_streams_from_disk_and_tells_its_progress(fake: Fake, tmp_path: Path) -> None:
    big = tmp_path / "points.npy"
    size = 64_000_000
    with big.open("wb") as file:
        file.truncate(size)
    fake.on("POST /v1/datasets", dataset("preparing"))
    told: list[tuple[int, int]] = []
    tracemalloc.start()
    try:
        with Client() as client:
            client.datasets.upload(big, progress=lambda done, total: told.append((done, total)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size / 8
    assert told[-1] == (size, size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert fake.asked[-1][2] > size


@pytest.mark.parametrize("name", ["..", "", "."])
def test_a_name_cannot_lead_to_another_path(fake: Fake, name: str) -> None:
    with Client() as client, pytest.raises(ganymede.UsageError):
        client.models.delete(name)
    assert fake.asked == []


def test_odd_names_travel_as_one_segment(fake: Fake) -> None:
    with Client() as client, pytest.raises(NotFound):
        client.models.get("a/../b?x=1@best")
    assert fake.asked[-1][0] == "GET /v1/models/a%2F..%2Fb%3Fx%3D1@best"


def test_requests_may_be_the_specs_themselves(fake: Fake) -> None:
    fake.on("POST /v1/jobs", job("queued"))
    fake.on("POST /v1/samples", Answer(200, b"PNG", {"Content-Type": "image/png", "X-Seeds": "0"}))
    fake.on("POST /v1/interpolations", Answer(200, {"data": [{"index": 0}]}))
    with Client() as client:
        assert client.jobs.create(TrainRequest(type="train", dataset="d", model="m")).status == "queued"
        drawing = client.samples.create(SampleSpec(model="m", seed=0))
        assert (drawing.content, drawing.media_type, drawing.headers["X-Seeds"]) == (b"PNG", "image/png", "0")
        walk = InterpolationSpec(model="m", keyframes=[Keyframe(seed=0), Keyframe(seed=1)])
        assert client.interpolations.data(walk)["data"] == [{"index": 0}]


def test_a_refused_drawing_leaves_the_old_file_alone(fake: Fake, tmp_path: Path) -> None:
    target = tmp_path / "grid.png"
    target.write_bytes(b"old")
    fake.on("POST /v1/samples", problem(409, "conflict", "no checkpoint yet"))
    with Client() as client:
        with pytest.raises(Conflict):
            client.samples.save({"model": "m"}, target)
        with pytest.raises(ganymede.UsageError, match="suffix"):
            client.samples.save({"model": "m"}, tmp_path / "grid.bmp")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("grid.png", b"old")]


def test_saving_asks_for_the_format_that_the_suffix_names(fake: Fake, tmp_path: Path) -> None:
    fake.on("POST /v1/samples", Answer(200, b"zip"))
    with Client() as client:
        assert client.samples.save({"model": "m"}, tmp_path / "all.zip").read_bytes() == b"zip"
    assert fake.calls("POST /v1/samples")[0]["Accept"] == "application/zip"


def test_a_404_of_something_else_is_not_taken_for_ganymede(fake: Fake) -> None:
    fake.on("GET /v1/models/faces", Answer(404, b"<html>File not found</html>"))
    with Client() as client, pytest.raises(NotGanymede) as caught:
        client.models.get("faces")
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"network": {"width": float("inf")}}, "network.width"),
        ({"latents": [[0.0, float("-inf")]]}, "latents.0.1"),
    ],
)
def test_what_json_cannot_say_is_refused_by_its_field(fake: Fake, request_: dict[str, object], field: str) -> None:
    with Client() as client, pytest.raises(ganymede.UsageError, match=f"^{field} must be a finite number"):
        client.jobs.create({"type": "train", "dataset": "d", "model": "m", **request_})
    assert fake.calls("POST /v1/jobs") == []


@pytest.mark.parametrize("key", ["ключ", "a\nb"])
def test_a_key_that_can_be_none_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ganymede.UsageError, match="GANYMEDE_API_KEY") as caught:
        Client("http://127.0.0.1:9", api_key=key)
    assert key not in str(caught.value)
