"""Children and workers find the stub's job table; nothing outlives a test."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from worker_kit import HERE, ROOT, Bench, WorkerProcess


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parent), str(ROOT)]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(**options: Any) -> Bench:
        made.append(Bench(tmp_path, **options))
        return made[-1]

    yield make
    for bench in made:
        bench.place.stopping.set()
        bench.ledger.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()


@pytest.fixture
def start_worker() -> Iterator[Callable[..., WorkerProcess]]:
    started: list[WorkerProcess] = []

    def start(bench: Bench, queue: str = "light", **environment: str) -> WorkerProcess:
        started.append(bench.start_worker(queue, **environment))
        return started[-1]

    yield start
    for worker in started:
        worker.end()
