"""Datasets over HTTP: uploaded, imported, waited for, looked at, deleted."""

import io
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from service_kit import Running, archive, png, serving, settings_in

Check = Callable[..., dict[str, Any]]


def files_below(root: Path) -> list[Path]:
    return [Path(folder, name) for folder, _, names in os.walk(root) for name in names]  # what goes meanwhile is gone


def test_an_upload_is_accepted_stored_whole_and_queued_for_preparation(service: Running) -> None:
    data = archive(**{"cat/1.png": png(1), "dog/2.png": png(2)})
    answer = service.upload("pets", data, "pets.zip", width=16, height=24)
    assert answer.status_code == 202
    assert answer.headers["retry-after"]
    dataset = answer.json()
    assert answer.headers["location"] == dataset["urls"]["self"]
    assert (dataset["object"], dataset["status"], dataset["kind"]) == ("dataset", "preparing", None)
    assert dataset["id"].startswith("ds_")
    row = service.datasets.get("pets")
    assert (row.asked_width, row.asked_height) == (16, 24)
    assert row.source["kind"] == "upload"
    assert service.storage.path(row.source["path"]).read_bytes() == data
    assert row.source["path"].endswith(".zip")
    job = service.http.get(dataset["urls"]["job"]).json()
    assert (job["type"], job["status"], job["queue_position"]) == ("prepare", "queued", 1)


def test_what_preparation_finds_is_in_the_dataset_by_name_and_by_id(service: Running) -> None:
    service.images("found", count=20)
    dataset = service.http.get("/v1/datasets/found").json()
    assert service.http.get(f"/v1/datasets/{dataset['id']}").json() == dataset
    assert (dataset["status"], dataset["kind"], dataset["count"]) == ("ready", "images", 20)
    assert (dataset["width"], dataset["height"], dataset["channels"]) == (8, 8, 1)
    assert dataset["classes"] == ["cat", "dog"]
    assert dataset["report"]["accepted"] == 20
    assert dataset["created_at"].endswith("Z")


def test_a_failed_preparation_says_why(service: Running) -> None:
    service.upload("hopeless")
    job = service.claim("light")
    error = {"code": "dataset_unusable", "message": "no image could be read", "param": None}
    service.jobs.finish(job.id, job.epoch, "failed", error=error)
    dataset = service.http.get("/v1/datasets/hopeless").json()
    assert dataset["status"] == "failed"
    again = service.upload("hopeless").json()
    assert (again["code"], again["param"]) == ("conflict", "name")
    assert "ganymede datasets rm hopeless" in again["detail"]
    assert service.http.delete("/v1/datasets/hopeless").status_code == 204
    assert service.upload("hopeless").status_code == 202
    assert dataset["error"] == error


def test_a_name_that_is_taken_is_409_and_nothing_stays_of_the_upload(service: Running, is_problem: Check) -> None:
    service.upload("taken")
    before = files_below(service.storage.root)
    is_problem(service.upload("taken"), 409, "conflict", "name")
    assert files_below(service.storage.root) == before


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"name": "a/b"}, "name"),
        ({"name": "faces@best"}, "name"),
        ({}, "name"),
        ({"name": "ok", "width": "0"}, "width"),
        ({"name": "ok", "width": "100000"}, "width"),
        ({"name": "ok", "height": "tall"}, "height"),
        ({"name": "ok", "colour": "red"}, "colour"),
    ],
)
def test_a_bad_field_of_the_form_is_422_and_nothing_stays(
    service: Running, is_problem: Check, form: dict[str, str], param: str
) -> None:
    before = files_below(service.storage.root)
    answer = service.http.post("/v1/datasets", data=form, files={"file": ("a.csv", b"x\n1\n")})
    is_problem(answer, 422, "invalid_request", param)
    assert files_below(service.storage.root) == before


@pytest.mark.parametrize("field", ["width", "height"])
@pytest.mark.parametrize("filename", ["ring.npy", "ring.CSV"])
def test_a_resolution_of_points_is_refused_and_nothing_stays(
    service: Running, is_problem: Check, field: str, filename: str
) -> None:
    before = files_below(service.storage.root)
    is_problem(service.upload("ring", filename=filename, **{field: 16}), 422, "invalid_request", field)
    assert files_below(service.storage.root) == before


def test_a_form_without_a_file_and_one_with_two_are_422(service: Running, is_problem: Check) -> None:
    none = service.http.post("/v1/datasets", files={"name": (None, "ok")})
    is_problem(none, 422, "invalid_request", "file")
    two = [("name", (None, "ok")), ("file", ("a.csv", b"x\n1\n")), ("file", ("b.csv", b"x\n1\n"))]
    is_problem(service.http.post("/v1/datasets", files=two), 422, "invalid_request", "file")
    twice = [("name", (None, "ok")), ("name", (None, "ok"))]
    is_problem(service.http.post("/v1/datasets", files=twice), 422, "invalid_request", "name")


