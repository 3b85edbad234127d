"""A job table (`--jobs fault_jobs`): each job does what its spec's `act` says; every run leaves a line in a file.

The line, `job epoch pid`, is written below the storage root before the act: what was run is known whatever it did.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from stub_checkpoints import saved

from worker.line import ControlLine
from worker.protocol import Assignment, Done, Started, Stopped

RUNS = "runs.txt"


def run(assignment: Assignment, line: ControlLine) -> None:
    leave_trace(assignment)
    line.send(Started(device=assignment.device))
    ACTS[str(assignment.spec["act"])](assignment, line)


def leave_trace(assignment: Assignment) -> None:
    descriptor = os.open(Path(assignment.storage, RUNS), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{assignment.job} {assignment.epoch} {os.getpid()}\n".encode())
    os.close(descriptor)


def nothing(assignment: Assignment, line: ControlLine) -> None:
    line.send(Done(ended_by="done"))


def moment(assignment: Assignment, line: ControlLine) -> None:
    """Take some time, deaf."""
    time.sleep(float(assignment.spec.get("seconds", 1.0)))
    line.send(Done(ended_by="done"))


def listen(assignment: Assignment, line: ControlLine) -> None:
    """Until it is told to stop."""
    while line.stop is None:
        time.sleep(0.01)
    line.send(Stopped())


def once(assignment: Assignment, line: ControlLine) -> None:
    """The first holder works until it is told to stop; the next is done."""
    (listen if assignment.epoch == 1 else nothing)(assignment, line)


def hold_interpreter(assignment: Assignment, line: ControlLine) -> None:
    """In native code, as when a large library is loaded: no thread of Python's runs meanwhile."""
    ctypes.PyDLL(None).sleep(120)


def kill_child(assignment: Assignment, line: ControlLine) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_worker(assignment: Assignment, line: ControlLine) -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


ACTS: dict[str, Callable[[Assignment, ControlLine], None]] = {
    act.__name__: act for act in (nothing, moment, listen, once, hold_interpreter, kill_child, kill_worker)
}


def run_training(assignment: Assignment, line: ControlLine) -> None:
    """Save one checkpoint more than there was, and kill the worker or the child; done with the third."""
    leave_trace(assignment)
    images = 100 + (assignment.resume[0].images if assignment.resume else 0)
    line.send(Started(device=assignment.device))
    line.send(saved(assignment, images))
    if images == 300:
        line.send(Done(ended_by="images"))
        return
    time.sleep(1.0)  # until the ledger has it
    (kill_worker if images % 200 else kill_child)(assignment, line)


JOBS = {"project": "fault_jobs:run", "train": "fault_jobs:run_training"}
