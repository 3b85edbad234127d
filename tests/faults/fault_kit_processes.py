"""A ledger with its storage, the processes that work on it, how to wait for what they do and compare what they made.

Workers lead a process group each and end when the test does; children have groups of their own.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import httpx
import numpy as np
import psutil
import waiting
from safetensors import safe_open
from safetensors.numpy import load_file
from servers import free_port

from gan.checkpoint import METADATA_KEY
from gan.choosing import resolve
from gan.spec import DatasetFacts, PointShape, TrainRequest
from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.models import Models
from ledger.records import Event, Job, Packed
from ledger.settings import Settings
from ledger.storage import Storage
from ledger.workers import Workers

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BATCH = 16
COUNT = 200
"""Points of a house's dataset."""

START_SECONDS = 600.0
"""A child is nice: where everybody is busy, its start alone takes a minute."""
DRAWN = """
queued → running | paused | cancelled | failed
running → queued | pausing | cancelling | succeeded | failed
pausing → paused | queued | cancelling | succeeded | failed
paused → queued | cancelled
cancelling → cancelled | succeeded | failed
"""
"""A job's states and edges, as the contract draws them; what has no line is the end."""

EDGES = {
    before: after.split(" | ") for before, _, after in (line.partition(" → ") for line in DRAWN.split("\n") if line)
}
ENDED = {"succeeded", "failed", "cancelled"}

T = TypeVar("T")
Finding = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """A training: so many intervals with a checkpoint at the end of each, and perhaps a preview."""

    intervals: int
    previews: bool = False
    interval: int = 32 * BATCH

    @property
    def images(self) -> int:
        return self.interval * self.intervals


