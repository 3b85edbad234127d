"""One adversarial step of either player, as the equations have it; it knows of no queue, epoch or file.

Within a step spectrally normalised weights are computed once (`cached`): one power iteration a step, and real and
generated data are judged by the same critic.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.parametrize import cached

from gan.spec import TrainingSpec
from worker.training.augment import Augmentation, unchanged
from worker.training.losses import LOSSES
from worker.training.penalties import BEFORE_CRITIC_STEP, one_centred, zero_centred
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


@cached()
def discriminator_step(players: Players, batch: Batch, spec: TrainingSpec, now: Figures) -> dict[str, Tensor]:
    """One update of D against the present G. Returns detached scalars: loss, penalty, E r, E f, E sign r.

    Penalties differentiate D(T(x)) by x, the images before augmentation.
    """
    D, G, T, loss_of = players.discriminator, players.generator, batch.augmented, LOSSES[spec.loss]
    BEFORE_CRITIC_STEP[spec.lipschitz](D, spec)
    D.requires_grad_(True)
    with torch.no_grad():
        fake = G(batch.z, batch.c)
    real = batch.x.detach().requires_grad_(now.r1 > 0)
    fake.requires_grad_(now.r2 > 0)
    c = batch.seen
    r, f = D(T(real), c), D(T(fake), c)
    loss = loss_of.discriminator(r, f)
    penalty = torch.zeros((), device=loss.device)
    if now.r1 > 0:
        penalty = penalty + now.r1 * zero_centred(r, real)
    if now.r2 > 0:
        penalty = penalty + now.r2 * zero_centred(f, fake)
    if spec.lipschitz == "gradient_penalty":
        penalty = penalty + spec.gradient_penalty * one_centred(lambda x, c: D(T(x), c), real, fake, c, batch.alpha)
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
    D, G, T, loss_of = players.discriminator, players.generator, batch.augmented, LOSSES[spec.loss]
    D.requires_grad_(False)
    fake, c = G(batch.z, batch.c), batch.seen
    f = D(T(fake), c)
    with torch.no_grad():
        r = D(T(batch.x), c) if loss_of.pairs else f
    loss, beside = loss_of.generator(r, f), {}
    if spec.l1 > 0:
        beside["l1"] = (fake - batch.x).abs().mean()
        loss = loss + spec.l1 * beside["l1"]
    tune(players.generator_optimizer, now)
    players.generator_optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    players.generator_optimizer.step()
    return {"loss_generator": loss.detach(), **{name: value.detach() for name, value in beside.items()}}
