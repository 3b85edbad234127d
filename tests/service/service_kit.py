"""A real service over real HTTP, on SQLite in a temporary folder; what a worker would do is done by hand."""

import io
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import uvicorn
from PIL import Image

from gan.spec import DatasetFacts, ImageShape, PointShape
from ledger.database import Ledger, mint
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.models import Models
from ledger.records import Job, Packed, Saved
from ledger.settings import Settings
from ledger.storage import Storage
from ledger.workers import Workers
from service.__main__ import Server
from service.app import create_app
from service.front import Front

LEASE = 60.0


class Running:
    """A service that runs, and the ledger behind it."""

    def __init__(self, settings: Settings, url: str) -> None:
        self.settings = settings
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=30)
        self.ledger = Ledger(settings.database_url)
        self.jobs = Jobs(self.ledger)
        self.datasets = Datasets(self.ledger)
        self.models = Models(self.ledger)
        self.storage = Storage(settings.storage)
        self.workers = Workers(self.ledger)

    def close(self) -> None:
        self.http.close()
        self.ledger.close()

    def quiet(self) -> None:
        """Nothing waits in a queue any more."""
        for job in self.jobs.list(status="queued", limit=100).data:
            self.jobs.cancel(job.id)

    # ---- what a caller does ----

    def upload(self, name: str, data: bytes = b"x,y\n1,2\n3,4\n", filename: str = "points.csv", **fields: Any) -> Any:
        form = {"name": name, **{key: str(value) for key, value in fields.items()}}
        return self.http.post("/v1/datasets", data=form, files={"file": (filename, data)})

    def train(self, dataset: str, model: str, **more: Any) -> Any:
        return self.http.post("/v1/jobs", json={"type": "train", "dataset": dataset, "model": model, **more})

    def queued(self, model: str, **more: Any) -> dict[str, Any]:
        """A training job that waits, on a small set of images."""
        if not self.datasets.exists("images"):
            self.images("images")
        answer = self.train("images", model, **more)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    # ---- what a worker does ----

    def claim(self, queue: str) -> Job:
        job = self.jobs.claim(queue, "wrk_test", LEASE, host="here")
        assert job is not None
        return job

    def running(self, model: str, **more: Any) -> Job:
        self.queued(model, **more)
        return self.claim("train")

    def images(self, name: str, count: int = 120, shape: tuple[int, int, int] = (8, 8, 1)) -> None:
        """A dataset of images in two classes, prepared."""
        data = np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)
        labels = np.arange(count, dtype=np.int64) % 2
        height, width, channels = shape
        facts = DatasetFacts(
            count=count, shape=ImageShape(channels=channels, height=height, width=width), classes=("cat", "dog")
        )
        sizes = {"width": width, "height": height, "channels": channels, "classes": ["cat", "dog"]}
        self._prepare(name, "images", data, labels, facts, sizes)

    def points(self, name: str, labels: np.ndarray | None, dims: int = 2, count: int = 500, **sizes: Any) -> None:
        """A dataset of points, prepared."""
        data = np.random.default_rng(1).normal(size=(count, dims)).astype(np.float32)
        facts = DatasetFacts(count=count, shape=PointShape(dims=dims))
        self._prepare(name, "points", data, labels, facts, {"dims": dims, **sizes})

    def _prepare(
        self, name: str, kind: str, data: np.ndarray, labels: np.ndarray | None, facts: DatasetFacts, sizes: Any
    ) -> None:
        assert self.upload(name).status_code == 202
        job = self.claim("light")
        digest = f"{abs(hash((name, data.tobytes()))):064x}"
        path = f"datasets/{digest}"
        with self.storage.building(path) as folder:
            np.save(folder / "data.npy", data)
            if labels is not None:
                np.save(folder / "labels.npy", labels)
            (folder / "facts.json").write_text(facts.model_dump_json())
        report = {"accepted": len(data), "skipped": [], "duplicates": 0, "per_class": {}}
        packed = Packed(kind, digest, path, data.nbytes, len(data), report=report, **sizes)
        self.datasets.finish_prepare(job.id, job.epoch, packed)

    def checkpoint(self, job: Job, images: int) -> Saved:
        """Publish a checkpoint whose files hold a few bytes."""
        assert job.model_id is not None
        id = mint("ckpt")
        where = f"checkpoints/{job.model_id}"
        for part in ("model", "state"):
            self.storage.write_bytes(f"{where}/{id}.{part}.safetensors", f"{part} {images}".encode())
        saved = Saved(
            id, images, f"{where}/{id}.model.safetensors", 9, "ab" * 32, f"{where}/{id}.state.safetensors", 9, "cd" * 32
        )
        self.jobs.publish_checkpoint(job.id, job.epoch, saved)
        return saved

    def preview(self, job: Job, images: int, level: int) -> None:
        """Record a preview: a grey square of that level."""
        path = f"previews/{job.id}/{images}.png"
        self.storage.write_bytes(path, png(level))
        self.jobs.add_preview(job.id, job.epoch, images, path)


def png(level: int = 0, size: tuple[int, int] = (8, 8)) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", size, level).save(buffer, "png")
    return buffer.getvalue()


def archive(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zip:
        for name, data in files.items():
            zip.writestr(name, data)
    return buffer.getvalue()


def settings_in(folder: Path, **more: Any) -> Settings:
    return Settings(data=folder, service_device="cpu", **more)


@contextmanager
def serving(settings: Settings, change: Callable[[Any], None] = lambda app: None) -> Iterator[Running]:
    """Migrate, serve on a free port from a thread, and end it all."""
    ledger = Ledger(settings.database_url)
    ledger.migrate()
    ledger.close()
    app = create_app(settings)
    change(app)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=Front, ws="none", server_header=False, log_config=None, timeout_graceful_shutdown=2
    )
    server = Server(config, app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    running = Running(settings, f"http://127.0.0.1:{listener.getsockname()[1]}")
    try:
        running.http.get("/livez").raise_for_status()
        yield running
    finally:
        running.close()
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
