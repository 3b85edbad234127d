"""Ganymede's processes as a deployment starts them, one by one, for tests that harm them or what they stand on."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import psycopg
import seeded
import waiting
from running import environment_for
from safetensors.numpy import load_file
from servers import PostgreSQL, free_port

from ganymede import Client
from ganymede.errors import GanymedeError
from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.models import Models
from ledger.records import StoredModel
from ledger.settings import Settings
from ledger.storage import Storage

T = TypeVar("T")
SECONDS = 400.0
"""What anything here may take, where many share the cores: a child that takes seconds to start then takes a minute."""

SMALL = {"type": "train", "dataset": "ring", "recipe": "r3gan", "batch_size": 32, "seed": 3}
"""A training of points; with `images` a few thousand steps take seconds."""


class Farm:
    """A folder of data, and processes that work on it: `service`, `light`, `train`."""

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        fast = {"GANYMEDE_LEASE_SECONDS": "6", "GANYMEDE_HEARTBEAT_SECONDS": "1", "GANYMEDE_RECONCILE_SECONDS": "0.5"}
        self.environment = environment_for(GANYMEDE_DATA=str(folder), OMP_NUM_THREADS="1", **(fast | settings))
        given = {name[9:].lower(): value for name, value in self.environment.items() if name.startswith("GANYMEDE_")}
        self.settings = Settings(**given)
        self.storage = Storage(self.settings.storage)
        self.ledger = Ledger(self.settings.database_url)
        self.jobs, self.models, self.datasets = Jobs(self.ledger), Models(self.ledger), Datasets(self.ledger)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.cut_off: list[psutil.Process] = []
        self.programs = {"service": ["-m", "service", "--port", str(self.port)]}
        self.ledger.migrate()

    # ---- processes ----

    def start(self, *names: str, **environment: str) -> None:
        """Start processes, and wait until the service (if it is among them) is ready."""
        for name in names:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, *self._command(name)],
                    env=self.environment | environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    process_group=0,
                )
        if "service" in names:
            eventually(self.ready)

    def _command(self, name: str) -> list[str]:
        return self.programs.get(name, ["-m", "worker", "--queue", name])

    def service_dying_at(self, moment: str) -> None:
        """Start a service that is killed when it comes to that moment (see fault_dying_service)."""
        program = Path(__file__).with_name("fault_dying_service.py")
        self.programs["service"] = [str(program), moment, "--port", str(self.port)]
        self.start("service")
        del self.programs["service"][:2]
        self.programs["service"] = ["-m", "service", *self.programs["service"]]

    def await_death(self, name: str) -> None:
        """Wait until a process was killed by what it did itself."""
        assert self.processes.pop(name).wait(30) == -signal.SIGKILL

    def ready(self) -> bool:
        try:
            with self.client() as client:
                return client.ready()["status"] == "ready"
        except GanymedeError:
            return False

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to one process, and wait for its end."""
        self.cut_off = self.children(name)
        self.processes[name].send_signal(number)
        self.processes.pop(name).wait(20)

    def children(self, name: str = "train") -> list[psutil.Process]:
        """The processes of jobs below a worker."""
        return psutil.Process(self.processes[name].pid).children(recursive=True)

    def end(self) -> None:
        """Whatever a test left."""
        ours = [psutil.Process(one.pid) for one in self.processes.values() if one.poll() is None]
        for process in [child for one in ours for child in one.children(recursive=True)] + ours:
            process.kill()
        for one in self.processes.values():
            one.wait()
        self.ledger.close()

    def logs(self) -> str:
        """The end of every log, for a failed test's report."""
        tails = {path.name: path.read_text(errors="replace").splitlines()[-40:] for path in self.folder.glob("*.log")}
        return "\n".join(line for name, lines in tails.items() for line in [f"==> {name} <==", *lines])

    # ---- what a caller does and sees ----

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> Client:
        return Client(self.url, timeout=30)

    def add_ring(self) -> None:
        """The dataset `ring`: 400 points on a circle."""
        angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 400)
        np.save(self.folder / "ring.npy", np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32))
        with self.client() as client:
            client.datasets.upload(self.folder / "ring.npy", "ring")
            client.datasets.wait("ring", timeout=SECONDS)

    def train(self, model: str, images: int, every: int, **asked: Any) -> str:
        """Queue a training of `ring`; its id."""
        wanted = {"network": {"width": 16}, "checkpoint_every": every, "images": images, "model": model}
        with self.client() as client:
            return str(client.jobs.create(SMALL | wanted | asked).id)

    def add_model(self, name: str, seed: int = 0, **network: Any) -> StoredModel:
        """A model with seeded weights that draws 8×8 pictures: nothing is trained."""
        model, checkpoint = self.models.new_ids()
        path, spec = f"checkpoints/{model}/{checkpoint}.model.safetensors", seeded.network("dcgan", **network)
        written = seeded.write_seeded(self.storage.path(path), spec, seed)
        said = {"recipe": "r3gan", "network": spec.model_dump(mode="json"), "classes": [], "images": 1000}
        file = {"path": path, "bytes": written.bytes, "sha256": written.sha256}
        stored = StoredModel(id=model, name=name, checkpoint=checkpoint, **said, **file)
        self.models.add(stored)
        return stored

    def status(self, job: str) -> str:
        return self.jobs.get(job).status

    def images(self, job: str) -> int:
        return int((self.jobs.get(job).progress or {}).get("images", 0))

    def checkpoints(self, model: str) -> list[Any]:
        """Newest first."""
        return self.models.checkpoints(self.models.get(model).id)

    def told(self, job: str, type: str) -> list[dict[str, Any]]:
        """The data of a job's events of one type."""
        return [event.data for event in self.jobs.events_after(job, limit=1000) if event.type == type]

    def succeed(self, job: str) -> None:
        """Wait for a good end."""
        eventually(lambda: self.status(job) in {"succeeded", "failed", "cancelled"})
        done = self.jobs.get(job)
        assert done.status == "succeeded", (done.status, done.error)

    def end_of(self, model: str) -> dict[str, np.ndarray]:
        """All tensors of the newest training state, by name: weights, averages, moments."""
        state = self.models.newest_states(self.models.get(model).id)[0]
        return load_file(self.storage.verify(state.path, state.sha256))

    def series(self, job: str) -> list[tuple[int, dict[str, float | None]]]:
        """The metrics by images, without the clock's share."""
        rows = self.jobs.metrics(job)
        return [(r.images, {k: v for k, v in r.values.items() if k != "images_per_second"}) for r in rows]


