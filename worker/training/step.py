"""One adversarial step of either player, as the equations have it; it knows of no queue, epoch or file.

Within a step spectrally normalised weights are computed once (`cached`): one power iteration a step, and real and
generated data are judged by the same critic.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.parametrize import cached

from gan.spec import TrainingSpec
from worker.training.augment import Augmentation, unchanged
from worker.training.execution import safe_for_critic, safe_for_generator
from worker.training.losses import LOSSES
from worker.training.penalties import BEFORE_CRITIC_STEP, one_centred, zero_centred_on
from worker.training.players import Figures, Players, tune


@dataclass(frozen=True)
class Batch:
    """x: data (N, …). c: its conditions (N, …) or None, given to the generated half too. z: latents (N, latent_dim).

    `alpha`: (N,) in [0, 1], where on the line between real and generated the gradient penalty looks. `augmented`: T,
    what D sees of images; one and the same for real and generated. `shown`: what D sees of conditions that are images.
    """

    x: Tensor
    c: Tensor | None
    z: Tensor
    alpha: Tensor
    augmented: Augmentation = unchanged
    shown: Augmentation = unchanged

    @property
    def seen(self) -> Tensor | None:
        """The conditions as D sees them."""
        return None if self.c is None else self.shown(self.c)


Step = Callable[[Players, Batch, TrainingSpec, Figures], dict[str, Tensor]]
"""One update of one player."""


@cached()
def discriminator_step(players: Players, batch: Batch, spec: TrainingSpec, now: Figures) -> dict[str, Tensor]:
    """One update of D against the present G. Returns detached scalars: loss, penalty, E r, E f, E sign r.

    Penalties differentiate D(T(x)) by x, the images before augmentation.
    """
    D, T, loss_of = players.discriminator, batch.augmented, LOSSES[spec.loss]
    BEFORE_CRITIC_STEP[spec.lipschitz](D, spec)
    D.requires_grad_(True)
    real = batch.x.detach().requires_grad_(spec.r1 > 0)
    with torch.no_grad():
        fake = generated(players, batch, safe=safe_for_generator(spec))
    fake.requires_grad_(spec.r2 > 0)
    r, f = judged(players, batch, [real, fake], safe=safe_for_critic(spec))
    loss = loss_of.discriminator(r, f)
    penalty = zero_centred_on([(gamma, x) for gamma, x in ((now.r1, real), (now.r2, fake)) if x.requires_grad], r, f)
    if spec.lipschitz == "gradient_penalty":
        penalty = penalty + spec.gradient_penalty * one_centred(
            lambda x, c: D(T(x), c), real, fake, batch.seen, batch.alpha
        )
    tune(players.discriminator_optimizer, now)
    players.discriminator_optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss + penalty)
    players.discriminator_optimizer.step()
    return {
        "loss_discriminator": loss.detach(),
        "penalty": penalty.detach(),
        "logit_real": r.detach().mean(),
        "logit_fake": f.detach().mean(),
        "sign_real": (r - loss_of.undecided(f)).detach().sign().mean(),
    }


@cached()
def generator_step(players: Players, batch: Batch, spec: TrainingSpec, now: Figures) -> dict[str, Tensor]:
    """One update of G against the present D. Returns its loss, detached; with λ = l1 > 0 also the mean |G(z, c) - x|.

    λ times that is added to the loss (pix2pix: Isola 2017, eq. 4), where x is the target of the input c.
    """
    D, loss_of = players.discriminator, LOSSES[spec.loss]
    safe = safe_for_generator(spec)
    D.requires_grad_(False)
    fake = generated(players, batch, safe=safe)
    (f,) = judged(players, batch, [fake], safe=safe)
    with torch.no_grad():
        (r,) = judged(players, batch, [batch.x], safe=safe) if loss_of.pairs else (f,)
    loss, beside = loss_of.generator(r, f), {}
    if spec.l1 > 0:
        beside["l1"] = (fake - batch.x).abs().mean()
        loss = loss + spec.l1 * beside["l1"]
    tune(players.generator_optimizer, now)
    players.generator_optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    players.generator_optimizer.step()
    return {"loss_generator": loss.detach(), **{name: value.detach() for name, value in beside.items()}}


def generated(players: Players, batch: Batch, *, safe: bool) -> Tensor:
    """G(z), in lower precision where that is on and `safe`; what comes out is as precise as z."""
    with players.execution.lower(safe=safe):
        images: Tensor = players.generator(batch.z, batch.c)
    return images.to(batch.z.dtype)


def judged(players: Players, batch: Batch, looked_at: list[Tensor], *, safe: bool) -> list[Tensor]:
    """D(T(x)) (N,) of each x that is looked at, as precise as x; all in one forward where the execution says so.

    Every x has the batch's conditions and its T.
    """
    D, c, shown = players.discriminator, batch.seen, [batch.augmented(x) for x in looked_at]
    with players.execution.lower(safe=safe):
        if players.execution.together and len(shown) > 1:
            logits = D(torch.cat(shown), None if c is None else torch.cat([c] * len(shown)))
            parts = list(logits.chunk(len(shown)))
        else:
            parts = [D(x, c) for x in shown]
    return [part.to(batch.x.dtype) for part in parts]
