"""Small packed datasets and models with seeded weights, and evaluate jobs run in this process."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from seeded import network, write_seeded

from gan.evaluating import Side, choose, dataset_side
from gan.spec import DatasetFacts, EvaluateRequest, EvaluationSpec, ImageShape, NetworkSpec, PointShape, Split
from worker.jobs import evaluate
from worker.line import ControlLine
from worker.protocol import Assignment, Evaluated, Report, Stop


class Line(ControlLine):
    """A line that keeps what was sent, and orders a stop at the first report that `until` accepts."""

    def __init__(self, until: Callable[[Report], bool] = lambda _: False) -> None:
        self.sent: list[Report] = []
        self._stop: Stop | None = None
        self._until = until

    def send(self, report: Report) -> None:
        self.sent.append(report)
        if self._until(report):
            self._stop = Stop(save=True)

    @property
    def result(self) -> dict[str, Any]:
        last = self.sent[-1]
        assert isinstance(last, Evaluated), last
        return dict(json.loads(last.model_dump_json())["result"])


def beside(spec: NetworkSpec) -> dict[str, Any]:
    """What a model file of such a condition carries: names and counts of classes, or inputs of pairs."""
    if spec.conditioning.kind == "image":
        assert isinstance(spec.shape, ImageShape)
        return {
            "conditions": torch.linspace(-1, 1, 5)
            .view(5, 1, 1, 1)
            .expand(5, spec.conditioning.size, spec.shape.height, spec.shape.width)
        }
    return {"classes": ("a", "b"), "counts": (3, 1)} if spec.conditioning.kind == "class" else {}


class Workshop:
    """A storage root with datasets and models."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.datasets: dict[str, dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}

    def pack(self, name: str, data: NDArray[Any]) -> None:
        folder = self.root / "datasets" / name
        folder.mkdir(parents=True)
        np.save(folder / "data.npy", data)
        facts = DatasetFacts(count=len(data), shape=shape_of(data))
        (folder / "facts.json").write_text(facts.model_dump_json())
        packed = {"id": f"ds_{name}", "digest": name, "path": f"datasets/{name}"}
        self.datasets[name] = packed | {"facts": facts.model_dump(mode="json")}

    def model(self, name: str, architecture: str = "r3", **more: Any) -> None:
        """A generator with seeded weights."""
        spec = network(architecture, **more)
        written = write_seeded(self.root / f"{name}.safetensors", spec, **beside(spec))
        file = {"id": f"ckpt_{name}", "images": 1000, "path": f"{name}.safetensors", "sha256": written.sha256}
        self.models[name] = file | {"shape": spec.shape}

    def spec(self, *, split: Split | None = None, **request: Any) -> EvaluationSpec:
        asked = EvaluateRequest.model_validate({"type": "evaluate"} | request)
        assert asked.dataset is not None
        if asked.model is not None:
            sample = Side(f"model {asked.model}", "model", self.models[asked.model]["shape"], None)
        else:
            assert asked.against is not None
            sample = dataset_side("against", asked.against, self.facts(asked.against))
        return choose(
            asked,
            dataset_side("dataset", asked.dataset, self.facts(asked.dataset)),
            sample,
            dataset=asked.dataset,
            checkpoint=None if asked.model is None else f"ckpt_{asked.model}",
            split=split,
            inception=False,
        )

    def facts(self, name: str) -> DatasetFacts:
        return DatasetFacts.model_validate(self.datasets[name]["facts"])

    def evaluate(self, spec: EvaluationSpec, line: Line | None = None, inception: Path | None = None) -> Line:
        line = line or Line()
        model = None if spec.model is None else {k: v for k, v in self.models[spec.model].items() if k != "shape"}
        assignment = Assignment(
            job="job_1",
            epoch=1,
            type="evaluate",
            spec=spec.model_dump(mode="json"),
            storage=str(self.root),
            device="cpu",
            threads=1,
            deadline=1e18,
            dataset=self.datasets[spec.dataset],
            evaluation={
                "checkpoint": model,
                "against": None if spec.against is None else self.datasets[spec.against],
                "inception": None if inception is None else str(inception),
            },
        )
        evaluate.run(assignment, line)
        return line

    def result(self, **request: Any) -> dict[str, Any]:
        return self.evaluate(self.spec(**request)).result


def shape_of(data: NDArray[Any]) -> ImageShape | PointShape:
    if data.ndim == 2:
        return PointShape(dims=data.shape[1])
    return ImageShape(channels=data.shape[3], height=data.shape[1], width=data.shape[2])


def cluster(count: int, x: float = 0.0, seed: int = 0, radius: float = 0.25) -> NDArray[np.float32]:
    """Points (count, 2), uniform on a disc around (x, 0): beyond its radius there is nothing."""
    rng = np.random.default_rng(seed)
    turn, far = rng.uniform(0, 2 * np.pi, count), radius * np.sqrt(rng.uniform(0, 1, count))
    return np.stack([x + far * np.cos(turn), far * np.sin(turn)], axis=1).astype(np.float32)


def stripes(count: int, seed: int = 0, channels: int = 1, side: int = 8, noise: int = 60) -> NDArray[np.uint8]:
    """Images (count, side, side, channels) of stripes at any angle and phase, with noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    angle, phase = rng.uniform(0, np.pi, (2, count, 1, 1))
    waves = 98 + 60 * np.sin(4 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) + 2 * phase)
    return (waves[..., None] + rng.uniform(0, noise, (count, side, side, channels))).astype(np.uint8)
