"""A connection that ends while its request is being answered: nothing is written to it, and nothing is logged."""

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from service.connections import Connection

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Closing:
    """A transport as uvloop has it: to write to one that is closed raises."""

    def __init__(self) -> None:
        self.closed = False
        self.written = b""

    def get_extra_info(self, name: str) -> None:
        return None

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def write(self, data: bytes) -> None:
        if self.closed:
            raise RuntimeError("the handler is closed")
        self.written += data

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def answered(requests: bytes, closes: bool) -> Closing:
    """What becomes of a transport on which requests come; where it closes, it does so before the first is answered."""
    go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    config = uvicorn.Config(app, log_config=None, lifespan="off")
    config.load()
    transport, state = Closing(), ServerState()
    connection = Connection(config=config, server_state=state, app_state={}, _loop=asyncio.get_running_loop())
    connection.connection_made(transport)  # type: ignore[arg-type]
    connection.data_received(requests)
    await asyncio.sleep(0)
    transport.closed |= closes
    go.set()
    await asyncio.gather(*state.tasks)
    connection._unset_keepalive_if_required()
    return transport


@pytest.mark.parametrize("requests", [REQUEST, REQUEST * 2, REQUEST + b"\x00rubbish\r\n\r\n"])
def test_an_answer_to_a_connection_that_is_closing_is_dropped(
    caplog: pytest.LogCaptureFixture, requests: bytes
) -> None:
    transport = asyncio.run(answered(requests, closes=True))
    assert b"200 OK" not in transport.written
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


def test_an_answer_to_one_that_is_open_is_written(caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(answered(REQUEST, closes=False)).written.startswith(b"HTTP/1.1 200 OK")
