"""Previews as a time-lapse: all in order, of bounded size, made once."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from service_kit import Running, png, serving, settings_in

from service import timelapse

Check = Callable[..., dict[str, Any]]


def levels(content: bytes) -> list[int]:
    """The grey level of each frame's first pixel."""
    found = []
    with Image.open(io.BytesIO(content)) as opened:
        for index in range(getattr(opened, "n_frames", 1)):
            opened.seek(index)
            found.append(opened.convert("L").getpixel((0, 0)))
    return found


def painted(service: Running, model: str, count: int) -> str:
    """A job with so many previews, each lighter than the one before: its address."""
    job = service.running(model)
    for index in range(count):
        service.preview(job, index * 100, index * 20)
    return f"/v1/jobs/{job.id}/preview"


@pytest.mark.parametrize(
    ("accept", "media_type", "format"),
    [
        (None, "image/webp", "WEBP"),
        ("image/*", "image/webp", "WEBP"),
        ("image/gif", "image/gif", "GIF"),
        ("image/apng", "image/apng", "PNG"),
    ],
)
def test_all_previews_are_shown_in_order(service: Running, accept: str | None, media_type: str, format: str) -> None:
    url = painted(service, f"lapse-{media_type[6:]}-{bool(accept)}", 5)
    answer = service.http.get(f"{url}?timelapse=1&fps=4", headers={"Accept": accept} if accept else {})
    assert answer.headers["content-type"] == media_type
    with Image.open(io.BytesIO(answer.content)) as opened:
        assert (opened.format, opened.size, opened.n_frames) == (format, (8, 8), 5)
        opened.seek(1)
        opened.load()
        assert opened.info["duration"] == 250
    assert levels(answer.content) == pytest.approx([0, 20, 40, 60, 80], abs=2)


def test_it_is_made_once_for_the_same_previews(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    drawn = timelapse.drawn
    monkeypatch.setattr(timelapse, "drawn", lambda lapse, *rest: made.append(len(lapse.files)) or drawn(lapse, *rest))
    job = service.running("lapse-once")
    url = f"/v1/jobs/{job.id}/preview?timelapse=1"
    service.preview(job, 100, 10)
    service.preview(job, 200, 20)
    first, again = service.http.get(url), service.http.get(url)
    assert first.content == again.content
    held = service.http.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (held.status_code, held.content) == (304, b"")
    assert made == [2]
    service.preview(job, 200, 40)  # painted anew
    assert levels(service.http.get(url).content) == pytest.approx([10, 40], abs=2)
    service.preview(job, 300, 60)
    newer = service.http.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert levels(newer.content) == pytest.approx([10, 40, 60], abs=2)
    assert made == [2, 2, 3]
    for form in ("image/gif", "image/webp"):
        assert service.http.get(url, headers={"Accept": form}).headers["vary"] == "Accept"
    assert service.http.get(f"{url}&fps=2").headers["etag"] != newer.headers["etag"]


def test_of_many_previews_some_are_shown_evenly_chosen(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelapse, "MOST_FRAMES", 4)
    url = painted(service, "lapse-many", 10)
    assert levels(service.http.get(f"{url}?timelapse=1").content) == pytest.approx([0, 60, 120, 180], abs=2)
    monkeypatch.setattr(timelapse, "MOST_PIXELS", 8 * 8 * 3)
    assert levels(service.http.get(f"{url}?timelapse=1").content) == pytest.approx([0, 80, 180], abs=2)


def test_large_previews_are_reduced_and_odd_ones_brought_to_one_size(service: Running) -> None:
    job = service.running("lapse-large")
    for images, size in [(1, (400, 300)), (2, (1600, 1200))]:
        path = f"previews/{job.id}/{images}.png"
        service.storage.write_bytes(path, png(100, size))
        service.jobs.add_preview(job.id, job.epoch, images, path)
    answer = service.http.get(f"/v1/jobs/{job.id}/preview?timelapse=1")
    with Image.open(io.BytesIO(answer.content)) as opened:
        assert (opened.size, opened.n_frames) == ((640, 480), 2)


def test_one_preview_is_a_time_lapse_and_none_is_404(service: Running, is_problem: Check) -> None:
    url = painted(service, "lapse-one", 1)
    assert set(levels(service.http.get(f"{url}?timelapse=1").content)) == {0}
    none = service.running("lapse-none")
    is_problem(service.http.get(f"/v1/jobs/{none.id}/preview?timelapse=1"), 404, "not_found")
    is_problem(service.http.get(f"/v1/jobs/job_{'0' * 24}/preview?timelapse=1"), 404, "not_found")


def test_previews_whose_files_are_gone_or_damaged(service: Running, is_problem: Check) -> None:
    url = painted(service, "lapse-gone", 3)
    folder = service.storage.path(f"previews/{url.split('/')[3]}")
    (folder / "100.png").unlink()
    assert levels(service.http.get(f"{url}?timelapse=1").content) == pytest.approx([0, 40], abs=2)
    (folder / "0.png").write_bytes(b"no picture")
    is_problem(service.http.get(f"{url}?timelapse=1"), 404, "not_found")


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("timelapse=1&at=0", "at"),
        ("fps=8", "fps"),
        ("timelapse=1&fps=0", "fps"),
        ("timelapse=1&fps=61", "fps"),
        ("timelapse=1&fps=nan", "fps"),
        ("timelapse=yes", "timelapse"),
    ],
)
def test_what_makes_no_sense_is_named(service: Running, is_problem: Check, query: str, param: str) -> None:
    url = painted(service, f"lapse-{query}".replace("=", "").replace("&", ""), 2)
    is_problem(service.http.get(f"{url}?{query}"), 422, "invalid_request", param)


def test_a_type_that_is_no_moving_picture_is_406(service: Running, is_problem: Check) -> None:
    url = painted(service, "lapse-type", 2)
    problem = is_problem(
        service.http.get(f"{url}?timelapse=1", headers={"Accept": "image/jpeg"}), 406, "not_acceptable"
    )
    assert problem["detail"].endswith("image/webp, image/gif, image/apng")


def test_nothing_is_kept_where_nothing_may_be(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path, max_kept_bytes=0)) as running:
        url = painted(running, "unkept", 2)
        assert len(levels(running.http.get(f"{url}?timelapse=1").content)) == 2
