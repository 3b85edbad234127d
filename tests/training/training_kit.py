"""Small packed datasets, and a line that records what a training job says, for the tests beside it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan.choosing import resolve
from gan.spec import DatasetFacts, ImageShape, PointShape, TrainingSpec, TrainRequest
from worker.jobs import train
from worker.protocol import Assignment, Metrics, Report, SavedCheckpoint, StateFile, Stop


class RecordingLine:
    """A ControlLine that keeps reports, and orders a stop after the first report that `until` accepts."""

    def __init__(self, until: Callable[[Report], bool] = lambda _: False) -> None:
        self.reports: list[Report] = []
        self.stop: Stop | None = None
        self._until = until

    def send(self, report: Report) -> None:
        self.reports.append(report)
        if self._until(report):
            self.stop = Stop(save=True)

    def halt(self, stop: Stop) -> None:
        self.stop = stop

    def of(self, kind: type) -> list:
        return [report for report in self.reports if isinstance(report, kind)]

    def series(self) -> dict[int, dict[str, float | None]]:
        """The metrics by images seen, without the clock's share."""
        return {m.images: {k: v for k, v in m.values.items() if k != "images_per_second"} for m in self.of(Metrics)}


@dataclass
class Workshop:
    """A storage root with packed datasets, and jobs run in this process."""

    root: Path
    facts: dict[str, DatasetFacts] = field(default_factory=dict)

    def pack(self, name: str, data: NDArray, labels: NDArray | None = None, classes: tuple[str, ...] = (),
             inputs: NDArray | None = None) -> str:  # fmt: skip
        folder = self.root / "datasets" / name
        folder.mkdir(parents=True)
        np.save(folder / "data.npy", data)
        if labels is not None:
            np.save(folder / "labels.npy", labels)
        if data.ndim == 4:
            shape = ImageShape(channels=data.shape[3], height=data.shape[1], width=data.shape[2])
        else:
            shape = PointShape(dims=data.shape[1])
        conditions = labels.shape[1] if labels is not None and labels.ndim == 2 else 0
        channels = None if inputs is None else inputs.shape[3]
        if inputs is not None:
            np.save(folder / "inputs.npy", inputs)
        facts = DatasetFacts(
            count=len(data), shape=shape, classes=classes, condition_dims=conditions, input_channels=channels
        )
        (folder / "facts.json").write_text(facts.model_dump_json())
        self.facts[name] = facts
        return name

    def spec(self, dataset: str, **request: object) -> TrainingSpec:
        asked = TrainRequest.model_validate({"type": "train", "dataset": dataset, "model": "m"} | request)
        return resolve(asked, self.facts[dataset], "cpu")

    def train(self, dataset: str, spec: TrainingSpec, *, line: RecordingLine | None = None, job: str = "job_1",
              epoch: int = 1, resume: list[SavedCheckpoint] | None = None,
              device: str = "cpu", changes: list[dict] | None = None,
              start: SavedCheckpoint | StateFile | None = None) -> RecordingLine:  # fmt: skip
        line = line or RecordingLine()
        states = [
            StateFile(checkpoint=c.id, path=c.state_path, sha256=c.state_sha256, images=c.images) for c in resume or []
        ]
        if isinstance(start, SavedCheckpoint):
            start = StateFile(checkpoint=start.id, path=start.path, sha256=start.sha256, images=start.images)
        assignment = Assignment(
            job=job,
            epoch=epoch,
            type="train",
            spec=spec.model_dump(mode="json"),
            storage=str(self.root),
            device=device,
            threads=1,
            deadline=1e18,
            model=f"mdl_{job}",
            dataset={"id": "ds", "digest": dataset, "path": f"datasets/{dataset}"},
            resume=states,
            start=start,
            changes=changes or [],
        )
        train.run(assignment, line)  # type: ignore[arg-type]  # a line that records
        return line


def blobs(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Points (count, 2) around three centres."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, 2)) * 0.1 + rng.integers(0, 3, (count, 1)) * 2.0).astype(np.float32)


def pictures(
    count: int, channels: int = 1, side: int = 8, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (count, side, side, channels) of two classes, dark and bright, and their labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, count)
    noise = rng.integers(0, 60, (count, side, side, channels))
    return (noise + 150 * labels[:, None, None, None]).astype(np.uint8), labels


def noise(count: int, height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    """Images (count, height, width, channels) of a vertical gradient with noise, without classes."""
    rng = np.random.default_rng(0)
    shades = np.linspace(0, 190, height)[None, :, None, None]
    return (shades + rng.integers(0, 60, (count, height, width, channels))).astype(np.uint8)


def branches(count: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """y = ±(½ + x²) with x uniform on [-1, 1]: y (count, 1) and x (count, 1). For one x there are two answers."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (count, 1))
    y = (0.5 + x**2) * rng.choice([-1, 1], (count, 1))
    return y.astype(np.float32), x.astype(np.float32)
