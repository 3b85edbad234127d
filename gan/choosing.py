"""Choosing what a request leaves open: from the recipe, the data and the device, each with its reason.

`resolve` turns a TrainRequest into a TrainingSpec or refuses it, naming the field. Torch-free.
"""

from dataclasses import dataclass, replace
from math import inf
from typing import Literal, TypeVar

from gan.averages import RAW, asked_default, chosen_halflives, listed
from gan.errors import InvalidRequest
from gan.metrics import FOLLOWED, MetricName, followable
from gan.recipes import RECIPES, Recipe
from gan.spec import (
    IMAGE_SIDES,
    Architecture,
    Augment,
    Conditioning,
    DatasetFacts,
    ImageShape,
    NetworkSpec,
    PointShape,
    Schedule,
    TrainingSpec,
    TrainRequest,
)

T = TypeVar("T")
Scheduled = Literal["learning_rate", "beta2", "r1", "r2"]

POINT_BATCH = 64
POINT_LATENT_DIM = 16
HELD_OUT_SHARE = 0.1
FEWEST_HELD_OUT = 64
ROUNDS_A_REPORT = 50
IMAGES_A_REPORT = 25_600
FEWEST_REPORTS = 20
"""A report in this many rounds where only time bounds a job; else as many reports as this, or more of a long job."""
PUBLISHED_HALFLIVES = ((32, 5_000_000.0, "CIFAR-10"), (IMAGE_SIDES[1], 500_000.0, "FFHQ-64 and 256"))
"""Up to which side, the EMA's half-life in images, and for which data it was published."""
KEPT_CHECKPOINTS = 5
KEPT_BEST = 1


@dataclass(frozen=True)
class Measured:
    """γ, rate and batch as they were measured with an architecture of a CPU's width and short budgets, and where.

    The first of `architectures` was measured, the others are taken to be like it. `batch_size` None: the recipe's.
    """

    architectures: tuple[Architecture, ...]
    gamma: float
    learning_rate: float
    batch_size: int | None
    where: str


@dataclass(frozen=True)
class Regime:
    """What γ, the rate and the budget should be for images up to `side` pixels (or for points).

    A ratio is the end of a schedule over its start. On a CPU, `measured` has its own figures for an architecture.
    """

    side: int
    gamma: float
    gamma_ratio: float
    learning_rate: float
    rate_ratio: float
    cpu_images: int
    gpu_images: int
    reason: str
    measured: tuple[Measured, ...] = ()
    batch_size: int | None = None


