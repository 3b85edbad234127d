"""The `evaluate` job: a model, or a dataset, measured by a dataset."""

import time
from pathlib import Path
from typing import Any

import torch

from gan.checkpoint import load_generator
from gan.errors import DatasetUnusable
from gan.spec import EvaluationSpec
from ledger.storage import Storage
from worker.evaluation.evaluation import Evaluation
from worker.line import ControlLine
from worker.protocol import Assignment, Evaluated, Progress, Started, Stopped
from worker.training.data import Packed, open_packed

PROGRESS_SECONDS = 0.5
PREFIX = "evaluated_"
"""Before the names of what joins a checkpoint's metrics. Those of training keep theirs, with which they compare: they
are of other rows, and of fewer."""


class Halted(Exception):
    """The job was told to end; what it had found is not kept."""


def run(assignment: Assignment, line: ControlLine) -> None:
    """Measures, and tells the result. A job that is stopped begins anew when it goes on."""
    line.send(Started(device=assignment.device))
    try:
        found = evaluated(assignment, Watch(line))
        line.send(Progress(images=0, total_images=None, percent=100.0))
        line.send(found)
    except Halted:
        line.send(Stopped())


class Watch:
    """Tells how far the job is, twice a second, and ends it where the line says so."""

    def __init__(self, line: ControlLine) -> None:
        self._line, self._next = line, 0.0

    def __call__(self, share: float) -> None:
        """`share` (0..1) is done. Raises Halted."""
        if self._line.stop is not None:
            raise Halted
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PROGRESS_SECONDS
            self._line.send(Progress(images=0, total_images=None, percent=100 * share))


def evaluated(assignment: Assignment, watch: Watch) -> Evaluated:
    """The whole evaluation. Raises JobFailures: DatasetMissing, CheckpointCorrupt, ExtractorUnusable, …"""
    assert assignment.dataset is not None
    assert assignment.evaluation is not None
    torch.set_num_threads(assignment.threads)
    spec, given = EvaluationSpec.model_validate(assignment.spec), assignment.evaluation
    storage, checkpoint = Storage(Path(assignment.storage)), given["checkpoint"]
    reference = packed(assignment.dataset, storage)
    evaluation = Evaluation(
        spec,
        reference,
        loaded=None if checkpoint is None else load_generator(storage.path(checkpoint["path"]), checkpoint["sha256"]),
        against=None if given["against"] is None else like(reference, packed(given["against"], storage)),
        weights=None if given["inception"] is None else Path(given["inception"]),
        device=torch.device(assignment.device),
        tell=watch,
    )
    result = evaluation.run()
    scored = {} if checkpoint is None else {PREFIX + name: value for name, value in result["metrics"].items()}
    return Evaluated(result=result, checkpoint=spec.checkpoint, metrics=scored)


def packed(dataset: dict[str, Any], storage: Storage) -> Packed:
    """A dataset's prepared rows. DatasetMissing."""
    return open_packed(storage.path(dataset["path"]))


def like(reference: Packed, other: Packed) -> Packed:
    """The other dataset, if its rows can still be compared. DatasetUnusable."""
    if other.facts.shape != reference.facts.shape:
        raise DatasetUnusable("the dataset named in `against` is another since: its rows have another shape")
    return other
