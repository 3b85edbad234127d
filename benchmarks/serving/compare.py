"""One generator behind Ganymede and behind what people would put before it otherwise, loaded by `wrk`, a PNG a request.

    python -m benchmarks.serving.compare --wrk wrk --peers-python /path/with/litserve/and/bentoml/bin/python

All in one run, on one machine, with the same checkpoint: the bare limit before and after, then every server at
concurrency 1, 8 and 32, in turns, `--rounds` times; figures are medians of the rounds. A server is left alone with the
load: the others are not running. Peers are those that are installed beside `--peers-python`.
"""

import argparse
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx

from benchmarks.serving import model
from ganymede import Client

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
STARTING: Final = 120.0
FIRST: Final = itertools.count(1_000_000, 1_000_000)
"""The first seeds of each load."""


@dataclass(frozen=True)
class Server:
    """How a server is started and asked; `%d` stands for the seed."""

    name: str
    command: tuple[str, ...]
    method: str
    path: str
    body: str = ""
    ours: bool = False


def servers(asked: argparse.Namespace) -> list[Server]:
    """Ours, and the peers."""
    peer, ours = (asked.peers_python,), (sys.executable, "-m", "ganymede", "serve")
    known = [
        Server("Ganymede, by address", ours, "GET", "/v1/models/dcgan/images/%d.png", ours=True),
        Server("Ganymede, POST", ours, "POST", "/v1/samples", '{"model":"dcgan","seed":%d}', ours=True),
        Server("FastAPI, plain", (*peer, str(HERE / "peers/fastapi_plain.py")), "GET", "/images/%d.png"),
        Server("LitServe", (*peer, str(HERE / "peers/litserve_batched.py")), "POST", "/predict", '{"seed":%d}'),
        Server("BentoML", (*peer, "-m", "bentoml", "serve", "bentoml_batched:Dcgan"), "POST", "/draw",
               '{"seeds":[%d]}'),
    ]  # fmt: skip
    there = [server for server in known if server.ours or asked.peers_python]
    return [server for server in there if not asked.only or server.name.startswith(tuple(asked.only))]


@contextmanager
def started(server: Server, checkpoint: Path, folder: Path) -> Iterator[str]:
    """The server, ready; its address. It is ended with all its processes."""
    port = free_port()
    environment = os.environ | {
        "PORT": str(port),
        "CHECKPOINT": str(checkpoint),
        "PYTHONPATH": str(ROOT),
        "GANYMEDE_DATA": str(folder),
    }
    options = {"ours": ("--port", str(port)), "bento": ("--port", str(port), "--working-dir", str(HERE / "peers"))}
    more = options["ours"] if server.ours else options["bento"] if "bentoml" in server.command else ()
    with (folder / f"{server.name}.log").open("w") as log:
        process = subprocess.Popen(
            [*server.command, *more], env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            url = f"http://127.0.0.1:{port}"
            warm(server, url, checkpoint)
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def warm(server: Server, url: str, checkpoint: Path) -> None:
    """Wait until it draws, and draw a few."""
    deadline, drawn = time.monotonic() + STARTING, 0
    while drawn < 20:
        try:
            if server.ours:
                know(url, checkpoint)
            body = server.body.replace("%d", "1") or None
            headers = {"Content-Type": "application/json", "Accept": "image/png"}
            answer = httpx.request(server.method, url + server.path.replace("%d", "1"), content=body, headers=headers)
            answer.raise_for_status()
            drawn += 1
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def know(url: str, checkpoint: Path) -> None:
    """Give our server the checkpoint, once it listens and unless it has it."""
    if httpx.get(f"{url}/v1/models/dcgan").status_code == httpx.codes.NOT_FOUND:
        with Client(url) as client:
            client.models.upload(checkpoint, "dcgan")


def loaded(server: Server, url: str, concurrency: int, asked: argparse.Namespace) -> dict[str, Any]:
    """What wrk saw."""
    options = [f"-c{concurrency}", f"-d{asked.seconds}s", "--timeout", "30s", "-s", str(HERE / "seeds.lua")]
    first = str(next(FIRST))  # no picture is asked for twice: some servers keep them
    request = [first, server.method, server.path, *([server.body] if server.body else [])]
    command = [asked.wrk, "-t1", *options, url, "--", *request]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = json.loads(said.splitlines()[-1])
    return dict(found) | {"rate": found["requests"] / found["seconds"]}


def bare(asked: argparse.Namespace) -> str:
    """The bare limit's table, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.serving.bare", "--rounds", str(asked.bare_rounds)]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def measured(asked: argparse.Namespace, folder: Path) -> dict[str, dict[int, list[dict[str, Any]]]]:
    """Name → concurrency → what each round found."""
    checkpoint = model.write(folder / "dcgan-1.safetensors")
    environment = os.environ | {"GANYMEDE_DATA": str(folder)}
    subprocess.run([sys.executable, "-m", "ganymede", "migrate"], env=environment, check=True)
    found: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for _ in range(asked.rounds):
        for server in servers(asked):
            with started(server, checkpoint, folder) as url:
                for concurrency in asked.concurrency:
                    row = loaded(server, url, concurrency, asked)
                    found.setdefault(server.name, {}).setdefault(concurrency, []).append(row)
                    print(f"  {server.name}, {concurrency}: {row}", file=sys.stderr, flush=True)
    return found


def table(found: dict[str, dict[int, list[dict[str, Any]]]]) -> Iterator[str]:
    """A row a server: for each concurrency requests a second, and milliseconds at the median and 99th percentile."""
    concurrencies = list(next(iter(found.values())))
    yield "| server | " + " | ".join(f"{c}: requests/s | p50 ms | p99 ms" for c in concurrencies) + " | failed |"
    yield "|---" + "|---:" * (3 * len(concurrencies) + 1) + "|"
    for name, by_concurrency in found.items():
        cells = [name]
        for rows in by_concurrency.values():
            cells += [f"{median(row['rate'] for row in rows):.0f}"]
            cells += [f"{median(row[p] for row in rows):.1f}" for p in ("p50", "p99")]
        failed = sum(row["failed"] for rows in by_concurrency.values() for row in rows)
        yield "| " + " | ".join([*cells, str(failed)]) + " |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wrk", default="wrk")
    parser.add_argument("--peers-python", help="an interpreter that has litserve and bentoml")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", help="the names of servers, or how they begin")
    parser.add_argument("--bare-rounds", type=int, default=40)
    asked = parser.parse_args()
    print(bare(asked))
    with tempfile.TemporaryDirectory() as folder:
        for line in table(measured(asked, Path(folder))):
            print(line)
    print(bare(asked))


if __name__ == "__main__":
    main()
