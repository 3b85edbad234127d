"""`ganymede reproduce`: a picture made again from what it says of itself."""

from pathlib import Path
from typing import Annotated

import typer

from ganymede.commands.common import AsJson, connect, print_json
from ganymede.terminal import answer

Inputs = Annotated[
    list[Path] | None, typer.Option("--input", metavar="FILE", help="Of a model of pairs: what it was made for.")
]
Target = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write the new picture.")]


def reproduce(
    context: typer.Context,
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="A PNG that Ganymede made.")],
    input: Inputs = None,
    out: Target = None,
    as_json: AsJson = False,
) -> None:
    """Make a PNG again from its text chunks, and say whether it is identical. Exit code 1 where it is not."""
    from ganymede.reproducing import reproduce as made_again

    with connect(context) as client:
        found = made_again(client, picture, input or [])
    if out is not None:
        out.write_bytes(found.content)
    if as_json:
        print_json({"identical": found.identical, "record": found.record})
    else:
        again = f"{picture} from checkpoint {found.record['checkpoint']}"
        answer(f"identical: {again}" if found.identical else f"different: {again} is not what it was")
    if not found.identical:
        raise typer.Exit(1)
