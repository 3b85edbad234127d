"""`ganymede score`: what a model's discriminator thinks of images."""

from pathlib import Path
from typing import Annotated

import typer

from ganymede.commands.common import AsJson, connect, print_json
from ganymede.commands.draw import Named, encoded


def score(
    context: typer.Context,
    model: Named,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="PNG, JPEG or WebP images.")],
    label: Annotated[
        list[str] | None,
        typer.Option(help="As which class: one for all, or one an image (repeated). Left out: the one it fits best."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how real the discriminator thinks images are: 0 a sample, 1 one of the data."""
    from ganymede import render

    with connect(context) as client:
        asked = {"model": model, "images": [encoded(file) for file in files], "labels": label or None}
        found = client.scores(asked)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        render.scores(files, found)
