"""What a report says beyond the losses: divergence estimates on training and on held-out rows, how varied samples are,
and gradient norms.

Nothing here touches the players: networks are copied first, since batch norm and spectral normalisation change
their buffers in every forward. Rows are looked at one training batch at a time, which takes less memory than a step.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from gan.errors import Diverged
from gan.spec import Loss, TrainingSpec
from worker.training import estimates, variety
from worker.training.data import TrainingData
from worker.training.draws import Stream, latents, numbers, seed_of
from worker.training.estimates import Calibration, Logits
from worker.training.losses import LOSSES
from worker.training.penalties import input_gradients
from worker.training.players import Players

MOST_ROWS = 512
"""Rows looked at, of the training and of the held-out part each."""
IMAGES_A_ROW = 100
"""One row is looked at for so many images trained on, but never fewer than an estimate needs: a report's rows cost a
hundredth of the training between two reports."""
FEWEST_COMPARED = 8
"""Held-out rows that show whether training rows are known by heart: far fewer than an estimate of its own needs."""
POOLED = 8
"""Pixels a side that images are averaged down to before their distances are taken."""
CALIBRATED: frozenset[Loss] = frozenset({"minimax", "non_saturating"})
"""Losses whose discriminator is trained towards log-odds; the logits of the others are calibrated first."""

Report = dict[str, float | None]
Rows = NDArray[np.int64]
"""Row numbers of the dataset."""


class Abandoned(Exception):
    """A report was told to stop. Nothing of it was kept, and it can be made again."""


def rows_looked_at(spec: TrainingSpec) -> int:
    """Rows of either part in one report."""
    return min(MOST_ROWS, max(estimates.FEWEST, spec.report_every // IMAGES_A_ROW))


@dataclass(frozen=True)
class Judgement:
    """Logits of real and of generated rows, the steepest input gradient seen on either, and their features (n, F)."""

    real: Logits
    fake: Logits
    steepest: float
    real_features: Tensor
    fake_features: Tensor

    @property
    def gap(self) -> float:
        """E r - E f."""
        return float(self.real.mean() - self.fake.mean())


class Diagnosis:
    """Looks at the players from outside, at the `number`-th report of a job, unless it is `told_to_stop`."""

    def __init__(
        self, players: Players, data: TrainingData, spec: TrainingSpec, number: int, told_to_stop: Callable[[], bool]
    ) -> None:
        self.generator = deepcopy(players.generator)
        self.discriminator = deepcopy(players.discriminator).requires_grad_(False)
        self.data, self.spec = data, spec
        self.rng = numbers(seed_of(spec), Stream.ESTIMATE, number)
        self._told_to_stop = told_to_stop

    def report(self) -> Report:
        """Estimates; those on held-out rows are None where fewer than `estimates.FEWEST` rows are held out.

        Raises Abandoned; and Diverged where the discriminator's logits are no numbers.
        """
        trained = self._judge(self.data.train_rows)
        calibration = Calibration()
        if self.spec.loss not in CALIBRATED:
            calibration = estimates.calibrate(trained.real, trained.fake)
        points = not self.data.images
        found = _named(trained, calibration, "_train", points=points)
        found |= self._variety(trained) | {"generator_slope": slope(self.spec.loss, trained)}
        held = self._judge(self.data.held_rows) if len(self.data.held_rows) >= FEWEST_COMPARED else None
        enough = len(self.data.held_rows) >= estimates.FEWEST
        found["overfit"] = overfit(trained, held) if held else None
        return found | _named(held if enough else None, calibration, "", points=points)

    def _variety(self, trained: Judgement) -> Report:
        """How samples lie among the training rows; copies show only beside all of these."""
        few = len(self.data.train_rows) <= MOST_ROWS
        everything = features(self.data.batch(self.data.train_rows)[0]).cpu() if few else None
        return variety.variety(trained.real_features, trained.fake_features, everything)

    def _judge(self, rows: Rows) -> Judgement:
        seen = self.rng.permutation(rows)[: rows_looked_at(self.spec)]
        # generated rows get the conditions of other training rows, so that they follow the data's frequencies
        labelled = self.rng.choice(self.data.train_rows, len(seen))
        net = self.spec.network
        z = latents(self.rng, len(seen), net.latent_dim, net.latent_distribution)
        parts = [self._look(seen[part], labelled[part], z[part]) for part in self._parts(len(seen))]
        judged = Judgement(
            real=np.concatenate([x.logits for x, _ in parts]),
            fake=np.concatenate([y.logits for _, y in parts]),
            steepest=max(looked.steepest for pair in parts for looked in pair),
            real_features=torch.cat([x.features for x, _ in parts]),
            fake_features=torch.cat([y.features for _, y in parts]),
        )
        if not np.isfinite([judged.real.sum(), judged.fake.sum()]).all():
            raise Diverged("the discriminator's logits became NaN or infinite", param="learning_rate")
        return judged

    def _parts(self, count: int) -> Iterator[slice]:
        """Slices of a training batch each, over `count` rows."""
        for start in range(0, count, self.spec.batch_size):
            if self._told_to_stop():
                raise Abandoned
            yield slice(start, start + self.spec.batch_size)

    def _look(self, rows: Rows, labelled: Rows, z: Tensor) -> tuple["Looked", "Looked"]:
        """At real rows, and at as many generated ones."""
        (real, c_real), (_, c_fake) = self.data.batch(rows), self.data.batch(labelled)
        with torch.no_grad():
            fake = self.generator(z.to(self.data.device), c_fake)
        return self._looked(real, c_real), self._looked(fake, c_fake)

    def _looked(self, x: Tensor, c: Tensor | None) -> "Looked":
        x = x.detach().requires_grad_(True)
        logits = self.discriminator(x, c)
        steepest = input_gradients(logits, x, again=False).norm(dim=1).max()
        return Looked(logits.detach().double().cpu().numpy(), steepest.item(), features(x.detach()).cpu())


class Looked(NamedTuple):
    """Logits (n,) of some rows, the steepest input gradient at them, and their features (n, F)."""

    logits: Logits
    steepest: float
    features: Tensor


def features(x: Tensor) -> Tensor:
    """What distances between rows go by: points as they are (n, D); images averaged to `POOLED` pixels a side."""
    if x.dim() == 2:
        return x
    height, width = (min(POOLED, side) for side in x.shape[2:])
    return adaptive_avg_pool2d(x, (height, width)).flatten(1)


def overfit(trained: Judgement, held: Judgement) -> float | None:
    """The share of the gap between training rows and generated ones that lies between training rows and held-out ones.

    (E r - E r') / (E r - E f): near 0 where the discriminator judges data it never saw like data it trained on, 1 where
    it takes them for generated. None where it sees no gap.
    """
    unseen = float(trained.real.mean() - held.real.mean())
    return unseen / trained.gap if trained.gap > 0 else None


def slope(loss: Loss, seen: Judgement) -> float:
    """mean |∂L_G/∂f| · N over generated rows: how much of the discriminator's slope reaches the generator.

    Near 0 where the loss saturates; 1 where each sample is pulled at full strength (least squares knows no bound).
    """
    r, f = torch.from_numpy(seen.real), torch.from_numpy(seen.fake).requires_grad_(True)
    (pull,) = torch.autograd.grad(LOSSES[loss].generator(r, f), f)
    return float(pull.abs().sum())


NAMES = ("value", "js_estimate", "critic_gap", "lipschitz_estimate", "wasserstein_estimate")


def _named(judgement: Judgement | None, calibration: Calibration, suffix: str, *, points: bool) -> Report:
    names = [name + suffix for name in (*NAMES, *["wasserstein_exact"] * points)]
    if judgement is None:
        return dict.fromkeys(names)
    v = estimates.value(calibration(judgement.real), calibration(judgement.fake))
    w = estimates.wasserstein(judgement.gap, judgement.steepest)
    found = [v, estimates.jensen_shannon(v), judgement.gap, judgement.steepest, w]
    if points:
        pair = judgement.real_features.numpy(), judgement.fake_features.numpy()
        found.append(estimates.exact_wasserstein(*pair))
    return dict(zip(names, found, strict=True))


@torch.no_grad()
def gradient_norm(network: nn.Module) -> Tensor:
    """‖∇L‖₂ over all parameters of a network after a backward: a scalar on its device."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    norms = torch._foreach_norm(gradients)
    total: Tensor = torch.stack(list(norms)).norm()
    return total
