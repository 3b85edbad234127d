"""`ganymede project`: from images back to the latents that make them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ganymede.commands.common import AsJson, connect, print_json
from ganymede.commands.draw import Named, encoded
from ganymede.terminal import answer, tell

Target = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Where to write what was found, as JSON."),
]


def project(
    context: typer.Context,
    model: Named,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="PNG, JPEG or WebP images.")],
    label: Annotated[
        list[str] | None,
        typer.Option(help="As which class: one for all, or one an image (repeated). Left out: the nearest."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="How long each start is moved.")] = None,
    out: Target = None,
    as_json: AsJson = False,
) -> None:
    """Find the latents whose pictures come nearest to images, and how near they come."""
    from ganymede import render

    asked = {"model": model, "images": [encoded(file) for file in files], "labels": label or None, "steps": steps}
    with connect(context) as client, render.job_bar("projecting") as progress:
        found = client.project({name: value for name, value in asked.items() if value is not None}, progress=progress)
    if out is not None:
        out.write_text(json.dumps(found))
        tell(f"wrote {out}")
    if as_json:
        print_json(found)
        return
    for file, row in zip(files, found["data"], strict=True):
        answer(f"{file.name}: distance {row['distance']:.4g}" + (f", as {row['label']}" if row["label"] else ""))
