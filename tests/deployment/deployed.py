"""docker-compose.yml's processes, run here: its commands and its environment, only addresses and folders are others."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from compose import services
from servers import PostgreSQL, Redis, free_port

from ganymede import Client
from ganymede.errors import GanymedeError

PASSWORD = "of-the-test"
PROCESSES = ("service", "worker-light", "worker-train-cpu")
READY_SECONDS = 60.0
END_SECONDS = 10.0
PROGRAMS = {"python": sys.executable, "ganymede": str(Path(sys.executable).parent / "ganymede")}
LOG_LINES = 40

INHERITED = ("PATH", "PYTHONPATH", "HOME", "TMPDIR", "LANG")
SPARING = {"GANYMEDE_TRAIN_THREADS": "1", "GANYMEDE_SERVICE_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Tests share the cores."""


class Deployment:
    """Migration, service and workers as docker-compose.yml has them, against real servers."""

    def __init__(self, folder: Path, postgresql: PostgreSQL, redis: Redis) -> None:
        self.services = services(POSTGRES_PASSWORD=PASSWORD)
        self.redis = redis
        self.port = free_port()
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.key: str | None = None
        self._here = {
            "@postgres:5432": f"@127.0.0.1:{postgresql.port}",
            "//redis:6379": f"//127.0.0.1:{redis.port}",
            "/data/storage": str(folder / "storage"),
            "0.0.0.0": "127.0.0.1",
            "8000": str(self.port),
        }

    def client(self) -> Client:
        return Client(f"http://127.0.0.1:{self.port}", self.key, timeout=20)

    def make_key(self) -> None:
        """The first key, made as docs/deployment.md says: in the service's environment. Clients have it from now on."""
        done = self.run("service", ["ganymede", "keys", "create", "admin", "--scope", "admin"])
        assert done.returncode == 0, done.stderr
        self.key = done.stdout.strip()

    def command(self, words: list[str]) -> list[str]:
        program, *rest = map(self._translated, words)
        return [PROGRAMS[program], *rest]

    def environment(self, name: str) -> dict[str, str]:
        given = {key: self._translated(value) for key, value in self.services[name]["environment"].items()}
        return {key: os.environ[key] for key in INHERITED if key in os.environ} | given | SPARING

    def run(self, name: str, words: list[str]) -> "subprocess.CompletedProcess[str]":
        """A command in the service's environment, to its end."""
        return subprocess.run(
            self.command(words),
            env=self.environment(name),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def healthy(self, name: str) -> bool:
        """What the service's health check says."""
        return self.run(name, self.services[name]["healthcheck"]["test"][1:]).returncode == 0

    def start(self, name: str) -> None:
        with self._log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self.command(self.services[name]["command"]),
                env=self.environment(name),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        with self.client() as client:
            while True:
                try:
                    client.ready()
                    return
                except GanymedeError:
                    assert time.monotonic() < deadline, self.logs()
                    time.sleep(0.1)

    def all_processes(self) -> list[psutil.Process]:
        """Ours and whatever they started."""
        ours = [psutil.Process(process.pid) for process in self.processes.values() if process.poll() is None]
        return [one for process in ours for one in (process, *process.children(recursive=True))]

    def end(self) -> tuple[float, dict[str, int]]:
        """SIGTERM to each; how long it took until nothing was left, and the exit statuses."""
        before, started = self.all_processes(), time.monotonic()
        for process in self.processes.values():
            process.terminate()
        statuses = {name: process.wait(END_SECONDS) for name, process in self.processes.items()}
        _, left = psutil.wait_procs(before, timeout=1)
        assert not left, f"still there: {left}"
        return time.monotonic() - started, statuses

    def kill(self) -> None:
        """Whatever a test left."""
        for process in self.all_processes():
            process.kill()
        for popen in self.processes.values():
            popen.wait()

    def logs(self) -> str:
        tails = {path.name: path.read_text().splitlines()[-LOG_LINES:] for path in sorted(self.folder.glob("*.log"))}
        return "\n".join(line for name, lines in tails.items() for line in [f"==> {name} <==", *lines])

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _translated(self, text: Any) -> str:
        for there, here in self._here.items():
            text = str(text).replace(there, here)
        return str(text)
