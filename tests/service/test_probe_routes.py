"""Probes, and what the service answers while its parts are away."""

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from servers import closed_port, silent_port
from service_kit import Running, serving, settings_in

from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.models import Models
from service.readings import Readings
from service.standing import Standings

Broker = Callable[[], AbstractContextManager[int]]
Check = Callable[..., dict[str, Any]]


def test_a_live_service_is_ready_while_its_engine_may_still_load(service: Running) -> None:
    assert service.http.get("/livez").json() == {"status": "ok"}
    ready = service.http.get("/readyz")
    assert ready.status_code == 200
    body = ready.json()
    assert body.pop("engine") in {"loading", "ready"}
    assert body == {"status": "ready", "database": "ok", "storage": "ok", "broker": "ok"}


def test_a_device_that_is_not_there_fails_the_engine_and_nothing_else(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path).model_copy(update={"service_device": "cuda:9"})) as running:
        deadline = time.monotonic() + 60
        while (ready := running.http.get("/readyz")).json()["engine"] == "loading":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert (ready.status_code, ready.json()["engine"]) == (200, "failed")
        assert running.upload("d").status_code == 202


def test_a_database_that_is_away_is_503_with_a_time_to_come_back(tmp_path: Path, is_problem: Check) -> None:
    apps: list[Any] = []
    with serving(settings_in(tmp_path), apps.append) as running:
        away = Ledger(f"sqlite:///{tmp_path}/gone/ledger.sqlite3")
        parts = {"ledger": away, "jobs": Jobs(away), "datasets": Datasets(away), "models": Models(away)}
        parts["standing"] = Readings(lambda ids: to_thread.run_sync(Standings(Jobs(away)), ids), away.stamp())
        here = apps[0].state.house
        apps[0].state.house = replace(here, **parts)
        ready = running.http.get("/readyz")
        assert ready.status_code == 503
        assert int(ready.headers["retry-after"]) > 0
        assert (ready.json()["status"], ready.json()["database"]) == ("unavailable", "away")
        assert running.http.get("/livez").status_code == 200
        for answer in (
            running.http.get("/v1/jobs"),
            running.http.get("/v1/jobs/job_x", headers={"Prefer": "wait=5"}),
            running.train("d", "m"),
            running.upload("d"),
        ):
            is_problem(answer, 503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
        apps[0].state.house = here
        assert running.http.get("/readyz").status_code == 200


def test_a_storage_that_is_gone_is_503(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path)) as running:
        shutil.rmtree(running.storage.root)
        ready = running.http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["storage"] == "away"


@pytest.mark.parametrize("broker", [closed_port, silent_port])
def test_a_broker_that_is_down_degrades_but_nothing_waits_for_it(tmp_path: Path, broker: Broker) -> None:
    with broker() as port, serving(settings_in(tmp_path, broker_url=f"redis://127.0.0.1:{port}/0")) as running:
        ready = running.http.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["broker"] == "degraded"
        began = time.monotonic()
        assert running.upload("d").status_code == 202
        assert time.monotonic() - began < 4  # to wait for the answer of a silent broker takes five
