"""`python -m ledger migrate`: bring the ledger's schema to this program's version."""

import argparse
import sys

from gan.errors import GanymedeError
from ledger.database import Ledger
from ledger.settings import read_settings


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, or 1 with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m ledger", description=__doc__)
    parser.add_argument("command", choices=["migrate"])
    parser.parse_args(arguments)
    try:
        ledger = Ledger(read_settings().database_url)
        ledger.migrate()
        ledger.close()
    except GanymedeError as error:
        sys.stderr.write(f"ganymede migrate: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
