"""Divergence estimates against distributions whose divergence is known."""

import numpy as np
import pytest

from worker.training.estimates import LOG_2, calibrate, jensen_shannon, value, wasserstein


def gaussians(distance: float, count: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(distance, 1, count), rng.normal(0, 1, count)


def true_divergence(distance: float) -> float:
    """The Jensen–Shannon divergence of N(distance, 1) and N(0, 1), by quadrature."""
    x = np.linspace(-12, 12 + distance, 400_001)
    p, q = (np.exp(-((x - m) ** 2) / 2) / np.sqrt(2 * np.pi) for m in (distance, 0.0))
    m = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.nan_to_num(p * np.log(p / m)) + np.nan_to_num(q * np.log(q / m))
    return float(np.trapezoid(terms / 2, x))


@pytest.mark.parametrize("distance", [0.0, 0.5, 1.0, 2.0, 4.0])
def test_the_best_discriminator_gives_the_divergence_itself(distance: float) -> None:
    x, y = gaussians(distance)
    log_odds = [distance * sample - distance**2 / 2 for sample in (x, y)]
    assert jensen_shannon(value(*log_odds)) == pytest.approx(true_divergence(distance), abs=2e-3)


def test_a_worse_discriminator_gives_less() -> None:
    x, y = gaussians(2.0)
    best = jensen_shannon(value(2 * x - 2, 2 * y - 2))
    for a, b in [(1.0, -1.0), (2.0, 0.0), (4.0, -4.0), (-2.0, 2.0)]:
        assert jensen_shannon(value(a * x + b, a * y + b)) < best


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (0.001, 5.0), (1000.0, -3.0)])
def test_calibration_finds_the_log_odds_whatever_unit_the_logits_have(scale: float, offset: float) -> None:
    x, y = gaussians(2.0)
    found = calibrate(scale * x + offset, scale * y + offset)
    assert found.a * scale == pytest.approx(2.0, rel=0.03)
    assert jensen_shannon(value(found(scale * x + offset), found(scale * y + offset))) == pytest.approx(
        true_divergence(2.0), abs=2e-3
    )


def test_separable_logits_saturate_at_log_two_and_do_not_overflow() -> None:
    r, f = np.full(100, 1e6) + np.arange(100), np.full(100, -1e6) - np.arange(100)
    found = calibrate(r, f)
    assert np.isfinite([found.a, found.b]).all()
    assert jensen_shannon(value(found(r), found(f))) > LOG_2 - 0.03
    assert jensen_shannon(value(r, f)) == pytest.approx(LOG_2)


def test_logits_that_rank_generated_above_real_tell_nothing() -> None:
    x, y = gaussians(2.0, 1000)
    found = calibrate(y, x)
    assert found.a == 0
    assert jensen_shannon(value(found(y), found(x))) == 0


def test_constant_logits_tell_nothing() -> None:
    same = np.full(100, 3.0)
    found = calibrate(same, same)
    assert jensen_shannon(value(found(same), found(same))) == pytest.approx(0, abs=1e-9)


def test_an_estimate_of_the_wasserstein_distance_is_the_gap_over_the_slope() -> None:
    assert wasserstein(6.0, 2.0) == 3.0
    assert wasserstein(1.0, 0.0) is None
