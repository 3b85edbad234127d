"""A job table (`--jobs traced_jobs`) whose training leaves in a file, after every step, how many images it has seen."""

import os
import struct
from pathlib import Path

from worker.jobs import train
from worker.line import ControlLine
from worker.protocol import Assignment, Report, SavedCheckpoint
from worker.training.loop import Trainer

LAYOUT = struct.Struct("qqq")


def run(assignment: Assignment, line: ControlLine) -> None:
    descriptor = os.open(trace_of(Path(assignment.storage), assignment.job), os.O_RDWR | os.O_CREAT)
    trace = Trace(descriptor, assignment.epoch, line)

    class Traced(Trainer):
        def update(self) -> None:
            super().update()
            trace.step(self.state.counters.images)

    train.Trainer = Traced  # type: ignore[misc]
    train.run(assignment, trace)  # type: ignore[arg-type]  # a line that takes note of checkpoints


class Trace:
    """A line that notes (epoch, images seen, images of the last checkpoint that was reported) where all can read it."""

    def __init__(self, descriptor: int, epoch: int, line: ControlLine) -> None:
        self._descriptor, self._epoch, self._line = descriptor, epoch, line
        self._images = self._saved = 0

    @property
    def stop(self) -> object:
        return self._line.stop

    def step(self, images: int) -> None:
        self._images = images
        self._note()

    def send(self, report: Report) -> None:
        self._line.send(report)
        if isinstance(report, SavedCheckpoint):
            self._saved = report.images
            self._note()

    def _note(self) -> None:
        os.pwrite(self._descriptor, LAYOUT.pack(self._epoch, self._images, self._saved), 0)


def trace_of(storage: Path, job: str) -> Path:
    return storage / f"{job}.trace"


def traced(storage: Path, job: str) -> tuple[int, int, int]:
    """(epoch, images seen, images of the last checkpoint reported); zeros before the first step."""
    path = trace_of(storage, job)
    written = path.read_bytes() if path.exists() else b""
    return LAYOUT.unpack(written) if len(written) == LAYOUT.size else (0, 0, 0)


JOBS = {"train": "traced_jobs:run"}
