"""Faults 1 and 2: SIGKILL of the worker's process group, of the child alone, of the supervisor alone."""

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fault_kit_processes import BATCH, House, Plan, alone, check_same, eventually, house_in
from fault_table import row
from traced_jobs import traced
from waiting import gone

from ledger.states import TERMINAL

pytestmark = pytest.mark.timeout(1200)

TABLE = "traced_jobs"
SOON = 1.0
"""Within so many seconds a child whose supervisor was killed is gone."""


class Victim:
    """A training that is killed again and again, each time at a random step after one more checkpoint."""

    def __init__(self, house: House, plan: Plan, seed: int) -> None:
        self.house, self.plan, self.draw = house, plan, random.Random(seed)
        self.job = house.training(plan)
        self.worker = house.worker(jobs=TABLE)
        self.lost: list[int] = []
        self.took: list[float] = []
        self.in_flight = 0

    def await_random_step(self) -> int:
        """One checkpoint more than there was, then any step up to the next and any moment of it; the child's pid."""
        child = self.house.child(self.worker)
        before = self.newest()
        eventually(lambda: self.newest() > before or self.over())
        step = self.newest() + BATCH * self.draw.randint(0, self.plan.interval // BATCH)
        eventually(lambda: self.seen()[1] >= step or self.over(), pause=0.001)
        time.sleep(self.draw.uniform(0, 0.03))
        return child

    def over(self) -> bool:
        """It is not, while it is to be killed."""
        assert (status := self.house.status(self.job)) not in TERMINAL, status
        return False

    def newest(self) -> int:
        return self.house.newest(self.job)

    def seen(self) -> tuple[int, int, int]:
        return traced(self.house.storage.root, self.job.id)

    def account(self) -> None:
        """What was lost: the images that were seen beyond the newest checkpoint in the ledger."""
        _, images, reported = self.seen()
        newest = self.newest()
        on_its_way = newest < reported
        assert newest >= reported - self.plan.interval, "more than one checkpoint had not reached the ledger"
        assert images - newest <= self.plan.interval or on_its_way
        self.in_flight += on_its_way
        self.lost.append(images - newest)

    def await_childs_end(self, child: int) -> None:
        """It is gone soon after the worker was killed, whatever it was about."""
        killed = time.monotonic()
        eventually(lambda: gone(child), 10, pause=0.005)
        self.took.append(time.monotonic() - killed)

    def restart(self) -> None:
        self.worker = self.house.worker(jobs=TABLE)


# ---- ways to kill ----


def kill_both(victim: Victim) -> None:
    """As the machine would that falls over."""
    child = victim.await_random_step()
    os.kill(child, signal.SIGKILL)
    victim.worker.kill()
    eventually(lambda: gone(child))
    victim.account()
    victim.restart()


def kill_group(victim: Victim) -> None:
    """The worker's process group; the child has one of its own, and has to notice."""
    child = victim.await_random_step()
    victim.worker.kill()
    victim.await_childs_end(child)
    victim.account()
    victim.restart()


def kill_group_early(victim: Victim) -> None:
    """The same while the child is starting, or has just begun."""
    child = victim.house.child(victim.worker)
    time.sleep(victim.draw.uniform(0, 4))
    victim.worker.kill()
    victim.await_childs_end(child)
    victim.restart()


def kill_child(victim: Victim) -> None:
    """The worker says what its child died of, lives, and goes on with another."""
    child = victim.await_random_step()
    before = len(victim.house.events(victim.job, "job.requeued"))
    os.kill(child, signal.SIGKILL)
    [requeued] = eventually(lambda: victim.house.events(victim.job, "job.requeued")[before:])
    victim.account()
    assert "killed by signal 9 (SIGKILL" in requeued.data["reason"]
    assert requeued.data["attempt"] == 1
    assert victim.worker.popen.poll() is None


def kill_in_turn(folder: Path, plan: Plan, ways: Sequence[Callable[[Victim], None]]) -> Victim:
    """Do these things to one training; it ends bit for bit as one left alone."""
    with house_in(folder) as house:
        victim = Victim(house, plan, seed=len(ways))
        for kill in ways:
            kill(victim)
        assert house.wait(victim.job, "succeeded", "failed", seconds=1200) == "succeeded"
        check_same(house.made(victim.job), alone(plan))
        house.check_published(victim.job)
        check_went_on(victim, len(ways))
    return victim


def check_went_on(victim: Victim, times: int) -> None:
    """A holder a kill and one more, who went on from the newest checkpoint there was."""
    resumed = [event.data["images"] for event in victim.house.events(victim.job, "job.resumed")]
    assert resumed == sorted(resumed)
    assert len(set(resumed)) >= len(victim.lost), "each time one more checkpoint had been made"
    assert victim.house.jobs.get(victim.job.id).epoch == times + 1
    assert not victim.house.events(victim.job, "checkpoint.skipped")
    assert max(victim.took) < SOON


def test_a_training_killed_at_random_steps_ends_bit_for_bit_as_one_left_alone(tmp_path: Path) -> None:
    kill_in_turn(tmp_path, Plan(10), [kill_both, kill_group, kill_child])


def test_a_child_in_native_code_is_gone_with_its_supervisor_all_the_same(tmp_path: Path) -> None:
    with house_in(tmp_path) as house:
        job = house.stub("hold_interpreter")
        worker = house.worker("light", jobs="fault_jobs")
        eventually(lambda: house.events(job, "job.started"))
        child = house.child(worker)
        time.sleep(0.5)  # it has said that it began, and goes on into native code
        worker.kill()
        killed = time.monotonic()
        eventually(lambda: gone(child), 60, pause=0.005)
        assert time.monotonic() - killed < SOON


@pytest.mark.faults_long
@pytest.mark.timeout(7200)
def test_a_training_whose_workers_are_killed_a_hundred_times_ends_bit_for_bit_as_one_left_alone(tmp_path: Path) -> None:
    draw, times = random.Random(1), 100
    victim = kill_in_turn(
        tmp_path, Plan(300, previews=True), [draw.choice([kill_both, kill_group]) for _ in range(times)]
    )
    outcome = (
        f"tensors, optimiser states, metrics and previews bit-identical; {sum(victim.lost) // times} images made again "
        f"a kill, at most {max(victim.lost)}, of {victim.plan.interval} an interval; {victim.in_flight} kills met a "
        "checkpoint on its way to the ledger"
    )
    row("1", "SIGKILL of the worker's process group at random steps of one training", times, outcome)


@pytest.mark.faults_long
@pytest.mark.timeout(7200)
def test_child_and_supervisor_are_killed_thirty_times_each(tmp_path: Path) -> None:
    victim = kill_in_turn(tmp_path, Plan(300), [kill_child, kill_group_early, kill_group] * 30)
    row("2", "SIGKILL of the child alone", 30, "typed, an attempt charged, resumed by the worker, which lives")
    slowest = f"the child gone within {max(victim.took):.2f} s, also while it starts; ends bit-identical"
    row("2", "SIGKILL of the supervisor alone", 60, slowest)
