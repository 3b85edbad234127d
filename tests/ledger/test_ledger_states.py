"""Every operation in every state does what the contract says, and nothing else."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from ledger_making import Maker, saved

from gan.errors import Conflict, GanymedeError, LostClaim, NotFound
from ledger.jobs import Jobs
from ledger.records import Job
from ledger.states import EDGES, HELD, TERMINAL

ERROR = {"code": "diverged", "message": "a loss became NaN", "param": None}
PASSED = -1.0
"""A lease that has passed: until somebody takes the job, its holder still holds it."""

WAY: dict[str, list[Callable[[Jobs, Job], object]]] = {
    "queued": [],
    "running": [lambda jobs, job: jobs.claim("train", "wrk_1", PASSED)],
    "pausing": [lambda jobs, job: jobs.claim("train", "wrk_1", PASSED), lambda jobs, job: jobs.pause(job.id)],
    "paused": [lambda jobs, job: jobs.pause(job.id)],
    "cancelling": [lambda jobs, job: jobs.claim("train", "wrk_1", PASSED), lambda jobs, job: jobs.cancel(job.id)],
    "succeeded": [
        lambda jobs, job: jobs.claim("train", "wrk_1", PASSED),
        lambda jobs, job: jobs.finish(job.id, 1, "succeeded", "images"),
    ],
    "failed": [
        lambda jobs, job: jobs.claim("train", "wrk_1", PASSED),
        lambda jobs, job: jobs.finish(job.id, 1, "failed", error=ERROR),
    ],
    "cancelled": [lambda jobs, job: jobs.cancel(job.id)],
}
"""How a new job gets into each state."""


def holders(**outcomes: object) -> dict[str, object]:
    """Outcomes of a holder's operation: whoever does not hold the job has lost it."""
    return {state: outcomes.get(state, LostClaim) for state in EDGES}


def everywhere(otherwise: object, **outcomes: object) -> dict[str, object]:
    return {state: outcomes.get(state, otherwise) for state in EDGES}


SAME = {state: state for state in EDGES}
HOLDING = {state: state for state in HELD}
LET_GO = {"running": "queued", "pausing": "paused", "cancelling": "cancelled"}

OPERATIONS: dict[str, tuple[Callable[[Jobs, Job], object], dict[str, object]]] = {
    "cancel": (
        lambda jobs, job: jobs.cancel(job.id),
        everywhere(
            Conflict,
            queued="cancelled",
            paused="cancelled",
            running="cancelling",
            pausing="cancelling",
            cancelling="cancelling",
            cancelled="cancelled",
        ),
    ),
    "pause": (
        lambda jobs, job: jobs.pause(job.id),
        everywhere(Conflict, queued="paused", paused="paused", running="pausing", pausing="pausing"),
    ),
    "resume": (
        lambda jobs, job: jobs.resume(job.id),
        everywhere(Conflict, queued="queued", paused="queued", running="running", pausing="queued"),
    ),
    "retry": (lambda jobs, job: jobs.retry(job.id), everywhere(Conflict, failed="failed", cancelled="cancelled")),
    "delete": (lambda jobs, job: jobs.delete(job.id), everywhere(Conflict, **dict.fromkeys(TERMINAL, NotFound))),
    "claim": (lambda jobs, job: jobs.claim("train", "wrk_2", 30), SAME | {"queued": "running"}),
    "look": (lambda jobs, job: jobs.look(job.id, job.epoch), holders(**HOLDING)),
    "heartbeat": (lambda jobs, job: jobs.heartbeat(job.id, job.epoch, 30, {"images": 1}), holders(**HOLDING)),
    "started": (lambda jobs, job: jobs.started(job.id, job.epoch, "cpu"), holders(**HOLDING)),
    "note": (lambda jobs, job: jobs.note(job.id, job.epoch, "warning", {}), holders(**HOLDING)),
    "add_metrics": (lambda jobs, job: jobs.add_metrics(job.id, job.epoch, 1, {}), holders(**HOLDING)),
    "add_preview": (lambda jobs, job: jobs.add_preview(job.id, job.epoch, 1, "p"), holders(**HOLDING)),
    "publish": (lambda jobs, job: jobs.publish_checkpoint(job.id, job.epoch, saved(1, job.id)), holders(**HOLDING)),
    "succeed": (
        lambda jobs, job: jobs.finish(job.id, job.epoch, "succeeded", "images"),
        holders(**dict.fromkeys(HELD, "succeeded")),
    ),
    "fail": (
        lambda jobs, job: jobs.finish(job.id, job.epoch, "failed", error=ERROR),
        holders(**dict.fromkeys(HELD, "failed")),
    ),
    "finish cancelled": (
        lambda jobs, job: jobs.finish(job.id, job.epoch, "cancelled"),
        holders(running=Conflict, pausing=Conflict, cancelling="cancelled"),
    ),
    "release": (lambda jobs, job: jobs.release(job.id, job.epoch), holders(**LET_GO)),
    "lost": (lambda jobs, job: jobs.lost(job.id, job.epoch, "killed"), holders(**LET_GO)),
    "expire": (lambda jobs, job: jobs.expire(), SAME | LET_GO),
    "release_dead": (lambda jobs, job: jobs.release_dead(["wrk_1"]), SAME | LET_GO),
}
"""Operation → what it does, and state → the state after it, or the error that leaves the state alone."""


