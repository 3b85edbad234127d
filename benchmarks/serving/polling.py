"""How many polls of a job a second the service answers with 10,000 jobs in its ledger, and how fast it lists them.

    python -m benchmarks.serving.polling --wrk wrk [--postgresql]

`GET /v1/jobs/{job}` of jobs chosen at random, by `wrk` at concurrency 8, 16 and 32; pages of 100 one after another,
each the median of 30. All but ten of the jobs have ended (`--queued`: none has even begun). SQLite, or a PostgreSQL
server of this benchmark's own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx
from sqlalchemy import update

from benchmarks.serving.compare import free_port
from ledger.database import Ledger
from ledger.jobs import add_job
from ledger.tables import JobRow

HERE: Final = Path(__file__).parent
JOBS: Final = 10_000
UNENDED: Final = 10
SPEC: Final = {
    "recipe": "r3gan",
    "seed": 0,
    "images": 200_000,
    "batch_size": 64,
    "network": {"architecture": "plain", "width": 64, "latent_dim": 64},
    "chosen": dict.fromkeys(("images", "batch_size", "learning_rate", "network", "gamma"), "a sentence that says why"),
}
PROGRESS: Final = {
    "images": 200_000,
    "total_images": 200_000,
    "percent": 100.0,
    "images_per_second": 3000.0,
    "eta_seconds": 0.0,
}
PAGES: Final = ("limit=100", "limit=100&order=asc", "limit=100&status=succeeded")


def filled(url: str, *, queued: bool) -> list[str]:
    """A new ledger with so many jobs; their ids."""
    ledger = Ledger(url)
    ledger.migrate()
    with ledger.writing() as session:
        made = [add_job(session, type="train", spec=SPEC, dataset="d", model=f"m{i}", seed=i) for i in range(JOBS)]
        if not queued:
            ended = update(JobRow).where(JobRow.number <= made[-UNENDED].number)
            session.execute(ended.values(status="succeeded", progress=PROGRESS))
    ledger.close()
    return [job.id for job in made]


@contextmanager
def served(folder: Path, url: str) -> Iterator[str]:
    """The service alone, without workers; its address."""
    port = free_port()
    environment = os.environ | {"GANYMEDE_DATA": str(folder), "GANYMEDE_DATABASE_URL": url}
    command = [sys.executable, "-m", "service", "--port", str(port)]
    with (folder / "service.log").open("w") as log, subprocess.Popen(command, env=environment, stderr=log) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            ready(address)
            yield address
        finally:
            process.terminate()


def ready(address: str) -> None:
    """Wait until nothing of the service is loading any more."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/readyz").json()["engine"] == "ready":
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError("the service does not get ready")


def polled(wrk: str, address: str, ids: Path, concurrency: int, seconds: int) -> dict[str, Any]:
    """What wrk saw."""
    command = [wrk, "-t1", f"-c{concurrency}", f"-d{seconds}s", "-s", str(HERE / "polls.lua"), address, "--", str(ids)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(json.loads(said.splitlines()[-1]))


def listed(address: str, query: str) -> float:
    """The median seconds of a page."""
    seconds = []
    with httpx.Client(base_url=address) as client:
        for _ in range(30):
            began = time.perf_counter()
            client.get(f"/v1/jobs?{query}").raise_for_status()
            seconds.append(time.perf_counter() - began)
    return median(seconds)


@contextmanager
def database(folder: Path, *, postgresql: bool) -> Iterator[str]:
    """The URL of a database of this benchmark's own."""
    if not postgresql:
        yield f"sqlite:///{folder / 'ledger.sqlite3'}"
        return
    sys.path.append(str(HERE.parents[1] / "tests"))
    from servers import PostgreSQL

    server = PostgreSQL()
    try:
        server.database("ganymede", "word")
        yield f"postgresql://ganymede:word@127.0.0.1:{server.port}/ganymede"
    finally:
        server.stop()


def measure(asked: argparse.Namespace, folder: Path) -> None:
    """Print what was seen."""
    with database(folder, postgresql=asked.postgresql) as url:
        ids = folder / "ids.txt"
        ids.write_text("\n".join(filled(url, queued=asked.queued)))
        with served(folder, url) as address:
            for concurrency in asked.concurrency:
                for _ in range(asked.rounds):
                    seen = polled(asked.wrk, address, ids, concurrency, asked.seconds)
                    print(f"{concurrency} callers: {seen}", flush=True)
            for query in PAGES:
                print(f"/v1/jobs?{query}: {1000 * listed(address, query):.1f} ms", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wrk", default="wrk")
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--queued", action="store_true", help="all jobs wait in one queue")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=2)
    with tempfile.TemporaryDirectory() as folder:
        measure(parser.parse_args(), Path(folder))


if __name__ == "__main__":
    main()
