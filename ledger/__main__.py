"""`python -m ledger migrate`: bring the ledger's schema to this program's version.

`python -m ledger worker-lives`: whether a worker of this host (of this container, where there is one) says that it
lives; a health check.
"""

import argparse
import sys

from gan.errors import GanymedeError, Unavailable
from ledger.database import Ledger
from ledger.settings import read_settings
from ledger.workers import Workers, this_host


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, or 1 with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m ledger", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    command = parser.parse_args(arguments).command
    try:
        ledger = Ledger(read_settings().database_url)
        COMMANDS[command](ledger)
        ledger.close()
    except GanymedeError as error:
        sys.stderr.write(f"ganymede {command}: {error}\n")
        return 1
    return 0


def worker_lives(ledger: Ledger) -> None:
    """Raises Unavailable unless a worker of this host beat lately."""
    if not any(worker.host == this_host() for worker in Workers(ledger).live()):
        raise Unavailable("no worker of this host has said lately that it lives")


COMMANDS = {"migrate": Ledger.migrate, "worker-lives": worker_lives}

if __name__ == "__main__":
    sys.exit(main())
