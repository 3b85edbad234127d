"""Every checkpoint is measured, cheaply, by the same samples; training goes its way as if it were not."""

import numpy as np
import pytest
import torch
from evaluation_kit import Workshop, cluster, stripes
from torch import nn

from gan.choosing import resolve
from gan.metrics import FOLLOWED, METRICS
from gan.spec import DatasetFacts, ImageShape, TrainingSpec, TrainRequest
from worker.evaluation.checkpoints import MOST_ROWS, NAMES, CheckpointMetrics, levels, rows_for
from worker.training.data import TrainingData, open_packed
from worker.training.diagnosis import Abandoned


def prepared(workshop: Workshop, name: str, **request: object) -> tuple[TrainingSpec, TrainingData]:
    facts = workshop.facts(name)
    spec = resolve(
        TrainRequest.model_validate({"type": "train", "dataset": name, "model": "m"} | request), facts, "cpu"
    )
    return spec, TrainingData(open_packed(workshop.root / f"datasets/{name}"), spec, torch.device("cpu"))


class Bootstrap(nn.Module):
    """A generator that knows the data: rows of it, perhaps spoilt, perhaps but the first few."""

    def __init__(self, data: TrainingData, noise: float = 0.0, known: int = 10_000) -> None:
        super().__init__()
        self.data, self.noise, self.rows, self.rng = data, noise, data.train_rows[:known], np.random.default_rng(0)

    def forward(self, z: torch.Tensor, c: torch.Tensor | None) -> torch.Tensor:
        x, _ = self.data.batch(self.rng.choice(self.rows, len(z)))
        return x + self.noise * torch.from_numpy(self.rng.normal(size=x.shape).astype(np.float32))


@pytest.mark.parametrize("kind", ["images", "points"])
def test_a_better_generator_scores_better_on_every_measure(workshop: Workshop, kind: str) -> None:
    workshop.pack("a", stripes(900) if kind == "images" else cluster(900))
    spec, data = prepared(workshop, "a")
    metrics = CheckpointMetrics(spec, data)
    good, noisy, poor = (metrics.measure(Bootstrap(data, *bad)) for bad in ((), (1.0,), (0.0, 8)))
    assert tuple(good) == NAMES[kind == "images"]
    assert FOLLOWED[kind] in good
    for name in good:
        sign = 1 if METRICS[name].better == "higher" else -1
        # noise reaches all of the data, and few rows again and again are precise
        bad = poor if name in ("recall", "coverage") else noisy
        assert sign * good[name] > sign * bad[name], name


def test_it_is_the_held_out_rows_that_are_measured_by_where_there_are_enough(workshop: Workshop) -> None:
    workshop.pack("many", cluster(900))
    workshop.pack("few", cluster(300))
    spec, data = prepared(workshop, "many")
    assert set(CheckpointMetrics(spec, data)._rows) == set(data.held_rows)
    spec, data = prepared(workshop, "few")
    assert set(CheckpointMetrics(spec, data)._rows) == set(data.train_rows)


def test_the_same_generator_always_scores_the_same(workshop: Workshop) -> None:
    workshop.pack("a", cluster(900))
    spec, data = prepared(workshop, "a")
    metrics = CheckpointMetrics(spec, data)
    first = metrics.measure(Bootstrap(data))
    assert metrics.measure(Bootstrap(data)) == first
    assert CheckpointMetrics(spec, data).measure(Bootstrap(data)) == first


def test_what_is_no_number_scores_none(workshop: Workshop) -> None:
    workshop.pack("a", cluster(900))
    spec, data = prepared(workshop, "a")
    found = CheckpointMetrics(spec, data).measure(Bootstrap(data, float("nan")))
    assert set(found.values()) == {None}


def test_too_little_data_is_not_measured_by(workshop: Workshop) -> None:
    workshop.pack("a", cluster(40))
    spec, data = prepared(workshop, "a", batch_size=16)
    metrics = CheckpointMetrics(spec, data)
    assert metrics.measure(Bootstrap(data)) == dict.fromkeys(metrics.names)


def test_a_job_that_is_told_to_stop_does_not_wait_for_it(workshop: Workshop) -> None:
    workshop.pack("a", cluster(900))
    spec, data = prepared(workshop, "a")
    with pytest.raises(Abandoned):
        CheckpointMetrics(spec, data).measure(Bootstrap(data), lambda: True)


@pytest.mark.parametrize(("side", "rows"), [(8, MOST_ROWS), (32, MOST_ROWS), (64, 256), (128, 64), (256, 64)])
def test_large_images_are_measured_by_fewer(side: int, rows: int) -> None:
    facts = DatasetFacts(count=1000, shape=ImageShape(channels=3, height=side, width=side))
    asked = TrainRequest(type="train", dataset="a", model="m")
    assert rows_for(resolve(asked, facts, "cpu")) == rows


def test_levels_are_those_of_the_data(workshop: Workshop) -> None:
    images = stripes(100, channels=3)
    workshop.pack("a", images)
    _, data = prepared(workshop, "a")
    x, _ = data.batch(np.arange(100))
    assert np.array_equal(levels(x).numpy(), images.transpose(0, 3, 1, 2))
