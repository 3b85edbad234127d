"""One evaluation: the two samples, what is measured of them, and what the result says of both."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan.checkpoint import LoadedNetwork
from gan.evaluating import FEWEST_ROWS, THEORY
from gan.metrics import METRICS
from gan.spec import EvaluationSpec, ImageShape
from worker.evaluation import theory
from worker.evaluation.copies import near_copies
from worker.evaluation.features import extractor
from worker.evaluation.measures import MEASURES, Material
from worker.evaluation.rows import ModelRows, PackedRows
from worker.training.data import Packed, split
from worker.training.draws import Stream, numbers

EXTRACTED = frozenset({"fid", "kid", "precision", "recall", "density", "coverage"})
REFERENCE, SAMPLE = 1, 2
"""Steps of the stream by which rows of either side are drawn."""

Tell = Callable[[float], None]
"""Called with the share done, 0 to 1, several times a second; raises where the work is to end."""


@dataclass(frozen=True)
class Rows:
    """Rows of the reference: those compared with, those trained on, and what `part` of the data the first are."""

    compared: NDArray[np.int64]
    trained: NDArray[np.int64]
    part: str


class Evaluation:
    """A reference dataset, and a model (`loaded`) or another dataset (`against`) that is measured by it."""

    def __init__(
        self,
        spec: EvaluationSpec,
        reference: Packed,
        *,
        loaded: LoadedNetwork | None = None,
        against: Packed | None = None,
        weights: Path | None = None,
        device: torch.device,
        tell: Tell,
    ) -> None:
        assert (loaded is None) != (against is None)
        self.spec, self.reference, self.loaded, self.against = spec, reference, loaded, against
        self.weights, self.device = weights, device
        self.rows = reference_rows(spec, reference)
        self._tell, self._done = tell, 0.0

    def run(self) -> dict[str, Any]:
        """The result as the API shows it: every measure, those that could not be taken with the reason, and of what."""
        found: dict[str, float | None] = {}
        missing: dict[str, str] = {}
        weights = {name: 10.0 if name in THEORY else 1.0 for name in self.spec.metrics}
        for name in self.spec.metrics:
            value = MEASURES[name](self.material)  # type: ignore[index]  # names were checked when it was asked for
            found[name] = value if value is not None and isfinite(value) else None
            if found[name] is None:
                missing[name] = "not a finite number"
            self._done += 0.9 * weights[name] / sum(weights.values())
            self._tell(self._done)
        return {
            "metrics": found,
            "better": {name: METRICS[name].better for name in found},  # type: ignore[index]
            "missing": missing,
            "extractor": self._extractor(),
            "reference": {"dataset": self.spec.dataset, "rows": len(self.material.real), "part": self.rows.part},
            "sample": self._sample(),
            "baseline": self._baseline(),
            "theory": self._theory(),
        }

    @cached_property
    def material(self) -> Material:
        """Both samples, read or drawn."""
        compared = PackedRows(self.reference, self.rows.compared)
        trained = PackedRows(self.reference, self.rows.trained)
        images = isinstance(self.reference.facts.shape, ImageShape)
        return Material(
            real=compared.read(0, self.spec.samples),
            fake=self._fake(),
            extractor=extractor(self.weights, self.device) if images and EXTRACTED & set(self.spec.metrics) else None,
            training=trained.read,
            trained=len(trained),
            play=self._play,
            seed=self.spec.seed,
            between=self._pause,
        )

    def _fake(self) -> Tensor:
        if self.loaded is not None:
            return ModelRows(self.loaded, self.spec.seed, self.device).read(0, self.spec.samples, self._pause)
        assert self.against is not None
        order = shuffled(np.arange(self.against.facts.count), self.spec.seed, SAMPLE)
        return PackedRows(self.against, order).read(0, self.spec.samples)

    def _pause(self) -> None:
        self._tell(self._done)

    def _play(self) -> theory.Verdict:
        return theory.play(self._games, self.reference.facts.shape, self.spec.steps, self.spec.seed, self._playing)

    def _playing(self, step: int) -> None:
        self._tell(self._done + 0.5 * step / (2 * self.spec.steps) * (0.9 - self._done))

    @cached_property
    def _games(self) -> theory.Samples:
        """Parts for the networks. Where rows were held out of a model's training, the report is of these."""
        real, fake = self.material.real, self.material.fake
        parts = theory.thirds(len(fake), self.spec.seed)
        fakes = [fake[part] for part in parts]
        if self.rows.part == "held_out":
            seen = PackedRows(self.reference, self.rows.trained).read(0, self.spec.samples)
            reals = [seen[: 2 * len(seen) // 3], seen[2 * len(seen) // 3 :], real]
        else:
            reals = [real[part] for part in theory.thirds(len(real), self.spec.seed)]
        both = [theory.Part(r.to(self.device), f.to(self.device)) for r, f in zip(reals, fakes, strict=True)]
        return theory.prepared((both[0], both[1], both[2]))

    def _extractor(self) -> dict[str, Any] | None:
        return None if self.material.extractor is None else self.material.extractor.describe()

    def _sample(self) -> dict[str, Any]:
        rows = {"rows": len(self.material.fake)}
        if self.loaded is None:
            return {"dataset": self.spec.against} | rows
        images = self.loaded.header.images
        return {"model": self.spec.model, "checkpoint": self.spec.checkpoint, "images": images} | rows

    def _baseline(self) -> dict[str, float]:
        """What held-out rows score as near-copies of the training rows: how often chance makes one."""
        if "near_copies" not in self.spec.metrics or self.rows.part != "held_out":
            return {}
        material = self.material
        return {"near_copies": near_copies(material.real, material.training, material.trained, self._pause)}

    def _theory(self) -> dict[str, Any] | None:
        """What both networks found, and of how many rows."""
        if not THEORY & set(self.spec.metrics):
            return None
        test = self._games.test
        rows = {"real": len(test.real), "fake": len(test.fake)}
        return {"steps": self.spec.steps, "rows": rows, **asdict(self.material.verdict)}


def reference_rows(spec: EvaluationSpec, packed: Packed) -> Rows:
    """Held-out rows where a model meets its own data and enough were held out, else all, in an order of the seed's."""
    every = np.arange(packed.facts.count)
    if spec.split is None:
        return Rows(shuffled(every, spec.seed, REFERENCE), every, "all")
    trained, held = split(packed.facts.count, spec.split.share, spec.split.seed)
    if len(held) < FEWEST_ROWS:
        return Rows(shuffled(trained, spec.seed, REFERENCE), trained, "training")
    return Rows(shuffled(held, spec.seed, REFERENCE), shuffled(trained, spec.seed, REFERENCE), "held_out")


def shuffled(rows: NDArray[np.int64], seed: int, step: int) -> NDArray[np.int64]:
    """Rows lie by class in storage: a part of them must not be a part of the classes."""
    return numbers(seed, Stream.EVALUATION_ROWS, step).permutation(rows)
