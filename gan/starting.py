"""Training that goes on from a checkpoint: what that decides, and what a request may not ask for beside it. Torch-free.

The networks are the checkpoint's; recipe and metric are its model's, and the held-out rows those that it never saw,
unless the request says otherwise. All else is chosen as for any job (`gan.choosing`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gan.choosing import resolve
from gan.errors import InvalidRequest
from gan.metrics import MetricName
from gan.spec import DatasetFacts, DataShape, NetworkSpec, Origin, PointShape, RecipeName, TrainingSpec, TrainRequest

NETWORK_FIELDS = ("architecture", "width", "latent_dim", "latent_distribution")


@dataclass(frozen=True)
class Start:
    """A checkpoint to go on from. `same_model`: training goes on in its own model; else a new one begins with it.

    `same_data` is None where nothing says what the checkpoint was trained on. `held_out` is the share of the request's
    data that it never saw; None where that is not known, or the data are others.
    """

    origin: Origin
    network: NetworkSpec
    classes: tuple[str, ...]
    recipe: RecipeName
    metric: MetricName
    same_model: bool
    same_data: bool | None
    held_out: float | None

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{self.origin.model}@{self.origin.images}"


def resolve_from(request: TrainRequest, facts: DatasetFacts, device: str, start: Start) -> TrainingSpec:
    """Every figure of a job that goes on from a checkpoint. InvalidRequest names the field that contradicts it."""
    for broken, param, message in contradictions(request, facts, start):
        if broken:
            raise InvalidRequest(message, param=param)
    filled, decided = filled_in(request, start)
    spec = resolve(filled, facts, device)
    for broken, param, message in unlike_its_critic(request, spec, start):
        if broken:
            raise InvalidRequest(message, param=param)
    reasons = dict.fromkeys(decided, f"resume_from: as in {start.name}")
    return spec.model_copy(
        update={"network": start.network, "resume_from": start.origin, "chosen": spec.chosen | reasons}
    )


def filled_in(request: TrainRequest, start: Start) -> tuple[TrainRequest, list[str]]:
    """The request with what the checkpoint decides in it, and the names of those fields."""
    network, said = start.network, request.model_fields_set
    decides: dict[str, Any] = {"metric": start.metric, "conditional": network.conditioning.kind != "none"}
    if start.held_out is not None:
        decides["holdout"] = start.held_out
    if "recipe" not in said:
        decides["recipe"] = start.recipe
        if network.spectral_norm:
            decides["lipschitz"] = "spectral_norm"
    given = {name: value for name, value in decides.items() if name == "recipe" or getattr(request, name) is None}
    shape = {name: getattr(network, name) for name in NETWORK_FIELDS}
    left_open = [f"network.{name}" for name in NETWORK_FIELDS if getattr(request.network, name) is None]
    built = request.network.model_copy(update=shape)
    return request.model_copy(update=given | {"network": built}), [*given, *left_open]


Rule = tuple[bool, str, str]
"""Whether it is broken, by which field, and what to do."""


def contradictions(request: TrainRequest, facts: DatasetFacts, start: Start) -> Iterator[Rule]:
    """What the checkpoint rules out."""
    network, name, model = start.network, start.name, start.origin.model
    kind, conditional = network.conditioning.kind, network.conditioning.kind != "none"
    yield (
        facts.shape != network.shape,
        "dataset",
        f"{name} makes {shown(network.shape)}, and the dataset has {shown(facts.shape)}: {OTHERWISE}",
    )
    yield (
        not ALIKE[kind](facts, start),
        "dataset",
        f"{name} {LEARNED[kind](start)}, and the dataset is another in this: {OTHERWISE}",
    )
    yield (
        start.same_model and start.same_data is False,
        "dataset",
        f"{model} was trained on other data: give the model that goes on from it with these another name (model)",
    )
    yield (
        request.conditional not in (None, conditional),
        "conditional",
        f"{name} is {'' if conditional else 'un'}conditional: leave conditional out, or train a new model",
    )
    for field in NETWORK_FIELDS:
        asked, has = getattr(request.network, field), getattr(network, field)
        yield (
            asked not in (None, has),
            f"network.{field}",
            f"the {field} of {name} is {has}: leave it out, or train a new model",
        )
    held, most = request.holdout, start.held_out
    yield (
        held is not None and most is not None and held > most,
        "holdout",
        f"rows that {name} was trained on cannot be held out from it: at most {most}, the share that it never saw",
    )
    yield (
        start.same_model and request.metric not in (None, start.metric),
        "metric",
        f"the best checkpoint of {model} is judged by {start.metric}: leave metric out, or give the model another name",
    )


def unlike_its_critic(request: TrainRequest, spec: TrainingSpec, start: Start) -> Iterator[Rule]:
    """How the discriminator that there is must be trained, whatever the recipe's own is like."""
    network, judge = start.network, f"the discriminator of {start.name}"
    normalised = "is" if network.spectral_norm else "is not"
    yield (
        (spec.lipschitz == "spectral_norm") != network.spectral_norm,
        "recipe" if request.lipschitz is None else "lipschitz",
        f"{judge} {normalised} spectrally normalised, and lipschitz would be {spec.lipschitz}: "
        "leave recipe and lipschitz out, or choose what goes with it",
    )
    asked = (field for field in ("lipschitz", "r1", "r2") if getattr(request, field))
    yield (
        network.batch_norm and (spec.lipschitz == "gradient_penalty" or spec.r1 + spec.r2 > 0),
        next(asked, "recipe"),
        f"{judge} has batch norm, which couples the rows of a batch, and a gradient penalty speaks of each alone: "
        "choose a recipe without one (minimax, dcgan, lsgan, wgan)",
    )


OTHERWISE = "choose a dataset like the one that it learned, or train a new model"
ALIKE: dict[str, Callable[[DatasetFacts, Start], bool]] = {
    "none": lambda *_: True,
    "class": lambda facts, start: (
        len(facts.classes) == start.network.conditioning.size and start.classes in ((), facts.classes)
    ),
    "vector": lambda facts, start: facts.condition_dims == start.network.conditioning.size,
    "image": lambda facts, start: facts.input_channels == start.network.conditioning.size,
}
"""Kind of condition → whether the dataset has the very same."""
LEARNED: dict[str, Callable[[Start], str]] = {
    "none": lambda _: "has no conditions",
    "class": lambda start: f"has the classes {some(start.classes) or start.network.conditioning.size}, in this order",
    "vector": lambda start: f"has conditions of {start.network.conditioning.size} numbers",
    "image": lambda start: f"makes an image out of one of {start.network.conditioning.size} channels",
}
"""Kind of condition → what to say of it."""
NAMED = 12
"""How many classes a message lists."""


def some(classes: tuple[str, ...]) -> str:
    """The first classes, for a message."""
    return ", ".join(classes[:NAMED]) + (", …" if len(classes) > NAMED else "")


def shown(shape: DataShape) -> str:
    """A shape, for a message."""
    if isinstance(shape, PointShape):
        return f"points of {shape.dims} numbers"
    return f"images of {shape.width}×{shape.height} pixels in {shape.channels} channels"
