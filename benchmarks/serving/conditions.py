"""Sampling under conditions: from a cold start, at four times what it can do, beside a training, with a large model.

    python -m benchmarks.serving.conditions

One PNG a request of the generator of `compare`, all by one process of asyncio that sends requests at fixed times
whatever becomes of the others (an open loop). What it can do is measured first, by 32 callers who each wait for their
answer. Latencies are those of answers with 200; the rest must be 503 with Retry-After.
"""

import argparse
import asyncio
import gc
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import httpx
import numpy as np
import uvloop

from benchmarks.serving import model
from benchmarks.serving.compare import free_port
from benchmarks.serving.polling import ready
from gan.checkpoint import ModelHeader, write_model
from gan.images import STILLS
from gan.networks.build import build_discriminator, build_generator, parameter_count
from ganymede import Client

HEAD: Final = (
    "POST /v1/samples HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}"
)
SEEDS: Final = itertools.count(10_000_000)
CALLERS: Final = 32
OVERLOAD: Final = 4
CONNECTIONS: Final = 400
"""In the open loop: a request that finds none free waits for one, and its time counts from when it was to be sent."""


@dataclass
class Seen:
    """What a load saw: seconds of answers with 200, and how many there were of each status."""

    began: float = field(default_factory=time.perf_counter)
    seconds: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    unhelpful: int = 0

    def row(self) -> str:
        """A line of the table. RuntimeError where nothing was answered."""
        if not self.seconds:
            raise RuntimeError(f"nothing was answered: {dict(self.statuses)}")
        spent = time.perf_counter() - self.began
        quick = np.percentile(self.refused, [50, 99]) * 1000 if self.refused else (0.0, 0.0)
        p50, p99 = np.percentile(self.seconds, [50, 99]) * 1000
        return (
            f"{len(self.seconds) / spent:.0f} a second, p50 {p50:.1f} ms, p99 {p99:.1f} ms; {dict(self.statuses)}"
            f"; refused in p50 {quick[0]:.1f}, p99 {quick[1]:.1f} ms; 503 without Retry-After: {self.unhelpful}"
        )


class Connection(asyncio.Protocol):
    """One connection, kept alive, with one request at a time. Does as little as can be: it runs on the same cores."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bool]] | None = None
        self._said = b""

    @classmethod
    async def to(cls, port: int) -> "Connection":
        """A connection that is open."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        """A part of an answer."""
        self._said += data
        head, end, body = self._said.partition(b"\r\n\r\n")
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if end and len(body) >= int(length) and self._answer is not None:
            self._said = b""
            self._answer.set_result((int(head[9:12]), b"retry-after: " in head))

    def connection_lost(self, error: Exception | None) -> None:
        """The server has hung up."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the server has hung up"))

    async def ask(self, seen: Seen, due: float) -> None:
        """One request, counted from when it was due."""
        body = f'{{"model":"dcgan","seed":{next(SEEDS)}}}'
        self._answer = asyncio.get_running_loop().create_future()
        assert self._transport is not None
        self._transport.write(HEAD.format(len(body), body).encode())
        status, says_when = await self._answer
        seen.statuses[status] += 1
        (seen.seconds if status == httpx.codes.OK else seen.refused).append(time.perf_counter() - due)
        seen.unhelpful += status == httpx.codes.SERVICE_UNAVAILABLE and not says_when

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


async def closed_loop(port: int, callers: int, seconds: float) -> Seen:
    """Callers who ask, wait for the answer, and ask again."""
    seen, end = Seen(), time.perf_counter() + seconds

    async def caller() -> None:
        connection = await Connection.to(port)
        while time.perf_counter() < end:
            await connection.ask(seen, time.perf_counter())
        connection.close()

    await asyncio.gather(*(caller() for _ in range(callers)))
    return seen


