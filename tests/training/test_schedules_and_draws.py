"""Pure functions of progress, and random numbers that only their key determines."""

import numpy as np
import pytest
from training_kit import Workshop

from gan.spec import CriticBoost, Schedule, TrainingSpec
from worker.training import schedules
from worker.training.data import split
from worker.training.draws import Deck, Stream, latents, numbers


@pytest.fixture
def spec(stocked: Workshop) -> TrainingSpec:
    return stocked.spec("points", recipe="wgan", images=1000, max_seconds=10)


def test_the_further_spent_budget_counts(spec: TrainingSpec) -> None:
    assert schedules.spent(spec, 250, 1.0) == 0.25
    assert schedules.spent(spec, 250, 5.0) == 0.5
    assert schedules.spent(spec, 5000, 0.0) == 1.0


def test_schedules_start_and_end_where_they_say() -> None:
    for shape, middle in (("linear", 0.55), ("cosine", 0.55)):
        schedule = Schedule(to=0.1, shape=shape)
        assert [schedules.moved(1.0, schedule, s) for s in (0, 0.5, 1)] == pytest.approx([1.0, middle, 0.1])
    assert schedules.moved(1.0, Schedule(to=0.1, shape="cosine"), 0.25) > 0.77
    assert schedules.moved(0.3, None, 0.7) == 0.3


def test_a_young_critic_gets_more_steps_within_its_share_of_the_budget(spec: TrainingSpec) -> None:
    assert spec.critic_boost == CriticBoost(steps=100, first=25, every=500, cap=0.05)
    steps = [schedules.critic_steps(spec, g, 0.01) for g in (0, 24, 25, 499, 500, 501, 1000)]
    assert steps == [100, 100, 5, 5, 100, 5, 100]
    assert schedules.critic_steps(spec, 3, 0.06) == 5


def test_the_average_is_short_at_first_and_off_at_zero() -> None:
    assert schedules.ema_decay(0.0, 10_000, 64) == 0.0
    assert schedules.ema_decay(500_000, 1000, 50) == pytest.approx(0.5)
    assert schedules.ema_decay(500_000, 10**9, 500_000) == pytest.approx(0.5)


def test_a_deck_shows_every_row_once_a_pass_in_an_order_of_its_key() -> None:
    rows = np.arange(100, 110)
    deck = Deck(rows, seed=5, stream=Stream.CRITIC_ORDER)
    dealt = np.concatenate([deck.hand(step, 4) for step in range(5)])
    assert sorted(dealt[:10]) == sorted(dealt[10:]) == list(rows)
    assert not np.array_equal(dealt[:10], dealt[10:])
    later = Deck(rows, seed=5, stream=Stream.CRITIC_ORDER)
    assert np.array_equal(later.hand(3, 4), deck.hand(3, 4))
    assert not np.array_equal(Deck(rows, 6, Stream.CRITIC_ORDER).hand(0, 10), deck.hand(0, 10))
    assert not np.array_equal(Deck(rows, 5, Stream.GENERATOR_ORDER).hand(0, 10), deck.hand(0, 10))


def test_a_hand_may_be_larger_than_the_deck() -> None:
    hand = Deck(np.arange(3), 0, Stream.CRITIC_ORDER).hand(0, 8)
    assert np.bincount(hand).min() >= 2


def test_draws_depend_on_seed_stream_and_step_alone() -> None:
    first = numbers(1, Stream.CRITIC_LATENTS, 7).random(4)
    assert np.array_equal(first, numbers(1, Stream.CRITIC_LATENTS, 7).random(4))
    for other in [(2, Stream.CRITIC_LATENTS, 7), (1, Stream.GENERATOR_LATENTS, 7), (1, Stream.CRITIC_LATENTS, 8)]:
        assert not np.array_equal(first, numbers(*other).random(4))


def test_latents_follow_their_prior() -> None:
    normal = latents(numbers(0, Stream.ESTIMATE, 0), 4000, 8, "normal").numpy()
    uniform = latents(numbers(0, Stream.ESTIMATE, 0), 4000, 8, "uniform").numpy()
    assert (normal.mean(), normal.std()) == pytest.approx((0, 1), abs=0.03)
    assert (uniform.min(), uniform.max()) == pytest.approx((-1, 1), abs=0.01)
    assert uniform.std() == pytest.approx(3**-0.5, abs=0.01)


def test_the_held_out_rows_are_never_trained_on_and_only_the_seed_chooses_them() -> None:
    train, held = split(1000, 0.1, seed=3)
    assert len(held) == 100
    assert not set(train) & set(held)
    assert set(train) | set(held) == set(range(1000))
    assert np.array_equal(split(1000, 0.1, seed=3)[1], held)
    assert not np.array_equal(split(1000, 0.1, seed=4)[1], held)
