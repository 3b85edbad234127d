"""`ganymede up`, `demo`, the single processes of a deployment, and what looks after a server."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

Host = Annotated[str, typer.Option(help="The address to listen at.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")]
Data = Annotated[
    Path | None,
    typer.Option(help="Where ledger and storage lie, unless they are named. Default: GANYMEDE_DATA, data."),
]
UntilStdinCloses = Annotated[bool, typer.Option(hidden=True, help="End when standard input closes.")]


def up(
    data: Annotated[
        Path, typer.Option(envvar="GANYMEDE_DATA", help="Where ledger, storage and logs lie.", file_okay=False)
    ] = Path("data"),
    host: Host = "127.0.0.1",
    port: Port = 8000,
    until_stdin_closes: UntilStdinCloses = False,
) -> None:
    """Run everything here, the service and a worker a queue, until Ctrl-C. Running jobs go on at the next start."""
    from ganymede import stack

    stack.up(data.resolve(), host, port, until_stdin_closes)


def demo(
    out: Annotated[Path, typer.Option(help="Where pictures and the demo's own data go.", file_okay=False)] = Path(
        "demo"
    ),
    seconds: Annotated[float, typer.Option(min=1, max=75, help="Seconds of training.")] = 75,
) -> None:
    """Train a GAN on real handwritten digits, through the API alone, and look at what it learned."""
    from ganymede import demo as show

    show.run(out.resolve(), seconds)


def serve(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Run the HTTP service alone, as a deployment does. Settings: GANYMEDE_… variables."""
    become("service", "--host", host, "--port", str(port))


def work(
    queue: Annotated[Literal["train", "light"], typer.Option(help="Which queue: one worker a GPU, or the light jobs.")],
) -> None:
    """Run one worker alone, as a deployment does. Settings: GANYMEDE_… variables."""
    become("worker", "--queue", queue)


def migrate() -> None:
    """Bring the ledger's database to this version."""
    become("ledger", "migrate")


def doctor(
    data: Data = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    deep: Annotated[bool, typer.Option("--deep", help="Read every file that the ledger names.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what is wrong with the server whose settings these are, and what to do. Exit code 1 where anything is."""
    wished = [*["--deep"] * deep, *["--json"] * json]
    become("worker.doctor", "--host", host, "--port", str(port), *wished, data=data)


def backup(
    target: Annotated[Path, typer.Argument(help="A new folder, or a new file that ends in .tar.")],
    data: Data = None,
) -> None:
    """Back up the ledger and all files that it names, consistent with one another, while everything runs."""
    become("ledger.backup", "make", str(target.absolute()), data=data)


def restore(
    source: Annotated[Path, typer.Argument(help="A folder or .tar that `ganymede backup` made.")],
    data: Data = None,
) -> None:
    """Fill an empty server from a backup; jobs that ran then go on from their newest checkpoints."""
    become("ledger.backup", "restore", str(source.absolute()), data=data)


def keys(
    context: typer.Context,
    data: Data = None,
) -> None:
    """Make, list and revoke API keys, and see who changed what (create, list, revoke, audit), in the ledger itself."""
    become("ledger", "keys", *context.args, data=data)


def become(*module: str, data: Path | None = None) -> NoReturn:
    """Become `python -m …`: the same process, so that signals and exit status are the module's own."""
    from ganymede.stack import require_server

    require_server()
    if data is not None:
        os.environ["GANYMEDE_DATA"] = str(data.resolve())
    os.execv(sys.executable, [sys.executable, "-m", *module])
