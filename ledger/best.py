"""Which checkpoint of a model is its best: by the metric that it follows, as measured and kept with each checkpoint."""

from collections.abc import Iterable
from math import isfinite
from typing import Any, Protocol, TypeVar

from gan.metrics import FOLLOWED, METRICS, MetricName


class Measured(Protocol):
    """A checkpoint: its place in the order of publication, and what was measured of it."""

    @property
    def number(self) -> int:
        """Grows in the order of publication."""

    @property
    def metrics(self) -> dict[str, float | None]:
        """Metric → value, None where it could not be estimated."""


M = TypeVar("M", bound=Measured)


def followed(metric: str | None, network: dict[str, Any]) -> MetricName:
    """The metric of a model: its own, or what is usual for its kind of data (`network` is a NetworkSpec as JSON)."""
    return next((name for name in METRICS if name == metric), FOLLOWED[network["shape"]["kind"]])


def ranked(checkpoints: Iterable[M], metric: MetricName) -> list[M]:
    """The checkpoints that have a finite value of the metric, the best first; of equals the newest."""
    sign = 1 if METRICS[metric].better == "lower" else -1
    values = [(one, one.metrics.get(metric)) for one in checkpoints]
    known = [(sign * value, -one.number, one) for one, value in values if value is not None and isfinite(value)]
    return [one for _, _, one in sorted(known, key=lambda row: row[:2])]
