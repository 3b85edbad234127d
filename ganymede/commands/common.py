"""What the commands share: the connection, `--json`, and how records are printed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganymede.terminal import answer

if TYPE_CHECKING:
    from ganymede.client import Client
    from ganymede.records import Page, Record

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, for scripts.")]
Limit = Annotated[int | None, typer.Option(help="How many at most.", min=1)]
After = Annotated[str | None, typer.Option(metavar="ID", help="Begin after this one: the last of the page before.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write.")]


def png_only(path: Path) -> Path:
    """A path whose name promises no other format than a preview has. Raises BadParameter."""
    if path.suffix.lower() not in ("", ".png"):
        raise typer.BadParameter(f"a preview is a PNG, not {path.suffix}")
    return path


PngOut = Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write; a PNG.", callback=png_only)]


def connect(context: typer.Context) -> "Client":
    """A client of the server that `--url` or the environment names."""
    from ganymede.client import Client

    return Client(context.obj)


def print_json(value: Any) -> None:
    """A value as JSON on standard output."""
    answer(json.dumps(value, indent=2, ensure_ascii=False))


def print_record(record: "Record", as_json: bool) -> None:
    """One record: JSON, or its fields one a line."""
    from ganymede import render

    dump = record.model_dump(mode="json")
    if as_json:
        print_json(dump)
    else:
        render.fields({name: value for name, value in dump.items() if name not in {"object", "urls"}})


def print_page(page: "Page[Any]", kind: "type[Record]", as_json: bool) -> None:
    """A page of records: JSON, or a table, which says where the next page begins."""
    from ganymede import render
    from ganymede.terminal import tell

    if as_json:
        print_json(page.model_dump(mode="json"))
        return
    render.table(kind, page.data)
    if page.has_more:
        tell(f"there are more: --after {page.last_id}")


def print_done(name: str, verb: str, as_json: bool) -> None:
    """That something was done to a thing that is gone now."""
    if as_json:
        print_json({"id": name, verb: True})
    else:
        answer(f"{verb} {name}")
