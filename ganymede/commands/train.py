"""`ganymede train`: a job from a table of overrides, one option a row."""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from ganymede.commands.common import AsJson, connect, print_record
from ganymede.commands.jobs import follow
from ganymede.errors import UsageError
from ganymede.terminal import answer


@dataclass(frozen=True)
class Override:
    """An option of `train`: its type, its help, and its spelling where that is not the field's own name."""

    kind: Any
    help: str
    flags: tuple[str, ...] = ()


OVERRIDES: Final[dict[str, Override]] = {
    "resume_from": Override(str, "A checkpoint to go on from: faces, faces@best, faces@120000 or its id."),
    "seed": Override(int, "Where all randomness begins."),
    "images": Override(int, "Budget: real images that the discriminator consumes."),
    "max_seconds": Override(float, "Budget: seconds of training."),
    "loss": Override(str, "minimax, non_saturating, least_squares, wasserstein, hinge or relativistic."),
    "lipschitz": Override(str, "none, weight_clipping, gradient_penalty or spectral_norm."),
    "clip": Override(float, "Bound of weight clipping."),
    "gradient_penalty": Override(float, "Weight λ of the gradient penalty."),
    "r1": Override(float, "Weight γ of the gradient penalty on real images."),
    "r2": Override(float, "Weight γ of the gradient penalty on generated images."),
    "l1": Override(float, "Of pairs: weight λ of the distance between output and target."),
    "critic_steps": Override(int, "Discriminator updates a generator update."),
    "batch_size": Override(int, "Images a step."),
    "optimizer": Override(str, "adam or rmsprop."),
    "learning_rate": Override(float, "Step size at the start."),
    "betas": Override(tuple[float, float], "Adam's two decay rates."),
    "ema_halflife": Override(float, "Half-life of the average that draws by default, in images; 0: none does."),
    "ema_halflives": Override(list[float], "Half-life of an average to keep, the default among them (repeated)."),
    "augment": Override(str, "auto, none, diffaugment or ada."),
    "conditional": Override(bool, "Learn the classes or conditions.", ("--conditional/--unconditional",)),
    "shared_batch": Override(bool, "Both players see the same latents.", ("--shared-batch/--fresh-batch",)),
    "holdout": Override(float, "Share of the data kept out of training, for estimates."),
    "network.architecture": Override(str, "mlp, dcgan, resnet, r3 or unet.", ("--architecture",)),
    "network.width": Override(int, "Base channels or units.", ("--width",)),
    "network.latent_dim": Override(int, "Numbers in z.", ("--latent-dim",)),
    "network.latent_distribution": Override(str, "normal or uniform.", ("--latent-distribution",)),
    "checkpoint_every": Override(int, "Images between checkpoints."),
    "preview_every": Override(int, "Images between previews."),
    "keep_checkpoints": Override(int, "How many of the newest checkpoints stay."),
    "keep_best": Override(int, "How many of the best checkpoints stay beside the newest."),
    "metric": Override(str, "What the best checkpoint is judged by: fid, recall, … (see the API)."),
    "priority": Override(int, "Higher goes first; 0 is usual."),
}
"""Field of the API (dotted where nested) → option. What is left out is chosen by the server, with its reason."""


def overriding(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option a row of `OVERRIDES`; it receives them as keywords, None where not given."""
    own = inspect.signature(command)
    rows = [
        inspect.Parameter(
            field.replace(".", "__"),
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[row.kind | None, typer.Option(*row.flags, help=row.help, rich_help_panel="Overrides")],
        )
        for field, row in OVERRIDES.items()
    ]
    fixed = [one for one in own.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    command.__signature__ = own.replace(parameters=[*fixed, *rows])  # type: ignore[attr-defined]
    return command


@overriding
def train(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="A dataset's name or id.")],
    *,
    model: Annotated[str, typer.Option(help="The new model's name, or that of the one to go on with.")],
    recipe: Annotated[
        str | None,
        typer.Option(help="minimax, dcgan, lsgan, wgan, wgan-gp, sngan or r3gan.", show_default="r3gan"),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the job to its end.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any field: `--set network.width=32`.")
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A note of your own on the job.")
    ] = None,
    as_json: AsJson = False,
    **overrides: Any,
) -> None:
    """Train a model. Dataset and model are enough: all else is chosen from the data and the device."""
    request: dict[str, Any] = {"type": "train", "dataset": dataset, "model": model}
    for name, value in {"recipe": recipe, **overrides}.items():
        if value not in (None, []):
            put(request, name.replace("__", "."), value)
    for key, value in pairs(metadata or []):
        put(request, f"metadata.{key}", value)
    for key, value in pairs(settings or []):
        put(request, key, parsed(value))
    with connect(context) as client:
        job = client.jobs.create(request)
        if watch:
            follow(client, job.id, as_json)
        elif as_json:
            print_record(job, as_json)
        else:
            from ganymede.render import expected

            taking = f", will take {told}" if (told := expected(job)) else ""
            answer(f"{job.id} is {job.status}{taking}: `ganymede jobs watch {job.id}` follows it")


def pairs(given: list[str]) -> list[tuple[str, str]]:
    """`KEY=VALUE` words as pairs. Raises UsageError for a word without `=`."""
    split = [word.partition("=") for word in given]
    for word, (key, equals, _) in zip(given, split, strict=True):
        if not key or not equals:
            raise UsageError(f"{word!r} is not KEY=VALUE")
    return [(key, value) for key, _, value in split]


def parsed(value: str) -> Any:
    """A value as JSON reads it, or else as the word that it is."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def put(request: dict[str, Any], dotted: str, value: Any) -> None:
    """Set a field, nested where its name is dotted. Raises UsageError where a field is no object."""
    *places, name = dotted.split(".")
    for place in places:
        inner = request.setdefault(place, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{dotted}: {place} is already {inner!r}")
        request = inner
    request[name] = value