STRIDED: tuple[Architecture, ...] = ("plain", "dcgan", "resnet", "mlp")
BOTTLENECKS: tuple[Architecture, ...] = ("r3", "unet")
ON_PICTURES = "measured on a CPU over {} photographs or shapes of {} pixels"
AT_32 = (
    Measured(STRIDED, 20.0, 2e-3, 32, ON_PICTURES.format("150,000", 32)),
    Measured(BOTTLENECKS, 5.0, 1e-3, None, ON_PICTURES.format("5,000", 32)),
)
AT_64 = (Measured(STRIDED, 50.0, 1e-3, 32, "measured on a CPU over 24,000 photographs of 64 pixels"),)
# side, γ, its ratio, rate, its ratio, images on a CPU, images on a GPU, reason, what was measured on a CPU
POINTS = Regime(0, 0.02, 0.1, 5e-4, 0.05, 7_000_000, 10_000_000, "points: many small steps at a high rate, a weak γ")
# γ: published 0.05 (32²), 2 (64²), 150 (256²), each falling to a tenth; a tenfold larger one is safe and a smaller one
# collapses, so 32² gets ten times the figure of its much larger network, and 128² lies between its neighbours on a
# logarithmic scale.
# Up to 16²: on 8² digits, in the minute that `make demo` takes, a γ that stays gave more variety than one that falls.
# What was measured, on which pictures and over how many, is in docs/learning.md.
IMAGE_REGIMES = (
    Regime(16, 1.0, 1.0, 2e-3, 0.05, 200_000, 2_000_000, "images up to 16 pixels: small networks bear a high rate"),
    Regime(32, 0.5, 0.1, 2e-4, 0.25, 200_000, 5_000_000, "images up to 32 pixels", AT_32),
    Regime(64, 2.0, 0.1, 2e-4, 0.25, 100_000, 5_000_000, "images up to 64 pixels: the published γ of FFHQ-64", AT_64),
    Regime(128, 17.0, 0.1, 2e-4, 0.25, 50_000, 5_000_000, "images up to 128 pixels: a γ between those of 64² and 256²"),
    Regime(256, 150.0, 0.1, 2e-4, 0.25, 25_000, 5_000_000, "images up to 256 pixels: the published γ of FFHQ-256"),
)
WIDTHS: dict[tuple[str, bool], tuple[int, str]] = {
    ("mlp", False): (256, "three layers of 256 units"),
    ("mlp", True): (256, "three layers of 256 units"),
    ("dcgan", False): (32, "half the published width: a quarter of the work, for a CPU"),
    ("dcgan", True): (64, "the published width"),
    ("plain", False): (32, "a width that a CPU bears"),
    ("plain", True): (64, "a width that a GPU bears"),
    ("resnet", False): (16, "a quarter of the published width, for a CPU: at 64 pixels a third of the work of 32"),
    ("resnet", True): (64, "the published width of 48 and 128 pixels"),
    ("r3", False): (24, "a width that a CPU bears"),
    ("r3", True): (64, "a width that a GPU bears"),
    ("unet", False): (24, "a width that a CPU bears"),
    ("unet", True): (64, "a width that a GPU bears"),
}


@dataclass(frozen=True)
class Augmenting:
    """What `auto` is for images up to `side` pixels in datasets up to `count` of them."""

    side: float
    count: float
    augment: Augment
    reason: str


AUGMENTED: tuple[Augment, ...] = ("diffaugment", "ada")
# side, count, what, reason: the first row that holds (docs/learning.md has the measurements)
AUGMENTING = (
    Augmenting(16, inf, "none", "images up to 16 pixels: augmented 8×8 digits came out less varied"),
    Augmenting(inf, 10_000, "diffaugment", "up to 10,000 images, which a discriminator learns by heart"),
    Augmenting(inf, 70_000, "ada", "10,000 to 70,000 images: as much as the discriminator overfits"),
    Augmenting(inf, inf, "none", "more than 70,000 images are learned better as they are"),
)


