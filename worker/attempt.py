"""One attempt at a job, in the process that `worker.child` begins.

It takes orders from its supervisor alone, ends at once when the control pipe closes, and fences itself at the last
lease deadline it was told: a job that another worker may hold by now is not worked on here.
"""

import argparse
import importlib
import logging
import os
import resource
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from gan.errors import CheckpointCorrupt, ChecksumMismatch, InternalFailure, JobFailure, OutOfMemory, StorageFull
from ledger.logs import Concealment, install
from ledger.storage import FULL
from worker.child import ABANDONED, leave
from worker.line import ControlLine
from worker.protocol import FENCED, Assignment, Bounds, Failed, Lease, Stop, ToChild

JOBS = {
    "prepare": "worker.jobs.prepare:run",
    "train": "worker.jobs.train:run",
    "evaluate": "worker.jobs.evaluate:run",
    "project": "worker.jobs.project:run",
}
"""Job type → `module:function`, imported when a job of that type is assigned: preparing does without torch."""

NICE = 10
OOM_SCORE = "500"

Job = Callable[[Assignment, ControlLine], None]

_log = logging.getLogger("ganymede.child")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Read the assignment, work, say how it ended, exit."""
    parser = argparse.ArgumentParser(prog="python -m worker.child", description=__doc__)
    parser.add_argument("report", type=int, help="the file descriptor that reports are written to")
    parser.add_argument("--jobs", help=argparse.SUPPRESS)  # a module whose JOBS replaces the table: for tests
    options = parser.parse_args(arguments)
    os.set_inheritable(options.report, False)
    install("json", "INFO", Concealment())  # its worker reads it, and logs it under the job
    table = importlib.import_module(options.jobs).JOBS if options.jobs else JOBS
    work(ControlLine(options.report), Orders(sys.stdin.fileno()), table)


def work(line: ControlLine, orders: "Orders", table: dict[str, str]) -> NoReturn:
    """Do the assigned job under the control thread's eyes."""
    assignment = orders.assignment()
    orders.follow(line, assignment.deadline)
    yield_to_others()
    with suppress(BrokenPipeError):  # the control thread sees the same end, and says so by its exit status
        _attempt(assignment, line, table)
    os._exit(0)  # the last word is said; the teardown of a GPU's context after a failure may hang or crash


def _attempt(assignment: Assignment, line: ControlLine, table: dict[str, str]) -> None:
    try:
        with bounded(assignment.bounds):
            _load(assignment.type, table)(assignment, line)
    except BrokenPipeError:
        raise
    except JobFailure as error:  # foreseen: where it was raised says nothing that its message does not
        line.send(failure(error))
        message = " ".join(error.message.split())  # a file's name may hold line breaks
        _log.warning("%s failed, %s: %s", assignment.type, error.code, message)
    except Exception as error:  # the boundary of a job: whatever it raises becomes the reason of its failure
        line.send(failure(error))
        _log.exception("%s failed", assignment.type)


def _load(type: str, table: dict[str, str]) -> Job:
    if type not in table:
        raise InternalFailure(f"this worker has no code for jobs of type {type}")
    module, _, name = table[type].partition(":")
    job: Job = getattr(importlib.import_module(module), name)
    return job


# ---- orders ----


