"""Distances where they are known: of Gaussians, of points on a line, and beside other programs."""

import numpy as np
import ot
import pytest
import torch

from worker.evaluation import distances
from worker.evaluation.distances import fid, frechet, kid, sliced_wasserstein, transport


def normal(count: int, dims: int, shift: float = 0.0, spread: float = 1.0, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(shift, spread, (count, dims)))


def test_the_frechet_distance_of_gaussians_is_that_of_the_formula() -> None:
    """|μ₁ - μ₂|² + Σ (σ₁ - σ₂)², for independent coordinates."""
    found = frechet(normal(200_000, 3), normal(200_000, 3, shift=2.0, spread=3.0, seed=1))
    assert found == pytest.approx(3 * 2.0**2 + 3 * (3.0 - 1.0) ** 2, rel=0.01)


@pytest.mark.parametrize("rows", [40, 400])  # fewer than features, so that covariances are singular; and more
def test_both_ways_to_the_frechet_distance_agree(rows: int) -> None:
    mixed = normal(64, 64, seed=3)
    real, fake = normal(rows, 64) @ mixed, normal(rows, 64, 0.2, 1.5, seed=1) @ mixed
    assert frechet(real, fake) == pytest.approx(fid(real, fake), rel=1e-3)
    assert frechet(real, real) == pytest.approx(0, abs=1e-4 * float(real.var() * 64))


def test_the_kernel_distance_is_unbiased_and_grows() -> None:
    near = [kid(normal(200, 8, seed=2 * s), normal(200, 8, seed=2 * s + 1), 0) for s in range(20)]
    assert np.mean(near) == pytest.approx(0, abs=3 * np.std(near) / 20**0.5)
    assert min(near) < 0
    assert kid(normal(200, 8), normal(200, 8, shift=1.0, seed=1), 0) > max(near)


def test_the_kernel_distance_of_large_samples_is_the_mean_over_subsets_of_the_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distances, "KID_SUBSET", 100)
    real, fake = normal(220, 4), normal(210, 4, seed=1)
    before = torch.random.get_rng_state()
    assert kid(real, fake, 0) == kid(real, fake, 0) != kid(real, fake, 1)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_sliced_distance_of_a_shift_is_its_mean_length_along_the_directions() -> None:
    x = normal(500, 3)
    shift = torch.tensor([3.0, 0.0, 0.0], dtype=torch.float64)
    assert sliced_wasserstein(x, x + shift, 0) == pytest.approx(1.5, rel=0.1)  # E |u₁| = ½ on a sphere
    assert sliced_wasserstein(x, x, 0) == 0
    assert sliced_wasserstein(x, x.flip(0)[:100], 0) > 0  # of the larger, the first hundred


def test_the_sliced_distance_is_pots() -> None:
    x, y = normal(300, 5).float(), normal(300, 5, 0.5, 2.0, seed=1).float()
    theirs = ot.sliced_wasserstein_distance(x.numpy(), y.numpy(), n_projections=2_000, p=1, seed=0)
    assert sliced_wasserstein(x, y, 0) == pytest.approx(theirs, rel=0.1)


def test_exact_distances_of_points_on_a_line() -> None:
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [4.0]])
    assert transport(x, y, 1) == pytest.approx(2.0)
    assert transport(x, y, 2) == pytest.approx(5**0.5)
