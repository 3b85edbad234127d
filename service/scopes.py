"""What a key must be for, by call: the one table that says so. A test holds it against the OpenAPI document."""

import re
from collections.abc import Collection
from typing import Final, Literal, NamedTuple, get_args

Scope = Literal["read", "sample", "train", "admin"]
EVERY: Final[tuple[Scope, ...]] = get_args(Scope)

OPEN: Final = re.compile(r"/|/studio/.+|/livez|/readyz|/openapi\.json|/docs(/.*)?|/v1/session")
"""Paths that need no key. `/v1/session` is where a key is traded for a cookie, and where a page asks whether it has to.
"""


class Rule(NamedTuple):
    """Calls of these methods on these paths need this scope."""

    methods: frozenset[str]
    paths: re.Pattern[str]
    scope: Scope


def rule(methods: str, paths: str, scope: Scope) -> Rule:
    """A row of the table."""
    return Rule(frozenset(methods.split()), re.compile(paths), scope)


RULES: Final = (
    rule("GET", r"/v1/models/[^/]+/images/[^/]+", "sample"),
    rule("GET", r"/v1/.+|/metrics", "read"),
    rule("POST", r"/v1/(samples|interpolations|scores|projections)", "sample"),
    rule("POST", r"/v1/(datasets|models|jobs|estimates)", "train"),
    rule("POST", r"/v1/jobs/[^/]+/(cancel|pause|resume|retry)", "train"),
    rule("PUT DELETE", r"/v1/models/[^/]+/memory", "train"),
    rule("PATCH", r"/v1/models/[^/]+/checkpoints/[^/]+", "train"),
    rule("DELETE", r"/v1/(datasets|models|jobs)/[^/]+", "admin"),
)
"""The first that fits holds."""

READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""


def scope_of(method: str, path: str) -> Scope | None:
    """The scope that a call needs; None where it needs no key. What no rule speaks of needs the most."""
    if OPEN.fullmatch(path):
        return None
    found = ruled(method, path)
    return found or ("read" if method in READING else "admin")


def ruled(method: str, path: str) -> Scope | None:
    """The scope by the table, if it speaks of the call. HEAD is as GET."""
    as_get = "GET" if method == "HEAD" else method
    return next((row.scope for row in RULES if as_get in row.methods and row.paths.fullmatch(path)), None)


def permits(scopes: Collection[str], needed: Scope) -> bool:
    """Whether a key of these scopes may do what needs that one."""
    return needed in scopes or "admin" in scopes
