"""Bounds on the head of a request: the address and the headers, of which nothing is believed yet.

uvicorn's parser bounds neither. `Front` ends a connection whose head grows without end, or does not come; `HeadLimit`
refuses a head that came and is too large, with a problem document like any other.
"""

import asyncio
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service import errors
from service.connections import Connection
from service.middleware import new_request_id
from service.seals import PLAIN

LONGEST_ADDRESS: Final = 60 * 1024
"""Bytes of a path with its query: a picture's may hold a long condition. The parser reads no more than 65,535."""
HEADER_BYTES: Final = 32 * 1024
MOST_HEADERS: Final = 100
HEAD_BYTES: Final = LONGEST_ADDRESS + 2 * HEADER_BYTES
"""Bytes of a head that is not yet whole, at most."""
HEAD_SECONDS: Final = 15.0
"""How long a head may take, from its first byte or from the connection's beginning."""
KEEP_ALIVE_SECONDS: Final = 20
"""How long a connection may rest between two requests."""


class Front(Connection):
    """A connection which waits for no head for ever and keeps none without end."""

    _waiting: asyncio.TimerHandle | None = None
    _open = False
    _bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A head is due."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """No head is due any more."""
        self._relax()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._open, self._bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head is whole. Of an address that is too long as much is kept as `HeadLimit` needs to refuse it."""
        self._open = False
        self._relax()
        self.url = self.url[: LONGEST_ADDRESS + 2]
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Bytes came. What is left of a head is counted, but for the part in which it began."""
        went_on = self._open
        super().data_received(data)
        if not self._open or self.transport.is_closing():
            return
        if self._waiting is None:
            self._expect()
        self._bytes += len(data) if went_on else 0
        if self._bytes > HEAD_BYTES:
            self._refuse(431, errors.CODES[431], f"the head is larger than {HEAD_BYTES} bytes")

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is refused as everything is."""
        self.tell()
        self._refuse(400, errors.CODES[400], msg)

    def _refuse(self, status: int, code: str, detail: str) -> None:
        self.transport.write(plain_refusal(status, code, detail))
        self.transport.close()

    def _expect(self) -> None:
        self._waiting = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _relax(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        self.transport.close()


def plain_refusal(status: int, code: str, detail: str) -> bytes:
    """A problem document with all its headers, for a connection on which no request was understood."""
    request_id = new_request_id()
    answer = errors.document(status, code, detail, request_id)
    headers = [*answer.raw_headers, *PLAIN, (b"x-request-id", request_id.encode()), (b"connection", b"close")]
    lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + bytes(answer.body)


class HeadLimit:
    """Refuses what is called by too long an address (414) or with too many or too large headers (431)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        wrong = too_large(scope) if scope["type"] == "http" else None
        if wrong is None:
            await self.app(scope, receive, send)
            return
        status, detail = wrong
        refusal = errors.problem(Request(scope), status, errors.CODES[status], detail, headers=CLOSING)
        await refusal(scope, receive, send)


CLOSING: Final = {"Connection": "close"}


def too_large(scope: Scope) -> tuple[int, str] | None:
    """The status and the words for a head beyond a limit."""
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > LONGEST_ADDRESS:
        return 414, f"the address is longer than {LONGEST_ADDRESS} bytes"
    headers = scope["headers"]
    if len(headers) > MOST_HEADERS:
        return 431, f"there are more than {MOST_HEADERS} headers"
    if sum(len(name) + len(value) for name, value in headers) > HEADER_BYTES:
        return 431, f"the headers are larger than {HEADER_BYTES} bytes"
    return None
