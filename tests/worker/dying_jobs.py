"""A job table (`--jobs dying_jobs`) whose training is killed in the middle of its second checkpoint, twice."""

import os
import signal
from pathlib import Path

from worker.jobs import train
from worker.line import ControlLine
from worker.protocol import Assignment, Note, Report, SavedCheckpoint


def run(assignment: Assignment, line: ControlLine) -> None:
    saves = Saves(assignment, line)

    def replace(partial: Path, target: Path) -> Path:
        return saves.replace(partial, target)

    Path.replace = replace  # type: ignore[method-assign]
    train.run(assignment, saves)  # type: ignore[arg-type]  # a line that counts


class Saves:
    """A line that counts the checkpoints sent. After one, the first attempt dies with the next model file half written.

    The second dies with its model file in place and its state file whole, but not under its name yet.
    """

    def __init__(self, assignment: Assignment, line: ControlLine) -> None:
        self._line, self._epoch = line, assignment.epoch
        self._sent = len(assignment.resume)
        self._rename = Path.replace

    @property
    def stop(self) -> object:
        return self._line.stop

    def send(self, report: Report) -> None:
        self._line.send(report)
        self._sent += isinstance(report, SavedCheckpoint)

    def replace(self, partial: Path, target: Path) -> Path:
        """Instead of `Path.replace`, the last thing that is done to a file of a checkpoint."""
        if self._sent == 1 and self._epoch == 1 and ".model." in target.name:
            os.truncate(partial, partial.stat().st_size // 2)
            self._die(partial)
        if self._sent == 1 and self._epoch == 2 and ".state." in target.name:
            self._die(partial)
        return self._rename(partial, target)

    def _die(self, partial: Path) -> None:
        self._line.send(Note(type="dying", data={"file": partial.name}))
        os.kill(os.getpid(), signal.SIGKILL)


JOBS = {"train": "dying_jobs:run"}
