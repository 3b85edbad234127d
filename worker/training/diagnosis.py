"""What a report says beyond the losses: divergence estimates on training and on held-out rows, and gradient norms.

Nothing here touches the players: networks are copied first, since batch norm and spectral normalisation change
their buffers in every forward.
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gan.spec import Loss, TrainingSpec
from worker.training import estimates
from worker.training.data import TrainingData
from worker.training.draws import Stream, latents, numbers
from worker.training.estimates import Calibration, Logits
from worker.training.penalties import input_gradients
from worker.training.players import Players

MOST_ROWS = 512
"""Rows looked at, of the training and of the held-out part each: what keeps a report cheap."""
CALIBRATED: frozenset[Loss] = frozenset({"minimax", "non_saturating"})
"""Losses whose discriminator is trained towards log-odds; the logits of the others are calibrated first."""

Report = dict[str, float | None]


@dataclass(frozen=True)
class Judgement:
    """Logits of real and of generated rows, and the steepest input gradient seen on either."""

    real: Logits
    fake: Logits
    steepest: float

    @property
    def gap(self) -> float:
        """E r - E f."""
        return float(self.real.mean() - self.fake.mean())


class Diagnosis:
    """Looks at the players from outside, at the `number`-th report of a job."""

    def __init__(self, players: Players, data: TrainingData, spec: TrainingSpec, number: int) -> None:
        self.generator = deepcopy(players.generator)
        self.discriminator = deepcopy(players.discriminator).requires_grad_(False)
        self.data, self.spec = data, spec
        self.rng = numbers(spec.seed, Stream.ESTIMATE, number)

    def report(self) -> Report:
        """Estimates; those on held-out rows are None where fewer than `estimates.FEWEST` rows are held out."""
        trained = self._judge(self.data.train_rows)
        calibration = Calibration()
        if self.spec.loss not in CALIBRATED:
            calibration = estimates.calibrate(trained.real, trained.fake)
        found = _named(trained, calibration, "_train")
        enough = len(self.data.held_rows) >= estimates.FEWEST
        return found | _named(self._judge(self.data.held_rows) if enough else None, calibration, "")

    def _judge(self, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Judgement:
        seen = self.rng.permutation(rows)[:MOST_ROWS]
        # generated rows get the conditions of other training rows, so that they follow the data's frequencies
        labelled = self.rng.choice(self.data.train_rows, len(seen))
        real, c_real = self.data.batch(seen)
        _, c_fake = self.data.batch(labelled)
        net = self.spec.network
        z = latents(self.rng, len(seen), net.latent_dim, net.latent_distribution).to(self.data.device)
        with torch.no_grad():
            fake = self.generator(z, c_fake)
        (r, steep_r), (f, steep_f) = self._look(real, c_real), self._look(fake, c_fake)
        return Judgement(r, f, max(steep_r, steep_f))

    def _look(self, x: Tensor, c: Tensor | None) -> tuple[Logits, float]:
        x = x.detach().requires_grad_(True)
        logits = self.discriminator(x, c)
        steepest = input_gradients(logits, x).norm(dim=1).max()
        return logits.detach().double().cpu().numpy(), steepest.item()


def _named(judgement: Judgement | None, calibration: Calibration, suffix: str) -> Report:
    names = ["value", "js_estimate", "critic_gap", "lipschitz_estimate", "wasserstein_estimate"]
    if judgement is None:
        return {name + suffix: None for name in names}
    v = estimates.value(calibration(judgement.real), calibration(judgement.fake))
    w = estimates.wasserstein(judgement.gap, judgement.steepest)
    found = [v, estimates.jensen_shannon(v), judgement.gap, judgement.steepest, w]
    return dict(zip((name + suffix for name in names), found, strict=True))


@torch.no_grad()
def gradient_norm(network: nn.Module) -> Tensor:
    """‖∇L‖₂ over all parameters of a network after a backward: a scalar on its device."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    norms = torch._foreach_norm(gradients)
    total: Tensor = torch.stack(list(norms)).norm()
    return total
