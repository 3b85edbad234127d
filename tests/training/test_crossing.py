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


def test_a_regression_draws_half_an_agent_on_either_side_and_a_generator_decides_in_proportion(tmp_path: Path) -> None:
    x, y = crossing.pairs()
    spec = crossing.specified(seed=0)
    z = crossing.latents(spec.network, 400)

    answer = crossing.judge(crossing.draw(crossing.regression(spec.network, x, y), torch.zeros(1, z.shape[1])))
    assert answer.sharp == 0.0
    assert answer.distance > crossing.SHARP

    made = crossing.draw(crossing.learned(tmp_path, spec, x, y), z)
    found = crossing.judge(made)
    assert 0.58 < found.left < 0.82
    assert found.sharp > 0.8
    assert found.distance < 0.15
    # the mean of what is drawn is what the regression answers with: one number of the whole distribution
    assert abs(found.mean - answer.distance) < 0.15
