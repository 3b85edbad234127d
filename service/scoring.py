"""What a discriminator thinks of images or points: from a request to rows for its network, from logits to odds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gan.errors import InvalidRequest, LimitExceeded
from gan.spec import ImageShape, NetworkSpec, ProjectRequest, ScoreSpec
from service.engine.runtime import Floats, Loaded, Values
from service.inputs import Allowance, opened_image
from service.planning import FURTHEST, Asked, class_names, conditions_of, spread, vectors_of
from service.schemas import Score

MOST_ROWS: Final = 100_000
"""Rows that one request may have judged: images, times the classes where no labels are given."""


@dataclass(frozen=True)
class Judged:
    """What a discriminator is given: x (N · K, …) and c, K rows for each of N images, one for each label tried."""

    x: Floats
    c: Floats | None
    labels: tuple[str | None, ...]
    tried: int


def plan_scores(spec: ScoreSpec, loaded: Loaded) -> Judged:
    """The rows of a request. Raises InvalidRequest, which names the field, and LimitExceeded."""
    x = rows_of(spec, loaded)
    kind = loaded.header.network.conditioning.kind
    names = class_names(loaded) if kind == "class" and spec.labels is None else ()
    if len(x) * max(1, len(names)) > MOST_ROWS:
        raise LimitExceeded(
            f"{len(x)} images as each of {len(names)} classes are more than {MOST_ROWS:,} rows: give labels",
            param="labels",
        )
    if names:
        every = [Asked(name, None, None, 0, "inputs") for _ in x for name in names]
        return Judged(np.repeat(x, len(names), axis=0), conditions_of(every, loaded), names, len(names))
    c = conditions_of(asked_of(spec, len(x), kind), loaded)
    labels = tuple(map(class_names(loaded).__getitem__, c.argmax(axis=1))) if kind == "class" and c is not None else ()
    return Judged(x, c, labels or (None,) * len(x), 1)


def asked_of(spec: ScoreSpec | ProjectRequest, count: int, kind: str) -> list[Asked]:
    """What each row is judged as. Nothing is drawn here: what a model needs must be given."""
    if kind == "vector" and spec.condition is None:
        raise InvalidRequest("this model is conditioned on numbers: say which, in condition", param="condition")
    if kind == "image" and spec.inputs is None:
        raise InvalidRequest("this model is of pairs: give the inputs that the images were made for", param="inputs")
    columns = (
        spread(spec.labels, count, "labels"),
        spread(vectors_of(spec.condition), count, "condition"),
        spread(spec.inputs, count, "inputs"),
    )
    return [
        Asked(label, condition, picture, 0, f"inputs.{i}")
        for i, (label, condition, picture) in enumerate(zip(*columns, strict=True))
    ]


def rows_of(spec: ScoreSpec, loaded: Loaded) -> Floats:
    """The images (N, C, H, W) in [-1, 1], or the points (N, D), standardised."""
    shape = loaded.header.network.shape
    if isinstance(shape, ImageShape):
        if spec.images is None:
            raise InvalidRequest("this model makes images: give images, not points", param="points")
        allowance = Allowance()
        return np.stack(
            [opened_image(text, shape, shape.channels, f"images.{i}", allowance) for i, text in enumerate(spec.images)]
        )
    if spec.points is None:
        raise InvalidRequest("this model makes points: give points, not images", param="images")
    return standardised([point_of(row, loaded.header.network, i) for i, row in enumerate(spec.points)], loaded)


def point_of(row: list[float], network: NetworkSpec, i: int) -> list[float]:
    """A point of as many numbers as the model's have."""
    assert not isinstance(network.shape, ImageShape)
    if len(row) != network.shape.dims:
        raise InvalidRequest(
            f"points.{i} has {len(row)} numbers; the points of this model have {network.shape.dims}",
            param=f"points.{i}",
        )
    return row


def standardised(points: Sequence[list[float]], loaded: Loaded) -> Floats:
    """As the networks see them: zero mean, unit variance. InvalidRequest for points far beyond all that is known."""
    x = np.array(points, dtype=np.float64)
    if loaded.mean is not None and loaded.std is not None:
        x = (x - loaded.mean) / loaded.std
    far = np.flatnonzero((np.abs(x) > FURTHEST).any(axis=1))
    if len(far):
        raise InvalidRequest(f"points.{far[0]} lies far beyond all that was trained on", param=f"points.{far[0]}")
    return x.astype(np.float32)


def scored(judged: Judged, logits: Values, loaded: Loaded) -> list[Score]:
    """A score for each image; where several labels were tried, that of the label which it fits best."""
    if not np.isfinite(logits).all():
        raise InvalidRequest("the model's arithmetic overflows on these images, points or conditions")
    table = logits.astype(np.float64).reshape(-1, judged.tried)
    best = table.argmax(axis=1)
    found = table[np.arange(len(table)), best]
    chances = probabilities(found, loaded)
    return [
        Score(index=i, logit=float(logit), probability=chance, label=judged.labels[best[i] if judged.tried > 1 else i])
        for i, (logit, chance) in enumerate(zip(found, chances, strict=True))
    ]


def probabilities(logits: Values, loaded: Loaded) -> list[float | None]:
    """σ of the log-odds that the checkpoint's calibration gives; None each where it has none."""
    calibration = loaded.header.calibration
    if calibration is None:
        return [None] * len(logits)
    below = np.maximum(0.0, calibration.logits[0] - logits) / calibration.unit
    odds = np.interp(logits, calibration.logits, calibration.log_odds) - below
    return [float(chance) for chance in 0.5 * (1 + np.tanh(odds / 2))]
