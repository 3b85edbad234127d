"""`python -m service`: serve until SIGINT or SIGTERM, or until stdin closes if asked to."""

import argparse
import signal
import socket
import sys
from ipaddress import ip_address

import uvicorn
from fastapi import FastAPI

from gan.errors import GanymedeError, InvalidRequest
from ledger import logs
from ledger.database import Ledger
from ledger.lifeline import end_with_parent
from ledger.settings import Settings, read_settings
from service.app import create_app
from service.front import KEEP_ALIVE_SECONDS, Front

GRACE_SECONDS = 4
"""How long requests in flight may go on once the service ends; long polls are answered at once, and streams end."""


class Server(uvicorn.Server):
    """uvicorn's server, which lets long polls and streams go before it waits for requests in flight."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self.app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer whoever waits for a change and end event streams, then end as usual."""
        self.app.state.house.end_waiting()
        await super().shutdown(sockets)

    def end(self) -> None:
        """Have the server end, whether it runs already or is about to."""
        self.should_exit = True


def arguments_of(given: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the process that holds stdin ends")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """Run the service; returns the exit status: 0, or 1 with one line on stderr where it cannot start."""
    arguments = arguments_of(given)
    try:
        settings = read_settings()
        check_doors(settings, arguments.host)
        check(settings)
        check_address(arguments.host, arguments.port)
    except (GanymedeError, OSError) as error:
        sys.stderr.write(f"ganymede service: {error}\n")
        return 1
    return serve(settings, arguments)


def check(settings: Settings) -> None:
    """Raises LedgerMismatch, or Unavailable where the database cannot be reached: before anything is started."""
    ledger = Ledger(settings.database_url)
    try:
        ledger.check_version()
    finally:
        ledger.close()


def check_doors(settings: Settings, host: str) -> None:
    """Raises InvalidRequest where others could come in without a key."""
    if settings.api_keys_required or loopback(host):
        return
    raise InvalidRequest(
        f"{host} can be reached from other machines, and no keys are required: set GANYMEDE_API_KEYS_REQUIRED=true "
        "(`ganymede keys create` makes keys), or listen at 127.0.0.1"
    )


def loopback(host: str) -> bool:
    """Whether only this machine can reach a host's addresses. Raises OSError, in words, for an unknown name."""
    try:
        found = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise OSError(f"cannot listen on {host}: {error.strerror}") from error
    return all(ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def check_address(host: str, port: int) -> None:
    """Raises OSError, in words, where nobody can listen there; uvicorn would end with a status of its own."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from error


def serve(settings: Settings, arguments: argparse.Namespace) -> int:
    """Serve until told to end. Signals that come before the loop runs, or after it ended, only say the same again."""
    logs.configure(settings)
    app = create_app(settings, arguments.host)
    config = uvicorn.Config(
        app,
        host=arguments.host,
        port=arguments.port,
        http=Front,
        ws="none",
        log_config=None,
        access_log=False,  # the envelope has a line for each request, without what its query says
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = Server(config, app)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.end())
    if arguments.until_stdin_closes:
        end_with_parent()
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
