"""Two games on two samples: a discriminator tells the Jensen-Shannon divergence, a critic the Wasserstein distance.

Both are trained from scratch on the samples' `fit` rows, judged now and then on their `check` rows (the best so far is
what is kept: nothing else regularises the discriminator), and what they say is told of the `test` rows alone, which
neither training nor choosing has seen. Of the true divergence the first is a lower bound in expectation.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gan.networks.build import build_discriminator
from gan.spec import DataShape, ImageShape, NetworkSpec
from worker.training import estimates
from worker.training.draws import Deck, Stream, numbers, weight_seed
from worker.training.estimates import Logits
from worker.training.losses import cross_entropy_discriminator, wasserstein_discriminator
from worker.training.penalties import input_gradients, one_centred

FEWEST = estimates.FEWEST
CHECKS = 20
"""How often a network is judged on the check rows in the course of its training."""
PENALTY = 10.0
"""λ of the gradient penalty, as published (Gulrajani 2017)."""
POINT_WIDTH, IMAGE_WIDTH = 128, 16
POINT_BATCH = 128
PIXELS_AT_ONCE = 2**18
IMAGE_BATCHES = (16, 128)
POINT_RATE, IMAGE_RATE = 1e-3, 5e-4


class Part(NamedTuple):
    """Real and generated rows, as networks see them."""

    real: Tensor
    fake: Tensor


@dataclass(frozen=True)
class Samples:
    """Rows to train on, to choose by, and to report; `scale` is how many units of the data one unit here is."""

    fit: Part
    check: Part
    test: Part
    scale: float


@dataclass(frozen=True)
class Verdict:
    """What was found on the test rows. Divergence and V in nats; distance, gap and W₁ in the data's units."""

    value: float
    js_estimate: float
    critic_gap: float
    lipschitz_estimate: float
    wasserstein_estimate: float | None


def thirds(rows: int, seed: int) -> tuple[list[int], list[int], list[int]]:
    """Row numbers (fit, check, test): a half, a quarter and a quarter of `rows`, drawn by the seed."""
    order = numbers(seed, Stream.EVALUATION_ROWS, 0).permutation(rows).tolist()
    return order[: rows // 2], order[rows // 2 : 3 * rows // 4], order[3 * rows // 4 :]


def prepared(parts: tuple[Part, Part, Part]) -> Samples:
    """Levels as [-1, 1], of which W₁ is then told; points centred and divided by one number, the pooled spread.

    One number for all coordinates, so that distances keep their proportions.
    """
    fit = parts[0]
    if fit.real.dim() == 4:
        scaled = [Part(*(rows.float() / 127.5 - 1 for rows in part)) for part in parts]
        return Samples(scaled[0], scaled[1], scaled[2], 1.0)
    pooled = torch.cat([fit.real, fit.fake]).double()
    centre = pooled.mean(dim=0)
    spread = float((pooled - centre).square().sum(dim=1).mean().sqrt() / pooled.shape[1] ** 0.5) or 1.0
    scaled = [Part(*(((rows.double() - centre) / spread).float() for rows in part)) for part in parts]
    return Samples(scaled[0], scaled[1], scaled[2], spread)


def play(samples: Samples, shape: DataShape, steps: int, seed: int, between: Callable[[int], None]) -> Verdict:
    """Trains both, `steps` steps each, and says what they find. `between` gets the steps done so far, of 2·`steps`."""
    discriminator = trained(samples, shape, steps, seed, DISCRIMINATOR, between)
    v = estimates.value(*judged(discriminator, samples.test))
    critic = trained(samples, shape, steps, seed, CRITIC, lambda done: between(steps + done))
    real, fake = judged(critic, samples.test)
    gap = float(real.mean() - fake.mean())
    steepest = slope(critic, samples.test)
    distance = estimates.wasserstein(max(gap, 0.0), steepest)
    return Verdict(
        value=v,
        js_estimate=estimates.jensen_shannon(v),
        critic_gap=gap * samples.scale,
        lipschitz_estimate=steepest,
        wasserstein_estimate=None if distance is None else distance * samples.scale,
    )


class Game(NamedTuple):
    """How a network is trained: its loss of (network, real, fake, α), what it is chosen by, and Adam's betas."""

    number: int
    loss: Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]
    score: Callable[[nn.Module, Part], float]
    betas: tuple[float, float]


