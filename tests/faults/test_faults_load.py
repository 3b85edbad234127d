"""Sampling under load while models come into memory and leave: flat, and nothing refused but by 503 (fault 16)."""

import os
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from fault_farm import Farm, eventually, farm_in, open_files
from fault_table import row

MODELS, CALLERS = 8, 6
MEGABYTE = 2**20
SHORT_SECONDS = 8.0
LONG_SECONDS = 60 * float(os.environ.get("FAULT_LOAD_MINUTES", "30"))

pytestmark = pytest.mark.timeout(1500)


class Caller(threading.Thread):
    """Asks for pictures of one model after another, in every way, and counts the statuses."""

    def __init__(self, url: str, seed: int, ending: threading.Event) -> None:
        super().__init__(daemon=True)
        self.url, self.random, self.ending = url, np.random.default_rng(seed), ending
        self.statuses: Counter[int] = Counter()

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while not self.ending.is_set():
                self.statuses[self.ask(client).status_code] += 1

    def ask(self, client: httpx.Client) -> httpx.Response:
        model, seed = f"m{self.random.integers(MODELS)}", int(self.random.integers(2**31))
        body = {"model": model, "seed": seed, "count": int(self.random.integers(1, 9))}
        match self.random.integers(6):
            case 0:
                return client.get(f"/v1/models/{model}/images/{seed}.webp")
            case 1:
                return client.post("/v1/samples", json=body, headers={"Accept": "application/zip"})
            case 2:
                frames = {"model": model, "keyframes": [{"seed": seed}, {"seed": 0}], "frames": 5}
                return client.post("/v1/interpolations", json=frames)
            case 3:
                return client.delete(f"/v1/models/{model}/memory")
            case _:
                return client.post("/v1/samples", json=body)


def figures(process: psutil.Process) -> tuple[float, int]:
    """Resident megabytes and open files."""
    return process.memory_info().rss / MEGABYTE, open_files(process.pid)


def under_load(farm: Farm, seconds: float, warm: float) -> tuple[list[tuple[float, int]], Counter[int], float]:
    """Figures of every second once it is warm, statuses, and how many networks left memory."""
    models = [farm.add_model(f"m{number}", number, width=32) for number in range(MODELS)]
    assert models
    farm.start("service")
    process, ending = psutil.Process(farm.processes["service"].pid), threading.Event()
    callers = [Caller(farm.url, number, ending) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    eventually(lambda: all(caller.statuses[200] > 2 for caller in callers))
    time.sleep(warm)
    seen, until = [figures(process)], time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(1)
        seen.append(figures(process))
    ending.set()
    for caller in callers:
        caller.join(60)
    return seen, sum((caller.statuses for caller in callers), Counter[int]()), evicted(farm)


def evicted(farm: Farm) -> float:
    lines = httpx.get(f"{farm.url}/metrics", timeout=30).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("ganymede_evicted_networks_total "))


def check(seen: list[tuple[float, int]], statuses: Counter[int], left: float) -> None:
    assert set(statuses) <= {200, 204, 503}, statuses
    assert statuses[200] > 20
    assert left > 10, "models came and left"
    files = [count for _, count in seen]
    assert max(files) - min(files) <= 2 * CALLERS + 8, files


def small_memory() -> dict[str, str]:
    """Room for two or three of the models, and none for pictures."""
    return {"GANYMEDE_MAX_LOADED_BYTES": "1000000", "GANYMEDE_MAX_KEPT_BYTES": "100000"}


def test_sampling_under_load_stays_flat(tmp_path: Path) -> None:
    with farm_in(tmp_path / "farm", **small_memory()) as farm:
        seen, statuses, left = under_load(farm, SHORT_SECONDS, warm=4)
    check(seen, statuses, left)
    assert seen[-1][0] - seen[0][0] < 100, seen


@pytest.mark.faults_long
@pytest.mark.timeout(7200)
def test_sampling_under_load_for_half_an_hour_stays_flat(tmp_path: Path) -> None:
    with farm_in(tmp_path / "farm", **small_memory()) as farm:
        seen, statuses, left = under_load(farm, LONG_SECONDS, warm=min(120.0, LONG_SECONDS / 4))
    check(seen, statuses, left)
    megabytes = [size for size, _ in seen]
    third = len(megabytes) // 3
    early, late = float(np.median(megabytes[:third])), float(np.median(megabytes[-third:]))
    told = ", ".join(f"{count:,} × {status}" for status, count in sorted(statuses.items()))
    memory = f"resident {early:.0f} → {late:.0f} MB (medians of the first and last third)"
    files = f"open files {min(f for _, f in seen)} to {max(f for _, f in seen)}"
    minutes = f"sampling under load for {LONG_SECONDS / 60:.0f} minutes, {left:,.0f} networks left memory"
    row("16", minutes, sum(statuses.values()), f"{told}; {memory}; {files}")
    assert late < 1.05 * early + 10
