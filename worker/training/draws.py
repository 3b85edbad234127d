"""Training's randomness: every draw is keyed by (seed, stream, step), so there is no random state to save.

A stream is a purpose; the step counts that stream's draws. Numpy's Philox gives each key its own sequence.
"""

from enum import IntEnum
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray

from gan.spec import LatentDistribution, TrainingSpec


class Stream(IntEnum):
    """Purposes that must never share random numbers. Values are part of the resume contract: do not renumber."""

    HOLDOUT = 1
    CRITIC_ORDER = 2
    GENERATOR_ORDER = 3
    CRITIC_LATENTS = 4
    GENERATOR_LATENTS = 5
    ESTIMATE = 7
    WEIGHTS_GENERATOR = 8
    WEIGHTS_DISCRIMINATOR = 9
    CRITIC_AUGMENT = 10
    GENERATOR_AUGMENT = 11
    SLICES = 20
    CHECKPOINT_ROWS = 21
    EVALUATION_ROWS = 22
    EVALUATION_ORDER = 23
    EVALUATION_WEIGHTS = 24


def numbers(seed: int, stream: Stream, step: int) -> np.random.Generator:
    """A generator that only (seed, stream, step) determine; step is the high word of Philox's 256-bit counter."""
    return np.random.Generator(np.random.Philox(key=[seed, stream], counter=[0, 0, 0, step]))


def seed_of(spec: TrainingSpec) -> int:
    """What the draws of a training's steps and reports are keyed by: its seed.

    Where it goes on from a checkpoint, the seed and that file's bytes: its steps count from 0, and no draw that any
    earlier training has made may come again.
    """
    if spec.resume_from is None:
        return spec.seed
    mixed = sha256(f"{spec.seed} {spec.resume_from.sha256}".encode()).digest()
    return int.from_bytes(mixed[:8], "big") >> 1


def weight_seed(seed: int, stream: Stream) -> int:
    """A 63-bit seed for a network's initial weights."""
    return int(numbers(seed, stream, 0).integers(2**63 - 1))


def latents(rng: np.random.Generator, count: int, dim: int, distribution: LatentDistribution) -> torch.Tensor:
    """z of shape (count, dim), float32: standard normal, or uniform on [-1, 1)."""
    if distribution == "normal":
        return torch.from_numpy(rng.standard_normal((count, dim), dtype=np.float32))
    return torch.from_numpy(rng.random((count, dim), dtype=np.float32) * 2 - 1)


class Deck:
    """Endless shuffled passes over `items`: hand `step` of `size` cards depends on (seed, stream, step) alone."""

    def __init__(self, items: NDArray[np.int64], seed: int, stream: Stream) -> None:
        assert len(items) > 0
        self.items, self.seed, self.stream = items, seed, stream
        self._passes: dict[int, NDArray[np.int64]] = {}

    def hand(self, step: int, size: int) -> NDArray[np.int64]:
        """Items (size,) at places step·size … of the endless sequence; every pass shows each item once."""
        places = np.arange(step * size, (step + 1) * size)
        passes, within = np.divmod(places, len(self.items))
        return np.concatenate([self._shuffled(p)[within[passes == p]] for p in np.unique(passes)])

    def _shuffled(self, number: int) -> NDArray[np.int64]:
        if number not in self._passes:
            self._passes = {k: v for k, v in self._passes.items() if k == number - 1}
            self._passes[number] = numbers(self.seed, self.stream, number).permutation(self.items)
        return self._passes[number]
