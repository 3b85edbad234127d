"""`ganymede datasets …`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganymede.commands.common import After, AsJson, Limit, PngOut, connect, print_done, print_page, print_record
from ganymede.terminal import answer, tell

if TYPE_CHECKING:
    from ganymede.client import Client
    from ganymede.records import Dataset

app = typer.Typer(help="Upload data and look at it.", no_args_is_help=True)

Named = Annotated[str, typer.Argument(metavar="DATASET", help="A dataset's name or id.")]
Side = Annotated[
    int | None, typer.Option(help="Resize to this many pixels, 8 to 256; chosen from the data by default.")
]

Waiting = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is prepared.")]

SKIPPED_SHOWN = 10
"""How many skipped files are named before the rest is only counted."""


@app.command()
def add(
    context: typer.Context,
    path: Annotated[
        Path, typer.Argument(help="A folder of images (class folders, a labels.csv, or neither), a .zip, .npy or .csv.")
    ],
    name: Annotated[str | None, typer.Option(help="The dataset's name; by default that of the file or folder.")] = None,
    width: Side = None,
    height: Side = None,
    wait: Waiting = True,
    as_json: AsJson = False,
) -> None:
    """Upload images or points. A folder is zipped on the way; links in it are not followed."""
    with connect(context) as client:
        dataset = upload(client, path, name, width, height)
        dataset = client.datasets.settled(dataset.id) if wait else dataset
    show(dataset, as_json)


@app.command("import")
def import_(
    context: typer.Context,
    folder: Annotated[str, typer.Argument(help="A folder below the server's import directory.")],
    name: Annotated[str, typer.Option(help="The dataset's name.")],
    width: Side = None,
    height: Side = None,
    wait: Waiting = True,
    as_json: AsJson = False,
) -> None:
    """Have the server read a folder of its own, below GANYMEDE_IMPORT_DIR."""
    asked = {"name": name, "source": {"path": folder}, "width": width, "height": height}
    with connect(context) as client:
        dataset = client.datasets.import_folder({key: value for key, value in asked.items() if value is not None})
        dataset = client.datasets.settled(dataset.id) if wait else dataset
    show(dataset, as_json)


def upload(client: "Client", path: Path, name: str | None, width: int | None, height: int | None) -> "Dataset":
    """Send a path with a progress bar."""
    from ganymede.render import plain, upload_bar
    from ganymede.upload import dataset_name, uploadable

    with uploadable(path) as packed, upload_bar(f"uploading {path.name}") as progress:
        for link in packed.links:
            tell(f"left out: {plain(link)} is a link")
        return client.datasets.send(packed.path, name or dataset_name(path), width, height, progress)


def show(dataset: "Dataset", as_json: bool) -> None:
    """Print a dataset. Raises JobFailed where it could not be prepared."""
    from ganymede.client import prepared

    if as_json:
        print_record(dataset, as_json)
    prepared(dataset)
    if not as_json:
        answer(summary(dataset))
        for line in [*skipped(dataset), *notes(dataset)]:
            tell(line)


def summary(dataset: "Dataset") -> str:
    """A dataset in a line."""
    from ganymede.render import plain, shape

    if dataset.status == "preparing":
        return f"{dataset.name} ({dataset.id}) is being prepared"
    known = {"classes": dataset.classes, "conditions": (dataset.report or {}).get("conditions")}
    labels = "".join(f", {kind}: {plain(names)}" for kind, names in known.items() if names)
    return f"{dataset.name} ({dataset.id}): {dataset.count:,} {dataset.kind}, {shape(dataset)}{labels}"


def skipped(dataset: "Dataset") -> list[str]:
    """What was left out and why, as lines."""
    from ganymede.render import plain

    report = dataset.report or {}
    files = report.get("skipped") or []
    lines = [f"left out: {plain(entry['file'])}: {plain(entry['reason'])}" for entry in files[:SKIPPED_SHOWN]]
    if len(files) > SKIPPED_SHOWN:
        lines.append(f"left out: {len(files) - SKIPPED_SHOWN} more")
    return lines


def notes(dataset: "Dataset") -> list[str]:
    """What preparation chose or warns of, as lines."""
    from ganymede.render import plain

    return [f"note: {plain(note)}" for note in (dataset.report or {}).get("notes") or []]


@app.command("list")
def list_(context: typer.Context, limit: Limit = None, after: After = None, as_json: AsJson = False) -> None:
    """List datasets."""
    from ganymede.records import Dataset

    with connect(context) as client:
        print_page(client.datasets.list(limit=limit, after=after), Dataset, as_json)


@app.command("show")
def show_(context: typer.Context, dataset: Named, as_json: AsJson = False) -> None:
    """Show a dataset, with its report."""
    with connect(context) as client:
        print_record(client.datasets.get(dataset), as_json)


@app.command()
def preview(context: typer.Context, dataset: Named, out: PngOut, as_json: AsJson = False) -> None:
    """Save a picture of a dataset."""
    with connect(context) as client:
        print_done(str(client.datasets.preview(dataset, out)), "wrote", as_json)


@app.command()
def rm(context: typer.Context, dataset: Named, as_json: AsJson = False) -> None:
    """Delete a dataset."""
    with connect(context) as client:
        client.datasets.delete(dataset)
    print_done(dataset, "deleted", as_json)
