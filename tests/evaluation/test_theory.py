"""Both games against distributions whose distances are known."""

import numpy as np
import pytest
import torch
from evaluation_kit import cluster

from gan.spec import ImageShape, PointShape
from worker.evaluation.theory import Part, Verdict, play, prepared, thirds
from worker.training.estimates import LOG_2

PLANE = PointShape(dims=2)


def verdict(real: np.ndarray, fake: np.ndarray, steps: int = 250, seed: int = 0) -> Verdict:
    fit, check, test = (Part(*(torch.from_numpy(rows)[part] for rows in (real, fake))) for part in thirds(len(real), 0))
    shape = PLANE if real.ndim == 2 else ImageShape(channels=1, height=8, width=8)
    return play(prepared((fit, check, test)), shape, steps, seed, lambda _: None)


def test_gaussians_give_their_divergence_from_below_and_their_distance() -> None:
    rng = np.random.default_rng(0)
    real, fake = (rng.normal((shift, 0), 1, (2400, 2)).astype(np.float32) for shift in (0, 2))
    found = verdict(real, fake)
    true = 0.324  # of N(0, 1) and N(2, 1), by quadrature
    assert 0.85 * true < found.js_estimate < 1.1 * true
    assert found.js_estimate == pytest.approx((found.value + 2 * LOG_2) / 2)
    assert found.wasserstein_estimate == pytest.approx(2, rel=0.2)


def test_one_distribution_twice_gives_nothing() -> None:
    found = verdict(cluster(1200), cluster(1200, seed=1))
    assert found.js_estimate < 0.02
    assert found.wasserstein_estimate < 0.05


@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_units_are_the_datas(scale: float) -> None:
    found = verdict(cluster(400) * scale, cluster(400, 2.0, seed=1) * scale)
    assert found.js_estimate > 0.68
    assert found.wasserstein_estimate == pytest.approx(2 * scale, rel=0.15)
    assert found.critic_gap == pytest.approx(found.wasserstein_estimate * found.lipschitz_estimate, rel=1e-6)


def test_the_seed_decides_and_no_global_state() -> None:
    real, fake = cluster(200), cluster(200, 0.2, seed=1)
    first = verdict(real, fake, steps=20)
    torch.rand(7)
    assert verdict(real, fake, steps=20) == first != verdict(real, fake, steps=20, seed=3)


def test_what_is_reported_was_neither_trained_on_nor_chosen_by() -> None:
    parts = thirds(1000, 5)
    assert [len(part) for part in parts] == [500, 250, 250]
    assert sorted(row for part in parts for row in part) == list(range(1000))


def test_a_discriminator_that_learns_its_rows_by_heart_claims_nothing() -> None:
    """Noise in 40 dimensions and few rows: training rows are told apart, others are not."""
    rng = np.random.default_rng(0)
    real, fake = (rng.normal(size=(300, 40)).astype(np.float32) for _ in range(2))
    fit, check, test = (Part(*(torch.from_numpy(rows)[part] for rows in (real, fake))) for part in thirds(300, 0))
    samples = prepared((fit, check, test))
    found = play(samples, PointShape(dims=40), 250, 0, lambda _: None)
    assert found.js_estimate < 0.05
