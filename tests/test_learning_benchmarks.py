"""The measurements of learning measure what they say, on data of which the answer is known."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.learning import few, gamma, recipes, thirds
from benchmarks.learning.measures import frechet, worth
from benchmarks.learning.pictures import KINDS, photographs, shapes
from gan.recipes import RECIPES
from gan.spec import DatasetFacts, ImageShape

DIGITS = DatasetFacts(count=1198, shape=ImageShape(channels=1, height=8, width=8), classes=tuple("0123456789"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [8, 31])
def test_pictures_are_of_any_size_and_the_same_for_a_seed(kind: str, side: int) -> None:
    first, again, other = (KINDS[kind](20, side, seed) for seed in (0, 0, 1))
    assert first.shape == (20, side, side, 1 if kind == "digits" else 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(np.concatenate([first, other]), axis=0)) > 35


def test_four_samples_of_digits_have_none_in_common() -> None:
    every = np.concatenate([KINDS["digits"](1000, 8, seed) for seed in range(4)])
    assert len(every) == 1797
    assert len(np.unique(every, axis=0)) == 1797


def test_the_frechet_distance_of_two_gaussians_is_the_formula_s() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0, 1, (20_000, 3)), rng.normal(2, 3, (20_000, 3))
    assert frechet(ours, theirs) == pytest.approx(3 * (2**2 + (3 - 1) ** 2), rel=0.03)
    assert frechet(ours, ours) == pytest.approx(0, abs=1e-6)


def test_other_real_pictures_are_worth_more_than_one_of_them_many_times_and_than_noise() -> None:
    real, others = shapes(300, 16, 0), shapes(300, 16, 1)
    good = worth(real, others)
    collapsed = worth(real, np.repeat(others[:1], 300, axis=0))
    noisy = worth(real, np.random.default_rng(0).integers(0, 256, real.shape).astype(np.uint8))
    assert min(good.precision, good.recall) > 0.9
    assert collapsed.recall < 0.05
    assert noisy.precision == noisy.recall == 0
    assert good.texture < min(collapsed.texture, noisy.texture) / 10
    assert good.layout < min(collapsed.layout, noisy.layout) / 10


def test_copies_new_pictures_and_a_collapse_are_told_apart() -> None:
    known = few.sets("shapes", 16, 100)
    copies = few.closeness(np.tile(known.trained, (10, 1, 1, 1)), known)
    fresh = few.closeness(known.others, known)
    collapse = few.closeness(np.repeat(known.others[:1], 1000, axis=0), known)
    assert (copies.quotient, copies.near_copies) == (pytest.approx(0, abs=1e-6), 1.0)
    assert fresh.quotient == pytest.approx(1, abs=0.03)
    assert fresh.near_copies < 0.02
    assert fresh.spread == pytest.approx(1, abs=0.05)
    assert collapse.spread == pytest.approx(0, abs=1e-6)


def test_half_copies_lie_between() -> None:
    known = few.sets("photographs", 16, 100)
    half = few.closeness(np.concatenate([np.tile(known.trained, (5, 1, 1, 1)), photographs(500, 16, 7)]), known)
    fresh = few.closeness(known.others, known)
    assert half.quotient == pytest.approx(0.5, abs=0.1)
    assert half.near_copies == pytest.approx(0.5 + fresh.near_copies / 2, abs=0.05)


@pytest.mark.parametrize("measure", [gamma.main, few.main], ids=["gamma", "few"])
def test_there_is_a_row_a_training_on_paper_and_in_the_file(
    measure: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(measure)
    asked = ["--side", "8", "--data", "digits", "--width", "4", "--batch", "16", "--images", "32", "--seed", "0", "1"]
    measure([*asked, "--gamma", "0.5", "--out", str(tmp_path / "table.md"), "--sheets", str(tmp_path)])
    written = (tmp_path / "table.md").read_text()
    assert written == capsys.readouterr().out
    widths = {len(line.split("|")) for line in written.splitlines()}
    assert len(widths) == 1
    assert list(tmp_path.glob("*.png"))


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_gets_as_many_parameters_as_the_reference(recipe: str) -> None:
    width = recipes.matched(recipe, DIGITS)  # type: ignore[arg-type]  # a key of the table
    goal = recipes.parameters("r3gan", None, DIGITS)
    assert recipes.parameters(recipe, width, DIGITS) == pytest.approx(goal, rel=0.1)  # type: ignore[arg-type]


def test_real_digits_score_best_and_wrong_labels_and_one_digit_badly() -> None:
    digits = recipes.split()
    best = recipes.real(digits)
    assert min(best.agreement, best.accuracy) > 98
    assert min(best.precision, best.recall) > 95
    mislabelled = recipes.score(digits.trained, (digits.labels + 1) % 10, digits)
    assert max(mislabelled.agreement, mislabelled.accuracy) < 5
    firsts = np.array([np.flatnonzero(digits.labels == digit)[0] for digit in range(10)])
    collapsed = recipes.score(np.repeat(digits.trained[firsts], 100, axis=0), np.repeat(np.arange(10), 100), digits)
    assert collapsed.recall < 10
    assert collapsed.frechet > 10 * best.frechet


def test_thirds_of_the_digits_have_a_row_a_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--images", "32", "--batch", "16", "--width", "4", "--architecture", "dcgan", "plain", "--seed", "3"]
    thirds.main([*asked, "--gamma", "0.5", "--out", str(tmp_path / "table.md")])
    written = (tmp_path / "table.md").read_text()
    assert written == capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in written.splitlines()[2:]]
    assert [row[:8] for row in rows] == [
        [network, "4", "16", "0.002", "0.5", "none", "3", "32"] for network in ("dcgan", "plain")
    ]
    assert all(len(row) == len(thirds.HEADINGS) for row in rows)