def _cross_entropy(network: nn.Module, real: Tensor, fake: Tensor, _alpha: Tensor) -> Tensor:
    return cross_entropy_discriminator(network(real), network(fake))


def _penalised(network: nn.Module, real: Tensor, fake: Tensor, alpha: Tensor) -> Tensor:
    gap = wasserstein_discriminator(network(real), network(fake))
    return gap + PENALTY * one_centred(network, real, fake, None, alpha)


def _distance(network: nn.Module, part: Part) -> float:
    real, fake = judged(network, part)
    return estimates.wasserstein(float(real.mean() - fake.mean()), slope(network, part)) or 0.0


def _value(network: nn.Module, part: Part) -> float:
    return estimates.value(*judged(network, part))


DISCRIMINATOR = Game(0, _cross_entropy, _value, (0.9, 0.999))
CRITIC = Game(1, _penalised, _distance, (0.0, 0.9))


def network_for(shape: DataShape) -> NetworkSpec:
    """A small discriminator without normalisation: of an mlp's, or of dcgan's shape."""
    images = isinstance(shape, ImageShape)
    return NetworkSpec(
        architecture="dcgan" if images else "mlp",
        width=IMAGE_WIDTH if images else POINT_WIDTH,
        latent_dim=1,
        latent_distribution="normal",
        shape=shape,
    )


def trained(
    samples: Samples, shape: DataShape, steps: int, seed: int, game: Game, between: Callable[[int], None]
) -> nn.Module:
    """The network at the check that scored highest, in eval mode."""
    fit = samples.fit
    network = build_discriminator(network_for(shape), weight_seed(seed + game.number, Stream.EVALUATION_WEIGHTS))
    network.to(fit.real.device)
    rate = IMAGE_RATE if fit.real.dim() == 4 else POINT_RATE
    optimizer = torch.optim.Adam(network.parameters(), rate, betas=game.betas)
    best, kept = -np.inf, deepcopy(network)
    for step, (real, fake, alpha) in enumerate(batches(fit, steps, seed, game.number), start=1):
        between(step)
        optimizer.zero_grad(set_to_none=True)
        game.loss(network, real, fake, alpha).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % max(1, steps // CHECKS) == 0 or step == steps:
            score = game.score(network, samples.check)
            if score > best:
                best, kept = score, deepcopy(network)
    return kept.eval().requires_grad_(False)


def batches(fit: Part, steps: int, seed: int, number: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Real rows, generated rows, and α (n,) of the points between them: shuffled passes over each sample."""
    size = batch_size(fit)
    keys = [seed + 2 * number, seed + 2 * number + 1]
    decks = [Deck(np.arange(len(part)), key, Stream.EVALUATION_ORDER) for part, key in zip(fit, keys, strict=True)]
    for step in range(steps):
        alpha = numbers(seed + number, Stream.EVALUATION_ORDER, step).random(size, dtype=np.float32)
        rows = [part[torch.from_numpy(deck.hand(step, size))] for part, deck in zip(fit, decks, strict=True)]
        yield rows[0], rows[1], torch.from_numpy(alpha).to(rows[0].device)


def batch_size(fit: Part) -> int:
    """128 points, or 16 to 128 images, by their size."""
    if fit.real.dim() != 4:
        return POINT_BATCH
    least, most = IMAGE_BATCHES
    return min(most, max(least, PIXELS_AT_ONCE // (fit.real.shape[2] * fit.real.shape[3])))


def pieces(rows: Tensor, step: int) -> Iterator[Tensor]:
    """Some rows at a time."""
    return (rows[start : start + step] for start in range(0, len(rows), step))


@torch.no_grad()
def judged(network: nn.Module, part: Part) -> tuple[Logits, Logits]:
    """Logits of real and of generated rows, float64."""
    step = batch_size(part)
    real, fake = (torch.cat([network(piece) for piece in pieces(rows, step)]).double().cpu().numpy() for rows in part)
    return real, fake


def slope(network: nn.Module, part: Part) -> float:
    """The largest gradient norm of the logit by its input, over real and generated rows."""
    steepest = 0.0
    for piece in (piece for rows in part for piece in pieces(rows, batch_size(part))):
        x = piece.detach().requires_grad_(True)
        steepest = max(steepest, input_gradients(network(x), x, again=False).norm(dim=1).max().item())
    return steepest
