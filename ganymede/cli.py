"""The `ganymede` command. Commands raise the errors of `ganymede.errors`; here they become a line and an exit code."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from ganymede.commands import (
    datasets,
    draw,
    evaluate,
    jobs,
    models,
    neighbours,
    project,
    reproduce,
    score,
    server,
    train,
)
from ganymede.errors import GanymedeError
from ganymede.terminal import answer, tell

EXIT_CODES: Final = {
    0: "done; a watched job succeeded",
    1: "a job or dataset failed",
    2: "the command was not understood, or a file cannot be read or written",
    3: "the server refused the request",
    4: "no server, or it cannot answer now",
    5: "no such dataset, job or model",
    6: "a watched job was cancelled",
    130: "interrupted",
}
"""What the command ends with."""

app = typer.Typer(
    help="Train generative adversarial networks on your own data, and draw from what they learned.",
    epilog="Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + ".",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(rich_help_panel="Server")(server.up)
app.command(rich_help_panel="Server")(server.demo)
app.command(rich_help_panel="Server")(server.serve)
app.command(rich_help_panel="Server")(server.work)
app.command(rich_help_panel="Server")(server.migrate)
app.command(rich_help_panel="Server")(server.doctor)
app.command(rich_help_panel="Server")(server.backup)
app.command(rich_help_panel="Server")(server.restore)
app.command(
    rich_help_panel="Server",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(server.keys)
app.add_typer(datasets.app, name="datasets")
app.command()(train.train)
app.command()(evaluate.evaluate)
app.add_typer(jobs.app, name="jobs")
app.command()(draw.sample)
app.command()(draw.interpolate)
app.command()(neighbours.neighbours)
app.command()(score.score)
app.command()(project.project)
app.command()(reproduce.reproduce)
app.add_typer(models.app, name="models")


def print_version(asked: bool) -> None:
    """`--version`."""
    if asked:
        from importlib.metadata import version

        answer(version("ganymede"))
        raise typer.Exit


@app.callback()
def ganymede(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(envvar="GANYMEDE_URL", help="The server's address.")] = None,
    version: Annotated[  # noqa: ARG001 - acts by its callback
        bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that all commands share."""
    context.obj = url


def run(arguments: Sequence[str]) -> int:
    """Run a command line; what goes wrong becomes one line on standard error and an exit code of `EXIT_CODES`."""
    try:
        return int(app(list(arguments), prog_name="ganymede", standalone_mode=False) or 0)
    except typer.TyperException as error:
        return misused(error)
    except GanymedeError as error:
        tell(f"ganymede: {error.line()}")
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        tell(f"ganymede: {error.filename or 'a file'}: {error.strerror or error}")
        return 2


def misused(error: typer.TyperException) -> int:
    """Say what was wrong with the command line; a bare command group has already printed its help."""
    if message := error.format_message():
        command = getattr(getattr(error, "ctx", None), "command_path", "ganymede")
        tell(f"ganymede: {message} (`{command} --help` explains)")
    return error.exit_code


def main() -> None:
    """The entry point."""
    sys.exit(run(sys.argv[1:]))
