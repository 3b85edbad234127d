"""The line of requests: who shares a batch, who waits how long, what is dropped. The forward is plain arithmetic."""

import threading
from contextlib import contextmanager
from time import perf_counter, sleep
from types import SimpleNamespace

import numpy as np
import pytest

from gan.errors import Unavailable
from service.engine.batcher import Batcher, fair
from service.meters import Meters

SMALL = SimpleNamespace(pixels=64)
LARGE = SimpleNamespace(pixels=4096)
BUDGET = 1024  # 16 rows of SMALL; a row of LARGE is more than a batch, and still goes


class Forward:
    """Squares its latents; holds each batch until it is let go, and notes how many rows it had."""

    def __init__(self, held=False):
        self.batches, self.busy, self.lock = [], [], threading.Lock()
        self.go = threading.Semaphore(0)
        self.held = held

    def __call__(self, loaded, z, c, busy):
        with self.lock:
            self.busy.append(busy)
        if self.held:
            self.go.acquire()
        self.batches.append((loaded, len(z)))
        if not np.isfinite(z).all():
            raise ValueError("not finite")
        return z**2 if c is None else z**2 + c


@contextmanager
def running(forward, max_waiting=100, lanes=1):
    batcher = Batcher(forward, max_waiting, Meters())
    threads = [threading.Thread(target=batcher.run, args=(BUDGET,)) for _ in range(lanes)]
    for thread in threads:
        thread.start()
    try:
        yield batcher
    finally:
        batcher.close()
        forward.go.release(1000)
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()


def rows(count, value=1.0):
    return np.full((count, 3), value, dtype=np.float32)


def until(condition):
    deadline = perf_counter() + 30
    while not condition():
        assert perf_counter() < deadline
        sleep(0.001)


def test_a_request_alone_runs_at_once_and_gets_its_rows_and_its_times():
    with running(Forward()) as batcher:
        values, timing = batcher.submit(SMALL, np.arange(6, dtype=np.float32).reshape(2, 3), None).result(30)
    np.testing.assert_array_equal(values, [[0, 1, 4], [9, 16, 25]])
    assert 0 <= timing.queue < 30
    assert 0 <= timing.forward < 30
    assert 0 <= timing.batch < 30


def test_what_waits_for_the_same_model_shares_the_next_batch_and_each_gets_its_own_rows():
    forward = Forward(held=True)
    with running(forward) as batcher:
        first = batcher.submit(SMALL, rows(1), None)
        until(lambda: not batcher._line)
        waiting = [batcher.submit(SMALL, rows(2, k), rows(2, 100)) for k in range(5)]
        forward.go.release(2)
        answers = [future.result(30).values for future in waiting]
        assert first.done()
    assert forward.batches == [(SMALL, 1), (SMALL, 10)]
    for k, values in enumerate(answers):
        np.testing.assert_array_equal(values, rows(2, k * k + 100))


def test_models_do_not_share_a_batch_and_take_turns_by_arrival():
    forward = Forward(held=True)
    with running(forward) as batcher:
        futures = [batcher.submit(SMALL, rows(1), None)]
        until(lambda: not batcher._line)
        futures += [batcher.submit(model, rows(1), None) for model in (LARGE, SMALL, LARGE, SMALL)]
        forward.go.release(10)
        for future in futures:
            future.result(30)
    assert forward.batches == [(SMALL, 1), (LARGE, 1), (SMALL, 2), (LARGE, 1)]


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_large_request_is_cut_and_delays_a_small_one_by_the_batches_under_way_alone(lanes):
    forward = Forward(held=True)
    with running(forward, lanes=lanes) as batcher:
        large = batcher.submit(SMALL, np.arange(1000, dtype=np.float32)[:, None].repeat(3, axis=1), None)
        until(lambda: len(forward.busy) == lanes)
        small = batcher.submit(SMALL, rows(1, 7), None)
        forward.go.release(lanes + 1)
        np.testing.assert_array_equal(small.result(30).values, rows(1, 49))
        assert len(forward.batches) <= lanes + 1
        forward.go.release(1000)
        values, timing = large.result(30)
    np.testing.assert_array_equal(values[:, 0], np.arange(1000, dtype=np.float32) ** 2)
    assert max(count for _, count in forward.batches) == 16
    assert timing.forward > 0


def test_full_batches_are_computed_at_the_same_time_each_as_one_of_as_many_as_there_can_be():
    forward = Forward(held=True)
    with running(forward, lanes=3) as batcher:
        futures = []
        for count in (1, 2, 3):
            futures.append(batcher.submit(SMALL, rows(16), None))
            until(lambda count=count: len(forward.busy) == count)
        forward.go.release(3)
        for future in futures:
            future.result(30)
        until(lambda: batcher._busy == 0)
        futures.append(batcher.submit(SMALL, rows(15), None))
        until(lambda: len(forward.busy) == 4)
    assert forward.busy == [3, 3, 3, 1], "one that is not full has the cores to itself"


