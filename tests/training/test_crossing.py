"""One input, many outputs: an agent at a crossing, a regression that blurs, and a generator that decides."""

from pathlib import Path

import numpy as np
import torch

from benchmarks.learning import crossing


def test_in_the_world_only_the_crossing_leaves_anything_open() -> None:
    x, y = crossing.pairs()
    followers: dict[bytes, set[bytes]] = {}
    for one, other in zip(x, y, strict=True):
        followers.setdefault(one.tobytes(), set()).add(other.tobytes())
    at, left, right = (one.tobytes() for one in crossing.at_the_crossing())
    assert followers.pop(at) == {left, right}
    assert all(len(after) == 1 for after in followers.values())
    there = np.array([one.tobytes() == at for one in x])
    went_left = np.mean([one.tobytes() == left for one in y[there]])
    assert 0.65 < went_left < 0.75


def test_what_is_sharp_and_what_is_blurred_is_told_apart() -> None:
    _, left, right = crossing.at_the_crossing()
    decided = crossing.judge(np.stack([left] * 7 + [right] * 3))
    assert decided.left == 0.7
    assert (decided.sharp, decided.distance) == (1.0, 0.0)
    blurred = crossing.judge(np.stack([(0.7 * left + 0.3 * right).round().astype(np.uint8)] * 5))
    assert blurred.sharp == 0.0
    assert abs(blurred.distance - 0.3) < 0.01


def test_a_regression_draws_half_an_agent_on_either_side() -> None:
    x, y = crossing.pairs()
    network = crossing.specified(seed=0).network
    made = crossing.draw(crossing.regression(network, x, y), torch.zeros(1, network.latent_dim))
    assert crossing.judge(made).sharp == 0.0
    row, column = crossing.CROSSING
    left, right = made[0, row, column - 1, 0], made[0, row, column + 1, 0]
    assert 130 < left < 220
    assert 40 < right < 130


def test_a_generator_decides_by_z_and_in_proportion(tmp_path: Path) -> None:
    """Of seeds 0, 1 and 2: 0.72, 0.68 and 0.73 went left; 0.86, 0.77 and 0.74 were sharp; medians 0.06, 0.09, 0.10."""
    x, y = crossing.pairs()
    spec = crossing.specified(seed=0)
    found = crossing.judge(crossing.draw(crossing.learned(tmp_path, spec, x, y), crossing.latents(spec.network, 400)))
    assert abs(found.left - crossing.LEFT) < 0.12
    assert found.sharp > 0.65
    assert found.distance < 0.2
    # the mean of what is drawn is what a regression answers with: one number of the whole distribution
    assert abs(found.mean - (1 - crossing.LEFT)) < 0.12