class Process:
    """A process of ours, with its log."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.name, self._log = name, folder / f"{name}.log"
        with self._log.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stderr=log,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def children(self) -> list[int]:
        """The pids of the jobs' processes below it."""
        with suppress(psutil.NoSuchProcess):
            return [child.pid for child in psutil.Process(self.pid).children()]
        return []

    def kill(self) -> None:
        """SIGKILL to its process group; its children, in groups of their own, are left to notice."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()

    def end(self) -> None:
        """Whatever a test left of it, stopped or not."""
        children = self.children()
        self.kill()
        assert self.popen.stdin is not None
        self.popen.stdin.close()
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class House:
    """A ledger and a storage of their own, and the processes started on them."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        threads = {"train_threads": 1, "service_threads": 1, "train_device": "cpu", "service_device": "cpu"}
        self.folder = folder
        self.settings = Settings(data=folder, **(threads | settings))
        self.ledger = Ledger(self.settings.database_url)
        self.ledger.migrate()
        self.jobs, self.datasets = Jobs(self.ledger), Datasets(self.ledger)
        self.models, self.workers = Models(self.ledger), Workers(self.ledger)
        self.storage = Storage(self.settings.storage)
        self.processes: list[Process] = []

    # ---- processes ----

    def worker(self, queue: str = "train", *, jobs: str | None = None, program: str = "worker") -> Process:
        """`python -m worker`, with another table of jobs if one is named."""
        table = ["--jobs", jobs] if jobs else []
        return self._start(queue, [program, "--queue", queue, *table, "--until-stdin-closes"])

    def service(self) -> tuple[Process, str]:
        """`python -m service` and its address, once it is ready."""
        port = free_port()
        process = self._start("service", ["service", "--port", str(port), "--until-stdin-closes"])
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _is_ready(url), START_SECONDS)
        return process, url

    def _start(self, name: str, command: list[str]) -> Process:
        path = {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent), str(ROOT)]), "OMP_NUM_THREADS": "1"}
        environment = self.settings.environment() | path
        process = Process(f"{name}-{len(self.processes)}", command, environment, self.folder)
        self.processes.append(process)
        return process

    def end(self) -> None:
        for process in self.processes:
            process.end()
        self.ledger.close()

    def logs(self) -> str:
        tails = {process.name: process.log.splitlines()[-40:] for process in self.processes}
        return "\n".join(line for name, lines in tails.items() for line in [f"==> {name} <==", *lines])

    # ---- jobs ----

    def stub(self, act: str, priority: int = 0, **spec: Any) -> Job:
        """A queued job of the light queue that `fault_jobs` does."""
        return self.jobs.create("project", {"act": act, **spec}, priority=priority)

    def points(self, name: str = "ring") -> None:
        """A packed dataset of points; nobody else may take jobs of the light queue meanwhile."""
        self.datasets.create(name, {"kind": "upload", "path": "uploads/x"})
        held = self.jobs.claim("light", "wrk_test", 30)
        assert held is not None
        with self.storage.building(f"datasets/{name}") as folder:
            np.save(folder / "data.npy", np.random.default_rng(0).normal(size=(COUNT, 2)).astype(np.float32))
            facts = DatasetFacts(count=COUNT, shape=PointShape(dims=2))
            (folder / "facts.json").write_text(facts.model_dump_json())
        packed = Packed("points", name, f"datasets/{name}", 1600, COUNT, dims=2)
        self.datasets.finish_prepare(held.id, held.epoch, packed)

    def training(self, plan: "Plan") -> Job:
        """A queued training on points of its own."""
        self.points()
        data = self.datasets.get("ring")
        previews = plan.interval if plan.previews else plan.images
        budget = {"images": plan.images, "checkpoint_every": plan.interval, "preview_every": previews}
        asked = {"type": "train", "dataset": "ring", "model": "m", "batch_size": BATCH, "network": {"width": 16}}
        spec = resolve(TrainRequest.model_validate(asked | budget), data.facts(), "cpu")
        return self.jobs.create_training(spec.model_copy(update={"report_every": plan.interval // 2}), data, "m")

    def status(self, job: Job) -> str:
        return self.jobs.get(job.id).status

    def events(self, job: Job, *types: str) -> list[Event]:
        """The job's events, all or those of some types."""
        return [event for event in every_event(self.jobs, job.id) if not types or event.type in types]

    def newest(self, job: Job) -> int:
        """At how many images its model's newest checkpoint is; 0 where there is none."""
        return max((checkpoint.images for checkpoint in self.models.checkpoints(str(job.model_id))), default=0)

    def child(self, worker: Process) -> int:
        """The pid of the worker's child, once there is one."""
        return eventually(lambda: (worker.children() or [None])[0], START_SECONDS)

    def wait(self, job: Job, *statuses: str, seconds: float = START_SECONDS) -> str:
        """Its status once it is one of these."""
        return eventually(lambda: now if (now := self.status(job)) in statuses else None, seconds)

    def runs(self) -> list[str]:
        """The job of each run that `fault_jobs` began, in order."""
        return [job for job, _ in self.claims_run()]

    def claims_run(self) -> list[tuple[str, str]]:
        """Job and epoch of each run that `fault_jobs` began, in order."""
        path = self.storage.root / "runs.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(job, epoch) for job, epoch, *_ in map(str.split, lines)]

    # ---- what a training made ----

    def made(self, job: Job) -> Finding:
        """All that a training leaves but for the clock's share: tensors, what their headers say, series, pictures."""
        newest = self.models.checkpoints(str(job.model_id))[0]
        assert newest.state_path is not None
        state = self.storage.verify(newest.state_path, str(newest.state_sha256))
        return {
            "images": newest.images,
            "model": digests(self.storage.verify(newest.path, newest.sha256)),
            "state": digests(state),
            "counters": counters(state),
            "series": {row.images: _timeless(row.values) for row in self.jobs.metrics(job.id)},
            "scores": _timeless(newest.metrics),
            "previews": {one.images: sha256_of(self.storage.path(one.path)) for one in self.jobs.previews(job.id)},
        }

    def published(self, job: Job) -> dict[str, str]:
        """Path → sha256 of every file of the model that the ledger knows of."""
        return {path: sha256_of(self.storage.path(path)) for path in self.models.paths(str(job.model_id))}

    def check_published(self, job: Job) -> None:
        """Every published checkpoint's bytes are those that were written."""
        for checkpoint in self.models.checkpoints(str(job.model_id)):
            self.storage.verify(checkpoint.path, checkpoint.sha256)


@contextmanager
def house_in(folder: Path, **settings: Any) -> Iterator[House]:
    """A house whose processes are gone on the way out."""
    house = House(folder, **settings)
    try:
        yield house
    finally:
        house.end()


@cache
def alone(plan: Plan) -> Finding:
    """What that training makes where nothing is done to it, by a worker of its own."""
    with TemporaryDirectory() as folder, house_in(Path(folder)) as house:
        job = house.training(plan)
        house.worker()
        assert house.wait(job, "succeeded", "failed", seconds=1200) == "succeeded"
        assert not house.events(job, "job.resumed")
        return house.made(job)


def check_same(found: Finding, wanted: Finding) -> None:
    """Bit by bit."""
    assert found.keys() == wanted.keys()
    for part, values in wanted.items():
        if isinstance(values, dict):
            assert found[part].keys() == values.keys(), part
            assert [name for name in values if found[part][name] != values[name]] == [], part
        else:
            assert found[part] == values, part


def digests(path: Path) -> dict[str, str]:
    """Tensor → sha256 of its bytes."""
    return {name: sha256(tensor.tobytes()).hexdigest() for name, tensor in load_file(path).items()}


def counters(path: Path) -> Finding:
    """What a training state says of itself beside its tensors, without the seconds that it took."""
    with safe_open(path, framework="np") as file:
        said: Finding = json.loads(file.metadata()[METADATA_KEY])
    said["counters"].pop("seconds")
    return said


def sha256_of(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _timeless(values: dict[str, float | None]) -> dict[str, float | None]:
    return {name: value for name, value in values.items() if name != "images_per_second"}


def every_event(jobs: Jobs, id: str | None) -> Iterator[Event]:
    """All events of a job (None: of all), oldest first."""
    after = 0
    while page := jobs.events_after(id, after, 1000):
        yield from page
        after = page[-1].number


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def eventually(find: Callable[[], T | None], seconds: float = START_SECONDS, pause: float = 0.02) -> T:
    """`waiting.eventually`: a step may take long on a busy machine."""
    return waiting.eventually(find, seconds, pause)
