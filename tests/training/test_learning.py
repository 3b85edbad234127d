"""What the objectives learn, on worlds small enough to know the answer."""

import numpy as np
import pytest
import torch
from training_kit import Workshop, branches

from benchmarks.learning import few
from benchmarks.learning.trainings import drawn, trained
from gan.checkpoint import load_generator
from worker.protocol import Metrics, SavedCheckpoint


def test_one_input_has_two_outputs_and_a_regression_gives_their_mean(workshop: Workshop) -> None:
    """y = ±(½ + x²): x and z in, a distribution of y out. Both branches, in equal shares, at every x."""
    y, x = branches(4000)
    workshop.pack("branches", y, x)
    spec = workshop.spec("branches", images=250_000, network={"width": 64})
    saved = workshop.train("branches", spec).of(SavedCheckpoint)[-1]
    loaded = load_generator(workshop.root / saved.path)
    rng = torch.Generator().manual_seed(0)
    cubic = np.linalg.lstsq(np.hstack([x**k for k in range(4)]), y, rcond=None)[0]
    for at in (-0.8, -0.3, 0.0, 0.5, 0.9):
        z = torch.randn(500, spec.network.latent_dim, generator=rng)
        made = (loaded.module(z, torch.full((500, 1), at)) * loaded.std + loaded.mean).numpy()
        truth = 0.5 + at**2
        upper = made > 0
        assert 0.3 < upper.mean() < 0.7, at
        assert np.median(made[upper]) == pytest.approx(truth, abs=0.12), at
        assert np.median(made[~upper]) == pytest.approx(-truth, abs=0.12), at
        # a regression answers with the mean of what is generated, far from nearly all of it
        answer = (np.power(at, np.arange(4)) @ cubic).item()
        nearest = np.minimum(abs(made - truth), abs(made + truth))
        assert abs(made.mean() - answer) < 0.3 * truth
        assert np.median(abs(made - answer)) > truth / 2
        assert np.median(nearest) < 0.12


def test_where_the_discriminator_is_far_ahead_the_divergence_estimate_stays_at_log_two(workshop: Workshop) -> None:
    """Two thin clusters, and forty discriminator steps to one of the generator: the supports do not overlap."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(2000, 2)) * 0.05 + np.array([[1.0, 0.0], [-1.0, 0.0]])[rng.integers(0, 2, 2000)]
    workshop.pack("apart", data.astype(np.float32))
    spec = workshop.spec("apart", recipe="dcgan", images=60_000, network={"width": 32}, learning_rate=1e-3)
    reports = workshop.train("apart", spec.model_copy(update={"critic_steps": 40})).of(Metrics)
    assert max(r.values["js_estimate"] for r in reports) > 0.66
    assert all(0 <= r.values["js_estimate"] <= np.log(2) for r in reports)
    assert reports[-1].values["wasserstein_estimate"] > 0


def test_ten_pictures_are_learned_by_heart_and_with_augmentation_less_so() -> None:
    """Five hundred passes over ten digits. Neither training collapses; unaugmented, what is drawn leans on the ten."""
    known = few.sets("digits", 8, count=10)
    asked = {"images": 5000, "batch_size": 10, "network": {"width": 12}}
    none, augmented = (
        few.closeness(drawn(trained(known.trained, asked | {"augment": augment}), 400), known)
        for augment in ("none", "diffaugment")
    )
    assert none.quotient < 0.85
    assert augmented.quotient > none.quotient + 0.05
    assert augmented.near_copies < 0.01
    assert min(none.spread, augmented.spread) > 0.5
