"""Choosing what a request for an evaluation leaves open, or refusing it, naming the field. Torch-free."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from gan.choosing import Choosing
from gan.errors import InvalidRequest
from gan.metrics import METRICS, MetricName, measurable
from gan.spec import DatasetFacts, DataShape, EvaluateRequest, EvaluationSpec, ImageShape, Split

FEWEST_ROWS = 64
"""Rows of either side below which nothing is measured."""
THEORY: frozenset[str] = frozenset({"js_estimate", "wasserstein_estimate"})
"""Measures for which networks are trained: on half of a side's rows, so that a quarter is left to report."""
FEWEST_FOR_THEORY = 4 * FEWEST_ROWS
MOST_NUMBERS = 2**30
"""Numbers of one side's rows, which are held in memory: 50,000 images of 64×64, 5,461 of 256×256."""
MOST_SAMPLES = 10_000
PIXELS = 2**24
POINTS = 5_000
INCEPTION_SAMPLES = 1_000
POINT_STEPS = 400
IMAGE_STEPS = (60, 400)
STEP_PIXELS = 2**16


@dataclass(frozen=True)
class Side:
    """One side of a comparison: what it is called in a message, its data's shape, and how many rows there are.

    `count` is None for a model, which makes as many as are wanted.
    """

    name: str
    param: str
    shape: DataShape
    count: int | None


def dataset_side(param: str, name: str, facts: DatasetFacts) -> Side:
    """A dataset, named in the request's field `param`."""
    return Side(f"dataset {name}", param, facts.shape, facts.count)


def choose(
    request: EvaluateRequest,
    reference: Side,
    sample: Side,
    *,
    dataset: str,
    checkpoint: str | None,
    split: Split | None,
    inception: bool,
) -> EvaluationSpec:
    """Every figure of the evaluation of `sample` against `reference`. InvalidRequest.

    `dataset` is the reference's name, `split` how it was divided where the sample is a model that was trained on it,
    `inception` says whether images are measured by that network.
    """
    refuse_unlike(reference, sample)
    choosing = Choosing()
    asked = None if request.metrics is None else known(request.metrics, reference.shape)
    metrics = choosing.pick("metrics", asked, measurable(reference.shape), f"all that {reference.shape.kind} have")
    refuse_few(metrics, reference, sample, named=request.metrics is not None)
    refuse_many(request.samples or 0, reference.shape)
    samples, why = samples_for(reference.shape, extractor_is_slow=inception)
    reason = "a few seconds for each of the two networks, by the size of the data"
    return EvaluationSpec(
        model=request.model,
        checkpoint=checkpoint,
        dataset=dataset,
        against=request.against,
        metrics=able(metrics, reference, sample),
        samples=choosing.pick("samples", request.samples, samples, why),
        steps=choosing.pick("steps", request.steps, steps_for(reference.shape), reason),
        seed=request.seed,
        split=split,
        chosen=choosing.reasons,
    )


def known(metrics: Sequence[str], shape: DataShape) -> tuple[MetricName, ...]:
    """The measures so named, in the table's order. InvalidRequest for one that is none, or of another kind of data."""
    for name in metrics:
        if name not in METRICS:
            raise InvalidRequest(f"there is no metric {name[:40]!r}; there are {', '.join(METRICS)}", param="metrics")
        if name not in measurable(shape):
            has = ", ".join(measurable(shape))
            raise InvalidRequest(f"{name} is not measured on {shape.kind}, which have {has}", param="metrics")
    return tuple(name for name in METRICS if name in metrics)


def refuse_unlike(reference: Side, sample: Side) -> None:
    """Raises InvalidRequest where the two sides cannot be compared."""
    if reference.shape == sample.shape:
        return
    remedy = remedy_for(reference.shape, sample.shape)
    both = f"{sample.name} has {described(sample.shape)}, {reference.name} {described(reference.shape)}"
    raise InvalidRequest(f"{both}: {remedy}", param=sample.param if sample.param == "against" else reference.param)


def remedy_for(one: DataShape, other: DataShape) -> str:
    """What makes two sides comparable. The channels of images are those of the files: no upload asks for others."""
    if not (isinstance(one, ImageShape) and isinstance(other, ImageShape)):
        return "they must be alike"
    if one.channels != other.channels:
        return "save the images of one of them anew with the channels of the other"
    return "upload one of them anew with the width and height of the other"


def described(shape: DataShape) -> str:
    """A shape in words."""
    if isinstance(shape, ImageShape):
        return f"images of {shape.width}×{shape.height} with {shape.channels} channels"
    return f"points of {shape.dims} numbers"


def refuse_few(metrics: Sequence[str], reference: Side, sample: Side, *, named: bool) -> None:
    """Raises InvalidRequest where a side has fewer rows than what was asked for needs."""
    needed = FEWEST_FOR_THEORY if named and THEORY & set(metrics) else FEWEST_ROWS
    for side in (reference, sample):
        if side.count is not None and side.count < needed:
            raise InvalidRequest(f"{side.name} has {side.count} rows and {needed} are needed", param=side.param)


def refuse_many(samples: int, shape: DataShape) -> None:
    """Raises InvalidRequest for more rows than either side may hold in memory."""
    a_row = prod((shape.channels, shape.height, shape.width)) if isinstance(shape, ImageShape) else shape.dims
    most = MOST_NUMBERS // a_row
    if samples > most:
        raise InvalidRequest(
            f"{samples} samples are too many to hold: of {described(shape)} at most {most}", param="samples"
        )


def able(metrics: Sequence[str], reference: Side, sample: Side) -> tuple[str, ...]:
    """What of it either side has rows enough for (only what was not named is left out)."""
    counts = [side.count for side in (reference, sample) if side.count is not None]
    few = min(counts) < FEWEST_FOR_THEORY
    return tuple(name for name in metrics if not (few and name in THEORY))


def samples_for(shape: DataShape, *, extractor_is_slow: bool) -> tuple[int, str]:
    """Rows of either side, and why so many."""
    if not isinstance(shape, ImageShape):
        return POINTS, "more points tell little more, and take minutes"
    count = max(FEWEST_FOR_THEORY, min(MOST_SAMPLES, PIXELS // (shape.height * shape.width)))
    if extractor_is_slow and count > INCEPTION_SAMPLES:
        return INCEPTION_SAMPLES, "Inception takes a core a third of a second an image; published figures have 50,000"
    return count, "as many as make 16 million pixels, 256 to 10,000"


def steps_for(shape: DataShape) -> int:
    """Updates of the discriminator, and of the critic."""
    if not isinstance(shape, ImageShape):
        return POINT_STEPS
    least, most = IMAGE_STEPS
    return min(most, max(least, most * STEP_PIXELS // (256 * shape.height * shape.width)))