class Choosing:
    """Collects values and the reasons of those that the request left open."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def pick(self, field: str, given: T | None, chosen: T, reason: str) -> T:
        """The given value, or the chosen one with its reason noted."""
        if given is not None:
            return given
        self.reasons[field] = reason
        return chosen


def resolve(request: TrainRequest, facts: DatasetFacts, device: str) -> TrainingSpec:
    """Every figure of the job, chosen where the request is silent. `device` is `cpu` or begins with `cuda`.

    InvalidRequest names the field that contradicts the recipe, the data or another field.
    """
    recipe, choosing = RECIPES[request.recipe], Choosing()
    regime = regime_of(facts)
    refuse_contradictions(request, recipe, facts)
    gpu = device.startswith("cuda")
    conditioning = _conditioning(request, facts, choosing)
    architecture = _architecture(request, recipe, facts, conditioning, gpu, choosing)
    regime = regime if gpu else as_measured(regime, architecture)
    published = f"as published for {request.recipe}"
    lipschitz = choosing.pick("lipschitz", request.lipschitz, recipe.lipschitz, published)

    def in_force(control: str) -> str:
        return published if lipschitz == control else f"not in force: lipschitz is {lipschitz}"

    r1, r2 = _gammas(request, recipe, regime, choosing)
    critic_steps = choosing.pick("critic_steps", request.critic_steps, recipe.critic_steps, published)
    batch_size = _batch_size(request, recipe, facts, regime, choosing)
    optimizer = choosing.pick("optimizer", request.optimizer, recipe.optimizer, published)
    reason = published if optimizer == "adam" else f"not in force: {optimizer} has none"
    betas = choosing.pick("betas", request.betas, recipe.betas, reason)
    rate = _learning_rate(request, recipe, regime, choosing)
    images = _images(request, regime, gpu, choosing)
    starts: dict[Scheduled, float] = {"learning_rate": rate, "r1": r1, "r2": r2}
    if optimizer == "adam" and request.betas is None:  # β₂ as it was asked for stays
        starts["beta2"] = betas[1]
    network = _network(request, recipe, facts, architecture, conditioning, gpu, lipschitz, r1 + r2 > 0, choosing)
    halflife = _ema_halflife(request, recipe, regime, choosing)
    budget = images or _usual_budget(regime, gpu)
    return TrainingSpec(
        recipe=request.recipe,
        seed=request.seed,
        images=images,
        max_seconds=request.max_seconds,
        loss=choosing.pick("loss", request.loss, recipe.loss, published),
        lipschitz=lipschitz,
        clip=choosing.pick("clip", request.clip, recipe.clip, in_force("weight_clipping")),
        gradient_penalty=choosing.pick(
            "gradient_penalty", request.gradient_penalty, recipe.gradient_penalty, in_force("gradient_penalty")
        ),
        r1=r1,
        r2=r2,
        l1=_l1(request, conditioning, choosing),
        critic_steps=critic_steps,
        critic_boost=recipe.critic_boost if request.critic_steps is None else None,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=rate,
        betas=betas,
        schedules=_schedules(recipe, starts, regime),
        ema_halflife=halflife,
        ema_halflives=_ema_halflives(request, halflife, budget, batch_size, network, choosing),
        augment=_augment(request, facts, choosing),
        conditional=conditioning.kind != "none",
        shared_batch=choosing.pick("shared_batch", request.shared_batch, recipe.shared_batch, published),
        holdout=_holdout(request, facts, choosing),
        network=network,
        checkpoint_every=request.checkpoint_every,
        preview_every=request.preview_every,
        report_every=_report_every(images, batch_size * critic_steps),
        keep_checkpoints=choosing.pick("keep_checkpoints", request.keep_checkpoints, KEPT_CHECKPOINTS, "newest"),
        keep_best=choosing.pick("keep_best", request.keep_best, KEPT_BEST, "the best by `metric`, beside the newest"),
        metric=_metric(request, facts, choosing),
        chosen=choosing.reasons | _clock_reasons(request),
    )


def regime_of(facts: DatasetFacts) -> Regime:
    """The regime of the data's larger side. InvalidRequest for images that no network here makes."""
    if isinstance(facts.shape, PointShape):
        return POINTS
    smallest, largest = IMAGE_SIDES
    sides = (facts.shape.height, facts.shape.width)
    if min(sides) < smallest or max(sides) > largest:
        raise InvalidRequest(
            f"the networks make images of {smallest} to {largest} pixels a side, not {sides[1]}×{sides[0]}: "
            "upload the data again with another width and height",
            param="dataset",
        )
    return next(regime for regime in IMAGE_REGIMES if max(sides) <= regime.side)


def as_measured(regime: Regime, architecture: Architecture) -> Regime:
    """The regime with what was measured on a CPU with that architecture in place of what was published, if it was."""
    for row in regime.measured:
        if architecture in row.architectures:
            reason = f"images up to {regime.side} pixels: {row.where}"
            figures = {"gamma": row.gamma, "learning_rate": row.learning_rate, "batch_size": row.batch_size}
            return replace(regime, **figures, reason=reason)  # type: ignore[arg-type]  # mixed types
    return regime


