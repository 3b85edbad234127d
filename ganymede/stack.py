"""`ganymede up`: the embedded stack, one service and one worker a queue, as children of one process.

Each child leads a process group of its own, so that a Ctrl-C at the terminal reaches this process alone, which then
ends them in order. Each holds the reading end of a pipe as its standard input: should this process die without a
word, the pipe closes and the children end themselves. So nothing outlives `ganymede up`, whatever becomes of it.
"""

import fcntl
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from ganymede.errors import GanymedeError, StackError
from ganymede.terminal import answer, tell

if TYPE_CHECKING:
    from ganymede.client import Client  # loaded where it is used: the command starts quickly

SERVER_PACKAGES: Final = ("torch", "fastapi", "celery", "sqlalchemy")
"""Some of what the `server` extra installs, and a bare client does not."""

LOCK: Final = "up.lock"
"""The file in the data folder that a running stack has locked."""

QUEUES: Final = ("train", "light")
"""The queues, each with one worker."""

READY_SECONDS: Final = 120.0
"""How long the service may take to answer; the first import of torch from a cold disk takes most of it."""

GRACE_SECONDS: Final = 9.0
"""How long children may take to end before they are killed; all is over within 10 s."""

LOOK_SECONDS: Final = 0.1
"""How often children are looked at."""

BACKOFF_SECONDS: Final = (0.5, 30.0)
"""The first and the longest wait before a child that died is started again; it doubles in between."""

STEADY_SECONDS: Final = 60.0
"""A child that ran for so long has recovered: its next restart is quick again."""

LOG_BYTES: Final = 10_000_000
"""A log larger than this is set aside as `.1` when the stack starts."""


@dataclass
class Child:
    """One process of the stack, its log, and how often it has died of late."""

    name: str
    module: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    started: float = 0.0
    due: float = field(default=0.0)

    def start(self) -> None:
        """Start the process, its output appended to its log."""
        with self.log.open("ab") as log:
            log.write(f"--- {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}: {' '.join(self.module)}\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.module],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self.environment,
                process_group=0,
            )
        self.started = time.monotonic()

    def ended(self) -> int | None:
        """The exit status (128 + signal for one that was killed), or None while it runs."""
        status = self.process.poll() if self.process else None
        return status if status is None or status >= 0 else 128 - status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process; SIGKILL goes to its whole group."""
        if self.process is None or self.process.poll() is not None:
            return
        if number == signal.SIGKILL:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def close(self) -> None:
        """Take the process's exit status and close its lifeline."""
        if self.process is not None:
            self.process.wait()
            if self.process.stdin is not None:
                self.process.stdin.close()

    def last_words(self) -> str:
        """The last line of the log that says something."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 8192))
            said = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        return said[-1] if said else ""


class Ending:
    """Whether the stack is to end (`asked`), and whether at once (`hurry`: the second signal)."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.hurry = threading.Event()

    def on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler's signature
        """Take note of a signal."""
        (self.hurry if self.asked.is_set() else self.asked).set()

    def when_stdin_closes(self) -> None:
        """End when the process that holds the other end of standard input ends."""
        threading.Thread(target=self._drain, name="lifeline", daemon=True).start()

    def _drain(self) -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        self.asked.set()


def up(data: Path, host: str, port: int, until_stdin_closes: bool = False) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP. Raises StackError if the stack cannot start.

    Prints the address as one line on standard output once `/readyz` answers 200; port 0 takes a free one.
    """
    require_server()
    ending = Ending()
    if until_stdin_closes:
        ending.when_stdin_closes()
    with signals(ending), hold(data):
        port = port_to_listen(host, port)
        logs = prepare_logs(data)
        environment = environment_of(data)
        migrate(Child("migrate", ("ledger", "migrate"), environment, logs / "migrate.log"), ending)
        if ending.asked.is_set():
            return
        children = [Child(name, module, environment, logs / f"{name}.log") for name, module in parts(host, port)]
        with running(children, ending):
            await_ready(children, address("127.0.0.1" if host in {"0.0.0.0", "::"} else host, port), ending)
            if not ending.asked.is_set():
                answer(f"Ganymede serves at {address(host, port)}")
                tell(f"data in {data}, logs in {logs}; Ctrl-C ends it")
            look_after(children, ending)


def parts(host: str, port: int) -> list[tuple[str, tuple[str, ...]]]:
    """The processes of the stack: name and command."""
    service = ("service", "--host", host, "--port", str(port), "--until-stdin-closes")
    workers = [
        (f"worker-{queue}", ("worker", "--queue", queue, "--until-stdin-closes")) for queue in ("train", "light")
    ]
    return [("service", service), *workers]


def require_server() -> None:
    """Raise StackError where only the client is installed."""
    missing = [name for name in SERVER_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise StackError(f"this needs {', '.join(missing)}: pip install 'ganymede[server]'", 2)


def environment_of(data: Path) -> dict[str, str]:
    """What the children are given: this environment, the data's place, and no modules from the current folder."""
    return {**os.environ, "GANYMEDE_DATA": str(data), "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}


def address(host: str, port: int) -> str:
    """The URL of a host and port."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def signals(ending: Ending) -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into an orderly end."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, ending.on_signal) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def hold(data: Path) -> Iterator[None]:
    """Make the data folder and hold its lock. Raises StackError while another process does."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"{data} is in use by another `ganymede up`; end that one or give another --data"
            ) from None
        yield


