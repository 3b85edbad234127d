"""`ganymede neighbours`: the training data nearest to a sample."""

from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganymede.commands.common import AsJson, connect, print_json
from ganymede.commands.draw import Ema, Named, Numbers, ema_of, real
from ganymede.errors import UsageError
from ganymede.terminal import answer

if TYPE_CHECKING:
    from ganymede.records import Neighbours


def neighbours(
    context: typer.Context,
    model: Named,
    seed: Annotated[int, typer.Option(min=0, help="Which sample.")],
    label: Annotated[str | None, typer.Option(help="Its class.")] = None,
    condition: Numbers = None,
    ema: Ema = None,
    count: Annotated[int | None, typer.Option(min=1, max=16, help="How many neighbours.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Where to put the images.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the training data nearest to what a seed makes: whether it was learned, or learned by heart."""
    from ganymede import render

    vector = None if condition is None else real(condition)
    with connect(context) as client:
        found = client.models.neighbours(
            model, seed, label=label, condition=vector, ema=None if ema is None else ema_of(ema), count=count
        )
    if out is not None:
        put(found, out)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    render.neighbours(found)
    if found.typical is not None:
        answer(f"typical distance {found.typical:.4g}; below half of it a sample is nearly a copy")


def put(found: "Neighbours", folder: Path) -> None:
    """The images as PNGs, nearest first by name. Raises UsageError for points, OSError."""
    if any(one.b64_json is None for one in found.data):
        raise UsageError("--out: points have no images; --json has their numbers")
    folder.mkdir(parents=True, exist_ok=True)
    for place, one in enumerate(found.data):
        (folder / f"{place:02d}_row{one.index}.png").write_bytes(b64decode(one.b64_json or ""))
