"""Request headers that more than one route understands: `Prefer: wait`, `If-None-Match`, `Accept`; names in paths."""

import re
from hashlib import sha256
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Path, Query, Request, Response
from pydantic import BeforeValidator

from gan.spec import NAME_PATTERN

MAX_WAIT: Final = 60
"""Seconds that a long poll may last; a longer wish is granted this far."""

WAIT: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})", re.IGNORECASE)

WHOLE: Final = re.compile(r"0|-?[1-9][0-9]*")


def plain(value: Any) -> Any:
    """A whole number as everybody writes it; ValueError for the signs, zeros, blanks and underscores of other ways."""
    if isinstance(value, str) and not WHOLE.fullmatch(value):
        raise ValueError("must be a whole number in plain digits")
    return value


IDEMPOTENCY_KEY: Final = "Idempotency-Key"
IDEMPOTENCY_REPLAYED: Final = "Idempotency-Replayed"
IDEMPOTENT: Final = re.compile(r"[\x21-\x7e]{1,255}")
"""What a key may be."""
WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
COMPUTED: Final = frozenset({"/v1/samples", "/v1/interpolations", "/v1/scores", "/v1/estimates"})
"""POSTs that write nothing: asked again they are computed again, to the same result where seeds are given."""
UNKEPT: Final = COMPUTED | {"/v1/session"}
"""Calls whose answers are not kept under keys: these, and what is a secret."""


def answers_are_kept(method: str, path: str) -> bool:
    """Whether a call takes an `Idempotency-Key`."""
    return method in WRITES and path.startswith("/v1/") and path not in UNKEPT


Plain = BeforeValidator(plain)
"""On every whole number of a path or query: one number has one spelling."""

Named = Annotated[str, Path(pattern=NAME_PATTERN, description="An id or a name.", examples=["digits"])]
"""A path segment that names a resource. What cannot be a name is answered with 404."""

JobId = Annotated[str, Path(pattern=NAME_PATTERN, description="A job's id.", examples=["job_0123456789abcdef01234567"])]

Cursor = Annotated[
    str | None,
    Query(pattern=NAME_PATTERN, description="The id after which the page begins: the last page's `last_id`."),
]
Limit = Annotated[int, Plain, Query(ge=1, le=100, description="The length of a page.")]
Order = Annotated[str, Query(pattern="^(asc|desc)$", description="`desc`: newest first; `asc`: oldest first.")]


async def wait_seconds(
    prefer: Annotated[
        str | None,
        Header(description=f"`wait=N`: answer when the state changes, or after N ≤ {MAX_WAIT} seconds (RFC 7240)."),
    ] = None,
) -> int | None:
    """How long the caller would have the answer wait for a change; None if it did not say."""
    found = WAIT.search(prefer or "")
    return min(int(found.group(1)), MAX_WAIT) if found else None


Wait = Annotated[int | None, Depends(wait_seconds)]


def applied(wait: int | None) -> dict[str, str]:
    """The header that says which preference was granted."""
    return {} if wait is None else {"Preference-Applied": f"wait={wait}"}


IfNoneMatch = Annotated[str | None, Header(description="The ETag of the answer already held: 304 if it still holds.")]


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the caller holds this version already (RFC 9110: weak comparison)."""
    held = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    return etag in held or "*" in held


def tagged(content: bytes, media_type: str, if_none_match: str | None, **headers: str) -> Response:
    """An answer under a tag of its content; 304 where the caller holds just that already."""
    known = headers | {"ETag": f'"{sha256(content).hexdigest()[:32]}"', "Cache-Control": "no-cache"}
    if matches(if_none_match, known["ETag"]):
        return Response(status_code=304, headers=known)
    return Response(content, media_type=media_type, headers=known)


async def accepted(request: Request) -> str:
    """A dependency: all that the caller says in `Accept`."""
    return ",".join(request.headers.getlist("accept"))


Accept = Annotated[str, Depends(accepted)]


async def head_only(request: Request) -> bool:
    """A dependency: whether the caller wants the headers of the answer alone, as `HeadAsGet` notes."""
    return getattr(request.state, "head", False)


HeadOnly = Annotated[bool, Depends(head_only)]