def test_a_file_of_another_kind_is_415(service: Running, is_problem: Check) -> None:
    problem = is_problem(service.upload("movie", b"x", "movie.mp4"), 415, "unsupported_media", "file")
    assert ".zip" in problem["detail"]


def test_a_form_that_is_none_is_400(service: Running, is_problem: Check) -> None:
    for kind, body in [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"nonsense"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nabc'),
        ("multipart/form-data; boundary=" + "x" * 300, b"--x\r\n"),
    ]:
        answer = service.http.post("/v1/datasets", content=body, headers={"content-type": kind})
        is_problem(answer, 400, "malformed_request")
    assert not files_below(service.storage.root / "scratch")


def test_a_text_field_that_never_ends_is_refused(service: Running, is_problem: Check) -> None:
    answer = service.http.post("/v1/datasets", files={"name": (None, "n" * 100_000), "file": ("a.csv", b"x")})
    is_problem(answer, 413, "limit_exceeded", "name")


def test_an_upload_beyond_the_limit_is_413_naming_it_and_leaves_nothing(tmp_path: Path, is_problem: Check) -> None:
    with serving(settings_in(tmp_path, max_upload_bytes=200_000)) as running:
        assert running.upload("small", b"x,y\n" + b"1,2\n" * 20_000).status_code == 202
        before = files_below(running.storage.root)
        problem = is_problem(running.upload("large", b"x" * 5_000_000), 413, "limit_exceeded")
        assert "GANYMEDE_MAX_UPLOAD_BYTES" in problem["detail"]
        assert "200000" in problem["detail"]
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        streamed = running.http.post(
            "/v1/datasets",
            content=iter([head, *[b"y" * 50_000] * 20]),
            headers={"content-type": "multipart/form-data; boundary=b"},
        )
        is_problem(streamed, 413, "limit_exceeded")
        assert files_below(running.storage.root) == before
        assert running.http.get("/v1/datasets/large").status_code == 404


def test_an_upload_that_is_cut_off_leaves_nothing(service: Running) -> None:
    before = files_below(service.storage.root)
    address = httpx.URL(service.url)
    head = (
        b"POST /v1/datasets HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        b"Content-Length: 10000000\r\n\r\n"
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
    )
    with socket.create_connection((address.host, address.port), timeout=10) as raw:
        raw.sendall(head + b"z" * 3_000_000)
        wait_for(lambda: len(files_below(service.storage.root / "scratch")) > 0)
    wait_for(lambda: not files_below(service.storage.root / "scratch"))
    assert files_below(service.storage.root) == before


