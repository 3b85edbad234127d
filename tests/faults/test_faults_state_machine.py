"""Fault 11: whatever may happen to jobs, in any order, by a clock of its own, beside a model of what must follow.

The ledger is a real one on SQLite, whose clock is the test's. The model is written from the contract alone: after each
step every job must stand where the model has it, and exactly the claims that the model calls held may write.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fault_kit_processes import EDGES, ENDED
from fault_table import row
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event

from gan.choosing import resolve
from gan.errors import Conflict, GanymedeError, LostClaim
from gan.spec import DatasetFacts, PointShape, TrainRequest
from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.models import Models
from ledger.records import Job, Packed, Saved

HELD = {"running", "pausing", "cancelling"}
CANCEL = {"queued": "cancelled", "paused": "cancelled", "running": "cancelling", "pausing": "cancelling"}
PAUSE, RESUME = {"queued": "paused", "running": "pausing"}, {"paused": "queued", "pausing": "queued"}
LET_GO = {"running": "queued", "pausing": "paused", "cancelling": "cancelled"}
DONE_ALREADY = {"cancel": {"cancelling", "cancelled"}, "pause": {"pausing", "paused"}, "resume": {"queued", "running"}}
WISHES = {"cancel": CANCEL, "pause": PAUSE, "resume": RESUME}

pytestmark = pytest.mark.timeout(1200)

LEASE = 10.5
"""No whole number, as the clock goes in whole seconds: it never passes at the very moment that it is judged."""

WORKERS = ("wrk_a", "wrk_b", "wrk_c")
FACTS = DatasetFacts(count=200, shape=PointShape(dims=2))


@dataclass
class Expected:
    """What the model has of a job."""

    id: str
    number: int
    priority: int
    model_id: str
    status: str = "queued"
    epoch: int = 0
    attempt: int = 0
    until: float = 0.0
    worker: str = ""
    told: list[tuple[str, int, int]] = field(default_factory=list)
    published: list[tuple[int, int]] = field(default_factory=list)
    final: Job | None = None

    def become(self, status: str) -> None:
        assert status in EDGES[self.status], (self.status, status)
        self.status = status
        self.told.append((status, self.epoch, self.attempt))

    def lose(self) -> None:
        """Its holder is lost: an attempt is charged, and a third one ends what only ran."""
        worn = self.attempt >= 2 and self.status == "running"
        self.attempt += 1
        self.become("failed" if worn else LET_GO[self.status])


@dataclass(frozen=True)
class Claim:
    job: str
    epoch: int


class Clock:
    """The database's clock, in Unix seconds."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def rule(self, connection: Any, _record: object) -> None:
        """Make it a connection's own, which then need not wait for the disk either."""
        connection.create_function("julianday", 1, lambda _: self.seconds / 86400.0 + 2440587.5)
        connection.execute("PRAGMA synchronous=OFF")


