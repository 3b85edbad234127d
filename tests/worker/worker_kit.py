"""A workplace on a SQLite ledger, jobs to run in it, worker processes, and how to wait for what they do."""

import io
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image
from sqlalchemy.orm import Session
from waiting import eventually

from gan.choosing import resolve
from gan.errors import Unavailable
from gan.spec import TrainRequest
from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.models import Models
from ledger.records import Dataset, Event, Job, Packed
from ledger.settings import Settings
from ledger.storage import Storage
from ledger.tables import JobRow
from ledger.workers import Workers, this_host
from worker.devices import CPU
from worker.jobs.limits import Limits
from worker.line import ControlLine
from worker.protocol import Report, Stop
from worker.supervisor import Workplace, answer_one

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
T = TypeVar("T")

LIMITS = Limits(
    max_archive_entries=1000,
    max_expanded_bytes=2**24,
    max_expansion_ratio=100,
    max_pixels=10**6,
    max_points=100_000,
    max_dataset_bytes=2**24,
)


class Recorder(ControlLine):
    """A line that keeps what was sent."""

    def __init__(self, stop: Stop | None = None) -> None:
        self.sent: list[Report] = []
        self._stop = stop

    def send(self, report: Report) -> None:
        self.sent.append(report)


class Gate(Ledger):
    """A ledger whose database is away while the gate is closed."""

    closed = False

    @contextmanager
    def reading(self) -> Iterator[Session]:
        self._pass()
        with super().reading() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        self._pass()
        with super().writing() as session:
            yield session

    def _pass(self) -> None:
        if self.closed:
            raise Unavailable("the database cannot be reached: the gate is closed")


class Bench:
    """A ledger and storage of its own, and a workplace for a queue."""

    def __init__(self, folder: Path, queue: str = "light", **settings: Any) -> None:
        self.settings = Settings(data=folder, **settings)
        self.ledger = Gate(self.settings.database_url)
        self.ledger.migrate()
        self.jobs, self.datasets = Jobs(self.ledger), Datasets(self.ledger)
        self.models, self.workers = Models(self.ledger), Workers(self.ledger)
        self.storage = Storage(self.settings.storage)
        self.queue = queue
        self.place = self.workplace()

    def workplace(self) -> Workplace:
        return Workplace(
            settings=self.settings,
            queue=self.queue,
            jobs=self.jobs,
            datasets=self.datasets,
            models=self.models,
            workers=self.workers,
            storage=self.storage,
            worker=self.workers.register_self(self.queue, "cpu"),
            host=this_host(),
            job_table="stub_jobs",
        )

    def job(self, act: str, **spec: Any) -> Job:
        """A queued job of the light queue whose stub does `act`."""
        return self.jobs.create("project", {"act": act, **spec})

    def training(self, act: str) -> Job:
        """A queued training job whose stub does `act`."""
        data = self.datasets.create("digits", {"kind": "upload", "path": "uploads/x"})
        held = self.jobs.claim("light", "wrk_test", 30)
        assert held is not None
        packed = Packed("images", "abc", "datasets/abc", 512, 200, 8, 8, 1)
        data = self.datasets.finish_prepare(held.id, held.epoch, packed)
        spec = resolve(TrainRequest(type="train", dataset=data.name, model="m", recipe="dcgan"), data.facts(), "cpu")
        job = self.jobs.create_training(spec, data, "m")
        with self.ledger.writing() as session:
            session.query(JobRow).where(JobRow.id == job.id).update({"spec": job.spec | {"act": act}})
        return job

    def answer(self) -> None:
        assert answer_one(self.place, CPU)

    def answering(self) -> threading.Thread:
        thread = threading.Thread(target=self.answer, daemon=True)
        thread.start()
        return thread

    def status(self, job: Job) -> str:
        return self.jobs.get(job.id).status

    def events(self, job: Job) -> list[Event]:
        return self.jobs.events_after(job.id, limit=1000)

    def event(self, job: Job, type: str) -> dict[str, Any]:
        return next(event.data for event in self.events(job) if event.type == type)

    def child_pid(self, job: Job) -> int:
        """The pid of the stub, once it runs."""
        path = self.storage.root / f"{job.id}.pid"
        return eventually(lambda: int(path.read_text()) if path.exists() and path.read_text() else None)

    def upload(self, name: str, file: str, data: bytes, **size: int) -> Dataset:
        """A dataset with its upload in storage, waiting to be prepared."""
        id = self.datasets.new_id()
        path = f"uploads/{id}/{file}"
        self.storage.write_bytes(path, data)
        return self.datasets.create(name, {"kind": "upload", "path": path}, id=id, **size)

    def start_worker(self, queue: str = "light", **environment: str) -> "WorkerProcess":
        return WorkerProcess(self.settings.environment() | environment, queue)


class WorkerProcess:
    """`python -m worker`, with the stub's job table; its log is kept."""

    count = 0

    def __init__(self, environment: dict[str, str], queue: str) -> None:
        WorkerProcess.count += 1
        self._log = Path(environment["GANYMEDE_DATA"]) / f"worker-{self.count}.log"
        command = [sys.executable, "-m", "worker", "--queue", queue, "--jobs", "stub_jobs", "--until-stdin-closes"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stderr=log)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def stop(self, signal_: int = signal.SIGTERM, seconds: float = 10) -> tuple[int, str]:
        """Exit status and log."""
        self.process.send_signal(signal_)
        return self.process.wait(seconds), self.log

    def close_stdin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def end(self) -> None:
        """Whatever a test left of it."""
        self.process.kill()
        self.process.wait()
        self.close_stdin()
        sys.stderr.write(self.log)  # pytest shows it where a test fails


def picture(seed: int = 0, size: tuple[int, int] = (8, 8), mode: str = "L") -> Image.Image:
    """Noise: (width, height) pixels."""
    shape = (size[1], size[0], len(mode)) if len(mode) > 1 else (size[1], size[0])
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8), mode=None)


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def digits(count: int = 6) -> bytes:
    """A zip of small pictures in two class folders."""
    return zipped({f"{i % 2}/{i}.png": encoded(picture(i)) for i in range(count)})
