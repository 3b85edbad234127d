"""The client at a real service: a stream outlives the service's death and misses nothing; series and time-lapses."""

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from PIL import Image
from servers import free_port
from service_kit import Running, serving, settings_in
from test_process import ROOT, answers, command, environment, migrated

from ganymede import Client, Event, Job, Series
from ledger.database import Ledger
from ledger.jobs import Jobs


def test_a_stream_tells_the_whole_story(service: Running) -> None:
    job = service.running("followed")
    told: list[Event | Job | Series] = []

    def follow() -> None:
        with Client(service.url) as client:
            told.extend(client.jobs.stream(job.id))

    follower = threading.Thread(target=follow)
    follower.start()
    service.jobs.add_metrics(job.id, job.epoch, 100, {"v": 1.0})
    service.jobs.finish(job.id, job.epoch, "succeeded", ended_by="images")
    follower.join(30)
    assert not follower.is_alive()
    assert [one.type for one in told if isinstance(one, Event)] == ["job.queued", "job.running", "job.succeeded"]
    assert [one for one in told if isinstance(one, Job)][-1].ended


def test_news_are_of_all_jobs_and_go_on_beyond_the_end_of_one(service: Running) -> None:
    told: list[Event] = []
    with Client(service.url) as client:
        known = service.jobs.newest_event()
        jobs = [service.running(f"news-of-{n}") for n in range(2)]
        for job in jobs:
            service.jobs.finish(job.id, job.epoch, "succeeded", ended_by="images")
        for event in client.jobs.news(after=known):
            told.append(event)
            if len(told) == 6:
                break
    ends = [(one.job, one.type) for one in told if one.type == "job.succeeded"]
    assert ends == [(job.id, "job.succeeded") for job in jobs]
    assert {one.job for one in told} == {job.id for job in jobs}


@contextmanager
def service_at(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    child = subprocess.Popen(command(port), env=environment(folder), cwd=ROOT)
    try:
        deadline = time.monotonic() + 60
        while not answers(f"http://127.0.0.1:{port}"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield child
    finally:
        child.kill()
        child.wait()


def test_a_stream_outlives_a_service_that_is_killed_and_misses_nothing(tmp_path: Path) -> None:
    migrated(tmp_path).close()
    ledger, port = Ledger(settings_in(tmp_path).database_url), free_port()
    jobs = Jobs(ledger)
    job = jobs.create("project", {})
    held = jobs.claim("light", "wrk_1", 600)
    assert held is not None
    told: list[Event] = []
    away: list[str] = []

    def follow() -> None:
        with Client(f"http://127.0.0.1:{port}") as client:
            news = client.jobs.stream(job.id, away=lambda error: away.append(str(error)))
            told.extend(one for one in news if isinstance(one, Event))

    with service_at(tmp_path, port) as child:
        follower = threading.Thread(target=follow)
        follower.start()
        jobs.note(job.id, held.epoch, "warning", {"n": 0})
        deadline = time.monotonic() + 30
        while len(told) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
        child.wait()
        jobs.note(job.id, held.epoch, "warning", {"n": 1})
    with service_at(tmp_path, port):
        jobs.note(job.id, held.epoch, "warning", {"n": 2})
        jobs.finish(job.id, held.epoch, "succeeded")
        follower.join(60)
        assert not follower.is_alive()
    ledger.close()
    assert [one.type for one in told] == ["job.queued", "job.running", *["warning"] * 3, "job.succeeded"]
    assert [one.data["n"] for one in told if one.type == "warning"] == [0, 1, 2]
    assert len(away) == 1


def test_a_job_is_made_once_however_often_it_is_sent(service: Running) -> None:
    service.queued("other")
    asked = {"type": "train", "dataset": "images", "model": "sent-once"}
    with Client(service.url) as client:
        made = [client.jobs.create(asked, idempotency_key="mine").id for _ in range(3)]
    assert len(set(made)) == 1


def test_series_and_time_lapses_come_as_files(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path / "data")) as running, Client(running.url) as client:
        job = running.running("files")
        for images in (1, 2, 3):
            running.preview(job, images, images * 50)
            running.jobs.add_metrics(job.id, job.epoch, images, {"v": 0.5})
        assert client.jobs.metrics_csv(job.id, after=1).count("\r\n") == 3
        assert [row["images"] for row in client.jobs.metrics(job.id, after=1)] == [2, 3]
        for suffix in ("webp", "gif", "apng"):
            with Image.open(client.jobs.timelapse(job.id, tmp_path / f"t.{suffix}", fps=5)) as opened:
                assert opened.n_frames == 3
        with Image.open(client.jobs.preview(job.id, tmp_path / "p.png", at=2)) as opened:
            assert opened.getpixel((0, 0)) == 100
        assert httpx.get(f"{running.url}/livez").status_code == 200
