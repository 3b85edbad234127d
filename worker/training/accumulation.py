"""One step on a batch that memory does not hold at once: part by part, with the gradients added up.

Each part goes through the very step that a whole batch goes through; only the optimiser waits. The gradient is that of
the whole batch wherever a sample's loss and penalty do not depend on the others: for all losses and penalties here, but
not through batch norm, whose statistics are then those of a part. (ADA's sign, under losses whose logits have a free
offset, goes by the part's mean logit.)
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan.spec import TrainingSpec
from worker.training.players import Figures, Players
from worker.training.step import Batch, Step

BatchOf = Callable[[slice], Batch]
"""Some rows of a step's batch."""
WHOLE = slice(None)


def cuts(size: int, parts: int) -> list[slice]:
    """Slices that cut `size` rows into `parts` of nearly one size.

    >>> cuts(5, 2)
    [slice(0, 2, None), slice(2, 5, None)]
    """
    edges = [size * k // parts for k in range(parts + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


class Waiting:
    """Stands for an optimiser until all parts were seen: it is tuned at once, and only told to clear and to step."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.asked = optimizer, False

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The optimiser's own, so that rates are set where they belong."""
        return self.optimizer.param_groups

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Nothing: gradients of the parts before stay."""

    def step(self) -> None:
        """Noted, and done when the last part was seen."""
        self.asked = True


def accumulated(
    step: Step, players: Players, batch_of: BatchOf, parts: Sequence[slice], spec: TrainingSpec, now: Figures
) -> dict[str, Tensor]:
    """`step` on the whole batch, one part at a time; returns its scalars, weighed by the parts' rows."""
    waiting = [Waiting(players.generator_optimizer), Waiting(players.discriminator_optimizer)]
    for one in waiting:
        one.optimizer.zero_grad(set_to_none=True)
    patient = replace(
        players,
        generator_optimizer=cast(Optimizer, waiting[0]),
        discriminator_optimizer=cast(Optimizer, waiting[1]),
    )
    networks = (players.generator, players.discriminator)
    before = [buffer.clone() for buffer in players.discriminator.buffers()]
    rows, told = [part.stop - part.start for part in parts], []
    for k, part in enumerate(parts):
        if k > 0:
            _scale(networks, rows[k - 1] / rows[k])
            # so that spectral normalisation, which iterates in every forward, judges each part by the same weights
            for buffer, kept in zip(players.discriminator.buffers(), before, strict=True):
                buffer.copy_(kept)
        told.append(step(patient, batch_of(part), spec, now))
    _scale(networks, rows[-1] / sum(rows))
    for one in waiting:
        if one.asked:
            one.optimizer.step()
    return {name: _weighed([scalars[name] for scalars in told], rows) for name in told[0]}


def _weighed(scalars: Sequence[Tensor], rows: Sequence[int]) -> Tensor:
    """The mean of the parts' means, by their rows."""
    total: Tensor = torch.stack([mean * count for mean, count in zip(scalars, rows, strict=True)]).sum()
    return total / sum(rows)


@torch.no_grad()
def _scale(networks: Sequence[nn.Module], by: float) -> None:
    gradients = [p.grad for network in networks for p in network.parameters() if p.grad is not None]
    if by != 1 and gradients:
        torch._foreach_mul_(gradients, by)
