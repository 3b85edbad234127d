"""`ganymede models …`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganymede.commands.common import After, AsJson, Limit, Out, connect, print_done, print_page, print_record
from ganymede.terminal import answer

if TYPE_CHECKING:
    from ganymede.records import Checkpoint

app = typer.Typer(help="Look at what was trained.", no_args_is_help=True)

Named = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name or id.")]
Pinned = Annotated[
    str, typer.Argument(metavar="MODEL@CHECKPOINT", help="A checkpoint by its id, its count of images, or `best`.")
]


@app.command("list")
def list_(context: typer.Context, limit: Limit = None, after: After = None, as_json: AsJson = False) -> None:
    """List models."""
    from ganymede.records import Model

    with connect(context) as client:
        print_page(client.models.list(limit=limit, after=after), Model, as_json)


@app.command()
def show(context: typer.Context, model: Named, as_json: AsJson = False) -> None:
    """Show a model and its checkpoints."""
    from ganymede import render

    with connect(context) as client:
        found = client.models.get(model)
    print_record(found if as_json else found.model_copy(update={"checkpoints": []}), as_json)
    if not as_json:
        render.checkpoints(found)


@app.command()
def download(
    context: typer.Context,
    model: Named,
    out: Out,
    checkpoint: Annotated[
        str | None, typer.Option(help="A checkpoint's id, its count of images, or `best`; the newest by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Save a checkpoint's networks as a safetensors file."""
    from ganymede.errors import UsageError

    with connect(context) as client:
        stored = client.models.get(model).checkpoints
        if checkpoint is None and not stored:
            raise UsageError(f"{model} has no checkpoint yet")
        newest = checkpoint or max(stored, key=lambda one: one.images).id
        print_done(str(client.models.download(model, newest, out)), "wrote", as_json)


@app.command()
def add(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A downloaded checkpoint (.safetensors).")],
    name: Annotated[str, typer.Option(help="What the model is called.")],
    as_json: AsJson = False,
) -> None:
    """Upload a downloaded checkpoint as a model."""
    with connect(context) as client:
        found = client.models.upload(file, name)
    print_record(found if as_json else found.model_copy(update={"checkpoints": []}), as_json)


@app.command()
def pin(context: typer.Context, checkpoint: Pinned, as_json: AsJson = False) -> None:
    """Keep a checkpoint for good."""
    with connect(context) as client:
        tell_pin(client.models.pin(*parts(checkpoint)), as_json)


@app.command()
def unpin(context: typer.Context, checkpoint: Pinned, as_json: AsJson = False) -> None:
    """Let a checkpoint be retired again, when the model's next one is published."""
    with connect(context) as client:
        tell_pin(client.models.unpin(*parts(checkpoint)), as_json)


@app.command()
def load(
    context: typer.Context,
    model: Named,
    keep: Annotated[bool, typer.Option("--keep", help="It never makes room for others.")] = False,
    as_json: AsJson = False,
) -> None:
    """Have a model in the server's memory before its first picture is asked for."""
    with connect(context) as client:
        print_record(client.models.load(model, keep=keep), as_json)


@app.command()
def unload(context: typer.Context, model: Named, as_json: AsJson = False) -> None:
    """Let a model leave the server's memory."""
    with connect(context) as client:
        client.models.unload(model)
    print_done(model, "unloaded", as_json)


def parts(reference: str) -> tuple[str, str]:
    """Model and checkpoint of `MODEL@CHECKPOINT`. Raises UsageError."""
    from ganymede.errors import UsageError

    model, _, checkpoint = reference.partition("@")
    if not model or not checkpoint:
        raise UsageError(f"{reference!r} is not MODEL@CHECKPOINT, such as faces@120000, faces@best or faces@ckpt_…")
    return model, checkpoint


def tell_pin(found: "Checkpoint", as_json: bool) -> None:
    """What a checkpoint is now."""
    if as_json:
        print_record(found, as_json)
    else:
        answer(f"{found.id} at {found.images:,} images is {'pinned' if found.pinned else 'not pinned'}")


@app.command()
def rm(context: typer.Context, model: Named, as_json: AsJson = False) -> None:
    """Delete a model and its checkpoints."""
    with connect(context) as client:
        client.models.delete(model)
    print_done(model, "deleted", as_json)