class Cluster(PostgreSQL):
    """A PostgreSQL that may be killed: what it said is committed is in its log, which outlives the process.

    It keeps little of its log, so that its disk may be small.
    """

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self.halt()
        self.start()

    def halt(self) -> None:
        """As if it crashed: no checkpoint, connections cut."""
        self._control("-m", "immediate", "stop")

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self._data} -c fsync=off -c min_wal_size=32MB -c max_wal_size=48MB"
        self._control("-o", options, "-l", str(self._data / "log"), "start")

    def grow(self) -> None:
        """Write until there is no room left, which a full disk alone does not say: it has some of its own."""
        with suppress(psycopg.OperationalError):
            self.sql("CREATE TABLE IF NOT EXISTS filler (rest text)")
            while True:
                self.sql("INSERT INTO filler SELECT repeat(md5(random()::text), 50) FROM generate_series(1, 200)")

    def shrink(self) -> None:
        """Give it back; a server that gave up, since its log had no room either, is started again."""
        try:
            self.sql("DROP TABLE IF EXISTS filler")
        except psycopg.OperationalError:
            self.halt()
            self.start()
            self.sql("DROP TABLE IF EXISTS filler")


def same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    """Bit by bit."""
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if found[name].tobytes() != wanted[name].tobytes()] == []


def eventually(find: Callable[[], T | None], seconds: float = SECONDS, pause: float = 0.05) -> T:
    """`waiting.eventually`: a step may take long on a busy machine."""
    return waiting.eventually(find, seconds, pause)


@contextmanager
def farm_in(folder: Path, **settings: str) -> Iterator[Farm]:
    """A farm whose processes are gone afterwards."""
    farm = Farm(folder, **settings)
    try:
        yield farm
    finally:
        farm.end()


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))
