"""Connections as uvicorn keeps them, but that whoever is being answered hears of their end."""

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, which tells the newest request alone that its connection has ended.

    Of several that came at once, the one that is being answered would go on and fail when it writes: a trace in the log
    for every caller who sends rubbish behind a request.
    """

    _answering: RequestResponseCycle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller is gone."""
        self._tell()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What came is no request: the last answer of this connection."""
        self._tell()
        super().send_400_response(msg)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, self._heard(cycle, app))

    def _heard(self, cycle: RequestResponseCycle, app: ASGIApp) -> ASGIApp:
        """The application, whose words are dropped once the connection is closing: to write them would raise."""

        async def answering(scope: Scope, receive: Receive, send: Send) -> None:
            async def said(message: Message) -> None:
                if self.transport.is_closing():
                    cycle.disconnected = True
                    return
                await send(message)

            await app(scope, receive, said)

        return answering

    def _tell(self) -> None:
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()
