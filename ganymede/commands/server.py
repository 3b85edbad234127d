"""`ganymede up`, `demo`, and the single processes of a deployment: `serve`, `work`, `migrate`, `keys`."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

Host = Annotated[str, typer.Option(help="The address to listen at.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")]
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


def keys(
    context: typer.Context,
    data: Annotated[
        Path, typer.Option(envvar="GANYMEDE_DATA", help="As of `ganymede up`.", file_okay=False, hidden=True)
    ] = Path("data"),
) -> None:
    """Make, list and revoke API keys, and see who changed what (create, list, revoke, audit), in the ledger itself."""
    os.environ["GANYMEDE_DATA"] = str(data.resolve())
    become("ledger", "keys", *context.args)


def become(*module: str) -> NoReturn:
    """Become `python -m …`: the same process, so that signals and exit status are the module's own."""
    from ganymede.stack import require_server

    require_server()
    os.execv(sys.executable, [sys.executable, "-m", *module])