class Harms(RuleBasedStateMachine):
    """Claim, heartbeat, expire, cancel, pause, resume, retry, crash, publish, finish: in whatever order."""

    jobs_made = Bundle("jobs_made")
    claims = Bundle("claims")

    def __init__(self, blank: Path, folder: Path) -> None:
        super().__init__()
        self.path = Path(shutil.copy(blank, folder / "ledger.sqlite3"))
        for left in folder.glob("ledger.sqlite3-*"):
            left.unlink()
        self.clock = Clock()
        self.ledger = Ledger(f"sqlite:///{self.path}")
        event.listen(self.ledger._engine, "connect", self.clock.rule)
        self.jobs, self.models = Jobs(self.ledger), Models(self.ledger)
        self.data = Datasets(self.ledger).get("ring")
        self.expected: dict[str, Expected] = {}
        self.held: list[Claim] = []
        self.story: dict[str, list[tuple[str, int, int]]] = {}
        self.heard = Jobs(self.ledger).newest_event()
        self.serial = 0

    def teardown(self) -> None:
        self.ledger.close()

    @initialize(target=jobs_made)
    def first(self) -> str:
        return self.create(0)

    # ---- callers ----

    @precondition(lambda self: len(self.expected) < 5)
    @rule(target=jobs_made, priority=st.integers(-1, 1))
    def create_another(self, priority: int) -> str:
        return self.create(priority)

    def create(self, priority: int) -> str:
        self.serial += 1
        name = f"m{self.serial}"
        asked = TrainRequest.model_validate({"type": "train", "dataset": "ring", "model": name})
        return self._expect(self.jobs.create_training(resolve(asked, FACTS, "cpu"), self.data, name, priority))

    def _expect(self, job: Job) -> str:
        self.expected[job.id] = Expected(job.id, job.number, job.priority, str(job.model_id))
        return job.id

    @rule(id=jobs_made, wish=st.sampled_from(sorted(WISHES)))
    def wish(self, id: str, wish: str) -> None:
        job, ask = self.expected[id], getattr(self.jobs, wish)
        if job.status in DONE_ALREADY[wish]:
            assert ask(id)[1] is False
        elif job.status in WISHES[wish]:
            assert ask(id)[1] is True
            job.become(WISHES[wish][job.status])
        else:
            refused(Conflict, lambda: ask(id))

    @precondition(lambda self: len(self.expected) < 8)
    @rule(target=jobs_made, id=jobs_made)
    def retry(self, id: str) -> str:
        job = self.expected[id]
        alive = [one for one in self.expected.values() if one.model_id == job.model_id and one.status not in ENDED]
        if job.status in {"failed", "cancelled"} and not alive:
            again = self.jobs.retry(id)
            assert (again.retry_of, again.status, again.model_id) == (id, "queued", job.model_id)
            return self._expect(again)
        refused(Conflict, lambda: self.jobs.retry(id))
        return id

    # ---- workers ----

    @rule(target=claims, worker=st.sampled_from(WORKERS))
    def claim(self, worker: str) -> Claim:
        waiting = sorted(
            (-one.priority, one.number, one.id) for one in self.expected.values() if one.status == "queued"
        )
        taken = self.jobs.claim("train", worker, LEASE)
        assert (taken.id if taken else None) == (waiting[0][2] if waiting else None)
        if taken is None:
            return Claim("job_none", 1)
        job = self.expected[taken.id]
        job.epoch, job.until, job.worker = job.epoch + 1, self.clock.seconds + LEASE, worker
        job.become("running")
        assert taken.epoch == job.epoch
        self.held.append(Claim(taken.id, taken.epoch))
        return self.held[-1]

    def holds(self, claim: Claim) -> Expected | None:
        """The job, where this claim on it still holds."""
        job = self.expected.get(claim.job)
        return job if job is not None and job.epoch == claim.epoch and job.status in HELD else None

    def write(self, claim: Claim, action: Callable[[], Any]) -> Expected | None:
        """Only who holds may write. The job, where it was written."""
        job = self.holds(claim)
        if job is None:
            refused(LostClaim, action)
        else:
            action()
        return job

    @rule(claim=claims)
    def heartbeat(self, claim: Claim) -> None:
        job = self.write(claim, lambda: self.jobs.heartbeat(claim.job, claim.epoch, LEASE, {"percent": 1.0}))
        if job is not None:
            job.until = self.clock.seconds + LEASE

    @rule(claim=claims)
    def publish(self, claim: Claim) -> None:
        self.serial += 1
        images, stem = self.serial * 100, f"checkpoints/m/e{claim.epoch}-{self.serial}"
        saved = Saved(f"ckpt_{self.serial}", images, f"{stem}.model", 1, "a" * 64, f"{stem}.state", 1, "b" * 64)
        job = self.write(claim, lambda: self.jobs.publish_checkpoint(claim.job, claim.epoch, saved))
        if job is not None:
            job.attempt = 0
            job.published.append((images, claim.epoch))

    @rule(claim=claims)
    def report(self, claim: Claim) -> None:
        self.write(claim, lambda: self.jobs.add_metrics(claim.job, claim.epoch, claim.epoch, {"loss": 1.0}))

    @rule(claim=claims, end=st.sampled_from(["succeeded", "failed"]))
    def finish(self, claim: Claim, end: str) -> None:
        error = {"code": "internal", "message": "a bug", "param": None} if end == "failed" else None
        job = self.write(claim, lambda: self.jobs.finish(claim.job, claim.epoch, end, error=error))
        if job is not None:
            job.become(end)

    @rule(claim=claims)
    def release(self, claim: Claim) -> None:
        job = self.write(claim, lambda: self.jobs.release(claim.job, claim.epoch))
        if job is not None:
            job.become(LET_GO[job.status])

    @rule(claim=claims)
    def child_dies(self, claim: Claim) -> None:
        job = self.write(claim, lambda: self.jobs.lost(claim.job, claim.epoch, "killed"))
        if job is not None:
            job.lose()

    # ---- what befalls them ----

    @rule(seconds=st.integers(1, 15))
    def time_passes(self, seconds: int) -> None:
        self.clock.seconds += seconds

    @rule()
    def expire(self) -> None:
        late = [job for job in self.expected.values() if job.status in HELD and job.until < self.clock.seconds]
        self.check_lost(self.jobs.expire("train"), late)

    @rule(worker=st.sampled_from(WORKERS))
    def crash(self, worker: str) -> None:
        of_it = [job for job in self.expected.values() if job.status in HELD and job.worker == worker]
        self.check_lost(self.jobs.release_dead([worker]), of_it)

    def check_lost(self, found: list[Job], wanted: list[Expected]) -> None:
        assert {job.id for job in found} == {job.id for job in wanted}
        for job in wanted:
            job.lose()

    # ---- what must hold ----

    @invariant()
    def every_job_stands_where_it_must(self) -> None:
        for found in self.jobs.list(limit=100, type="train").data:
            job = self.expected[found.id]
            assert (found.status, found.epoch, found.attempt) == (job.status, job.epoch, job.attempt)
            assert (found.lease_until is not None) == (job.status in HELD)
            if job.status in ENDED:
                job.final = job.final or found
                assert found == job.final, "what has ended changed"

    @invariant()
    def exactly_the_holders_may_write(self) -> None:
        for claim in self.held[-6:]:
            job = self.holds(claim)
            if job is None:
                refused(LostClaim, lambda claim=claim: self.jobs.look(claim.job, claim.epoch))
            else:
                assert self.jobs.look(claim.job, claim.epoch) == job.status

    @invariant()
    def events_tell_the_same_story(self) -> None:
        for one in self.jobs.events_after(None, self.heard):
            self.heard = one.number
            if one.type.startswith("job.") and one.type != "job.queued":
                told = (one.data["status"], one.data["epoch"], one.data["attempt"])
                self.story[one.job_id] = [*self.story.get(one.job_id, []), told]
        for job in self.expected.values():
            assert self.story.get(job.id, []) == job.told

    @invariant()
    def checkpoints_are_those_of_the_holders(self) -> None:
        made: dict[str, list[tuple[int, int]]] = {}
        for job in self.expected.values():
            made[job.model_id] = sorted([*made.get(job.model_id, []), *job.published])
        for model, found in self.models.checkpoints_of(made).items():
            kept = [(one.images, int(one.path.split("/e")[1].split("-")[0])) for one in found]
            assert kept[:1] == made[model][-1:]
            assert set(kept) <= set(made[model])


