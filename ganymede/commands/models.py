"""`ganymede models …`."""

from typing import Annotated

import typer

from ganymede.commands.common import After, AsJson, Limit, Out, connect, print_done, print_page, print_record

app = typer.Typer(help="Look at what was trained.", no_args_is_help=True)

Named = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name or id.")]


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
    from ganymede.records import Checkpoint

    with connect(context) as client:
        found = client.models.get(model)
    print_record(found if as_json else found.model_copy(update={"checkpoints": []}), as_json)
    if not as_json:
        render.table(Checkpoint, found.checkpoints)


@app.command()
def download(
    context: typer.Context,
    model: Named,
    out: Out,
    checkpoint: Annotated[str | None, typer.Option(help="A checkpoint's id; the newest by default.")] = None,
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
def rm(context: typer.Context, model: Named, as_json: AsJson = False) -> None:
    """Delete a model and its checkpoints."""
    with connect(context) as client:
        client.models.delete(model)
    print_done(model, "deleted", as_json)
