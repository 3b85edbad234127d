"""What a scrape of `/metrics` costs the ledger with 10,000 jobs in it: `python -m benchmarks.serving.census [URL]`.

Without a URL of an empty PostgreSQL database, SQLite in a temporary folder. Milliseconds, by the state of all jobs.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import delete, update

from ledger.census import census
from ledger.database import Ledger
from ledger.jobs import add_job
from ledger.tables import JobRow

JOBS = 10_000
REPEATS = 20
WORDS = "because it was measured, see docs/learning.md, and the device is a CPU"
SPEC = {
    "recipe": "r3gan",
    "images": 200_000,
    "network": {"architecture": "plain", "width": 64, "latent_dim": 64},
    "chosen": dict.fromkeys(("batch_size", "learning_rate", "network", "images", "augment"), WORDS),
}
FAILURE = {"code": "out_of_memory", "message": WORDS, "param": None}
STATES = {"queued": None, "succeeded": None, "failed": FAILURE}


def fill(ledger: Ledger) -> None:
    with ledger.writing() as session:
        session.execute(delete(JobRow))
    with ledger.writing() as session:
        for number in range(JOBS):
            add_job(session, type="train", spec=SPEC, dataset="d", model=f"m{number}", seed=number, labels={})


def seconds(ledger: Ledger) -> list[float]:
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        census(ledger)
        taken.append(time.perf_counter() - began)
    return taken


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{Path(folder)}/ledger.sqlite3")
        ledger.migrate()
        fill(ledger)
        for status, error in STATES.items():
            with ledger.writing() as session:
                session.execute(update(JobRow).values(status=status, error=error))
            taken = [1000 * one for one in seconds(ledger)]
            print(f"{JOBS} jobs {status:>9}: median {statistics.median(taken):.1f} ms, worst {max(taken):.1f} ms")
        ledger.close()


if __name__ == "__main__":
    main()
