"""A job table for children whose log is on a full disk (`--jobs full_log_jobs`): each does what its `act` says."""

import time

from gan.errors import Diverged
from worker.line import ControlLine
from worker.protocol import Assignment


def run(assignment: Assignment, line: ControlLine) -> None:
    if assignment.spec["act"] == "sleep":
        time.sleep(60)
    raise {"foreseen": Diverged("the loss is NaN"), "unforeseen": KeyError("none")}[str(assignment.spec["act"])]


JOBS = {"project": "full_log_jobs:run"}