def refused(error: type[GanymedeError], action: Callable[[], Any]) -> None:
    with pytest.raises(error):
        action()


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A migrated ledger with a dataset."""
    path = tmp_path_factory.mktemp("blank") / "ledger.sqlite3"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.migrate()
    datasets = Datasets(ledger)
    datasets.create("ring", {"kind": "upload", "path": "uploads/x"})
    held = Jobs(ledger).claim("light", "wrk_test", 30)
    assert held is not None
    packed = Packed("points", "ring", "datasets/ring", 1600, FACTS.count, dims=2)
    datasets.finish_prepare(held.id, held.epoch, packed)
    ledger.close()
    return path


def play(blank: Path, folder: Path, examples: int, steps: int) -> None:
    """So many games of so many moves, the same each time."""
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: Harms(blank, folder), settings=how)


def test_whatever_happens_in_whatever_order_states_are_legal_and_one_holder_writes(blank: Path, tmp_path: Path) -> None:
    play(blank, tmp_path, examples=20, steps=40)


@pytest.mark.faults_long
@pytest.mark.timeout(7200)
def test_thousands_of_games_of_whatever_happens(blank: Path, tmp_path: Path) -> None:
    examples, steps = 3000, 60
    play(blank, tmp_path, examples, steps)
    outcome = f"up to {steps} steps each: legal states, the ended unchanged, only the holder's epoch ever wrote"
    row(
        "11",
        "claim, heartbeat, expire, cancel, pause, resume, retry, crash, publish, finish in any order",
        examples,
        outcome,
    )
