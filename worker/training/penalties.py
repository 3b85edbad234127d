"""Lipschitz control and gradient penalties: what keeps a discriminator from being arbitrarily steep.

x is a batch of data, (N, …); logits have shape (N,); a penalty is a scalar.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gan.spec import Lipschitz, TrainingSpec

Critic = Callable[[Tensor, Tensor | None], Tensor]


def input_gradients(logits: Tensor, x: Tensor, *, again: bool = True) -> Tensor:
    """∇ₓD(x), one row a sample: (N,), (N, …) → (N, numbers in x); x must require gradients.

    `again` keeps the graph, so that the gradient can be differentiated itself.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=again)
    return gradient.flatten(1)


def zero_centred(logits: Tensor, x: Tensor) -> Tensor:
    """½ · mean ‖∇ₓD(x)‖²: R1 on real data, R2 on generated, before its γ (Mescheder 2018, eq. 9)."""
    return 0.5 * input_gradients(logits, x).square().sum(dim=1).mean()


def one_centred(critic: Critic, real: Tensor, fake: Tensor, c: Tensor | None, alpha: Tensor) -> Tensor:
    """mean (‖∇D(x̂)‖₂ - 1)² with x̂ = α·real + (1 - α)·fake, α (N,) in [0, 1], before its λ (Gulrajani 2017, eq. 3)."""
    alpha = alpha.view(-1, *[1] * (real.dim() - 1))
    between = torch.lerp(fake.detach(), real.detach(), alpha).requires_grad_(True)
    norms = input_gradients(critic(between, c), between).norm(dim=1)
    penalty: Tensor = (norms - 1).square().mean()
    return penalty


def zero_centred_on(seen: list[tuple[float | Tensor, Tensor]], *logits: Tensor) -> Tensor:
    """Σ γ/2 · mean ‖∇ₓD(x)‖² over pairs (γ, x), with one backward for all x; 0 where there are none.

    `logits` (N,) are of these x and of whatever else; each depends on its own sample alone.
    """
    if not seen:
        return torch.zeros((), device=logits[0].device)
    gammas, inputs = zip(*seen, strict=True)
    gradients = torch.autograd.grad(torch.cat(logits).sum(), inputs, create_graph=True)
    squares = [0.5 * g.square().flatten(1).sum(dim=1).mean() for g in gradients]
    return torch.stack([gamma * square for gamma, square in zip(gammas, squares, strict=True)]).sum()


@torch.no_grad()
def clip_weights(critic: nn.Module, bound: float) -> None:
    """Clamps every parameter, biases included, to [-bound, bound] (Arjovsky 2017, algorithm 1)."""
    for parameter in critic.parameters():
        parameter.clamp_(-bound, bound)


def _clip_by_spec(critic: nn.Module, spec: TrainingSpec) -> None:
    clip_weights(critic, spec.clip)


def _leave_alone(critic: nn.Module, spec: TrainingSpec) -> None:
    """Nothing to do between steps; spectral normalisation sits inside the network's layers."""


BEFORE_CRITIC_STEP: dict[Lipschitz, Callable[[nn.Module, TrainingSpec], None]] = {
    "none": _leave_alone,
    "weight_clipping": _clip_by_spec,
    "gradient_penalty": _leave_alone,
    "spectral_norm": _leave_alone,
}
"""What is done to the critic before each of its steps."""
