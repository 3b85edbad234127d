"""What the discriminator's logits say about two distributions: V, a Jensen-Shannon bound, a Wasserstein estimate.

r (N,) are logits of real data, f (M,) of generated data, float64 arrays.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float64]
Points = NDArray[np.floating[Any]]

LOG_2 = float(np.log(2.0))
FEWEST = 64
"""Held-out rows below which no estimate is made."""
RIDGE = 1e-4
"""Keeps a separable calibration finite; small beside one sample's weight."""
NEWTON_STEPS = 50


@dataclass(frozen=True)
class Calibration:
    """logit → a · logit + b, a ≥ 0: the log-odds of real against generated."""

    a: float = 1.0
    b: float = 0.0

    def __call__(self, logits: Logits) -> Logits:
        """Calibrated log-odds."""
        return self.a * logits + self.b


def value(r: Logits, f: Logits) -> float:
    """V(D, G) = E log σ(r) + E log(1 - σ(f)), at most 0 (Goodfellow 2014, eq. 1).

    >>> round(value(np.zeros(3), np.zeros(3)), 4)  # -2 log 2 where D cannot tell
    -1.3863
    """
    with np.errstate(invalid="ignore"):  # logits of a run that explodes: V is no number then, and the run says why
        return float(-np.logaddexp(0.0, -r).mean() - np.logaddexp(0.0, f).mean())


def jensen_shannon(v: float) -> float:
    """(V + log 4) / 2, clamped to [0, log 2] nats: at most the true divergence, reached by the best discriminator.

    >>> jensen_shannon(-2 * LOG_2)
    0.0
    """
    return float(np.clip((v + 2 * LOG_2) / 2, 0.0, LOG_2))


def calibrate(r: Logits, f: Logits) -> Calibration:
    """Two-parameter logistic regression of real against generated on the logits, both halves weighing the same.

    A negative slope is set to 0: such logits tell nothing. Logits are scaled by their spread first, so that Newton's
    steps do not depend on their unit.
    """
    logits = np.concatenate([r, f])
    spread = float(logits.std()) or 1.0
    centre = float(logits.mean())
    x = np.stack([(logits - centre) / spread, np.ones_like(logits)], axis=1)
    y = np.concatenate([np.ones_like(r), np.zeros_like(f)])
    weights = np.concatenate([np.full_like(r, 0.5 / len(r)), np.full_like(f, 0.5 / len(f))])
    a, b = _newton(x, y, weights)
    if a <= 0:
        return Calibration(0.0, 0.0)
    return Calibration(a / spread, b - a * centre / spread)


def _newton(x: Logits, y: Logits, weights: Logits) -> tuple[float, float]:
    theta = np.zeros(2)
    ridge = np.diag([RIDGE, 0.0])
    for _ in range(NEWTON_STEPS):
        p = 0.5 * (1 + np.tanh(x @ theta / 2))
        gradient = x.T @ (weights * (p - y)) + ridge @ theta
        curvature = (x * (weights * p * (1 - p))[:, None]).T @ x + ridge + 1e-12 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        theta = theta - step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-10:
            break
    return float(theta[0]), float(theta[1])


def exact_wasserstein(real: Points, fake: Points) -> float:
    """W₁ between two samples, (N, D) and (M, D): the least mean Euclidean distance of any transport (by POT's solver).

    >>> exact_wasserstein(np.zeros((2, 1)), np.array([[1.0], [3.0]]))
    2.0
    """
    import ot  # two seconds to import, and only points need it

    return float(ot.emd2([], [], ot.dist(real.astype(np.float64), fake.astype(np.float64), metric="euclidean")))


def wasserstein(gap: float, steepest: float) -> float | None:
    """gap / K̂, an estimate of W₁, never a bound: gap = E r - E f, K̂ the largest gradient norm seen (None at 0)."""
    return gap / steepest if steepest > 0 else None
