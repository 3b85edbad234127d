"""Precision, recall, density and coverage where they are known by hand, and what each does not see."""

import doctest

import numpy as np
import pytest
import torch

from worker.evaluation import manifold
from worker.evaluation.manifold import nearest, prdc, radii


def normal(count: int, dims: int = 4, seed: int = 0, shift: float = 0.0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(shift, 1, (count, dims)))


def by_definition(real: np.ndarray, fake: np.ndarray, k: int) -> dict[str, float]:
    """The papers' formulas, row by row."""

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sqrt(np.sum((a - b) ** 2)))

    def ball(rows: np.ndarray, i: int) -> float:
        return sorted(distance(rows[i], rows[j]) for j in range(len(rows)) if j != i)[k - 1]

    R, F = [ball(real, i) for i in range(len(real))], [ball(fake, j) for j in range(len(fake))]
    n, m = range(len(real)), range(len(fake))
    inside = [[distance(fake[j], real[i]) <= R[i] for i in n] for j in m]
    return {
        "precision": sum(any(inside[j]) for j in m) / len(m),
        "recall": sum(any(distance(real[i], fake[j]) <= F[j] for j in m) for i in n) / len(n),
        "density": sum(map(sum, inside)) / (k * len(m)),
        "coverage": sum(any(inside[j][i] for j in m) for i in n) / len(n),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_four_are_those_of_the_papers_formulas(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = normal(60), normal(40, seed=1, shift=0.5)
    expected = by_definition(real.numpy(), fake.numpy(), k)
    assert prdc(real, fake, k) == pytest.approx(expected)
    monkeypatch.setattr(manifold, "DISTANCES_AT_ONCE", 100)  # a row or two at a time
    assert prdc(real, fake, k) == pytest.approx(expected)


def test_the_example_of_the_docstring() -> None:
    assert doctest.testmod(manifold).failed == 0


def test_a_sample_far_from_the_data_scores_nothing() -> None:
    assert set(prdc(normal(200), normal(200, seed=1, shift=100)).values()) == {0.0}


def test_two_samples_of_one_distribution_are_dense_and_cover_each_other() -> None:
    found = prdc(normal(1500, 2), normal(1500, 2, seed=1))
    assert found["precision"] > 0.95
    assert found["recall"] > 0.95
    assert found["density"] == pytest.approx(1, abs=0.1)
    assert found["coverage"] == pytest.approx(1 - 2.0**-5, abs=0.03)  # Naeem 2020: 1 - 2⁻ᵏ for large N = M


def test_a_sample_of_one_mode_of_two_is_precise_and_reaches_half() -> None:
    real = torch.cat([normal(300, 2), normal(300, 2, seed=1, shift=50)])
    found = prdc(real, normal(600, 2, seed=2))
    assert found["precision"] > 0.95
    assert found["recall"] == pytest.approx(0.5, abs=0.05)
    assert found["coverage"] == pytest.approx(0.5, abs=0.05)


def test_an_outlier_in_the_data_spoils_precision_and_not_density() -> None:
    real = torch.cat([normal(500, 2), torch.tensor([[30.0, 30.0]])])
    found = prdc(real, normal(500, 2, seed=1, shift=6))  # within the outlier's ball and no other
    assert found["precision"] > 0.9
    assert found["density"] < 0.3


def test_copies_lie_in_balls_of_no_width() -> None:
    real = torch.zeros(20, 3)
    assert radii(real.double(), 5).tolist() == [0.0] * 20
    assert prdc(real, real) == {"precision": 1.0, "recall": 1.0, "density": 4.0, "coverage": 1.0}


def test_rows_that_lie_close_and_far_from_the_origin_are_told_apart() -> None:
    """|a|² - 2ab + |b|² in float32 would find nothing but zeros here."""
    line = torch.arange(40, dtype=torch.float64)[:, None] * 1e-2 + 1000
    assert radii(line, 1) == pytest.approx([1e-2] * 40, rel=1e-3)


def test_the_nearest_row_and_how_far_it_is() -> None:
    distances, indices = nearest(torch.tensor([[0.0], [10.0]]), torch.tensor([[4.0], [-1.0], [9.5]]))
    assert distances.tolist() == pytest.approx([1.0, 0.5])
    assert indices.tolist() == [1, 2]


def test_too_few_rows_have_no_neighbours() -> None:
    with pytest.raises(AssertionError, match="5 rows have no 5 neighbours"):
        prdc(normal(5), normal(50), k=5)
