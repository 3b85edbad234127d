"""Adam and RMSprop whose every scheduled figure may be a scalar on the device, so that a CUDA graph replays them.

torch's own bake β₂ into a captured graph. State and its names are torch's, so a training state fits either.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan.spec import Optimizer as OptimizerName
from gan.spec import TrainingSpec

EPSILON = 1e-8
RMSPROP_MEMORY = 0.99


class DeviceAdam(Optimizer):
    """m ← β₁m + (1 - β₁)g, v ← β₂v + (1 - β₂)g², θ ← θ - lr · m̂ / (√v̂ + ε) (Kingma 2015, algorithm 1).

    `lr` and β₂ are numbers or scalars (): those of the group at each step. State exists from the start.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float]) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas})
        for p in (p for group in self.param_groups for p in group["params"]):
            zeros = {
                name: torch.zeros_like(p, memory_format=torch.preserve_format) for name in ("exp_avg", "exp_avg_sq")
            }
            self.state[p] = {"step": torch.zeros((), device=p.device), **zeros}

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of all parameters that have gradients."""
        assert closure is None
        (group,) = self.param_groups
        (beta1, beta2), params = group["betas"], [p for p in group["params"] if p.grad is not None]
        gradients = [p.grad for p in params]
        steps, means, squares = ([self.state[p][name] for p in params] for name in ("step", "exp_avg", "exp_avg_sq"))
        torch._foreach_add_(steps, 1)
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_add_(squares, _scaled(torch._foreach_mul(gradients, gradients), 1 - beta2))
        unbiased1, unbiased2 = 1 - beta1 ** steps[0], 1 - beta2 ** steps[0]
        roots = torch._foreach_sqrt(squares)
        torch._foreach_div_(roots, unbiased2.sqrt())
        torch._foreach_add_(roots, EPSILON)
        torch._foreach_sub_(params, _scaled(torch._foreach_div(means, roots), group["lr"] / unbiased1))


class DeviceRMSprop(Optimizer):
    """v ← αv + (1 - α)g², θ ← θ - lr · g / (√v + ε), with `lr` a number or a scalar (). State exists from the start."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float) -> None:
        super().__init__(parameters, {"lr": lr})
        for p in (p for group in self.param_groups for p in group["params"]):
            square = torch.zeros_like(p, memory_format=torch.preserve_format)
            self.state[p] = {"step": torch.zeros((), device=p.device), "square_avg": square}

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of all parameters that have gradients."""
        assert closure is None
        (group,) = self.param_groups
        params = [p for p in group["params"] if p.grad is not None]
        gradients = [p.grad for p in params]
        squares = [self.state[p]["square_avg"] for p in params]
        torch._foreach_add_([self.state[p]["step"] for p in params], 1)
        torch._foreach_mul_(squares, RMSPROP_MEMORY)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - RMSPROP_MEMORY)
        roots = torch._foreach_sqrt(squares)
        torch._foreach_add_(roots, EPSILON)
        torch._foreach_sub_(params, _scaled(torch._foreach_div(gradients, roots), group["lr"]))


def _scaled(tensors: Any, by: float | Tensor) -> Any:
    torch._foreach_mul_(tensors, by)
    return tensors


def _adam(parameters: Iterable[nn.Parameter], spec: TrainingSpec) -> Optimizer:
    return DeviceAdam(parameters, spec.learning_rate, spec.betas)


def _rmsprop(parameters: Iterable[nn.Parameter], spec: TrainingSpec) -> Optimizer:
    return DeviceRMSprop(parameters, spec.learning_rate)


DEVICE_OPTIMIZERS: dict[OptimizerName, Callable[[Iterable[nn.Parameter], TrainingSpec], Optimizer]] = {
    "adam": _adam,
    "rmsprop": _rmsprop,
}
