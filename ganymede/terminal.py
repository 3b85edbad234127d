"""Plain lines on standard error and standard output. Imports nothing heavy."""

import sys


def tell(line: str) -> None:
    """A line for the person at the terminal: standard error, at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def answer(text: str) -> None:
    """A line of what was asked for: standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