def arrive(jobs: Jobs, job: Job, state: str) -> Job:
    for step in WAY[state]:
        step(jobs, job)
    job = jobs.get(job.id)
    assert job.status == state
    return job


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_in_every_state_ends_where_the_contract_says(operation: str, jobs: Jobs, make: Maker) -> None:
    act, outcomes = OPERATIONS[operation]
    for state, expected in outcomes.items():
        job = arrive(jobs, make.training(), state)
        if isinstance(expected, str):
            act(jobs, job)
            assert jobs.get(job.id).status == expected, f"{operation} in {state}"
        elif expected is NotFound:
            act(jobs, job)
            with pytest.raises(NotFound):
                jobs.get(job.id)
        else:
            assert isinstance(expected, type)
            with pytest.raises(expected):
                act(jobs, job)
            assert jobs.get(job.id) == job, f"{operation} in {state} changed the job"
        clear(jobs, job)


def clear(jobs: Jobs, job: Job) -> None:
    """Empty the queue for the next case."""
    while (other := jobs.claim("train", "wrk_clear", 30)) is not None:
        jobs.finish(other.id, other.epoch, "succeeded", "images")


def test_the_edges_are_those_of_the_contract() -> None:
    drawn = """
    queued → running | paused | cancelled | failed; running → queued | pausing | cancelling | succeeded | failed;
    pausing → paused | queued | cancelling | succeeded | failed; paused → queued | cancelled;
    cancelling → cancelled | succeeded | failed; succeeded →; failed →; cancelled →
    """
    rows = (row.partition("→") for row in drawn.split(";"))
    assert {row[0].strip(): set(row[2].replace("|", " ").split()) for row in rows} == EDGES


def test_wishes_say_whether_anything_changed(jobs: Jobs, make: Maker) -> None:
    job = make.training()
    assert jobs.resume(job.id) == (job, False)
    paused, changed = jobs.pause(job.id)
    assert changed
    assert (paused.status, paused.version) == ("paused", job.version + 1)
    assert jobs.pause(job.id) == (paused, False)
    assert jobs.cancel(job.id)[1]
    assert not jobs.cancel(job.id)[1]


def test_a_job_that_ends_has_no_lease_and_keeps_its_story(jobs: Jobs, make: Maker) -> None:
    job = make.held()
    jobs.started(job.id, job.epoch, "cuda:0")
    jobs.finish(job.id, job.epoch, "failed", error=ERROR)
    ended = jobs.get(job.id)
    assert ended.lease_until is None
    assert ended.finished_at is not None
    assert (ended.error, ended.device, ended.worker) == (ERROR, "cuda:0", "wrk_1")
    assert [event.type for event in jobs.events_after(job.id)] == [
        "job.queued",
        "job.running",
        "job.started",
        "job.failed",
    ]
    assert jobs.events_after(job.id)[-1].data["error"] == ERROR


def test_a_job_back_in_its_queue_keeps_its_place_and_its_first_start(jobs: Jobs, make: Maker) -> None:
    job = make.held()
    younger = make.training()
    assert jobs.release(job.id, job.epoch) == "queued"
    waiting = jobs.get(job.id)
    assert (waiting.worker, waiting.lease_until, waiting.attempt) == (None, None, 0)
    again = jobs.claim("train", "wrk_2", 30)
    assert again is not None
    assert (again.id, again.epoch, again.started_at) == (job.id, 2, job.started_at)
    assert jobs.queue_position(younger.id) == 1


HOLDERS_ONLY = [name for name, (_, outcomes) in OPERATIONS.items() if outcomes["queued"] is LostClaim]


@pytest.mark.parametrize("seed", range(3))
def test_whoever_acts_in_whatever_order_only_edges_are_followed(seed: int, jobs: Jobs, make: Maker) -> None:
    """Holders old and new, callers and reapers take turns; no operation of an old epoch's holder ever succeeds."""
    draw = random.Random(seed)
    job = make.training()
    for step in range(250):
        name = draw.choice([name for name in OPERATIONS if name not in {"delete", "retry"}])
        before = jobs.get(job.id)
        acting = replace(before, epoch=max(0, before.epoch - draw.choice([0, 0, 1, 2])))
        try:
            OPERATIONS[name][0](jobs, acting)
            assert name not in HOLDERS_ONLY or acting.epoch == before.epoch, name
        except GanymedeError:
            assert jobs.get(job.id) == before, name
        after = jobs.get(job.id)
        assert after.status == before.status or after.status in EDGES[before.status], name
        if after.status in TERMINAL:
            job = make.training() if step % 2 else make.held(PASSED)
