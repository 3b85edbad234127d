"""The benchmarks measure what they say; what they find is in docs/."""

import numpy as np
import pytest

from benchmarks.learning import digits
from benchmarks.learning.points import MIXTURES, score, spread


@pytest.mark.parametrize("name", MIXTURES)
def test_the_true_distribution_scores_as_published(name: str) -> None:
    mixture = MIXTURES[name]()
    found = score(mixture.draw(100_000, seed=1), mixture, 1.0)
    assert found.modes == len(mixture.means)
    assert found.quality == pytest.approx(98.9, abs=0.2)
    assert found.kl == pytest.approx(0, abs=0.001)


def test_a_generator_of_one_mode_has_one() -> None:
    mixture = MIXTURES["25-grid"]()
    found = score(np.repeat(mixture.means[:1], 100, axis=0), mixture, 1.0)
    assert (found.modes, found.quality) == (1, 100.0)
    assert found.kl == pytest.approx(np.log(25 / (1 - 0.0111)))


def test_several_seeds_are_a_median_between_the_least_and_the_most() -> None:
    assert spread([3.0, 1.0, 2.0], 0) == "2 (1 to 3)"
    assert spread([3.25], 1) == "3.2"


def test_digits_are_measured_row_by_row(capsys: pytest.CaptureFixture[str]) -> None:
    digits.main(["--count", "100", "--images", "320", "--augment", "none", "--set", "batch_size=32"])
    head, _, row = capsys.readouterr().out.splitlines()
    assert len(row.split("|")) == len(head.split("|"))
    assert row.startswith("| none | 0 |")
