"""Rows to be compared: those of a prepared dataset, and those that a model makes.

Images are levels, uint8 (N, C, H, W); points are float32 (N, D) in the data's own units.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan.checkpoint import LoadedNetwork
from gan.images import to_uint8
from gan.latents import draw_condition, draw_label, latents
from gan.spec import MAX_SEED, ImageShape
from worker.training.data import Packed

PIXELS_AT_ONCE = 2**18
POINTS_AT_ONCE = 4096

Pause = Callable[[], None]
"""Called between parts of the work; raises where it is to end."""


class PackedRows:
    """Some rows of a dataset, in the order of their numbers `rows`."""

    def __init__(self, packed: Packed, rows: NDArray[np.int64]) -> None:
        self._data, self._rows = packed.data, rows

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, start: int, stop: int) -> Tensor:
        """The rows from place `start` to before `stop`."""
        read = torch.from_numpy(np.ascontiguousarray(self._data[self._rows[start:stop]]))
        return read.permute(0, 3, 1, 2).contiguous() if read.dim() == 4 else read


class ModelRows:
    """What a generator makes of seed, seed + 1, …: the very samples that the API draws (labels by frequency, ψ = 1)."""

    def __init__(self, loaded: LoadedNetwork, seed: int, device: torch.device) -> None:
        self._loaded, self._seed, self._device = loaded, seed, device
        self._net = loaded.header.network
        self._module = loaded.module.to(device)

    @torch.no_grad()
    def read(self, start: int, stop: int, between: Pause = lambda: None) -> Tensor:
        """The samples of seed + start … seed + stop - 1."""
        parts, step = [], self._at_once()
        for first in range(start, stop, step):
            between()
            parts.append(self._made(first, min(first + step, stop)))
        return torch.cat(parts)

    def _at_once(self) -> int:
        shape = self._net.shape
        return max(1, PIXELS_AT_ONCE // (shape.height * shape.width)) if shape.kind == "images" else POINTS_AT_ONCE

    def _made(self, start: int, stop: int) -> Tensor:
        seeds = [(self._seed + place) % (MAX_SEED + 1) for place in range(start, stop)]
        z = torch.from_numpy(latents(seeds, self._net.latent_dim, self._net.latent_distribution))
        c = CONDITIONS[self._net.conditioning.kind](self._loaded, seeds)
        made = self._module(z.to(self._device), None if c is None else c.to(self._device)).cpu()
        if isinstance(self._net.shape, ImageShape):
            return torch.from_numpy(np.ascontiguousarray(to_uint8(made.numpy()).transpose(0, 3, 1, 2)))
        assert self._loaded.mean is not None
        assert self._loaded.std is not None
        points: Tensor = made * self._loaded.std + self._loaded.mean
        return points


def _none(loaded: LoadedNetwork, seeds: list[int]) -> None:
    """No condition."""
    del loaded, seeds


def _classes(loaded: LoadedNetwork, seeds: list[int]) -> Tensor:
    """One-hot classes, by their frequencies in the training data."""
    size = loaded.header.network.conditioning.size
    counts = loaded.header.class_counts if any(loaded.header.class_counts) else (1,) * size
    return torch.eye(size)[[draw_label(seed, counts) for seed in seeds]]


def _kept(loaded: LoadedNetwork, seeds: list[int]) -> Tensor:
    """Vectors or inputs of training rows, of those that the checkpoint carries."""
    assert loaded.conditions is not None
    return loaded.conditions[[draw_condition(seed, len(loaded.conditions)) for seed in seeds]]


CONDITIONS: dict[str, Callable[[LoadedNetwork, list[int]], Tensor | None]] = {
    "none": _none,
    "class": _classes,
    "vector": _kept,
    "image": _kept,
}
"""Kind of condition → what the samples of these seeds are given, as `service.planning` has it."""
