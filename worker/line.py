"""The child's end of the two pipes, as a job's code sees it.

A job is a function `run(assignment: Assignment, line: ControlLine) -> None`. It says what happens with `line.send(…)`
and looks at `line.stop` at least once a second. Its last report is `Done`, or `Stopped` after it saw a stop; a failure
is raised as a `gan.errors.JobFailure` (or any other exception) and `worker.attempt` turns it into `Failed`.

    for step in steps:
        if line.stop is not None:
            if line.stop.save:
                line.send(save())
            line.send(Stopped())
            return

Imports no torch.
"""

import os
import threading

from worker.protocol import Report, Stop


class ControlLine:
    """Sends reports to the supervisor and holds the last order that came back. Safe to use from any thread."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor`: the open, blocking file descriptor that reports are written to, one JSON object a line."""
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._stop: Stop | None = None

    @property
    def stop(self) -> Stop | None:
        """The order to end, once it came: `save` says whether the newest state is still wanted."""
        return self._stop

    def halt(self, stop: Stop) -> None:
        """Called by the reading thread when an order came. A cancel outranks a pause, whichever came first."""
        if self._stop is None or not stop.save:
            self._stop = stop

    def send(self, report: Report) -> None:
        """Write one report, whole, whatever other threads send meanwhile.

        Waits while the pipe is full. Raises BrokenPipeError when the supervisor is gone; the reading thread then ends
        the process.
        """
        line = memoryview(report.model_dump_json().encode() + b"\n")
        with self._lock:
            while line:
                line = line[os.write(self._descriptor, line) :]
