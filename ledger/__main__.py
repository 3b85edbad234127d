"""`python -m ledger migrate`: bring the ledger's schema to this program's version.

`python -m ledger keys create | list | revoke | audit`: who may come in, and who changed what.

`python -m ledger worker-lives`: whether a worker of this host (of this container, where there is one) says that it
lives; a health check.
"""

import argparse
import os
import sys
from collections.abc import Callable
from typing import Final

from gan.errors import GanymedeError, Unavailable
from ledger import administering
from ledger.database import Ledger
from ledger.settings import read_settings
from ledger.workers import Workers, this_host


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, or 1 with one line on stderr."""
    given = parser().parse_args(arguments)
    try:
        ledger = Ledger(read_settings().database_url)
        COMMANDS[given.command](ledger, given)
        ledger.close()
    except GanymedeError as error:
        sys.stderr.write(f"ganymede {given.command}: {error}\n")
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line; `ganymede` passes its own on to it."""
    found = argparse.ArgumentParser(
        prog="ganymede", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = found.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="bring the ledger to this version")
    commands.add_parser("worker-lives", help="whether a worker of this host says that it lives")
    administering.add_commands(commands.add_parser("keys", help="API keys, and the audit record of writes"))
    return found


def migrate(ledger: Ledger, _: argparse.Namespace) -> None:
    """Bring the schema to this version."""
    ledger.migrate()


def worker_lives(ledger: Ledger, _: argparse.Namespace) -> None:
    """Raises Unavailable unless a worker of this host beat lately."""
    if not any(worker.host == this_host() for worker in Workers(ledger).live()):
        raise Unavailable("no worker of this host has said lately that it lives")


COMMANDS: Final[dict[str, Callable[[Ledger, argparse.Namespace], None]]] = {
    "migrate": migrate,
    "worker-lives": worker_lives,
    "keys": administering.run,
}

if __name__ == "__main__":
    sys.exit(main())
