"""What the trainer costs beyond forward, backward and step: dcgan at 64² (width 64, batch 64), in CPU seconds.

A real `train` job runs on random images and speaks into a real pipe; after each of its rounds (one step of either
player, with data, average, meters, progress and whatever is due) comes one round of the bare loop. Every second round
holds a report. So there are medians of neighbours' quotients for rounds without a report and for rounds with one, and

    overhead = (round / bare - 1) + (round with report - round) / bare / rounds between reports

Previews are timed beside it and spread over theirs; checkpoints, which come by the clock, are told in seconds.

OMP_NUM_THREADS=1 python -m benchmarks.training.overhead
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.training.bare import bare_round
from benchmarks.training.blocks import cpu_seconds
from gan.choosing import resolve
from gan.spec import DatasetFacts, ImageShape, TrainingSpec, TrainRequest
from worker.jobs.train import PREVIEWS, TrainingJob
from worker.line import ControlLine
from worker.protocol import Assignment, Metrics, Report, Stop
from worker.training import diagnosis

SIDE, WIDTH, IMAGES = 64, 64, 2000
NEVER = 10**12
WARM_UPS = 2


class Pair(NamedTuple):
    """CPU seconds of one round of the job, and of the bare round that came after it."""

    job: float
    bare: float


class Listening(ControlLine):
    """A line into a pipe that notes whether metrics passed it."""

    metrics = False

    def send(self, report: Report) -> None:
        self.metrics |= isinstance(report, Metrics)
        super().send(report)


class Alternation:
    """Stands before the trainer's `update`: at each begin of a round it ends the last one and runs a bare one."""

    def __init__(self, job: TrainingJob, line: Listening, bare: Callable[[], object], rounds: int) -> None:
        self.plain: list[Pair] = []
        self.reported: list[Pair] = []
        self._line, self._bare, self._left = line, bare, rounds
        self._counters, self._update = job.state.counters, job.trainer.update
        self._began: float | None = None

    def __call__(self) -> None:
        if self._counters.since_generator == 0:
            self._turn()
        self._update()

    def _turn(self) -> None:
        ended = time.process_time()
        pair = Pair(ended - (self._began or ended), cpu_seconds(self._bare))
        if self._counters.generator_steps > WARM_UPS:
            (self.reported if self._line.metrics else self.plain).append(pair)
            self._left -= 1
        if self._left <= 0:
            self._line.halt(Stop(save=False))
        self._line.metrics = False
        self._began = time.process_time()


class Overhead(NamedTuple):
    """Shares of a bare round, 0..1, and what they are of in seconds."""

    rounds: float
    reports: float
    previews: float
    bare_seconds: float
    report_seconds: float
    preview_seconds: float
    checkpoint_seconds: float

    @property
    def total(self) -> float:
        """What the trainer adds, without previews and checkpoints."""
        return self.rounds + self.reports


def the_spec(side: int, width: int, batch: int) -> TrainingSpec:
    """`dcgan` as it is chosen for a CPU, with the published width."""
    facts = DatasetFacts(count=IMAGES, shape=ImageShape(channels=3, height=side, width=side))
    body = {"type": "train", "dataset": "d", "model": "m", "recipe": "dcgan", "augment": "none", "batch_size": batch}
    return resolve(TrainRequest.model_validate(body | {"network": {"width": width}}), facts, "cpu")


def pack(root: Path, side: int) -> None:
    """Random images, as a prepared dataset lies on disk."""
    folder = root / "datasets" / "random"
    folder.mkdir(parents=True)
    np.save(folder / "data.npy", np.random.default_rng(0).integers(0, 256, (IMAGES, side, side, 3), dtype=np.uint8))
    facts = DatasetFacts(count=IMAGES, shape=ImageShape(channels=3, height=side, width=side))
    (folder / "facts.json").write_text(facts.model_dump_json())


def the_job(root: Path, spec: TrainingSpec, line: ControlLine) -> TrainingJob:
    """The job as a child process makes it, on one thread."""
    return TrainingJob(
        Assignment(
            job="job_1", epoch=1, type="train", spec=spec.model_dump(mode="json"), storage=str(root), device="cpu",
            threads=1, deadline=1e18, model="mdl_1", dataset={"id": "ds", "digest": "d", "path": "datasets/random"},
        ),
        line,
    )  # fmt: skip


def measure(pairs: int, side: int = SIDE, width: int = WIDTH, batch: int = 64) -> Overhead:
    """Medians over `pairs` rounds without a report and as many with one."""
    spec = the_spec(side, width, batch)
    rows = diagnosis.rows_looked_at(spec)
    often = spec.model_copy(update={"report_every": 2 * batch, "preview_every": NEVER, "checkpoint_every": NEVER})
    # reports come often, and are as large as they would have been
    with tempfile.TemporaryDirectory() as folder, patch.object(diagnosis, "rows_looked_at", return_value=rows):
        pack(Path(folder), side)
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as reader:
            assert reader.stdin is not None
            line = Listening(reader.stdin.fileno())
            job = the_job(Path(folder), often, line)
            alternation = Alternation(job, line, bare_round(spec, job.device, job.execution), 2 * pairs)
            with patch.object(job.trainer, "update", alternation):
                job.run()
            preview, checkpoint = (
                median(cpu_seconds(one) for _ in range(5)) for one in (job._preview, job._checkpoint)
            )
            reader.stdin.close()
    return composed(spec, alternation, preview, checkpoint)


def composed(spec: TrainingSpec, seen: Alternation, preview: float, checkpoint: float) -> Overhead:
    """The shares, each spread over the rounds that it comes once in."""
    assert spec.images is not None
    bare = median(pair.bare for pair in seen.plain + seen.reported)
    plain, reported = (median(pair.job / pair.bare for pair in pairs) for pairs in (seen.plain, seen.reported))
    return Overhead(
        rounds=plain - 1,
        reports=(reported - plain) * spec.batch_size / spec.report_every,
        previews=preview / bare * PREVIEWS * spec.batch_size / spec.images,
        bare_seconds=bare,
        report_seconds=(reported - plain) * bare,
        preview_seconds=preview,
        checkpoint_seconds=checkpoint,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20)
    torch.set_num_threads(1)
    found = measure(parser.parse_args().pairs)
    print("| part | share of the bare loop | seconds |")
    print("|---|---|---|")
    print(f"| a bare round | | {found.bare_seconds:.3f} |")
    print(f"| data, average, meters, progress, pipe | {100 * found.rounds:.2f} % | |")
    print(f"| reports | {100 * found.reports:.2f} % | {found.report_seconds:.2f} each |")
    print(f"| **both** | **{100 * found.total:.2f} %** | |")
    print(f"| previews, besides | {100 * found.previews:.2f} % | {found.preview_seconds:.2f} each |")
    print(f"| a checkpoint, besides | every 30 s | {found.checkpoint_seconds:.2f} each |")


if __name__ == "__main__":
    main()
