"""The state that a job begins with which goes on from a checkpoint: its networks and averages; all else begins anew.

They come from the model part, which also has the discriminator as it was trained and, beside the averages, the raw
generator: of what the training state has more, a job that begins anew takes nothing. Buffers (batch norm's statistics,
the vectors of spectral normalisation, the mean and spread of conditions) come with the networks they belong to, and the
units of points with them all: what is made of a z is what was made of it before.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from gan.averages import RAW
from gan.checkpoint import ModelHeader, average_prefix, part, read_model
from gan.errors import CheckpointCorrupt
from gan.spec import TrainingSpec
from worker.training.execution import PLAIN, Execution
from worker.training.state import TrainingState, new_state


class Begun(NamedTuple):
    """A state before its first step, and which of its generators the file had: `raw` False where an average stands in
    for it, `averages` the half-lives that go on."""

    state: TrainingState
    raw: bool
    averages: list[float]


def begin_from(path: Path, sha256: str, spec: TrainingSpec, device: torch.device, how: Execution = PLAIN) -> Begun:
    """The state to begin with. CheckpointCorrupt where the file is not what was written, or another network's."""
    header, tensors = read_model(path, sha256)
    if header.network != spec.network:
        raise CheckpointCorrupt(f"{path.name}: it has another network than the job")
    state = new_state(spec, device, how)
    players = state.players
    generators = {RAW: players.generator} | {float(halflife): kept for halflife, kept in players.averages.items()}
    try:
        for halflife, generator in generators.items():
            generator.load_state_dict(generator_of(header, tensors, halflife), strict=True)
        players.average.load_state_dict(generator_of(header, tensors, spec.ema_halflife), strict=True)
        players.discriminator.load_state_dict(part(tensors, "discriminator"), strict=True)
        state.units.load_state_dict(part(tensors, "points") if state.units.taken_over else {}, strict=True)
    except RuntimeError as error:
        raise CheckpointCorrupt(f"{path.name}: its tensors do not fit its header's network") from error
    kept = {spec.ema_halflife, *spec.ema_halflives} - {RAW}
    return Begun(state, has(header, RAW), sorted(halflife for halflife in kept if has(header, halflife)))


def has(header: ModelHeader, halflife: float) -> bool:
    """Whether a file has the average of that half-life; 0 is the raw generator."""
    return halflife == header.ema_halflife or halflife in header.ema_halflives


def generator_of(header: ModelHeader, tensors: dict[str, Tensor], halflife: float) -> dict[str, Tensor]:
    """The average of that half-life, as tensors; the one that draws by default stands in for one that is not there."""
    there = halflife if has(header, halflife) else header.ema_halflife
    return part(tensors, average_prefix(there, header.ema_halflife))
