"""What a worker tells a Prometheus server: jobs, bells, heartbeats, and what its running children take.

A worker has no HTTP of its own: `serve` listens where the settings say so, and nowhere by default.
"""

import logging
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gan.errors import Unavailable
from ledger.doorbell import BELLS
from ledger.settings import Settings
from worker.devices import Device

SECONDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0)
SMI_SECONDS: Final = 3.0
"""How long the driver's tool may take when a scrape asks it."""

_log = logging.getLogger("ganymede.worker")


@dataclass
class Slot:
    """A job that runs: its device, its child's process, and the progress that it reported last."""

    device: Device
    type: str
    pid: int
    progress: dict[str, Any] = field(default_factory=dict)


class Meters:
    """Counters, histograms, and a look at the slots whenever it is asked for. Any thread may move them."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.slots: list[Slot] = []
        self.claimed = Counter("ganymede_worker_jobs_claimed", "Jobs claimed.", ("type",), registry=registry)
        self.ended = Counter(
            "ganymede_worker_jobs_ended",
            "Jobs let go of, by how: succeeded, failed, released, died, lost, left.",
            ("type", "outcome"),
            registry=registry,
        )
        self.heard = Counter("ganymede_worker_bells_heard", "Bells heard.", registry=registry)
        self.rung = Counter("ganymede_worker_bells_rung", "Bells rung by the reconciler.", registry=registry)
        self.reconciled = Counter(
            "ganymede_worker_reconciled", "Times that waiting jobs were taken up without a bell.", registry=registry
        )
        self.claims = Histogram(
            "ganymede_worker_claim_seconds", "Seconds of asking for a job.", buckets=SECONDS, registry=registry
        )
        self.beats = Histogram(
            "ganymede_worker_heartbeat_seconds", "Seconds of renewing a claim.", buckets=SECONDS, registry=registry
        )
        self.unclaimed = Counter(
            "ganymede_worker_claim_failures",
            "Times that the database was away when a job was asked for.",
            registry=registry,
        )
        self.unbeaten = Counter(
            "ganymede_worker_heartbeat_failures",
            "Times that the database was away when a claim was to be renewed.",
            registry=registry,
        )
        self.size = Gauge("ganymede_worker_slots", "Jobs that it can run at once.", registry=registry)
        registry.register(Children(self.slots))
        ProcessCollector(registry=registry)

    @contextmanager
    def running(self, slot: Slot) -> Iterator[Slot]:
        """A slot that is seen while the block lasts."""
        self.slots.append(slot)
        try:
            yield slot
        finally:
            self.slots.remove(slot)


class Children(Collector):
    """What is known of the running children at this moment alone."""

    def __init__(self, slots: list[Slot]) -> None:
        self._slots = slots

    def collect(self) -> Iterable[Metric]:
        """A sample for each job that runs, labelled by its device and type."""
        slots = list(self._slots)
        for name, words, read in CHILDREN:
            family = GaugeMetricFamily(f"ganymede_worker_{name}", words, labels=("device", "type"))
            for slot in slots:
                value = read(slot)
                if value is not None:
                    family.add_metric((str(slot.device), slot.type), value)
            yield family


def resident(pid: int) -> int | None:
    """Bytes of memory that a process holds; None where it has ended, or the kernel does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def gpu_used(device: Device) -> int | None:
    """Bytes in use on a GPU, whoever uses them; None of the CPU, or where the driver's tool does not tell."""
    if not device.visible:
        return None
    query = [f"--id={device.visible}", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(["nvidia-smi", *query], capture_output=True, text=True, timeout=SMI_SECONDS, check=True)
        return int(told.stdout.strip()) << 20
    except (subprocess.SubprocessError, OSError, ValueError):
        return None


CHILDREN: Final[tuple[tuple[str, str, Callable[[Slot], float | None]], ...]] = (
    ("running", "Jobs that run.", lambda _: 1),
    ("job_images", "Images that the running job has seen.", lambda slot: slot.progress.get("images")),
    (
        "job_images_per_second",
        "Images a second of the running job.",
        lambda slot: slot.progress.get("images_per_second"),
    ),
    ("child_memory_bytes", "Resident memory of the running job's process.", lambda slot: resident(slot.pid)),
    (
        "gpu_memory_bytes",
        "Memory in use on the job's GPU, whoever uses it.",
        lambda slot: gpu_used(slot.device),
    ),
)
"""Name, meaning, and how it is read from a slot; None: not known, and left out."""


def port_of(settings: Settings, queue: str) -> int:
    """Where a queue's worker serves its metrics: the setting's port, the next one for the next queue; 0: nowhere.

    So that the workers that `ganymede up` starts with the same settings do not stand in each other's way.
    """
    return settings.worker_metrics_port and settings.worker_metrics_port + BELLS.index(queue)


def serve(meters: Meters, settings: Settings, queue: str) -> int:
    """Serve `/metrics` from a daemon thread if the settings say so; the port, or 0.

    A port that is taken is a line in the log: jobs matter more.
    """
    port = port_of(settings, queue)
    if not port:
        return 0
    try:
        start_http_server(port, settings.worker_metrics_host, meters.registry)
    except OSError as error:
        _log.error("no metrics: cannot listen on %s:%d: %s", settings.worker_metrics_host, port, error.strerror)
        return 0
    _log.info("metrics at http://%s:%d/metrics", settings.worker_metrics_host, port)
    return port


@contextmanager
def timed(histogram: Histogram, failures: Counter) -> Iterator[None]:
    """Count the seconds of what succeeds, and what fails because the database is away."""
    began = time.monotonic()
    try:
        yield
    except Unavailable:
        failures.inc()
        raise
    histogram.observe(time.monotonic() - began)
