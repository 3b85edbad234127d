"""What wraps every request: an id, headers that belong on every answer, HEAD, and bounds on the body. Pure ASGI."""

import asyncio
import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger.logs import REQUEST
from service.meters import Meters
from service.seals import sealed

GATED: Final = frozenset({"/v1/samples", "/v1/interpolations", "/v1/scores"})
"""What waits for the device. Pictures by address may be kept, and are refused by the engine itself."""
DRAWN: Final = re.compile(r"/v1/(samples|interpolations|scores)|/v1/models/[^/]+/images/[^/]+")
"""What is computed while the caller waits."""
PROBES: Final = frozenset({"/livez", "/readyz", "/metrics"})
SAFE: Final = frozenset({"GET", "HEAD"})
UNTOLD: Final = frozenset({"503", "none"})
"""Refused because too many wait, and hung up before there was an answer: of pictures, more than a log has room for."""
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""An id that a caller may give; any other is replaced, so that nothing strange reaches a log."""


_log = logging.getLogger("ganymede.requests")


class Envelope:
    """Gives each request an id, and each answer `X-Request-Id` and the seals; counts and times them.

    An answer without an end counts as given at `state.answered`.
    """

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self.app = app
        self.meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = request_id_of(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        REQUEST.set(request_id)
        began, status = perf_counter(), "none"

        async def enveloped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
                named = (b"x-request-id", request_id.encode())
                message["headers"] = [*sealed(message["headers"], scope["path"]), named]
            await send(message)

        try:
            await self.app(scope, receive, enveloped)
        finally:
            route, ended = route_of(scope), perf_counter()
            answered = scope["state"].get("answered", ended)
            self.meters.requests.labels(scope["method"], route, status).observe(answered - began)
            tell(scope, route, status, ended - began)


def route_of(scope: Scope) -> str:
    """A path with names in braces; `unmatched` where there is none. What the gate refuses has its own path as route."""
    found: str | None = getattr(scope.get("route"), "path", None)
    return found or (scope["path"] if scope["path"] in GATED else "unmatched")


def tell(scope: Scope, route: str, status: str, seconds: float) -> None:
    """A line for a request that has been answered: by its route alone, as paths and queries may hold anything."""
    level = level_of(scope["method"], scope["path"], status)
    if not _log.isEnabledFor(level):
        return
    client = (scope.get("client") or (None,))[0]
    ms = round(seconds * 1000, 1)
    fields = {"method": scope["method"], "route": route, "status": status, "ms": ms, "client": client}
    _log.log(level, "%s %s %s %.1f ms", scope["method"], route, status, ms, extra={"fields": fields})


def level_of(method: str, path: str, status: str) -> int:
    """Writes and errors are told; reads, probes, and what comes by the hundreds a second (pictures, and the refusals of
    a flood of them) only while debugging."""
    well = status < "4"
    if path in PROBES or (well and method in SAFE) or ((well or status in UNTOLD) and DRAWN.fullmatch(path)):
        return logging.DEBUG
    return logging.WARNING if "5" <= status < "6" and status not in UNTOLD else logging.INFO


class Gate:
    """Refuses a sampling request at once where as many wait as may, before its body is read: a flood costs little."""

    def __init__(self, app: ASGIApp, refused: Callable[[Scope], Response | None]) -> None:
        self.app = app
        self.refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in GATED:
            refusal = self.refused(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)


class HangUp:
    """Ends a sampling request whose caller has hung up: what is still in line then never costs a forward."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not DRAWN.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        listening = Listening(receive)
        if scope["method"] == "GET":
            await listening.receive()  # the end of no body, which nobody would wait for
        try:
            await self.app(scope, listening.receive, listening.until_answered(send))
        except asyncio.CancelledError:
            if not listening.gone:
                raise
        finally:
            listening.stop()


class Listening:
    """Passes a body on; once it is whole, listens for the caller's hanging up, which cancels the task that made this.

    `gone` says that it did. Nothing is listened for once the answer begins.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._serving = asyncio.current_task()
        self._listener: asyncio.Task[None] | None = None
        self.gone = False

    async def receive(self) -> Message:
        """The next part of the body."""
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False) and self._listener is None:
            self._listener = asyncio.create_task(self._listen())
        return message

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._serving is not None:
            self._serving.cancel()

    def until_answered(self, send: Send) -> Send:
        """`send`, which ends the listening."""

        async def answered(message: Message) -> None:
            self.stop()
            await send(message)

        return answered

    def stop(self) -> None:
        """Listen no more."""
        if self._listener is not None and not self.gone:
            self._listener.cancel()


class HeadAsGet:
    """Answers HEAD as GET without a body; `state.head` tells a route for which a body would be work.

    Files are not even read: they are offered to be sent by path.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        state = {**scope.get("state", {}), "head": True}
        extensions = {**scope.get("extensions", {}), "http.response.pathsend": {}}
        as_get = {**scope, "method": "GET", "state": state, "extensions": extensions}
        try:
            await self.app(as_get, receive, headers_of(send))
        finally:
            scope["route"] = as_get.get("route")  # for those around, who count by it


def headers_of(send: Send) -> Send:
    """`send` for an answer whose body is left out."""

    async def bare(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
        elif not message.get("more_body", False):
            await send({"type": "http.response.body"})

    return bare


def request_id_of(scope: Scope) -> str:
    """The caller's own id where it is a plain word of at most 64 characters, else a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """An id that no other request has."""
    return f"req_{secrets.token_hex(12)}"


@dataclass(frozen=True)
class Limit:
    """How many bytes a body may have, and the setting that says so."""

    bytes: int
    setting: str


IDLE_SECONDS: Final = 30.0
"""How long a body may go without a byte."""


class BodyLimit:
    """Refuses a body by its declared length, and stops reading one that grows beyond its limit as it streams, or of
    which nothing more comes.

    Raises HTTPException 413 or 408, which the framework lets pass from inside a body that it is reading. The connection
    is closed after the answer: the rest of the body would only be read to be thrown away.
    """

    def __init__(self, app: ASGIApp, limit_of: Callable[[Scope], Limit]) -> None:
        self.app = app
        self.limit_of = limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await self.app(scope, bounded(receive, scope, self.limit_of(scope)), send)


def bounded(receive: Receive, scope: Scope, limit: Limit) -> Receive:
    """`receive`, raising as soon as more than `limit` is declared or has come, or when nothing comes any more."""
    declared = Headers(scope=scope).get("content-length", "")
    total, ended = 0, False

    async def counted() -> Message:
        nonlocal total, ended
        if declared.isdecimal() and int(declared) > limit.bytes:
            raise too_large(limit)
        message = await (receive() if ended else arriving(receive))
        ended = not message.get("more_body", False)
        total += len(message.get("body", b""))
        if total > limit.bytes:
            raise too_large(limit)
        return message

    return counted


async def arriving(receive: Receive) -> Message:
    """The next part of a body; raises HTTPException 408 where none comes within `IDLE_SECONDS`."""
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            return await receive()
    except TimeoutError as error:
        detail = f"the body stopped coming: nothing for {IDLE_SECONDS:g} seconds"
        raise HTTPException(408, detail, headers={"Connection": "close"}) from error


def too_large(limit: Limit) -> HTTPException:
    """The 413 that names the limit."""
    detail = f"the body is larger than {limit.bytes} bytes, this server's limit ({limit.setting})"
    return HTTPException(413, detail, headers={"Connection": "close"})
