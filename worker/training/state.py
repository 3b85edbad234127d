"""Everything that a bit-exact resume needs, named in one place; saving and loading walk the same list.

Random draws are keyed by step (`worker.training.draws`), so the counters stand for all random state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel
from torch import Tensor, nn
from torch.optim import Optimizer

from gan.checkpoint import Written, part, read_tensors, write_tensors
from gan.errors import CheckpointCorrupt
from gan.spec import PointShape, TrainingSpec, Words
from worker.training.augment import Strength
from worker.training.execution import PLAIN, Execution
from worker.training.meters import Meters
from worker.training.players import Players, new_players
from worker.training.recovery import Change
from worker.training.watch import Watch


class Counters(BaseModel):
    """How far training is. `images` counts real images consumed by discriminator updates; `seconds` is wall clock.

    `reports` is the number of the last report: the images seen then, in whole `report_every`. `changes` are the
    figures that a break had changed. All are the job's own, and begin at zero; `before` is what its model had seen
    when it was made, where it goes on from another's checkpoint.
    """

    images: int = 0
    before: int = 0
    critic_steps: int = 0
    generator_steps: int = 0
    since_generator: int = 0
    seconds: float = 0.0
    reports: int = 0
    changes: list[Change] = []

    @property
    def seen(self) -> int:
        """Images that the model has seen: what its checkpoints, series and previews count."""
        return self.before + self.images


class Units(nn.Module):
    """`mean` and `std` (D,) that points are standardised by where a job took them over with the checkpoint that it
    goes on from; empty where they are the data's own."""

    mean: Tensor
    std: Tensor

    def __init__(self, spec: TrainingSpec) -> None:
        super().__init__()
        self.taken_over = spec.resume_from is not None and isinstance(spec.network.shape, PointShape)
        if isinstance(spec.network.shape, PointShape) and self.taken_over:
            self.register_buffer("mean", torch.zeros(spec.network.shape.dims))
            self.register_buffer("std", torch.ones(spec.network.shape.dims))


@dataclass
class TrainingState:
    """The players, how strongly data are augmented, the units of points, how far all is, the means that the next report
    will show, and what the last ones showed.
    """

    players: Players
    strength: Strength
    units: Units
    counters: Counters = field(default_factory=Counters)
    meters: Meters = field(default_factory=Meters)
    watch: Watch = field(default_factory=Watch)

    def modules(self) -> dict[str, nn.Module]:
        """Networks, the augmentation's strength where it moves and units that were taken over, by their name in the
        file."""
        p = self.players
        return {
            "generator": p.generator,
            "discriminator": p.discriminator,
            "average": p.average,
            "averages": p.averages,
            "augment": self.strength,
            "units": self.units,
        }

    def optimizers(self) -> dict[str, tuple[Optimizer, nn.Module]]:
        """Optimisers and the network each moves, by their name in the file."""
        p = self.players
        return {
            "generator_optimizer": (p.generator_optimizer, p.generator),
            "discriminator_optimizer": (p.discriminator_optimizer, p.discriminator),
        }


class StateHeader(Words):
    """What a training-state file says of itself. `formats` names tensors that were not contiguous in memory."""

    format: Literal["ganymede.training-state"] = "ganymede.training-state"
    version: Literal[1] = 1
    spec: TrainingSpec
    counters: Counters
    meters: dict[str, tuple[float, int]]
    watch: Watch = Watch()
    formats: Mapping[str, Literal["channels_last"]]


def new_state(spec: TrainingSpec, device: torch.device, how: Execution = PLAIN) -> TrainingState:
    """The state before the first step."""
    return TrainingState(
        new_players(spec, device, how),
        Strength(spec.augment).to(device),
        Units(spec).to(device),
        Counters(before=spec.before),
    )


def state_tensors(state: TrainingState) -> dict[str, Tensor]:
    """Every tensor of the state, by name: `generator.…`, `generator_optimizer.{parameter}.{moment}`, …"""
    tensors: dict[str, Tensor] = {}
    for name, module in state.modules().items():
        tensors |= {f"{name}.{key}": t for key, t in module.state_dict().items()}
    for name, (optimizer, module) in state.optimizers().items():
        for key, parameter in module.named_parameters():
            moments = optimizer.state.get(parameter, {})
            tensors |= {f"{name}.{key}.{moment}": t for moment, t in moments.items()}
    return tensors


def _is_channels_last(t: Tensor) -> bool:
    return t.dim() == 4 and not t.is_contiguous() and t.is_contiguous(memory_format=torch.channels_last)


def save_state(path: Path, spec: TrainingSpec, state: TrainingState) -> Written:
    """Writes the state, durably. OSError as the file system has it."""
    tensors = state_tensors(state)
    header = StateHeader(
        spec=spec,
        counters=state.counters,
        meters=state.meters.dump(),
        watch=state.watch,
        formats={name: "channels_last" for name, t in tensors.items() if _is_channels_last(t)},
    )
    return write_tensors(path, header, tensors)


def load_state(
    path: Path, spec: TrainingSpec, device: torch.device, sha256: str | None = None, how: Execution = PLAIN
) -> TrainingState:
    """The state as it was saved, ready to go on. CheckpointCorrupt where the file is not what was written."""
    header, tensors = read_tensors(path, StateHeader, sha256)
    for name, memory_format in header.formats.items():
        tensors[name] = tensors[name].to(memory_format=getattr(torch, memory_format))
    state = new_state(spec, device, how)
    try:
        for name, module in state.modules().items():
            module.load_state_dict(part(tensors, name), strict=True)
    except RuntimeError as error:
        raise CheckpointCorrupt(f"{path.name}: its tensors do not fit the job's network") from error
    for name, (optimizer, module) in state.optimizers().items():
        _fill_optimizer(optimizer, module, part(tensors, name), device)
    state.counters = header.counters
    state.meters.load(header.meters, device)
    state.watch = header.watch
    return state


def _laid_as(parameter: Tensor, moment: Tensor) -> Tensor:
    """The moment as its parameter lies in memory, whatever wrote it: a fused optimiser walks both side by side."""
    return torch.empty_like(parameter).copy_(moment) if moment.shape == parameter.shape else moment


def _fill_optimizer(optimizer: Optimizer, module: nn.Module, tensors: dict[str, Tensor], device: torch.device) -> None:
    for key, parameter in module.named_parameters():
        moments = {
            name: _laid_as(parameter, t).to(device)
            for name, t in part(tensors, key).items()
            if "." not in name  # `weight.exp_avg` of another parameter that begins with the same name
        }
        if moments:
            optimizer.state[parameter] = moments
