"""The two players, the generator's average and their optimisers: all that training moves."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan.averages import number_of
from gan.networks.build import build_discriminator, build_generator
from gan.spec import Optimizer as OptimizerName
from gan.spec import TrainingSpec
from worker.training.draws import Stream, weight_seed
from worker.training.execution import PLAIN, Execution
from worker.training.optimizers import DEVICE_OPTIMIZERS, EPSILON, RMSPROP_MEMORY
from worker.training.schedules import moved


@dataclass(frozen=True)
class Figures:
    """The scheduled values that hold for one step: numbers, or scalars on the device where steps are replayed."""

    learning_rate: float | Tensor
    beta2: float | Tensor
    r1: float | Tensor
    r2: float | Tensor


@dataclass(frozen=True)
class Players:
    """Generator, discriminator, the generator's exponential moving average, and the optimisers of the first two.

    `average` draws by default; `averages` are those kept beside it, by the half-life's whole number of images.
    `execution` says how their steps are run.
    """

    generator: nn.Module
    discriminator: nn.Module
    average: nn.Module
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    averages: nn.ModuleDict = field(default_factory=nn.ModuleDict)
    execution: Execution = PLAIN


def _adam(parameters: Iterable[nn.Parameter], spec: TrainingSpec) -> Optimizer:
    return torch.optim.Adam(parameters, spec.learning_rate, betas=spec.betas, eps=EPSILON, fused=True)


def _rmsprop(parameters: Iterable[nn.Parameter], spec: TrainingSpec) -> Optimizer:
    return torch.optim.RMSprop(parameters, spec.learning_rate, alpha=RMSPROP_MEMORY, eps=EPSILON, foreach=True)


OPTIMIZERS: dict[OptimizerName, Callable[[Iterable[nn.Parameter], TrainingSpec], Optimizer]] = {
    "adam": _adam,
    "rmsprop": _rmsprop,
}


def new_players(spec: TrainingSpec, device: torch.device, how: Execution = PLAIN) -> Players:
    """Players with weights drawn from the job's seed, on `device`."""
    generator = build_generator(spec.network, weight_seed(spec.seed, Stream.WEIGHTS_GENERATOR))
    discriminator = build_discriminator(spec.network, weight_seed(spec.seed, Stream.WEIGHTS_DISCRIMINATOR))
    for network in (generator, discriminator):
        network.to(device, memory_format=how.memory_format)  # type: ignore[call-overload]  # missing in torch's stub
    optimizer = (DEVICE_OPTIMIZERS if how.captured else OPTIMIZERS)[spec.optimizer]
    average = deepcopy(generator).eval().requires_grad_(False)
    beside = [halflife for halflife in spec.ema_halflives if halflife != spec.ema_halflife]
    return Players(
        generator,
        discriminator,
        average,
        optimizer(generator.parameters(), spec),
        optimizer(discriminator.parameters(), spec),
        nn.ModuleDict({str(number_of(halflife)): deepcopy(average) for halflife in beside}),
        how,
    )


def figures(spec: TrainingSpec, share: float) -> Figures:
    """The scheduled values when `share` (0..1) of the budget is spent."""
    return Figures(
        learning_rate=moved(spec.learning_rate, spec.schedules.get("learning_rate"), share),
        beta2=moved(spec.betas[1], spec.schedules.get("beta2"), share),
        r1=moved(spec.r1, spec.schedules.get("r1"), share),
        r2=moved(spec.r2, spec.schedules.get("r2"), share),
    )


def tune(optimizer: Optimizer, now: Figures) -> None:
    """Sets the scheduled learning rate and β₂."""
    for group in optimizer.param_groups:
        group["lr"] = now.learning_rate
        if "betas" in group:
            group["betas"] = (group["betas"][0], now.beta2)


@torch.no_grad()
def update_average(average: nn.Module, generator: nn.Module, decay: float) -> None:
    """average ← decay · average + (1 - decay) · generator; buffers (batch norm's statistics) are copied."""
    torch._foreach_lerp_(list(average.parameters()), list(generator.parameters()), 1.0 - decay)
    for kept, current in zip(average.buffers(), generator.buffers(), strict=True):
        kept.copy_(current)
