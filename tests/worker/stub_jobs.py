"""A job table for the runtime's tests (`--jobs stub_jobs`): each job does what its spec's `act` says."""

import ctypes
import errno
import logging
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from stub_checkpoints import saved

from gan.errors import Diverged
from ledger.storage import Storage
from worker.line import ControlLine
from worker.protocol import (
    Assignment,
    Done,
    Metrics,
    Note,
    Preview,
    Progress,
    Started,
    Stopped,
)


def run(assignment: Assignment, line: ControlLine) -> None:
    line.send(Started(device=assignment.device))
    _leave_pid(assignment)
    ACTS[str(assignment.spec["act"])](assignment, line)


def work(assignment: Assignment, line: ControlLine) -> None:
    """Everything that a job may say, and a good end."""
    line.send(Progress(images=50, total_images=100, percent=50.0, images_per_second=10.0, eta_seconds=5.0))
    line.send(Metrics(images=50, values={"loss": 0.5, "w": None}))
    line.send(Note(type="warning", data={"about": "nothing"}))
    path = f"previews/{assignment.job}/50.png"
    Storage(Path(assignment.storage)).write_bytes(path, b"png")
    line.send(Preview(images=50, path=path))
    line.send(Progress(images=100, total_images=100, percent=100.0))
    line.send(Done(ended_by="images"))


def checkpoint(assignment: Assignment, line: ControlLine) -> None:
    """Go on from the newest state, save one more, die of it unless it is the third."""
    images = 100 + (assignment.resume[0].images if assignment.resume else 0)
    line.send(saved(assignment, images))
    if images < 300:
        os.kill(os.getpid(), signal.SIGKILL)
    line.send(Done(ended_by="images"))


def wait(assignment: Assignment, line: ControlLine) -> None:
    """Until it is told to stop; saves then if that is wanted."""
    while line.stop is None:
        time.sleep(0.02)
    if line.stop.save and assignment.model:
        line.send(saved(assignment, 100))
    line.send(Note(type="stopping", data={"save": line.stop.save}))
    line.send(Stopped())


def steady(assignment: Assignment, line: ControlLine) -> None:
    """Reports the same progress until it is told to stop."""
    while line.stop is None:
        line.send(Progress(images=50, total_images=100, percent=50.0, images_per_second=12.5))
        time.sleep(0.1)
    line.send(Stopped())


def sleep(assignment: Assignment, line: ControlLine) -> None:
    """Hears nothing."""
    time.sleep(60)


def once(assignment: Assignment, line: ControlLine) -> None:
    """Hears nothing the first time; is done the second."""
    if assignment.epoch == 1:
        time.sleep(60)
    line.send(Done(ended_by="done"))


def fail(assignment: Assignment, line: ControlLine) -> None:
    raise RAISED[str(assignment.spec["with"])]


def talk(assignment: Assignment, line: ControlLine) -> None:
    """Says something in every way that a library may, and ends as bad libraries do."""
    logging.getLogger("a.library").warning("logged %d", 1)
    logging.getLogger("a.library").debug("of no interest")
    warnings.warn("warned of", stacklevel=1)
    sys.stdout.write("printed\n")
    sys.stdout.flush()
    os.write(2, b'{"not": "a record"}\n' + b"x" * 20_000 + b"\nand \xff last words")
    os.abort()


def kill(assignment: Assignment, line: ControlLine) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def segfault(assignment: Assignment, line: ControlLine) -> None:
    ctypes.string_at(0)


def quit(assignment: Assignment, line: ControlLine) -> None:
    sys.exit(3)


def tell(assignment: Assignment, line: ControlLine) -> None:
    """What the process finds around it."""
    names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "GANYMEDE_DATABASE_URL", "GANYMEDE_DATA")
    found: dict[str, object] = {name: os.environ.get(name) for name in names}
    found |= {"nice": os.nice(0), "group": os.getpgid(0) == os.getpid(), "torch": "torch" in sys.modules}
    line.send(Note(type="around", data=found))
    line.send(Done(ended_by="done"))


def _leave_pid(assignment: Assignment) -> None:
    folder = Path(assignment.storage)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{assignment.job}.pid").write_text(str(os.getpid()))


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


RAISED: dict[str, Exception] = {
    "diverged": Diverged("the loss is NaN", param="learning_rate"),
    "memory": MemoryError(),
    "cuda": OutOfMemoryError("CUDA out of memory"),
    "disk": OSError(errno.ENOSPC, "No space left on device"),
    "bug": KeyError("no such thing"),
}
Act = Callable[[Assignment, ControlLine], None]
ACTS: dict[str, Act] = {
    act.__name__: act for act in (work, checkpoint, wait, steady, sleep, once, fail, talk, kill, segfault, quit, tell)
}
JOBS = dict.fromkeys(("train", "evaluate", "project"), "stub_jobs:run") | {"prepare": "worker.jobs.prepare:run"}
