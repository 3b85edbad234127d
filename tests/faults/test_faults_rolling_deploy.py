"""Fault 12: SIGTERM to everything while its successors start, as in a rolling deploy."""

import io
import random
import signal
import threading
import time
import zipfile
from itertools import pairwise
from pathlib import Path

import httpx
import psutil
import pytest
from fault_kit_processes import House, Plan, Process, alone, check_same, eventually, house_in
from fault_table import row
from seeded import IMAGES, network, write_seeded
from servers import PostgreSQL, Redis

from ledger.records import Job, StoredModel

pytestmark = pytest.mark.timeout(1200)

END_SECONDS = 10.0
COUNT = 300
"""Images of a request in flight: many batches."""

CALLERS = 3
MEDIA = "application/zip"


def publish_generator(house: House) -> None:
    """A model to sample from beside the one that is trained: `seeded`."""
    model, checkpoint = house.models.new_ids()
    path, spec = f"checkpoints/{model}/{checkpoint}.safetensors", network(shape=IMAGES)
    written = write_seeded(house.storage.path(path), spec)
    described = spec.model_dump(mode="json")
    house.models.add(
        StoredModel(model, "seeded", "r3gan", described, [], checkpoint, 1000, path, written.bytes, written.sha256)
    )


class Caller:
    """A request for many images, sent by a thread that reads the answer to its end."""

    def __init__(self, url: str, seed: int) -> None:
        self._url, self._body = url, {"model": "seeded", "seed": seed, "count": COUNT}
        self.content = b""
        self.error: Exception | None = None
        self.sent = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        try:
            asked = {"json": self._body, "headers": {"Accept": MEDIA}, "extensions": {"trace": self._note}}
            with httpx.Client(timeout=60) as http, http.stream("POST", f"{self._url}/v1/samples", **asked) as answer:
                assert answer.status_code == 200
                for chunk in answer.iter_raw():
                    self.content += chunk
        except Exception as error:
            self.error = error

    def _note(self, event: str, _info: object) -> None:
        if event == "http11.send_request_body.complete":
            self.sent.set()

    @property
    def waits(self) -> bool:
        """Whether the answer is still under way."""
        return self._thread.is_alive()

    def end(self) -> bytes:
        """The whole answer."""
        self._thread.join(60)
        assert self.error is None, self.error
        return self.content


def pictures(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist() if name.endswith(".png")}


class Deploy:
    """One version's processes."""

    def __init__(self, house: House) -> None:
        self.service, self.url = house.service()
        self.workers = [house.worker("train"), house.worker("light")]

    def end(self) -> float:
        """SIGTERM to all; the seconds until nothing of it was left."""
        processes: list[Process] = [self.service, *self.workers]
        every = [one for process in processes for one in _below(process)]
        started = time.monotonic()
        for process in processes:
            process.popen.send_signal(signal.SIGTERM)
        assert [process.popen.wait(30) for process in processes] == [0] * len(processes)
        _, left = psutil.wait_procs(every, timeout=1)
        assert not left
        return time.monotonic() - started


def _below(process: Process) -> list[psutil.Process]:
    top = psutil.Process(process.pid)
    return [top, *top.children(recursive=True)]


def roll(house: House, job: Job, old: Deploy, draw: random.Random) -> tuple[Deploy, float]:
    """The next version starts, the last one ends with answers under way; how long it took to."""
    before = house.newest(job)
    eventually(lambda: house.newest(job) > before)
    time.sleep(draw.uniform(0, 0.5))
    new = Deploy(house)
    first = pictures(Caller(old.url, 0).end())
    callers = [Caller(old.url, seed) for seed in range(CALLERS)]
    assert all(caller.sent.wait(60) for caller in callers)
    time.sleep(0.05)  # they are being read
    assert all(caller.waits for caller in callers)
    took = old.end()
    answers = [pictures(caller.end()) for caller in callers]
    assert answers[0] == first
    assert [len(answer) for answer in answers] == [COUNT] * CALLERS
    assert pictures(Caller(new.url, 0).end()) == first, "the next version draws the same"
    return new, took


def roll_often(folder: Path, postgresql: PostgreSQL, redis: Redis, plan: Plan, times: int) -> float:
    """So many deploys over one training, which ends bit for bit as one left alone; the slowest end."""
    postgresql.sql(f"CREATE DATABASE rolling{times}")
    with house_in(folder, database_url=postgresql.at(f"rolling{times}"), broker_url=redis.url) as house:
        publish_generator(house)
        job, draw = house.training(plan), random.Random(times)
        deploy, took = Deploy(house), []
        for _ in range(times):
            deploy, seconds = roll(house, job, deploy, draw)
            took.append(seconds)
        assert house.wait(job, "succeeded", "failed", seconds=1200) == "succeeded"
        check_same(house.made(job), alone(plan))
        check_uncharged(house, job, times)
    assert max(took) < END_SECONDS
    return max(took)


def check_uncharged(house: House, job: Job, times: int) -> None:
    """Each time it was let go of, without blame, at the very image where it was saved; nothing was made again."""
    requeued = [event.data for event in house.events(job, "job.requeued")]
    assert [(one["reason"], one["attempt"]) for one in requeued] == [("released", 0)] * times
    resumed = [event.data for event in house.events(job, "job.resumed")]
    published = [event.data for event in house.events(job, "job.requeued", "checkpoint.published")]
    last = [saved for saved, after in pairwise(published) if "reason" in after]
    assert [one["checkpoint"] for one in resumed] == [one["checkpoint"] for one in last]
    assert len(resumed) == times


def test_a_rolling_deploy_costs_no_attempt_no_image_and_no_answer(
    tmp_path: Path, postgresql: PostgreSQL, redis: Redis
) -> None:
    roll_often(tmp_path, postgresql, redis, Plan(12), 1)


@pytest.mark.faults_long
@pytest.mark.timeout(7200)
def test_twenty_rolling_deploys(tmp_path: Path, postgresql: PostgreSQL, redis: Redis) -> None:
    times = 20
    slowest = roll_often(tmp_path, postgresql, redis, Plan(600), times)
    outcome = (
        f"saved and back to the queue, no attempt charged, no image made again; {CALLERS * times} answers of {COUNT} "
        f"images in flight came whole, and the next version drew {COUNT} of them byte for byte; all gone within "
        f"{slowest:.1f} s; ends bit-identical"
    )
    row("12", "SIGTERM to service and workers while their successors start (PostgreSQL, Redis)", times, outcome)
