"""A job's series as JSON and as CSV; what is held already is not sent again."""

import csv
import io
from typing import Any

import pytest
from service_kit import Running

from ledger.records import MetricsRow
from service.series import as_csv

CSV = {"Accept": "text/csv"}


def table(answer: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.text, newline="")))


def test_a_series_as_a_table_has_a_column_a_name_and_empty_cells(service: Running) -> None:
    job = service.running("table")
    service.jobs.add_metrics(job.id, job.epoch, 100, {"v": -1.25, "a": 1e-300})
    service.jobs.add_metrics(job.id, job.epoch, 200, {"v": None, "js": 0.5})
    answer = service.http.get(f"/v1/jobs/{job.id}/metrics", headers=CSV)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    head, *rows = table(answer)
    assert head == ["images", "created_at", "a", "js", "v"]
    assert [[images, *values] for images, _, *values in rows] == [
        ["100", "1e-300", "", "-1.25"],
        ["200", "", "0.5", ""],
    ]
    assert all(created.endswith("Z") for _, created, *_ in rows)
    later = service.http.get(f"/v1/jobs/{job.id}/metrics?after=100", headers=CSV)
    assert table(later)[0] == ["images", "created_at", "js", "v"]
    assert len(table(later)) == 2


def test_a_series_of_nothing_is_its_head(service: Running) -> None:
    job = service.queued("headless")
    assert service.http.get(job["urls"]["metrics"], headers=CSV).text == "images,created_at\r\n"


@pytest.mark.parametrize("name", ['=HYPERLINK("x")', "+1", "-1", "@x", 'a,"b', "two\r\nlines", "\t=1"])
def test_no_heading_is_computed_or_breaks_its_line(name: str) -> None:
    text = as_csv("job_1", [MetricsRow(1, {name: 0.5}, 0.0)]).decode()
    head, row = csv.reader(io.StringIO(text, newline=""))
    assert len(head) == len(row) == 3
    assert not head[2].startswith(("=", "+", "-", "@", "\t"))
    assert "\n" not in head[2]


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_a_series_already_held_is_not_sent_again_and_a_longer_one_is(service: Running, accept: str) -> None:
    job = service.running(f"held-{accept[-3:]}")
    url, headers = f"/v1/jobs/{job.id}/metrics", {"Accept": accept}
    service.jobs.add_metrics(job.id, job.epoch, 100, {"v": 1.0})
    first = service.http.get(url, headers=headers)
    assert first.headers["vary"] == "Accept"
    held = headers | {"If-None-Match": first.headers["etag"]}
    answer = service.http.get(url, headers=held)
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", first.headers["etag"])
    service.jobs.add_metrics(job.id, job.epoch, 100, {"v": 2.0})
    assert service.http.get(url, headers=held).status_code == 200
    other = {"Accept": "text/csv" if accept != "text/csv" else "application/json"}
    assert service.http.get(url, headers=held | other).status_code == 200


def test_models_and_datasets_already_held_are_not_sent_again(service: Running) -> None:
    job = service.running("held-model")
    for url in ("/v1/models/held-model", "/v1/datasets/images"):
        first = service.http.get(url)
        held = {"If-None-Match": first.headers["etag"]}
        answer = service.http.get(url, headers=held)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", first.headers["etag"])
    tag = service.http.get("/v1/models/held-model").headers["etag"]
    service.checkpoint(job, 10)
    newer = service.http.get("/v1/models/held-model", headers={"If-None-Match": tag})
    assert newer.status_code == 200
    assert len(newer.json()["checkpoints"]) == 1


def test_a_dataset_is_another_once_it_is_prepared(service: Running) -> None:
    url = service.upload("tagged").headers["location"]
    tag = service.http.get(url).headers["etag"]
    job = service.claim("light")
    service.jobs.finish(job.id, job.epoch, "failed", error={"code": "internal", "message": "x", "param": None})
    answer = service.http.get(url, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
