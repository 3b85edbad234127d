"""`ganymede sample` and `ganymede interpolate`."""

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from ganymede.commands.common import AsJson, connect, print_json
from ganymede.errors import UsageError
from ganymede.terminal import answer

if TYPE_CHECKING:
    from ganymede.client import Drawings

MOVING: Final = frozenset({".gif", ".apng"})
"""Suffixes of interpolations that move."""

Named = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A model's name (its newest checkpoint), NAME@best, NAME@IMAGES, or a ckpt_ id."
    ),
]
Truncation = Annotated[float | None, typer.Option(min=0.0, max=1.0, help="ψ: scales the latents.")]
Ema = Annotated[
    str | None, typer.Option(metavar="IMAGES|raw", help="Which average draws: its half-life; see `models show`.")
]
Size = Annotated[int | None, typer.Option(min=1, help="Enlarge each picture to this many pixels.")]
Layout = Annotated[str | None, typer.Option(metavar="WORD", help="How several pictures become one file.")]
Returns = Annotated[
    list[str] | None, typer.Option("--return", metavar="image|latent", help="What JSON and .npy hold; may be repeated.")
]
Numbers = Annotated[
    str | None, typer.Option(metavar="X,Y,…", help="A condition vector, for models that were trained on one.")
]
Inputs = Annotated[
    list[Path] | None,
    typer.Option("--input", metavar="FILE", help="For models of pairs: an image for all, or one a sample (repeated)."),
]
Input = Annotated[
    Path | None, typer.Option("--input", metavar="FILE", help="For models of pairs: the image that is walked over.")
]
Target = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Where to write: .png .webp .jpg .gif .zip .json or .npy."),
]


def sample(
    context: typer.Context,
    model: Named,
    seed: Annotated[int | None, typer.Option(min=0, help="The first seed.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="How many, from the seed on.")] = None,
    seeds: Annotated[str | None, typer.Option(metavar="A,B,…", help="Seeds one by one, instead.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="A class for all, or one a sample (repeated).")] = None,
    condition: Numbers = None,
    input: Inputs = None,
    truncation: Truncation = None,
    ema: Ema = None,
    columns: Annotated[int | None, typer.Option(min=1, help="Columns of a grid.")] = None,
    size: Size = None,
    layout: Layout = None,
    returns: Returns = None,
    out: Target = None,
    as_json: AsJson = False,
) -> None:
    """Draw samples from a model, which may still be training. Without --out, print what they are as JSON."""
    request = {
        "model": model,
        "seed": 0 if seed is None and seeds is None else seed,
        "count": count,
        "seeds": None if seeds is None else whole(seeds),
        "labels": label,
        "condition": None if condition is None else real(condition),
        "inputs": [encoded(file) for file in input] if input else None,
        "truncation": truncation,
        "ema": None if ema is None else ema_of(ema),
        "columns": columns,
        "size": size,
        "layout": layout,
        "return": returns,
    }
    with connect(context) as client:
        deliver(client.samples, request, out, as_json)


def interpolate(
    context: typer.Context,
    model: Named,
    start: Annotated[int, typer.Option("--from", metavar="SEED", min=0, help="Where the walk begins.")],
    to: Annotated[int, typer.Option("--to", metavar="SEED", min=0, help="Where it ends.")],
    via: Annotated[list[int] | None, typer.Option(metavar="SEED", help="A stop in between; may be repeated.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="A class for all, or one a stop (repeated).")] = None,
    condition: Numbers = None,
    input: Input = None,
    frames: Annotated[int | None, typer.Option(min=2, help="Pictures in all, end points included.")] = None,
    method: Annotated[str | None, typer.Option(metavar="slerp|lerp", help="On the sphere, or straight.")] = None,
    easing: Annotated[str | None, typer.Option(metavar="linear|ease_in_out", help="How the pace changes.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Walk back to the beginning.")] = False,
    truncation: Truncation = None,
    ema: Ema = None,
    fps: Annotated[float | None, typer.Option(help="Pictures a second, for what moves.")] = None,
    size: Size = None,
    layout: Layout = None,
    returns: Returns = None,
    out: Target = None,
    as_json: AsJson = False,
) -> None:
    """Walk between seeds: a film strip (.png), a moving picture (.gif) or the frames one by one (.zip)."""
    request = {
        "model": model,
        "keyframes": keyframes([start, *(via or []), to], label or [], condition),
        "input": None if input is None else encoded(input),
        "frames": frames,
        "method": method,
        "easing": easing,
        "loop": loop or None,
        "truncation": truncation,
        "ema": None if ema is None else ema_of(ema),
        "fps": fps,
        "size": size,
        "layout": layout or ("animation" if out and out.suffix.lower() in MOVING else None),
        "return": returns,
    }
    with connect(context) as client:
        deliver(client.interpolations, request, out, as_json)


def keyframes(seeds: list[int], labels: list[str], condition: str | None) -> list[dict[str, Any]]:
    """Seeds with their labels as keyframes. Raises UsageError unless there is no label, one, or one a stop."""
    if len(labels) not in {0, 1, len(seeds)}:
        raise UsageError(f"--label: give one for all or one a stop ({len(seeds)}), not {len(labels)}")
    each = labels if len(labels) == len(seeds) else [labels[0] if labels else None] * len(seeds)
    vector = None if condition is None else real(condition)
    stops = [{"seed": seed, "label": label, "condition": vector} for seed, label in zip(seeds, each, strict=True)]
    return [given(stop) for stop in stops]


def encoded(file: Path) -> str:
    """A file in base64, as requests have images. Raises UsageError where it cannot be read."""
    try:
        return b64encode(file.read_bytes()).decode()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error


def deliver(drawings: "Drawings", request: dict[str, Any], out: Path | None, as_json: bool) -> None:
    """Send a request, and write the answer to a file or print it as JSON."""
    if out is None:
        print_json(drawings.data(given(request)))
        return
    drawings.save(given(request), out)
    if as_json:
        print_json({"out": str(out), "bytes": out.stat().st_size})
    else:
        answer(str(out))


def given(request: dict[str, Any]) -> dict[str, Any]:
    """The fields that were given."""
    return {name: value for name, value in request.items() if value is not None}


def ema_of(text: str) -> float | Literal["raw"]:
    """`raw`, or a half-life. Raises UsageError."""
    try:
        return "raw" if text == "raw" else float(text)
    except ValueError:
        raise UsageError(f"--ema: {text!r} is neither raw nor a half-life in images") from None


def whole(text: str) -> list[int]:
    """`1,2,3` as numbers. Raises UsageError."""
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise UsageError(f"{text!r} is not a list of whole numbers such as 1,2,3") from None


def real(text: str) -> list[float]:
    """`0.5,1` as numbers. Raises UsageError."""
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise UsageError(f"{text!r} is not a list of numbers such as 0.5,1") from None