async def open_loop(port: int, rate: float, seconds: float) -> Seen:
    """So many requests a second, evenly, whatever becomes of them."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await Connection.to(port))
    seen, tasks = Seen(), set()

    async def one(due: float) -> None:
        connection = await free.get()
        await connection.ask(seen, due)
        free.put_nowait(connection)

    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.add(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait().close()
    return seen


@contextmanager
def stack(folder: Path, what: str = "up", **settings: str) -> Iterator[tuple[int, int, float]]:
    """All of Ganymede, or `serve`, the service alone; its port, process id, and seconds until it said it was ready."""
    port, environment = free_port(), os.environ | {"GANYMEDE_DATA": str(folder)} | settings
    command = [sys.executable, "-m", "ganymede", what, "--port", str(port)]
    with (folder / "stack.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            yield port, process.pid, answered(port)
        finally:
            process.terminate()
            process.wait(60)


def answered(port: int) -> float:
    """Seconds until `/readyz` answers 200."""
    began = time.perf_counter()
    while time.perf_counter() - began < 60:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == httpx.codes.OK:
                return time.perf_counter() - began
        except httpx.TransportError:
            pass
        time.sleep(0.01)
    raise TimeoutError("the service does not get ready")


def resident(pid: int) -> float:
    """MB that a process and its children hold, together."""
    pages = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if pid in (int(folder.name), parent):
                pages += int((folder / "statm").read_text().split()[1])
        except (OSError, ValueError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def large_model(path: Path) -> Path:
    """A generator of twenty million parameters."""
    spec = model.SPEC.model_copy(update={"width": 163})
    generator = build_generator(spec, seed=0)
    print(f"large model: {parameter_count(generator):,} parameters")
    header = ModelHeader(network=spec, recipe="dcgan", images=1, seed=0, dataset_digest="0" * 64, loss="non_saturating")
    tensors = {f"generator.{name}": tensor for name, tensor in generator.state_dict().items()}
    discriminator = build_discriminator(spec, seed=0)
    tensors |= {f"discriminator.{name}": tensor for name, tensor in discriminator.state_dict().items()}
    write_model(path, header, tensors)
    return path


def clouds(folder: Path) -> Path:
    """Pictures to train on, 32×32: 1,000 blurred blobs of all colours."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:32, 0:32]
    for number in range(1000):
        (row, column), spread, colour = rng.uniform(8, 24, 2), rng.uniform(3, 8), rng.uniform(80, 255, 3)
        blob = np.exp(-((y - row) ** 2 + (x - column) ** 2) / spread**2)
        picture = (blob[..., None] * colour).astype(np.uint8)
        (folder / f"{number}.png").write_bytes(STILLS["png"].encode(picture))
    return folder


def measure(asked: argparse.Namespace, folder: Path) -> None:
    """Print what was seen."""
    cores = len(os.sched_getaffinity(0))
    small, large = model.write(folder / "dcgan-1.safetensors"), large_model(folder / "large-1.safetensors")
    data = folder / "data"
    data.mkdir()
    with stack(data) as _:
        pass  # the ledger is made, and files are in the system's cache
    with stack(data, "serve") as (_, _, seconds):
        print(f"/readyz after {seconds:.2f} s")
    with stack(data, GANYMEDE_TRAIN_THREADS=str(cores)) as (port, pid, _):
        url = f"http://127.0.0.1:{port}"
        ready(url)
        with Client(url) as client:
            client.models.upload(small, "dcgan")
            client.models.upload(large, "large")
            for name in ("dcgan", "large"):
                began = time.perf_counter()
                client.samples.create({"model": name, "seed": 1})
                print(f"first sample of {name}: {time.perf_counter() - began:.2f} s")
            loaded(asked, port, pid)
            beside_a_training(asked, client, port, folder)


def loaded(asked: argparse.Namespace, port: int, pid: int) -> None:
    """At capacity, and beyond it."""
    gc.collect()
    gc.freeze()  # a collection of this process's own objects would be seen as the server's delay
    uvloop.run(closed_loop(port, CALLERS, 2.0))  # warm
    full = uvloop.run(closed_loop(port, CALLERS, asked.seconds))
    capacity = len(full.seconds) / asked.seconds
    print(f"{CALLERS} callers: {full.row()}; {resident(pid):.0f} MB")
    for times in (1, OVERLOAD):
        seen = uvloop.run(open_loop(port, times * capacity, asked.seconds))
        print(f"{times} × capacity: {seen.row()}; {resident(pid):.0f} MB", flush=True)


def beside_a_training(asked: argparse.Namespace, client: Client, port: int, folder: Path) -> None:
    """One caller, alone and while a training uses every core."""
    uploaded = client.datasets.upload(clouds(folder / "clouds"), "clouds")
    while client.datasets.get(uploaded.id).status == "preparing":
        time.sleep(0.1)
    idle = uvloop.run(closed_loop(port, 1, asked.seconds))
    print(f"one caller, idle: {idle.row()}")
    job = client.jobs.create({"type": "train", "dataset": "clouds", "model": "busy", "max_seconds": 600}).id
    while client.jobs.get(job).status != "running" or not (client.jobs.get(job).progress or {}):
        time.sleep(0.2)
    busy = uvloop.run(closed_loop(port, 1, asked.seconds))
    print(f"one caller, beside a training: {busy.row()}", flush=True)
    client.jobs.cancel(job)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    with tempfile.TemporaryDirectory() as folder:
        measure(parser.parse_args(), Path(folder))


if __name__ == "__main__":
    main()
