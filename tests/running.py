"""A running stack for tests: `ganymede up` as a user starts it, with all its processes gone at the end."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from ganymede import Client

START_SECONDS = 120.0
END_SECONDS = 10.0
"""What the design promises: SIGINT or SIGTERM ends everything within so long."""

LOG_LINES = 40


@dataclass
class Stack:
    """A running `ganymede up`."""

    url: str
    data: Path
    process: "subprocess.Popen[bytes]"
    environment: dict[str, str]

    def client(self) -> Client:
        return Client(self.url)

    def run(self, *arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
        """`ganymede …` against this stack."""
        command = [sys.executable, "-m", "ganymede", *arguments]
        environment = {**self.environment, "GANYMEDE_URL": self.url}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **options)

    def key(self, name: str, *words: str) -> str:
        """A new key, as `ganymede keys create NAME …` prints it."""
        made = self.run("keys", "create", name, *words, "--data", str(self.data))
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def processes(self) -> list[psutil.Process]:
        """`up` itself and everything below it."""
        try:
            top = psutil.Process(self.process.pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def find(self, *words: str) -> psutil.Process:
        """The one process below `up` whose command line has all these words."""
        [found] = self.all_of(*words)
        return found

    def all_of(self, *words: str) -> list[psutil.Process]:
        """Every process below `up` whose command line has all these words."""
        return [process for process in self.processes()[1:] if set(words) <= set(command_line(process))]

    def end(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Send `up` a signal; returns how long it took until no process was left."""
        before = self.processes()
        started = time.monotonic()
        self.process.send_signal(number)
        _, left = psutil.wait_procs(before, timeout=END_SECONDS + 5)
        assert not left, f"still there: {left}\n{self.logs()}"
        return time.monotonic() - started

    def logs(self) -> str:
        """The end of every log, for a failed test's report."""
        paths = [self.data / "up.log", *sorted((self.data / "logs").glob("*.log"))]
        tails = {path: path.read_text(errors="replace").splitlines()[-LOG_LINES:] for path in paths if path.exists()}
        return "\n".join(line for path, lines in tails.items() for line in [f"==> {path.name} <==", *lines])


def command_line(process: psutil.Process) -> list[str]:
    """Its words; none where it has ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def environment_for(**settings: str) -> dict[str, str]:
    """This environment with no settings of Ganymede but these, and one thread for training: tests share the cores."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GANYMEDE_")}
    return inherited | {"GANYMEDE_TRAIN_THREADS": "1", "GANYMEDE_SERVICE_THREADS": "1"} | settings


def start_stack(data: Path, *arguments: str, **settings: str) -> Stack:
    """`ganymede up` on a free port, once it serves."""
    data.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "ganymede", "up", "--data", str(data), "--port", "0", "--until-stdin-closes"]
    environment = environment_for(**settings)
    with (data / "up.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            process_group=0,
        )
    stack = Stack("", data, process, environment)
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    line = process.stdout.readline().decode() if ready else ""
    assert line.startswith("Ganymede serves at http://"), f"the stack did not start\n{stack.logs()}"
    stack.url = line.split()[-1]
    return stack


@contextmanager
def running_stack(data: Path, *arguments: str, **settings: str) -> Iterator[Stack]:
    """A stack that is ended on the way out, if the test has not done so."""
    stack = start_stack(data, *arguments, **settings)
    with stack.process:
        try:
            yield stack
        finally:
            if stack.process.poll() is None:
                stack.end()
