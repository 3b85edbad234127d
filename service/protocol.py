"""uvicorn's HTTP, and a way for the application to hang up: on who does not read, no answer can be ended in order."""

from collections.abc import Callable
from typing import Final

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HANG_UP: Final = "hang_up"
"""Where a request's state has it."""


class Protocol(HttpToolsProtocol):
    """A connection that can be let go with what is still to be sent."""

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["state"][HANG_UP] = self.transport.abort


def hang_up(scope: Scope) -> bool:
    """Close the connection that a request came by, at once; False where another server than ours has it."""
    abort: Callable[[], None] | None = scope.get("state", {}).get(HANG_UP)
    if abort is not None:
        abort()
    return abort is not None
