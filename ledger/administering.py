"""`keys create | list | revoke | audit`: API keys are administered where the ledger is, not over HTTP."""

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from ledger.audit import Audit
from ledger.database import Ledger
from ledger.keys import SCOPES, Keys
from ledger.records import Key, KeyQuotas, Write

UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
DURATION: Final = re.compile(r"([1-9][0-9]{0,6})([smhd])")
NEVER: Final = "-"


def add_commands(parser: argparse.ArgumentParser) -> None:
    """The command line of `keys`."""
    commands = parser.add_subparsers(dest="keys_command", required=True)
    create = commands.add_parser("create", help="make a key, and print it: it is shown this once")
    create.add_argument("name")
    create.add_argument("--scope", action="append", choices=SCOPES, required=True, help="may be given several times")
    create.add_argument("--requests-per-second", type=positive(float), metavar="N")
    create.add_argument("--images-per-second", type=positive(float), metavar="N")
    create.add_argument("--concurrent-jobs", type=positive(int), metavar="N")
    create.add_argument("--stored-bytes", type=positive(int), metavar="N")
    create.add_argument("--expires-in", type=seconds, metavar="30d", help="a number and s, m, h or d")
    create.set_defaults(run=create_key)
    commands.add_parser("list", help="all keys, oldest first").set_defaults(run=list_keys)
    revoke = commands.add_parser("revoke", help="end a key and its sessions, within a second or so")
    revoke.add_argument("key", metavar="NAME|ID")
    revoke.set_defaults(run=revoke_key)
    audit = commands.add_parser("audit", help="which writes were asked for, newest first")
    audit.add_argument("--key", metavar="NAME|ID")
    audit.add_argument("--limit", type=positive(int), default=100, metavar="N")
    audit.set_defaults(run=show_audit)


def run(ledger: Ledger, arguments: argparse.Namespace) -> None:
    """Do what the command line says. Raises what the ledger raises."""
    ledger.check_version()
    lines = arguments.run(ledger, arguments)
    sys.stdout.write("".join(f"{line}\n" for line in lines))


# ---- the commands: arguments in, lines out ----


def create_key(ledger: Ledger, arguments: argparse.Namespace) -> list[str]:
    """The key alone on standard output, so that a script can take it; what to do with it on standard error."""
    quotas = KeyQuotas(**{name: getattr(arguments, name) for name in KeyQuotas.__dataclass_fields__})
    key, secret = Keys(ledger).create(arguments.name, arguments.scope, quotas, arguments.expires_in)
    sys.stderr.write(f"{key.id} is shown this once; keep it as GANYMEDE_API_KEY:\n")
    return [secret]


def list_keys(ledger: Ledger, _: argparse.Namespace) -> list[str]:
    """A table."""
    head = ("id", "name", "scopes", "quotas", "created", "used", "ends")
    return table([head, *map(row_of, Keys(ledger).list())])


def revoke_key(ledger: Ledger, arguments: argparse.Namespace) -> list[str]:
    """What was revoked."""
    key = Keys(ledger).revoke(arguments.key)
    return [f"revoked {key.name} ({key.id})"]


def show_audit(ledger: Ledger, arguments: argparse.Namespace) -> list[str]:
    """A table."""
    keys = Keys(ledger)
    names = {key.id: key.name for key in keys.list()}
    wanted = None if arguments.key is None else keys.get(arguments.key).id
    head = ("when", "key", "address", "status", "request", "call")
    return table([head, *(line_of(write, names) for write in Audit(ledger).list(wanted, arguments.limit))])


# ---- words ----


def row_of(key: Key) -> tuple[str, ...]:
    """A key in the table."""
    ends = f"revoked {when(key.revoked_at)}" if key.revoked_at else when(key.expires_at)
    return key.id, key.name, ",".join(key.scopes), quotas_of(key), when(key.created_at), when(key.used_at), ends


def quotas_of(key: Key) -> str:
    """Those quotas that a key has."""
    found = {name: getattr(key, name) for name in KeyQuotas.__dataclass_fields__}
    return ",".join(f"{name}={value:g}" for name, value in found.items() if value is not None) or NEVER


def line_of(write: Write, names: dict[str, str]) -> tuple[str, ...]:
    """A write in the table; `call` is last, as paths have any length."""
    name = NEVER if write.key_id is None else names.get(write.key_id, write.key_id)
    call = f"{write.method} {write.path}".encode("unicode_escape").decode()
    return when(write.created_at), name, write.address or NEVER, str(write.status), write.request_id, call


def when(moment: float | None) -> str:
    """Unix seconds by RFC 3339 in UTC."""
    return NEVER if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows with their columns one below another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(padded(row, widths)).rstrip() for row in rows]


def padded(row: Iterable[str], widths: Iterable[int]) -> list[str]:
    """The cells of a row, as wide as their columns."""
    return [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]


class positive:  # noqa: N801  (a type, as argparse calls what reads an argument)
    """Reads a number that is more than nothing."""

    def __init__(self, kind: type[int] | type[float]) -> None:
        self.kind = kind

    def __call__(self, text: str) -> float:
        """Raises ArgumentTypeError."""
        try:
            value = self.kind(text)
        except ValueError:
            value = 0
        if not 0 < value < 2**63:
            raise argparse.ArgumentTypeError(f"{text} is no number above 0")
        return value


def seconds(text: str) -> float:
    """`90s`, `15m`, `12h`, `30d` in seconds. Raises ArgumentTypeError."""
    found = DURATION.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is no duration such as 12h or 30d")
    return float(found[1]) * UNITS[found[2]]
