"""`python -m ganymede`: the `ganymede` command."""

from ganymede.cli import main

main()
