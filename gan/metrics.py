"""What samples are measured by: one row a measure. Torch-free, so that the API and the ledger know them too.

`worker.evaluation` computes them; a checkpoint carries those of its training, and `model@best` follows one of them.
"""

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from gan.spec import DataShape

Better = Literal["lower", "higher"]
MetricName = Literal[
    "fid",
    "kid",
    "precision",
    "recall",
    "density",
    "coverage",
    "sliced_wasserstein",
    "wasserstein_exact",
    "wasserstein2_exact",
    "near_copies",
    "js_estimate",
    "wasserstein_estimate",
]


class Metric(NamedTuple):
    """Which direction is better, what kinds of data it is for, and what it says."""

    better: Better
    kinds: frozenset[str]
    about: str


IMAGES, POINTS = frozenset({"images"}), frozenset({"points"})
EITHER = IMAGES | POINTS

METRICS: dict[MetricName, Metric] = {
    "fid": Metric("lower", IMAGES, "Fréchet distance between Gaussians fitted to features (Heusel 2017)"),
    "kid": Metric("lower", IMAGES, "squared maximum mean discrepancy of features, cubic kernel (Bińkowski 2018)"),
    "precision": Metric("higher", EITHER, "share of samples within the data's manifold (Kynkäänniemi 2019)"),
    "recall": Metric("higher", EITHER, "share of the data within the samples' manifold (Kynkäänniemi 2019)"),
    "density": Metric("higher", EITHER, "how densely the data lie around a sample (Naeem 2020)"),
    "coverage": Metric("higher", EITHER, "share of the data with a sample in its neighbourhood (Naeem 2020)"),
    "sliced_wasserstein": Metric("lower", EITHER, "mean Wasserstein distance over random directions (Bonneel 2015)"),
    "wasserstein_exact": Metric("lower", POINTS, "W₁ between two samples, by exact transport"),
    "wasserstein2_exact": Metric("lower", POINTS, "W₂ between two samples, by exact transport"),
    "near_copies": Metric("lower", IMAGES, "share of samples nearer to a training image than its like are to it"),
    "js_estimate": Metric("lower", EITHER, "lower bound of the Jensen-Shannon divergence on held-out data, nats"),
    "wasserstein_estimate": Metric("lower", EITHER, "a critic's gap over its steepest gradient, on held-out data"),
}

FOLLOWED: dict[str, MetricName] = {"images": "fid", "points": "wasserstein_exact"}
"""Kind of data → the measure that `model@best` follows unless the request says otherwise."""


EVALUATED_ALONE: frozenset[MetricName] = frozenset({"kid", "near_copies", "wasserstein2_exact"})
"""What takes too many rows for every checkpoint, and so cannot be followed: evaluations have it."""


def followable(shape: "DataShape") -> tuple[MetricName, ...]:
    """The measures that every checkpoint of a training has, in the table's order."""
    return tuple(name for name in measurable(shape) if name not in EVALUATED_ALONE)


def measurable(shape: "DataShape") -> tuple[MetricName, ...]:
    """The measures of a kind of data, in the table's order."""
    return tuple(name for name, metric in METRICS.items() if shape.kind in metric.kinds)