def refuse_contradictions(request: TrainRequest, recipe: Recipe, facts: DatasetFacts) -> None:
    """InvalidRequest for fields that could only be ignored, or that the data cannot bear."""
    lipschitz = request.lipschitz or recipe.lipschitz
    optimizer = request.optimizer or recipe.optimizer
    points = isinstance(facts.shape, PointShape)
    pairs = facts.input_channels is not None and request.conditional is not False
    architecture = request.network.architecture
    metrics = followable(facts.shape)
    rules: list[tuple[bool, str, str]] = [
        (
            request.clip is not None and lipschitz != "weight_clipping",
            "clip",
            f"clip goes with lipschitz weight_clipping, not {lipschitz}",
        ),
        (
            request.gradient_penalty is not None and lipschitz != "gradient_penalty",
            "gradient_penalty",
            f"gradient_penalty goes with lipschitz gradient_penalty, not {lipschitz}",
        ),
        (request.betas is not None and optimizer != "adam", "betas", f"betas belong to adam, not {optimizer}"),
        (
            points and architecture not in (None, "mlp"),
            "network.architecture",
            f"{architecture} makes images; points use mlp",
        ),
        (
            points and request.augment in AUGMENTED,
            "augment",
            f"{request.augment} is made of transforms of images; points have none: leave augment out",
        ),
        (
            request.conditional is True and not facts.classes and not facts.condition_dims and not pairs,
            "conditional",
            "the dataset has no labels to condition on; leave conditional out, or upload class folders, a labels.csv, "
            "folders input and target of pairs, or a table with a label or c_* columns",
        ),
        (
            pairs and architecture not in (None, "unet"),
            "network.architecture",
            f"{architecture} takes no image as its condition; pairs use unet, or conditional false for the targets "
            "alone",
        ),
        (
            not pairs and architecture == "unet",
            "network.architecture",
            "unet makes an image out of an image, and needs pairs to train on: upload folders input and target with "
            "equal file names (and leave conditional out), or choose dcgan, plain, resnet or r3",
        ),
        (
            bool(request.l1) and not pairs,
            "l1",
            "l1 compares what is made of an input with its target, and there are no such pairs to train on here: "
            "leave l1 out, or upload folders input and target with equal file names (and leave conditional out)",
        ),
        (
            request.batch_size is not None and request.batch_size > facts.count,
            "batch_size",
            f"the dataset has {facts.count} rows; a batch cannot be larger",
        ),
        (facts.count < 2, "dataset", "one row cannot be trained on"),
        (
            request.metric is not None and request.metric not in metrics,
            "metric",
            f"{request.metric} is not measured at checkpoints of {facts.shape.kind}; what is: {', '.join(metrics)}",
        ),
        (
            bool(request.ema_halflife)
            and request.ema_halflives is not None
            and request.ema_halflife not in request.ema_halflives,
            "ema_halflives",
            f"ema_halflife, the default, must be among them ({listed([request.ema_halflife or 0])} is not)",
        ),
    ]
    for broken, param, message in rules:
        if broken:
            raise InvalidRequest(message, param=param)


def _gammas(request: TrainRequest, recipe: Recipe, regime: Regime, choosing: Choosing) -> tuple[float, float]:
    gamma = regime.gamma if recipe.penalised else 0.0
    reason = f"γ for {regime.reason}" if recipe.penalised else f"{request.recipe} has no such penalty"
    return choosing.pick("r1", request.r1, gamma, reason), choosing.pick("r2", request.r2, gamma, reason)


def _learning_rate(request: TrainRequest, recipe: Recipe, regime: Regime, choosing: Choosing) -> float:
    if recipe.penalised:
        return choosing.pick("learning_rate", request.learning_rate, regime.learning_rate, regime.reason)
    published = f"as published for {request.recipe}"
    return choosing.pick("learning_rate", request.learning_rate, recipe.learning_rate, published)