def test_beside_a_batch_few_rows_wait_for_company_or_for_its_end():
    forward = Forward(held=True)
    with running(forward, lanes=2) as batcher:
        batcher.submit(SMALL, rows(1), None)
        until(lambda: len(forward.busy) == 1)
        few = [batcher.submit(SMALL, rows(3), None) for _ in range(5)]
        sleep(0.05)
        assert len(forward.busy) == 1
        few.append(batcher.submit(SMALL, rows(1), None))  # the sixteenth row of sixteen
        until(lambda: len(forward.busy) == 2)
        last = batcher.submit(SMALL, rows(1), None)
        forward.go.release(2)
        for future in few:
            future.result(30)
        until(lambda: len(forward.busy) == 3)
        forward.go.release(1)
        last.result(30)
    *together, alone = [count for _, count in forward.batches]
    assert (sorted(together), alone) == ([1, 16], 1), "the two that were held end in either order"


def test_a_request_whose_batches_all_fail_at_the_same_time_is_told_once():
    forward = Forward(held=True)
    with running(forward, lanes=4) as batcher:
        failing = batcher.submit(SMALL, rows(64, np.nan), None)
        until(lambda: len(forward.busy) == 4)
        forward.go.release(4)
        with pytest.raises(ValueError, match="not finite"):
            failing.result(30)
        until(lambda: batcher._busy == 0)
        assert batcher.waiting == 0


@pytest.mark.parametrize(
    ("room", "wanted", "given"),
    [
        (16, [1000, 1], [15, 1]),
        (16, [1000, 1000], [8, 8]),
        (16, [1, 2, 3], [1, 2, 3]),
        (3, [5, 5, 5], [1, 1, 1]),
        (16, [3, 100, 100], [3, 6, 7]),
        (1, [9], [1]),
    ],
)
def test_a_batch_is_shared_so_that_who_wants_less_than_others_get_has_it_all(room, wanted, given):
    assert fair(room, wanted) == given


def test_a_cancelled_request_costs_no_further_forward():
    forward = Forward(held=True)
    with running(forward) as batcher:
        batcher.submit(SMALL, rows(1), None)
        until(lambda: not batcher._line)
        dropped = batcher.submit(SMALL, rows(500), None)
        last = batcher.submit(SMALL, rows(1), None)
        dropped.cancel()
        forward.go.release(1000)
        last.result(30)
    assert forward.batches == [(SMALL, 1), (SMALL, 1)]


def test_a_request_that_breaks_the_forward_is_told_so_and_the_next_is_served():
    forward = Forward()
    with running(forward) as batcher:
        broken = batcher.submit(SMALL, rows(40, np.nan), None)
        with pytest.raises(ValueError, match="not finite"):
            broken.result(30)
        np.testing.assert_array_equal(batcher.submit(SMALL, rows(1, 3), None).result(30).values, rows(1, 9))
        assert len(forward.batches) == 2


def test_a_full_line_refuses_at_once_and_says_which_limit():
    forward = Forward(held=True)
    with running(forward, max_waiting=2) as batcher:
        batcher.submit(SMALL, rows(1), None)
        until(lambda: not batcher._line)
        batcher.submit(SMALL, rows(1), None)
        batcher.submit(SMALL, rows(1), None)
        with pytest.raises(Unavailable, match="max_waiting_requests"):
            batcher.submit(SMALL, rows(1), None)


@pytest.mark.parametrize(("model", "lanes", "most"), [(SMALL, 1, 32), (SMALL, 3, 48), (LARGE, 3, 32)])
def test_by_default_as_many_wait_as_fill_the_next_batches_and_a_few_at_least(model, lanes, most):
    forward = Forward(held=True)
    with running(forward, max_waiting=0, lanes=lanes) as batcher:
        batcher.submit(model, rows(16 * lanes), None)
        until(lambda: len(forward.busy) == lanes)
        line = len(batcher._line)
        for _ in range(most - line):
            batcher.submit(LARGE if model is SMALL else SMALL, rows(1), None)
        with pytest.raises(Unavailable, match="max_waiting_requests") as refused:
            batcher.submit(model, rows(1), None)
        assert refused.value.retry_after == 1


def test_closing_tells_everyone_who_waits():
    forward = Forward(held=True)
    with running(forward) as batcher:
        batcher.submit(SMALL, rows(1), None)
        until(lambda: not batcher._line)
        waiting = batcher.submit(SMALL, rows(1), None)
    with pytest.raises(Unavailable, match="ending"):
        waiting.result(30)
    with pytest.raises(Unavailable, match="ending"):
        batcher.submit(SMALL, rows(1), None)