def wait_for(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_folder_below_the_import_directory_is_taken_in(service: Running) -> None:
    imports = service.settings.import_dir
    assert imports is not None
    (imports / "faces" / "2026").mkdir(parents=True)
    answer = service.http.post("/v1/datasets", json={"name": "folder", "source": {"path": "faces/2026"}, "width": 32})
    assert answer.status_code == 202
    row = service.datasets.get("folder")
    assert row.source == {"kind": "folder", "path": "faces/2026"}
    assert row.asked_width == 32


def test_no_path_leads_out_of_the_import_directory(service: Running, is_problem: Check, tmp_path: Path) -> None:
    imports = service.settings.import_dir
    assert imports is not None
    os.symlink(tmp_path, imports / "link")
    (tmp_path / "inside").mkdir()
    (imports / "file").write_text("x")
    loop = imports / "loop"
    os.symlink(loop, loop)
    for path in ("..", "../..", "/etc", "link", "link/inside", "missing", "file", "loop", "a\0b", "\udcff"):
        body = b'{"name": "out", "source": {"path": ' + __import__("json").dumps(path).encode() + b"}}"
        answer = service.http.post("/v1/datasets", content=body, headers={"content-type": "application/json"})
        is_problem(answer, 422, "invalid_request", "source.path")
        assert str(tmp_path) not in answer.text
    is_problem(service.http.post("/v1/datasets", json={"name": "x", "source": {"url": "x"}}), 422)


def test_folder_import_is_off_unless_a_directory_is_set(tmp_path: Path, is_problem: Check) -> None:
    with serving(settings_in(tmp_path)) as running:
        answer = running.http.post("/v1/datasets", json={"name": "x", "source": {"path": "faces"}})
        problem = is_problem(answer, 422, "invalid_request", "source.path")
        assert "GANYMEDE_IMPORT_DIR" in problem["detail"]


def test_lists_are_paged_newest_first(service: Running) -> None:
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        service.upload(name)
    first = service.http.get("/v1/datasets?limit=2").json()
    assert [item["name"] for item in first["data"]] == ["page-4", "page-3"]
    assert first["has_more"] is True
    assert first["last_id"] == first["data"][-1]["id"]
    second = service.http.get("/v1/datasets", params={"limit": 2, "after": first["last_id"]}).json()
    assert [item["name"] for item in second["data"]] == ["page-2", "page-1"]
    upwards = service.http.get("/v1/datasets", params={"order": "asc", "after": second["last_id"]}).json()
    assert [item["name"] for item in upwards["data"]] == ["page-2", "page-3", "page-4"]
    assert upwards["has_more"] is False


def test_waiting_for_a_dataset_ends_when_it_is_ready(service: Running) -> None:
    service.upload("slow")
    job = service.claim("light")
    error = {"code": "dataset_unusable", "message": "empty", "param": None}
    later = threading.Timer(0.5, lambda: service.jobs.finish(job.id, job.epoch, "failed", error=error))
    later.start()
    began = time.monotonic()
    answer = service.http.get("/v1/datasets/slow", headers={"Prefer": "wait=30"})
    later.join()
    assert answer.json()["status"] == "failed"
    assert answer.headers["preference-applied"] == "wait=30"
    assert time.monotonic() - began < 15


def test_images_are_shown_as_a_grid_of_the_packed_ones(service: Running) -> None:
    service.images("grid", count=150)
    answer = service.http.get("/v1/datasets/grid/preview")
    assert answer.headers["content-type"] == "image/png"
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.width == picture.height > 480
    path = service.datasets.get("grid").path
    assert path is not None
    data = np.load(service.storage.path(path) / "data.npy")
    assert np.array_equal(np.asarray(picture)[:48:6, :48:6], data[0, :, :, 0])


@pytest.mark.parametrize(
    ("name", "labels", "dims"),
    [
        ("plain", None, 2),
        ("classes", np.arange(500, dtype=np.int64) % 3, 2),
        ("curve", np.linspace(0, 1, 500, dtype=np.float32)[:, None], 1),
        ("line", None, 1),
    ],
)
def test_points_are_shown_as_a_plot(service: Running, name: str, labels: Any, dims: int) -> None:
    service.points(name, labels, dims)
    answer = service.http.get(f"/v1/datasets/{name}/preview")
    assert answer.status_code == 200, answer.text
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert picture.shape[2] == 3
    assert picture.std() > 5


def test_a_preview_already_held_is_not_sent_again(service: Running) -> None:
    service.images("held", count=11)
    url = "/v1/datasets/held/preview"
    tag = service.http.get(url).headers["etag"]
    answer = service.http.get(url, headers={"If-None-Match": f'"other", {tag}'})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert service.http.get(url, headers={"If-None-Match": '"other"'}).status_code == 200


def test_there_is_nothing_to_look_at_before_it_is_ready_or_after_its_files_are_gone(
    service: Running, is_problem: Check
) -> None:
    service.upload("early")
    is_problem(service.http.get("/v1/datasets/early/preview"), 409, "conflict")
    service.quiet()
    service.images("lost", count=10)
    path = service.datasets.get("lost").path
    assert path is not None
    service.storage.remove(path)
    is_problem(service.http.get("/v1/datasets/lost/preview"), 409, "dataset_missing")


def test_deleting_takes_row_and_files_unless_a_job_needs_them(service: Running, is_problem: Check) -> None:
    service.upload("busy")
    is_problem(service.http.delete("/v1/datasets/busy"), 409, "conflict")
    service.quiet()
    service.images("gone", count=12)
    row = service.datasets.get("gone")
    assert row.path is not None
    assert service.http.delete("/v1/datasets/gone").status_code == 204
    assert not service.storage.path(row.path).exists()
    assert not service.storage.path(f"uploads/{row.id}").exists()
    is_problem(service.http.get("/v1/datasets/gone"), 404, "not_found")
    is_problem(service.http.delete("/v1/datasets/gone"), 404, "not_found")


def test_a_full_queue_is_503_with_a_time_to_come_back(tmp_path: Path, is_problem: Check) -> None:
    with serving(settings_in(tmp_path, max_queued_jobs=1)) as running:
        assert running.upload("one").status_code == 202
        answer = running.upload("two")
        problem = is_problem(answer, 503, "unavailable")
        assert "GANYMEDE_MAX_QUEUED_JOBS" in problem["detail"]
        assert int(answer.headers["retry-after"]) > 0
