"""Connections as uvicorn keeps them, but that whoever is being answered hears of their end, and can bring it about."""

from collections.abc import Callable
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HANG_UP: Final = "hang_up"
"""Where a request's state has what lets its connection go, with what is still to be sent."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, which tells the newest request alone that its connection has ended.

    Of several that came at once, the one that is being answered would go on and fail when it writes: a trace in the log
    for every caller who sends rubbish behind a request.
    """

    _answering: RequestResponseCycle | None = None

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["state"][HANG_UP] = self.transport.abort

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller is gone."""
        self.tell()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What came is no request: the last answer of this connection."""
        self.tell()
        super().send_400_response(msg)

    def tell(self) -> None:
        """Tell the request that is being answered that nobody waits for it any more."""
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, self._heard(cycle, app))  # type: ignore[arg-type]  # ASGI in other words

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


def hang_up(scope: Scope) -> bool:
    """Close the connection that a request came by, at once; False where another server than ours has it.

    On who does not read, no answer can be ended in order.
    """
    abort: Callable[[], None] | None = scope.get("state", {}).get(HANG_UP)
    if abort is not None:
        abort()
    return abort is not None
