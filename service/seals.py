"""Headers that every answer has, so that a browser does with it what it is for and nothing else."""

import re
from collections.abc import Iterable
from typing import Final

Raw = tuple[bytes, bytes]

NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"
"""Content of an API: not a page, loads nothing, stands in no frame."""

SEALS: Final[dict[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": NOTHING,
    "Cross-Origin-Resource-Policy": "same-origin",
}

SWAGGER: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""`/docs` loads its own files alone; Swagger writes styles into its elements and has pictures in its style sheet."""

STUDIO: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The studio loads from its own server alone, and has nothing inline; some of its pictures are made in the page."""

PICTURE: Final = re.compile(r"/v1/models/[^/]+/images/[^/]+")
"""A seed as an address is there to stand in pages, also of other origins."""


def raw(headers: dict[str, str]) -> list[Raw]:
    """Headers as ASGI has them."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


PLAIN: Final = raw(SEALS)
OF_PICTURES: Final = raw(SEALS | {"Cross-Origin-Resource-Policy": "cross-origin"})
PAGES: Final = {
    path: raw(SEALS | {"Content-Security-Policy": content}) for path, content in {"/": STUDIO, "/docs": SWAGGER}.items()
}


def seals_of(path: str) -> list[Raw]:
    """What is put on an answer from that path."""
    if path.startswith("/v1/models/") and PICTURE.fullmatch(path):
        return OF_PICTURES
    return PAGES.get(path, PLAIN)


def sealed(headers: Iterable[Raw], path: str) -> list[Raw]:
    """The headers, and those of the seals that a route has not chosen otherwise."""
    present = list(headers)
    names = {name.lower() for name, _ in present}
    return present + [seal for seal in seals_of(path) if seal[0] not in names]