def _schedules(recipe: Recipe, starts: dict[Scheduled, float], regime: Regime) -> dict[Scheduled, Schedule]:
    """The recipe's fades from these starts; a penalised recipe's go as far as the regime says."""
    known = {"learning_rate": regime.rate_ratio, "r1": regime.gamma_ratio, "r2": regime.gamma_ratio}
    ends = {
        name: starts[name] * (known.get(name, fade.ratio) if recipe.penalised else fade.ratio)
        if fade.to is None
        else fade.to
        for name, fade in recipe.fades.items()
        if name in starts
    }
    return {name: Schedule(to=end, shape=recipe.fades[name].shape) for name, end in ends.items() if end != starts[name]}


def _batch_size(request: TrainRequest, recipe: Recipe, facts: DatasetFacts, regime: Regime, choosing: Choosing) -> int:
    usual, reason = recipe.batch_size, f"as published for {request.recipe}"
    if recipe.penalised and regime.batch_size is not None:
        usual, reason = regime.batch_size, f"more steps for the same images: {regime.reason}"
    if isinstance(facts.shape, PointShape):
        usual, reason = POINT_BATCH, "points gain more from many steps than from large ones"
    if usual > facts.count:
        usual, reason = facts.count, f"all {facts.count} rows of the dataset"
    return choosing.pick("batch_size", request.batch_size, usual, reason)


def _images(request: TrainRequest, regime: Regime, gpu: bool, choosing: Choosing) -> int | None:
    if request.images is None and request.max_seconds is not None:
        return None
    return choosing.pick(
        "images", request.images, _usual_budget(regime, gpu), f"a {'GPU' if gpu else 'CPU'} and {regime.reason}"
    )


def _usual_budget(regime: Regime, gpu: bool) -> int:
    return regime.gpu_images if gpu else regime.cpu_images


def _conditioning(request: TrainRequest, facts: DatasetFacts, choosing: Choosing) -> Conditioning:
    if request.conditional is False:
        return Conditioning()
    if facts.input_channels is not None:
        choosing.pick("conditional", request.conditional, True, "the dataset has pairs: an input for each target")
        return Conditioning(kind="image", size=facts.input_channels)
    if len(facts.classes) > 1 or (facts.classes and request.conditional):
        choosing.pick("conditional", request.conditional, True, f"the dataset has {len(facts.classes)} classes")
        return Conditioning(kind="class", size=len(facts.classes))
    if facts.condition_dims:
        choosing.pick(
            "conditional", request.conditional, True, f"the dataset has conditions of {facts.condition_dims} numbers"
        )
        return Conditioning(kind="vector", size=facts.condition_dims)
    choosing.pick("conditional", request.conditional, False, "the dataset has no labels to tell apart")
    return Conditioning()


def _l1(request: TrainRequest, conditioning: Conditioning, choosing: Choosing) -> float:
    paired = conditioning.kind == "image"
    return choosing.pick("l1", request.l1, 0.0, "the game alone" if paired else "not in force: there are no pairs")


def _architecture(
    request: TrainRequest,
    recipe: Recipe,
    facts: DatasetFacts,
    conditioning: Conditioning,
    gpu: bool,
    choosing: Choosing,
) -> Architecture:
    usual, why = recipe.image_architecture, f"{request.recipe}'s network"
    if recipe.cpu_architecture and not gpu:
        usual, why = recipe.cpu_architecture, f"a CPU learns more in its time with it than with {usual}"
    if conditioning.kind == "image":
        usual, why = "unet", "pairs: an image is made out of an image"
    if isinstance(facts.shape, PointShape):
        usual, why = "mlp", "points"
    return choosing.pick("network.architecture", request.network.architecture, usual, why)


