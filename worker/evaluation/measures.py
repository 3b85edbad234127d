"""The measures of `gan.metrics`, each a row: what is computed of two samples, and what they share of the work."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from gan.metrics import MetricName
from worker.evaluation import distances
from worker.evaluation.copies import Read, near_copies
from worker.evaluation.features import Extractor, premultiplied
from worker.evaluation.manifold import prdc
from worker.evaluation.rows import Pause
from worker.evaluation.theory import Verdict


@dataclass
class Material:
    """Two samples, and what it takes to measure one by the other.

    `real` and `fake` are levels, uint8 (N, C, H, W), or points (N, D). `extractor` is None for points. `training` reads
    the `trained` rows that near-copies would be copies of. `play` trains the networks of the theory.
    """

    real: Tensor
    fake: Tensor
    extractor: Extractor | None
    training: Read
    trained: int
    play: Callable[[], Verdict]
    seed: int
    between: Pause

    @cached_property
    def features(self) -> tuple[Tensor, Tensor]:
        """What neighbours and Gaussians are found in: extracted features; points, standardised by the real ones."""
        if self.extractor is not None:
            return self.extractor(self.real, self.between), self.extractor(self.fake, self.between)
        mean, std = self.real.double().mean(dim=0), self.real.double().std(dim=0)
        std[std < 1e-12] = 1.0
        return (self.real.double() - mean) / std, (self.fake.double() - mean) / std

    @cached_property
    def flat(self) -> tuple[Tensor, Tensor]:
        """What transport is between: pixels on [-1, 1], colours times alpha; points in their own units."""
        return flat(self.real), flat(self.fake)

    @cached_property
    def neighbourhoods(self) -> dict[str, float]:
        """Precision, recall, density and coverage."""
        return prdc(*self.features)

    @cached_property
    def verdict(self) -> Verdict:
        """What a discriminator and a critic found."""
        return self.play()


def flat(rows: Tensor) -> Tensor:
    """One row a sample: (N, D)."""
    return rows if rows.dim() == 2 else premultiplied(rows).flatten(1)


MEASURES: dict[MetricName, Callable[[Material], float | None]] = {
    "fid": lambda m: distances.fid(*m.features),
    "kid": lambda m: distances.kid(*m.features, m.seed),
    "precision": lambda m: m.neighbourhoods["precision"],
    "recall": lambda m: m.neighbourhoods["recall"],
    "density": lambda m: m.neighbourhoods["density"],
    "coverage": lambda m: m.neighbourhoods["coverage"],
    "sliced_wasserstein": lambda m: distances.sliced_wasserstein(*m.flat, m.seed),
    "wasserstein_exact": lambda m: distances.transport(m.real, m.fake, 1),
    "wasserstein2_exact": lambda m: distances.transport(m.real, m.fake, 2),
    "near_copies": lambda m: near_copies(m.fake, m.training, m.trained, m.between),
    "js_estimate": lambda m: m.verdict.js_estimate,
    "wasserstein_estimate": lambda m: m.verdict.wasserstein_estimate,
}
