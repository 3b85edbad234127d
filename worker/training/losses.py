"""The adversarial losses: pure functions over logits, minimised by either player.

r = D(x) are logits of real data, f = D(G(z)) logits of generated data, both of shape (N,); every loss is a scalar,
the mean over the batch. sp is softplus, sp(a) = log(1 + eᵃ). A loss is one row of `LOSSES`.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from gan.spec import Loss

LogitLoss = Callable[[Tensor, Tensor], Tensor]


class AdversarialLoss(NamedTuple):
    """A pair of functions (r, f) → scalar. `pairs` says whether the generator's depends on r as well.

    `undecided` gives the logit, from f (N,), above which D takes what it sees for real.
    """

    discriminator: LogitLoss
    generator: LogitLoss
    pairs: bool = False
    undecided: Callable[[Tensor], Tensor] = torch.zeros_like


def cross_entropy_discriminator(r: Tensor, f: Tensor) -> Tensor:
    """mean(sp(-r) + sp(f)) = -V(D, G), the cross-entropy of telling real from generated (Goodfellow 2014, eq. 1).

    >>> import torch
    >>> cross_entropy_discriminator(torch.zeros(4), torch.zeros(4)).item()  # 2 log 2: D cannot tell
    1.3862943649291992
    """
    return (softplus(-r) + softplus(f)).mean()


def minimax_generator(r: Tensor, f: Tensor) -> Tensor:  # noqa: ARG001
    """mean(-sp(f)) = E log(1 - D(G(z))): the true game, which saturates where D is sure (Goodfellow 2014, eq. 1).

    >>> import torch
    >>> f = torch.tensor([-20.0], requires_grad=True)
    >>> minimax_generator(f, f).backward()
    >>> bool(f.grad.abs() < 1e-8)  # D is sure, and G learns nothing
    True
    """
    return -softplus(f).mean()


def non_saturating_generator(r: Tensor, f: Tensor) -> Tensor:  # noqa: ARG001
    """mean(sp(-f)) = -E log D(G(z)) (Goodfellow 2014, sec. 3).

    >>> import torch
    >>> f = torch.tensor([-20.0], requires_grad=True)
    >>> non_saturating_generator(f, f).backward()
    >>> round(f.grad.item(), 6)  # D is sure, and G learns at full speed
    -1.0
    """
    return softplus(-f).mean()


def least_squares_discriminator(r: Tensor, f: Tensor) -> Tensor:
    """mean(½(r - 1)² + ½f²) (Mao 2017, eq. 9).

    >>> import torch
    >>> least_squares_discriminator(torch.ones(2), torch.zeros(2)).item()
    0.0
    """
    return 0.5 * ((r - 1).square() + f.square()).mean()


def least_squares_generator(r: Tensor, f: Tensor) -> Tensor:  # noqa: ARG001
    """mean(½(f - 1)²) (Mao 2017, eq. 9).

    >>> import torch
    >>> least_squares_generator(torch.zeros(2), torch.zeros(2)).item()
    0.5
    """
    return 0.5 * (f - 1).square().mean()


def wasserstein_discriminator(r: Tensor, f: Tensor) -> Tensor:
    """mean(f - r): minus the critic's gap (Arjovsky 2017, eq. 2).

    >>> import torch
    >>> wasserstein_discriminator(torch.tensor([3.0]), torch.tensor([1.0])).item()
    -2.0
    """
    return (f - r).mean()


def negative_logit_generator(r: Tensor, f: Tensor) -> Tensor:  # noqa: ARG001
    """mean(-f) (Arjovsky 2017, algorithm 1; Miyato 2018, eq. 17).

    >>> import torch
    >>> negative_logit_generator(torch.zeros(1), torch.tensor([2.0])).item()
    -2.0
    """
    return -f.mean()


def hinge_discriminator(r: Tensor, f: Tensor) -> Tensor:
    """mean(relu(1 - r) + relu(1 + f)) (Miyato 2018, eq. 16).

    >>> import torch
    >>> hinge_discriminator(torch.tensor([2.0]), torch.tensor([-0.5])).item()
    0.5
    """
    return (relu(1 - r) + relu(1 + f)).mean()


def relativistic_discriminator(r: Tensor, f: Tensor) -> Tensor:
    """mean(sp(f - r)), each real paired with one generated (Jolicoeur-Martineau 2019; Huang 2024, eq. 2).

    >>> import torch
    >>> relativistic_discriminator(torch.tensor([5.0]), torch.tensor([5.0])).item()  # a common offset cancels
    0.6931471824645996
    """
    return softplus(f - r).mean()


def relativistic_generator(r: Tensor, f: Tensor) -> Tensor:
    """mean(sp(r - f)); no gradient flows through r (Huang 2024, eq. 2).

    >>> import torch
    >>> relativistic_generator(torch.tensor([5.0]), torch.tensor([5.0])).item()
    0.6931471824645996
    """
    return softplus(r.detach() - f).mean()


def halfway(f: Tensor) -> Tensor:
    """½, between the targets of real and generated (Mao 2017): (N,) → (N,)."""
    return torch.full_like(f, 0.5)


def level_of_generated(f: Tensor) -> Tensor:
    """mean f, for losses that know differences of logits only, so that all logits have a free offset: (N,) → ()."""
    return f.mean()


LOSSES: dict[Loss, AdversarialLoss] = {
    "minimax": AdversarialLoss(cross_entropy_discriminator, minimax_generator),
    "non_saturating": AdversarialLoss(cross_entropy_discriminator, non_saturating_generator),
    "least_squares": AdversarialLoss(least_squares_discriminator, least_squares_generator, undecided=halfway),
    "wasserstein": AdversarialLoss(wasserstein_discriminator, negative_logit_generator, undecided=level_of_generated),
    "hinge": AdversarialLoss(hinge_discriminator, negative_logit_generator),
    "relativistic": AdversarialLoss(
        relativistic_discriminator, relativistic_generator, pairs=True, undecided=level_of_generated
    ),
}
