"""The benchmarks measure what they say; what they find is in docs/."""

import numpy as np
import pytest

from benchmarks.learning import digits
from benchmarks.learning.points import MIXTURES, score, spread
from benchmarks.training import images_per_second, overhead
from benchmarks.training.blocks import interleaved, ratio


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


def test_blocks_run_in_turn_and_quotients_are_of_neighbours() -> None:
    ran: list[str] = []
    first, second = interleaved([lambda: ran.append("a"), lambda: ran.append("b")], rounds=3)
    assert "".join(ran) == "ab" * 4
    assert len(first) == len(second) == 3
    assert ratio([2.0, 20.0, 2.0], [1.0, 10.0, 4.0]) == 2.0


def test_the_overhead_is_of_rounds_with_and_without_a_report() -> None:
    found = overhead.measure(pairs=3, side=8, width=4, batch=16)
    assert found.bare_seconds > 0
    assert found.rounds > 0, "a network so small costs less than what stands around it"
    assert found.report_seconds > 0
    assert found.total == found.rounds + found.reports


def test_images_a_second_are_measured_by_size_and_recipe_and_beside_the_stock_loop(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images_per_second, "in_a_process_of_its_own", images_per_second.measure_row)
    small = ["--blocks", "2", "--batch", "4", "--width", "4"]
    images_per_second.main([*small, "--sides", "8", "--recipes", "dcgan,r3gan"])
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split("|")[2].strip() for row in rows] == ["`dcgan`", "`r3gan`"]
    assert {len(row.split("|")) for row in [head, *rows]} == {8}
    monkeypatch.setattr(images_per_second, "STOCK", (8, 4))
    images_per_second.main([*small, "--stock"])
    _, _, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 3
    assert rows[0].endswith("| 1.00 |")
