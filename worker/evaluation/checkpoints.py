"""What a checkpoint scores while its model still trains: cheap measures of the same few samples, again and again.

The rows of the data, the latents and their conditions are drawn once a job, by the seed that divided the data and from
a stream of their own: training goes the same way with or without them, and one checkpoint's figures compare with
another's, also where another job goes on from it. What is known of the data (features) is kept. Images are always
measured by `random-conv-1`: it costs milliseconds.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cached_property
from math import isfinite

import numpy as np
import torch
from torch import Tensor, nn

from gan.checkpoint import LogitCalibration
from gan.spec import ImageShape, TrainingSpec
from worker.evaluation.calibration import calibrated
from worker.evaluation.distances import frechet, sliced_wasserstein, transport
from worker.evaluation.features import RandomFeatures
from worker.evaluation.manifold import prdc
from worker.evaluation.measures import flat
from worker.training.data import TrainingData
from worker.training.diagnosis import Abandoned, Report
from worker.training.draws import Stream, latents, numbers
from worker.training.estimates import FEWEST

MOST_ROWS = 512
CALIBRATED_ROWS = 256
"""Rows of either side that the discriminator's logits are calibrated by, at most."""
PIXELS = 2**20
"""Rows of either side: 512 points, and as many images as make a million pixels, 64 (or what there is) to 512."""

ToldToStop = Callable[[], bool]


class CheckpointMetrics:
    """Measures generators by held-out rows of their data, or by training rows where too few are held out."""

    def __init__(self, spec: TrainingSpec, data: TrainingData) -> None:
        self.spec, self.data = spec, data
        rng = numbers(spec.split.seed, Stream.CHECKPOINT_ROWS, 0)
        count, net = rows_for(spec), spec.network
        pool = data.held_rows if len(data.held_rows) >= FEWEST else data.train_rows
        self._rows = rng.permutation(pool)[:count]
        self._labelled = rng.choice(data.train_rows, count)
        self._z = latents(rng, count, net.latent_dim, net.latent_distribution)

    @property
    def names(self) -> tuple[str, ...]:
        """What is measured."""
        return NAMES[self.data.images]

    def measure(self, generator: nn.Module, told_to_stop: ToldToStop = lambda: False) -> Report:
        """Metric → value; None where what the generator makes is no number. Raises Abandoned where told to stop."""
        if len(self._rows) < FEWEST:
            return dict.fromkeys(self.names)
        made = torch.cat(list(self._made(generator, told_to_stop)))
        found = MEASURED[self.data.images](self, made) if bool(made.isfinite().all()) else {}
        return {name: finite(found.get(name)) for name in self.names}

    @torch.no_grad()
    def calibration(self, generator: nn.Module, discriminator: nn.Module) -> LogitCalibration | None:
        """How often the discriminator's logits, as they are served, are the data's; None where they are no numbers.

        Samples have the conditions of training rows. By few rows it takes less than two steps of training.
        """
        judging = deepcopy(discriminator).eval()
        rows = self._rows[:CALIBRATED_ROWS]
        parts = self._parts(len(rows))
        real = [judging(*self.data.batch(rows[part])) for part in parts]
        conditions = [self.data.batch(self._labelled[part])[1] for part in parts]
        made = [generator(self._z[part].to(self.data.device), c) for part, c in zip(parts, conditions, strict=True)]
        fake = [judging(x, c) for x, c in zip(made, conditions, strict=True)]
        r, f = (torch.cat(logits).double().cpu().numpy() for logits in (real, fake))
        if not (np.isfinite(r).all() and np.isfinite(f).all()):
            return None
        return calibrated(r, f, held_out=len(self.data.held_rows) >= FEWEST)

    def _parts(self, count: int) -> list[slice]:
        """As many rows at a time as the device is known to bear."""
        size = self.spec.batch_size
        return [slice(start, min(start + size, count)) for start in range(0, count, size)]

    @torch.no_grad()
    def _made(self, generator: nn.Module, told_to_stop: ToldToStop) -> Iterator[Tensor]:
        for part, c in zip(self._parts(len(self._z)), self._conditions, strict=True):
            if told_to_stop():
                raise Abandoned
            yield generator(self._z[part].to(self.data.device), c)

    @cached_property
    def _conditions(self) -> list[Tensor | None]:
        """Those of training rows, so that classes come as often as in the data."""
        return [self.data.batch(self._labelled[part])[1] for part in self._parts(len(self._labelled))]

    @cached_property
    def _real(self) -> Tensor:
        return self.data.batch(self._rows)[0]

    @cached_property
    def _real_features(self) -> Tensor:
        return features(levels(self._real))

    def _images(self, made: Tensor) -> Report:
        real, fake = levels(self._real), levels(made)
        both = self._real_features, features(fake)
        sliced = sliced_wasserstein(flat(real), flat(fake), self.spec.split.seed)
        return {"fid": frechet(*both), **prdc(*both), "sliced_wasserstein": sliced}

    def _points(self, made: Tensor) -> Report:
        """Standardised, as the series of the job's metrics has them."""
        sliced = sliced_wasserstein(self._real, made, self.spec.split.seed)
        return {
            "wasserstein_exact": transport(self._real, made, 1),
            **prdc(self._real, made),
            "sliced_wasserstein": sliced,
        }


NEIGHBOURS = ("precision", "recall", "density", "coverage")
NAMES = {
    True: ("fid", *NEIGHBOURS, "sliced_wasserstein"),
    False: ("wasserstein_exact", *NEIGHBOURS, "sliced_wasserstein"),
}
"""Whether the data are images → what is measured at every checkpoint."""
MEASURED: dict[bool, Callable[[CheckpointMetrics, Tensor], Report]] = {
    True: CheckpointMetrics._images,
    False: CheckpointMetrics._points,
}


def rows_for(spec: TrainingSpec) -> int:
    """How many samples are measured."""
    shape = spec.network.shape
    if not isinstance(shape, ImageShape):
        return MOST_ROWS
    return min(MOST_ROWS, max(FEWEST, PIXELS // (shape.height * shape.width)))


def finite(value: float | None) -> float | None:
    """A number, or None."""
    return value if value is not None and isfinite(value) else None


def levels(x: Tensor) -> Tensor:
    """What networks see, [-1, 1], as levels: float (N, C, H, W) → uint8."""
    return ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


@torch.no_grad()
def features(images: Tensor) -> Tensor:
    """Untrained features of levels (N, C, H, W)."""
    found: Tensor = RandomFeatures()(images)
    return found
