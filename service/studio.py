"""`/`: the studio, a page for people. Its files are built from `studio/` and stand in `studio_files/`.

They are few, read once and held compressed; their ETags are of their content: a browser that has them is told 304.
"""

import gzip
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from service.headers import tagged

TYPES: Final = {
    "index.html": "text/html; charset=utf-8",
    "studio.js": "text/javascript; charset=utf-8",
    "studio.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The studio's files and their types."""

Answer = Callable[[Request], Awaitable[Response]]


def install(app: FastAPI) -> None:
    """Puts the page and its files into the application."""
    answers = {
        name: answering(files("service").joinpath("studio_files", name).read_bytes(), TYPES[name]) for name in TYPES
    }
    app.add_route("/", answers["index.html"], include_in_schema=False)
    for name, answer in answers.items():
        app.add_route(f"/studio/{name}", answer, include_in_schema=False)


def answering(content: bytes, media_type: str) -> Answer:
    """What sends a file: compressed to those who take that, which all browsers do."""
    forms = {"identity": content, "gzip": gzip.compress(content, mtime=0)}

    async def answer(request: Request) -> Response:
        coding = "gzip" if "gzip" in request.headers.get("accept-encoding", "") else "identity"
        coded = {} if coding == "identity" else {"Content-Encoding": coding}
        held = request.headers.get("if-none-match")
        return tagged(forms[coding], media_type, held, **({"Vary": "Accept-Encoding"} | coded))

    return answer
