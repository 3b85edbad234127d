"""A line for each request that is worth one, and nothing in it that is a secret."""

import logging
from pathlib import Path
from typing import Any

import pytest
from service_kit import Running, serving, settings_in
from waiting import eventually

from ledger.logs import REQUEST
from service.middleware import level_of


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.DEBUG, "ganymede.requests")

    def lines(level: int = logging.INFO) -> list[tuple[str, str, str, str]]:
        records = [record for record in caplog.records if record.name == "ganymede.requests"]
        fields = [(record, record.fields) for record in records if record.levelno >= level]  # type: ignore[attr-defined]
        return [(record.levelname, one["method"], one["route"], one["status"]) for record, one in fields]

    return lines


def test_writes_and_errors_are_told_and_reads_and_probes_are_not(service: Running, told: Any) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/v1/jobs", "/v1/datasets"):
        assert service.http.get(path).status_code == 200
    assert told() == []
    assert service.http.get("/v1/jobs/job_x").status_code == 404
    assert service.upload("told").status_code == 202
    assert service.http.post("/v1/samples", json={"model": "nobody", "seed": 0}).status_code == 404
    wanted = [
        ("INFO", "GET", "/v1/jobs/{job}", "404"),
        ("INFO", "POST", "/v1/datasets", "202"),
        ("INFO", "POST", "/v1/samples", "404"),
    ]
    eventually(lambda: told()[2:])
    assert told() == wanted
    assert ("DEBUG", "GET", "/livez", "200") in told(logging.DEBUG)


@pytest.mark.parametrize(
    ("method", "path", "status", "level"),
    [
        ("POST", "/v1/samples", "200", logging.DEBUG),
        ("POST", "/v1/samples", "503", logging.DEBUG),
        ("POST", "/v1/samples", "none", logging.DEBUG),
        ("POST", "/v1/samples", "500", logging.WARNING),
        ("POST", "/v1/samples", "422", logging.INFO),
        ("GET", "/v1/models/m/images/1.png", "200", logging.DEBUG),
        ("GET", "/v1/models/m", "304", logging.DEBUG),
        ("GET", "/v1/models/m", "500", logging.WARNING),
        ("GET", "/readyz", "503", logging.DEBUG),
        ("POST", "/v1/jobs", "503", logging.INFO),
        ("POST", "/v1/jobs", "none", logging.INFO),
        ("DELETE", "/v1/jobs/j", "204", logging.INFO),
    ],
)
def test_what_a_request_is_told_at(method: str, path: str, status: str, level: int) -> None:
    assert level_of(method, path, status) == level


def test_neither_key_nor_query_nor_path_is_told(service: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "hunter2-Zx"
    service.http.post(
        f"/v1/jobs/{secret}/cancel?token={secret}",
        headers={"Authorization": f"Bearer {secret}", "Cookie": f"session={secret}"},
    )
    eventually(lambda: [record for record in caplog.records if record.name == "ganymede.requests"])
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore", "uvicorn.access"))]
    assert [record.name for record in ours if secret in record.getMessage() + str(vars(record))] == []


def test_a_job_knows_the_request_that_made_it(service: Running) -> None:
    service.images("known")
    answer = service.http.post(
        "/v1/jobs",
        json={"type": "train", "dataset": "known", "model": "known"},
        headers={"X-Request-Id": "req-of-the-test"},
    )
    assert answer.status_code == 202
    assert answer.headers["x-request-id"] == "req-of-the-test"
    [queued] = service.http.get(f"/v1/jobs/{answer.json()['id']}/events").json()["data"]
    assert queued["data"]["request_id"] == "req-of-the-test"
    assert service.claim("train").request_id == "req-of-the-test"


def test_what_a_request_logs_on_its_way_says_its_id(tmp_path: Path) -> None:
    """In the route's thread, where a plain function serves it."""
    seen: list[str | None] = []

    def change(app: Any) -> None:
        app.get("/seen", include_in_schema=False)(lambda: seen.append(REQUEST.get()))

    with serving(settings_in(tmp_path), change) as running:
        assert running.http.get("/seen", headers={"X-Request-Id": "abc"}).status_code == 200
        assert running.http.get("/seen").status_code == 200
    assert seen[0] == "abc"
    assert str(seen[1]).startswith("req_")