def port_to_listen(host: str, port: int) -> int:
    """The port, a free one for 0. Raises StackError if nothing can listen there."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.create_server((host, port), family=family) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        raise StackError(f"cannot listen at {address(host, port)}: {reason}; give another --port or --host") from error


def prepare_logs(data: Path) -> Path:
    """The folder of the logs; those that have grown large are set aside."""
    logs = data / "logs"
    logs.mkdir(exist_ok=True)
    for log in logs.glob("*.log"):
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_name(log.name + ".1"))
    return logs


def migrate(child: Child, ending: Ending) -> None:
    """Bring the ledger to this version. Raises StackError if that fails."""
    with running([child], ending):
        while (status := child.ended()) is None and not ending.asked.wait(LOOK_SECONDS):
            pass
    if status:
        raise StackError(f"the ledger could not be brought up to date: {child.last_words()} (log: {child.log})", status)


@contextmanager
def running(children: list[Child], ending: Ending) -> Iterator[None]:
    """Start the children; on the way out, end them: SIGTERM, `GRACE_SECONDS`, then SIGKILL."""
    with ExitStack() as closing:
        try:
            for child in children:
                child.start()
                closing.callback(child.close)
            yield
        finally:
            end(children, ending)


def end(children: list[Child], ending: Ending) -> None:
    """End the children within `GRACE_SECONDS`, or at once when asked a second time."""
    for child in children:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(child.process and child.ended() is None for child in children):
        if time.monotonic() > deadline or ending.hurry.wait(LOOK_SECONDS / 2):
            break
    for child in children:
        child.signal(signal.SIGKILL)


def await_ready(children: list[Child], url: str, ending: Ending) -> None:
    """Return once `/readyz` is 200 or the end is asked for. Raises StackError if the service ends or is too slow."""
    from ganymede.client import Client

    service, *workers = children
    deadline = time.monotonic() + READY_SECONDS
    with Client(url, timeout=2.0) as client:
        while not ending.asked.wait(LOOK_SECONDS):
            if (status := service.ended()) is not None:
                raise StackError(
                    f"the service could not start: {service.last_words()} (log: {service.log})", status or 1
                )
            for worker in workers:
                revive(worker)
            if is_ready(client):
                return
            if time.monotonic() > deadline:
                raise StackError(f"the service is not ready after {READY_SECONDS:.0f} s (log: {service.log})")


def is_ready(client: "Client") -> bool:
    """Whether `/readyz` answers 200."""
    try:
        client.ready()
    except GanymedeError:
        return False
    return True


def look_after(children: list[Child], ending: Ending) -> None:
    """Start again what dies, until the end is asked for."""
    while not ending.asked.wait(LOOK_SECONDS):
        for child in children:
            revive(child)


def revive(child: Child) -> None:
    """Say that a child has died, and start it again after a pause that grows with each death."""
    if (status := child.ended()) is None:
        return
    now = time.monotonic()
    if child.due == 0.0:
        child.deaths = 1 if now - child.started > STEADY_SECONDS else child.deaths + 1
        pause = min(BACKOFF_SECONDS[0] * 2 ** (child.deaths - 1), BACKOFF_SECONDS[1])
        child.due = now + pause
        said = f"{child.name} ended with status {status}: {child.last_words()}"
        tell(f"ganymede: {said}; starting it again in {pause:g} s (log: {child.log})")
    elif now >= child.due:
        child.due = 0.0
        child.close()
        child.start()