def _network(
    request: TrainRequest,
    recipe: Recipe,
    facts: DatasetFacts,
    architecture: Architecture,
    conditioning: Conditioning,
    gpu: bool,
    lipschitz: str,
    penalised: bool,
    choosing: Choosing,
) -> NetworkSpec:
    asked, images = request.network, isinstance(facts.shape, ImageShape)
    width, reason = WIDTHS[architecture, gpu]
    latent_dim, latent_reason = (recipe.latent_dim, "as published") if images else (POINT_LATENT_DIM, "points")
    return NetworkSpec(
        architecture=architecture,
        width=choosing.pick("network.width", asked.width, width, reason),
        latent_dim=choosing.pick("network.latent_dim", asked.latent_dim, latent_dim, latent_reason),
        latent_distribution=choosing.pick(
            "network.latent_distribution", asked.latent_distribution, "normal", "the usual prior"
        ),
        shape=facts.shape,
        conditioning=conditioning,
        # batch norm couples the samples of a batch, and a gradient penalty speaks of each sample alone
        batch_norm=architecture == "dcgan" and lipschitz in ("none", "weight_clipping") and not penalised,
        spectral_norm=lipschitz == "spectral_norm",
    )


def _augment(request: TrainRequest, facts: DatasetFacts, choosing: Choosing) -> Augment:
    asked = None if request.augment == "auto" else request.augment
    if isinstance(facts.shape, PointShape):
        return choosing.pick("augment", asked, "none", "points have no augmentation")
    side = max(facts.shape.height, facts.shape.width)
    rule = next(rule for rule in AUGMENTING if side <= rule.side and facts.count <= rule.count)
    return choosing.pick("augment", asked, rule.augment, rule.reason)


def _holdout(request: TrainRequest, facts: DatasetFacts, choosing: Choosing) -> float:
    if facts.count * HELD_OUT_SHARE >= FEWEST_HELD_OUT:
        return choosing.pick("holdout", request.holdout, HELD_OUT_SHARE, "a tenth for honest divergence estimates")
    reason = f"a tenth of {facts.count} rows is too few for an estimate (below {FEWEST_HELD_OUT}), so none is withheld"
    return choosing.pick("holdout", request.holdout, 0.0, reason)


def _ema_halflife(request: TrainRequest, recipe: Recipe, regime: Regime, choosing: Choosing) -> float:
    halflife, reason = RAW, "published without an average"
    if recipe.ema:
        halflife, data = next((images, data) for side, images, data in PUBLISHED_HALFLIVES if regime.side <= side)
        reason = f"published for {data}; never more than 5 % of the images seen"
    if request.ema_halflives is not None:
        halflife, reason = asked_default(halflife, request.ema_halflives)
    return choosing.pick("ema_halflife", request.ema_halflife, halflife, reason)


def _ema_halflives(
    request: TrainRequest, default: float, budget: int, batch_size: int, network: NetworkSpec, choosing: Choosing
) -> tuple[float, ...]:
    asked = None if request.ema_halflives is None else sorted(request.ema_halflives)
    kept, reason = chosen_halflives(default, budget, batch_size, network)
    return tuple(choosing.pick("ema_halflives", asked, kept, reason))


def _metric(request: TrainRequest, facts: DatasetFacts, choosing: Choosing) -> MetricName:
    kind = facts.shape.kind
    return choosing.pick("metric", request.metric, FOLLOWED[kind], f"what is usual for {kind}; `model@best` follows it")


def _report_every(images: int | None, a_round: int) -> int:
    if images is None:
        return ROUNDS_A_REPORT * a_round
    return max(1, min(IMAGES_A_REPORT, images // FEWEST_REPORTS))


def _clock_reasons(request: TrainRequest) -> dict[str, str]:
    """Reasons of the cadences that stay None: they change nothing that is learned, so the clock may decide."""
    reasons = {
        "checkpoint_every": "by the clock: after 5 seconds, then every 30, so that a crash costs little",
        "preview_every": "about fifty over the job, no two within two seconds",
    }
    return {field: reason for field, reason in reasons.items() if getattr(request, field) is None}
