"""docker-compose.yml as `docker compose` reads it: anchors merged, variables filled in."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"

VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


class MissingVariable(Exception):
    """A variable that `${NAME:?…}` demands is unset or empty."""


def load(**variables: str) -> dict[str, Any]:
    """The whole document. Raises MissingVariable."""
    filled = fill(yaml.safe_load(FILE.read_text()), variables)
    assert isinstance(filled, dict)
    return filled


def services(**variables: str) -> dict[str, dict[str, Any]]:
    """Name → service, with a password unless one is given."""
    found: dict[str, dict[str, Any]] = load(**{"POSTGRES_PASSWORD": "secret"} | variables)["services"]
    return found


def variables() -> set[str]:
    """The names of all variables that the file has."""
    return {match["name"] for match in VARIABLE.finditer(FILE.read_text())}


def fill(node: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: fill(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [fill(value, variables) for value in node]
    return VARIABLE.sub(lambda match: value_of(match, variables), node) if isinstance(node, str) else node


def value_of(match: re.Match[str], variables: Mapping[str, str]) -> str:
    """`${NAME}`, `${NAME:-default}` or `${NAME:?why}`."""
    value = variables.get(match["name"], "")
    if not value and match["kind"] == "?":
        raise MissingVariable(f"{match['name']}: {match['rest']}")
    return value or (match["rest"] if match["kind"] == "-" else "")
