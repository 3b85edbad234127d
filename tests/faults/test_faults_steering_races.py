"""Fault 11, with real threads: cancel, pause, resume and retry over HTTP, racing each other and running workers."""

import random
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from fault_kit_processes import EDGES, ENDED, House, eventually, house_in
from fault_table import row
from servers import PostgreSQL

from ledger.records import Job

pytestmark = pytest.mark.timeout(1200)

CALLERS, WORKERS = 4, 2
ACTS = ("listen", "moment", "kill_child", "nothing")
VERBS = ("cancel", "pause", "resume", "retry", "pause", "resume")
MOST = 40
"""Jobs that may be about: retries make new ones."""

Database = Callable[[], dict[str, str]]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """Settings of a ledger of one's own."""

    def settings() -> dict[str, str]:
        if request.param == "sqlite":
            return {}
        server: PostgreSQL = request.getfixturevalue("postgresql")
        server.sql("CREATE DATABASE races")
        return {"database_url": server.at("races")}

    return settings


class Race:
    """Jobs, and callers who want all kinds of things of them at once."""

    def __init__(self, house: House, url: str) -> None:
        self.house, self.url = house, url
        self.ids = [house.stub(act, seconds=0.3).id for act in ACTS * 2]
        self.final: dict[str, Job] = {}
        self.statuses: set[int] = set()

    def call(self, seed: int, times: int) -> None:
        """One caller's wishes."""
        draw = random.Random(seed)
        with httpx.Client(base_url=self.url, timeout=60) as http:
            for _ in range(times):
                id, verb = draw.choice(self.ids), draw.choice(VERBS)
                answer = http.post(f"/v1/jobs/{id}/{verb}")
                self.statuses.add(answer.status_code)
                if answer.status_code == 202 and verb == "retry" and len(self.ids) < MOST:
                    self.ids.append(answer.json()["id"])
                self.look(id)

    def look(self, id: str) -> None:
        """Take note of how a job ended, when that is seen first."""
        found = self.house.jobs.get(id)
        if found.status in ENDED:
            assert self.final.setdefault(id, found) == found, "what has ended changed"

    def run(self, times: int) -> None:
        failed: list[BaseException] = []

        def call(seed: int) -> None:
            try:
                self.call(seed, times // CALLERS)
            except BaseException as error:
                failed.append(error)

        callers = [threading.Thread(target=call, args=(seed,)) for seed in range(CALLERS)]
        for one in callers:
            one.start()
        for one in callers:
            one.join()
        assert not failed, failed

    def end(self) -> list[Job]:
        """Cancel whatever still goes on; all jobs there are, each with its end."""
        with httpx.Client(base_url=self.url, timeout=60) as http:
            for id in self.unfinished():
                assert http.post(f"/v1/jobs/{id}/cancel").status_code in {200, 202, 409}
        eventually(lambda: not self.unfinished())
        every = self.house.jobs.list(limit=1000, type="project").data
        for job in every:
            self.look(job.id)
        return every

    def unfinished(self) -> list[str]:
        return [job.id for job in self.house.jobs.list(limit=1000, type="project").data if job.status not in ENDED]


def race(folder: Path, database: dict[str, Any], times: int) -> Race:
    """Race; then see that every job's story is a legal one, and that no claim was worked on twice."""
    with house_in(folder, **database) as house:
        _, url = house.service()
        for _ in range(WORKERS):
            house.worker("light", jobs="fault_jobs")
        racing = Race(house, url)
        eventually(house.claims_run)
        racing.run(times)
        for job in racing.end():
            check_story(house, job)
        assert racing.statuses <= {200, 202, 409}
        begun = house.claims_run()
        assert len(begun) == len(set(begun)), "a claim was worked on twice"
    return racing


def check_story(house: House, job: Job) -> None:
    """Its events go along edges of the contract, claims count up by one, and the last is how it stands."""
    told = [event.data for event in house.events(job) if event.type.startswith("job.") and event.type != "job.started"]
    statuses = [one["status"] for one in told]
    assert statuses[0] == "queued"
    assert [(was, now) for was, now in pairwise(statuses) if now not in EDGES.get(was, [])] == []
    assert statuses[-1] == job.status
    assert [one["epoch"] for one in told if one["status"] == "running"] == list(range(1, job.epoch + 1))


def test_callers_and_workers_that_race_leave_every_job_in_a_legal_state(tmp_path: Path, database: Database) -> None:
    race(tmp_path, database(), 80)


@pytest.mark.faults_long
@pytest.mark.timeout(7200)
def test_thousands_of_racing_wishes(tmp_path: Path, database: Database) -> None:
    times = 4000
    racing = race(tmp_path, database(), times)
    name = "PostgreSQL" if racing.house.settings.database_url.startswith("postgresql") else "SQLite"
    outcome = f"{len(racing.ids)} jobs: legal states, the ended unchanged, no claim worked on twice, no 5xx"
    row("11", f"cancel, pause, resume, retry over HTTP by {CALLERS} callers at once, {name}", times, outcome)
