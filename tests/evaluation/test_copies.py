"""Near-copies: a model that hands out its training images, one that draws afresh, and what lies between."""

import numpy as np
import pytest
import torch

from worker.evaluation import copies
from worker.evaluation.copies import near_copies


def levels(count: int, seed: int = 0, channels: int = 1, side: int = 8) -> torch.Tensor:
    """Clouds: images of 16 numbers a channel, drawn by a seed, as different from one another as they can be."""
    grid = torch.rand((count, channels, 4, 4), generator=torch.Generator().manual_seed(seed))
    return (torch.nn.functional.interpolate(grid, side, mode="bilinear") * 255).to(torch.uint8)


def share(samples: torch.Tensor, training: torch.Tensor) -> float:
    return near_copies(samples, lambda start, stop: training[start:stop], len(training))


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (3, 16), (4, 40)])
def test_training_images_are_copies_and_fresh_ones_are_not(channels: int, side: int) -> None:
    training, fresh = (levels(150, seed=seed, channels=channels, side=side) for seed in (0, 1))
    assert share(training, training) == 1
    assert share(fresh, training) <= 0.02
    assert share(torch.cat([training[:50], fresh[:100]]), training) == pytest.approx(1 / 3, abs=0.02)


def test_a_slightly_changed_copy_is_a_near_copy_and_a_strongly_changed_one_is_not() -> None:
    training = levels(200)
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=training.shape))
    faint, strong = ((training + scale * noise).clamp(0, 255).to(torch.uint8) for scale in (3, 60))
    assert share(faint, training) == 1
    assert share(strong, training) < 0.05


def test_a_copy_of_an_image_that_is_there_twice_is_a_copy() -> None:
    training = levels(50).repeat(2, 1, 1, 1)
    assert share(training[:20], training) == 1


def test_it_does_not_matter_how_many_are_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    training = levels(100)
    samples = torch.cat([training[30:60], levels(30, seed=1)])
    whole = share(samples, training)
    monkeypatch.setattr(copies, "ROWS_AT_ONCE", 7)
    assert share(samples, training) == whole == pytest.approx(0.5, abs=0.02)
