"""Workers: who they are, on which host, and whether they still live.

A host is its name, its boot and its process namespace: a restarted machine or container is another host, and a process
number means something on its own host alone.
"""

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import delete, select, update

from ledger.clock import now
from ledger.database import Ledger, mint
from ledger.mapping import worker_record
from ledger.records import Worker
from ledger.tables import WorkerRow

FRESH_SECONDS = 30.0
"""A worker that beat this recently counts as live to those who cannot see its process."""

STALE_SECONDS = 24 * 3600.0
"""A worker that did not beat for this long is forgotten."""


def this_host() -> str:
    """This host's identity: name, boot id and process namespace."""
    boot = _read(Path("/proc/sys/kernel/random/boot_id"))
    namespace = _link(Path("/proc/self/ns/pid"))
    return f"{socket.gethostname()[:100]}/{boot}/{namespace}"


def process_started(pid: int) -> float | None:
    """When the process began, as the kernel counts it (clock ticks since boot); None where no such process lives.

    Without a /proc, 0.0 for every process that lives.
    """
    if not Path("/proc/self/stat").exists():
        return 0.0 if _signalable(pid) else None
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return float(fields[19]) if fields and fields[0] not in "ZX" else None


def alive(worker: Worker) -> bool:
    """Whether a worker of this host still lives: its pid exists and began when the worker did."""
    return process_started(worker.pid) == worker.started


class Workers:
    """The registry of workers in a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def register(self, queue: str, device: str, *, host: str, pid: int, started: float) -> str:
        """Make a worker known; returns its id (`wrk_…`). Workers silent for a day are forgotten."""
        with self._ledger.writing() as session:
            session.execute(delete(WorkerRow).where(WorkerRow.heartbeat < now() - STALE_SECONDS))
            row = WorkerRow(id=mint("wrk"), host=host, pid=pid, started=started, queue=queue, device=device)
            session.add(row)
            return row.id

    def register_self(self, queue: str, device: str) -> str:
        """`register` for the calling process."""
        started = process_started(os.getpid())
        assert started is not None
        return self.register(queue, device, host=this_host(), pid=os.getpid(), started=started)

    def beat(self, id: str) -> None:
        """The worker lives."""
        with self._ledger.writing() as session:
            session.execute(update(WorkerRow).where(WorkerRow.id == id).values(heartbeat=now()))

    def forget(self, id: str) -> None:
        """The worker ended in order."""
        with self._ledger.writing() as session:
            session.execute(delete(WorkerRow).where(WorkerRow.id == id))

    def dead_on(self, host: str, lives: Callable[[Worker], bool] = alive) -> list[str]:
        """The ids of the host's workers that do not live any more: for `Jobs.release_dead`."""
        with self._ledger.reading() as session:
            known = [worker_record(row) for row in session.scalars(select(WorkerRow).where(WorkerRow.host == host))]
        return [worker.id for worker in known if not lives(worker)]

    def live(self, queue: str | None = None) -> list[Worker]:
        """The workers (of a queue) that beat lately, newest first."""
        wanted = select(WorkerRow).where(WorkerRow.heartbeat > now() - FRESH_SECONDS).order_by(WorkerRow.number.desc())
        if queue is not None:
            wanted = wanted.where(WorkerRow.queue == queue)
        with self._ledger.reading() as session:
            return [worker_record(row) for row in session.scalars(wanted)]

    def devices(self) -> list[str]:
        """The devices of the live train workers, newest worker first."""
        return [worker.device for worker in self.live("train")]


def memory_of(device: str) -> int | None:
    """Bytes of memory that a worker's device says it has: `cpu, 16000 MiB`; None where it does not say.

    >>> memory_of("cpu, 2 MiB"), memory_of("cpu")
    (2097152, None)
    """
    found = re.search(r", (\d+) MiB$", device)
    return int(found[1]) << 20 if found else None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _signalable(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