class Orders:
    """The control pipe. Read by one thread; in it, every way out is the process's end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._buffer = b""
        self._deadline = 0.0

    def assignment(self) -> Assignment:
        """The first line; waits for it. A supervisor that is gone by then ends the process."""
        while b"\n" not in self._buffer:
            self._read()
        line, _, self._buffer = self._buffer.partition(b"\n")
        first = ToChild.validate_json(line)
        assert isinstance(first, Assignment), first
        return first

    def follow(self, line: ControlLine, deadline: float) -> None:
        """Obey in a thread from now on; `deadline` is on CLOCK_MONOTONIC."""
        self._deadline = deadline
        threading.Thread(target=self._obey, args=(line,), name="orders", daemon=True).start()

    def _obey(self, line: ControlLine) -> None:
        while True:
            for order in self._lines():
                self._take(order, line)
            left = self._deadline - time.monotonic()
            # what was said is read before the deadline is judged: a process that was stopped finds its renewals waiting
            if self._poll.poll(max(0.0, left * 1000)):
                self._read()
            elif left <= 0:
                leave(FENCED, "the lease passed without being renewed")

    def _take(self, text: bytes, line: ControlLine) -> None:
        order = ToChild.validate_json(text)
        if isinstance(order, Lease):
            self._deadline = order.deadline
        elif isinstance(order, Stop):
            line.halt(order)

    def _read(self) -> None:
        data = os.read(self._descriptor, 65536)
        if not data:
            leave(ABANDONED, "the supervisor is gone")
        self._buffer += data

    def _lines(self) -> list[bytes]:
        *lines, self._buffer = self._buffer.split(b"\n")
        return lines


# ---- failures ----


def failure(error: Exception) -> Failed:
    """The typed failure that an exception of a job means."""
    if isinstance(error, JobFailure):
        return Failed(code=error.code, message=error.message, param=error.param)
    code = _code(error)
    return Failed(code=code, message=REMEDIES.get(code, f"{type(error).__name__}: {_words(error)}".strip()[:1000]))


REMEDIES = {StorageFull.code: "no space is left: free some and retry"}
"""What is said instead of an exception's own words."""


def _words(error: Exception) -> str:
    """What went wrong, for callers: an error of the operating system without the file that it names."""
    return str(error.strerror) if isinstance(error, OSError) and error.strerror else str(error)


def _code(error: Exception) -> str:
    if isinstance(error, ChecksumMismatch):
        return CheckpointCorrupt.code
    if isinstance(error, MemoryError) or _is_torch_out_of_memory(error):
        return OutOfMemory.code
    if isinstance(error, OSError) and error.errno in FULL:
        return StorageFull.code
    return InternalFailure.code


def _is_torch_out_of_memory(error: Exception) -> bool:
    """By the name of torch.OutOfMemoryError, because a job that does without torch must not import it here."""
    names = {base.__name__ for base in type(error).__mro__}
    return "OutOfMemoryError" in names or "DefaultCPUAllocator: can't allocate memory" in str(error)


# ---- bounds ----

LAST_SECONDS = 5
"""CPU time between the signal that a bound is reached (SIGXCPU, which ends the process) and SIGKILL."""


@contextmanager
def bounded(bounds: Bounds | None) -> Iterator[None]:
    """Bounds this process for good. Raises OutOfMemory where it would need more; its supervisor knows SIGXCPU.

    Memory is what can be written to (RLIMIT_DATA): a large file that is mapped to be read costs none.
    """
    if bounds is None:
        yield
        return
    _lower(resource.RLIMIT_CORE, 0, 0)
    _lower(resource.RLIMIT_CPU, bounds.cpu_seconds, bounds.cpu_seconds + LAST_SECONDS)
    _lower(resource.RLIMIT_DATA, bounds.memory_bytes, bounds.memory_bytes)
    try:
        yield
    except MemoryError as error:
        raise OutOfMemory(
            f"preparing takes more than {bounds.memory_bytes:,} bytes of memory (GANYMEDE_PREPARE_MEMORY_BYTES)"
        ) from error


def _lower(which: int, soft: int, hard: int) -> None:
    """A limit that is lower already stays."""
    had = [value if value != resource.RLIM_INFINITY else hard for value in resource.getrlimit(which)]
    resource.setrlimit(which, (min(soft, *had), min(hard, had[1])))


# ---- manners ----


def yield_to_others() -> None:
    """Let serving go first on the CPU, and be the one whom the kernel kills when memory runs out."""
    os.nice(NICE)
    # Where the kernel groups processes by session for scheduling (autogroups), niceness counts within a session
    # only. `ganymede up` starts service and workers in one session, so there it counts. A worker that leads a
    # session of its own competes as a whole, so the whole session is niced; a session that is someone else's
    # (a terminal's) is left alone.
    if os.getsid(0) == os.getppid():
        _write("/proc/self/autogroup", str(NICE))
    _write("/proc/self/oom_score_adj", OOM_SCORE)


def _write(path: str, text: str) -> None:
    with suppress(OSError):  # another kernel, or a container that forbids it: a courtesy, not a need
        Path(path).write_text(text)
