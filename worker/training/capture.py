"""Whole steps of either player as CUDA graphs: recorded once, then replayed with new batches and new figures.

What a replay reads has fixed places in memory (`Places`): a batch, and the scheduled figures as scalars. Whatever else
moves is moved in place by the step itself (weights, moments, statistics) or by training (the probability of an
augmentation). Places work on any device, so that all but the recording is tested without a GPU.
"""

from collections.abc import Callable
from dataclasses import astuple, fields, replace
from typing import Any

import torch
from torch import Tensor

from gan.spec import TrainingSpec
from worker.training.augment import Transformed
from worker.training.players import Figures, Players
from worker.training.step import Batch, Step

WARM_UPS = 3
"""Eager steps before recording: libraries choose their kernels and reserve memory in the first ones."""


class Places:
    """Fixed memory for a batch and for figures, filled anew for every step."""

    def __init__(self, batch: Batch, now: Figures) -> None:
        device = batch.x.device
        copies: dict[str, Any] = {name: t.clone() for name, t in _tensors(batch).items()}
        self.batch = replace(batch, **copies)
        for name, T in _transforms(batch).items():  # the probability has a place already, in the training state
            held: dict[str, Any] = {name: replace(T, u=T.u.clone())}
            self.batch = replace(self.batch, **held)
        self.now = Figures(*(torch.zeros((), device=device) for _ in astuple(now)))
        self.fill(batch, now)

    def fill(self, batch: Batch, now: Figures) -> None:
        """Copies a batch of the same sizes, and the figures; waits for nothing."""
        held = _tensors(self.batch)
        for name, tensor in _tensors(batch).items():
            held[name].copy_(tensor, non_blocking=True)
        for name, T in _transforms(batch).items():
            _transforms(self.batch)[name].u.copy_(T.u, non_blocking=True)
        for field in fields(Figures):
            getattr(self.now, field.name).fill_(getattr(now, field.name))


def _tensors(batch: Batch) -> dict[str, Tensor]:
    found: dict[str, Any] = {field.name: getattr(batch, field.name) for field in fields(Batch)}
    return {name: value for name, value in found.items() if isinstance(value, Tensor)}


def _transforms(batch: Batch) -> dict[str, Transformed]:
    found = {name: getattr(batch, name) for name in ("augmented", "shown")}
    return {name: T for name, T in found.items() if isinstance(T, Transformed)}


class Captured:
    """A step with the signature of the eager one. The first call records; that and every other call replays.

    `moving` gives all tensors that a step may move: they are put back after the warm-ups.
    """

    def __init__(self, step: Step, moving: Callable[[], list[Tensor]]) -> None:
        self._step, self._moving = step, moving
        self._places: Places | None = None

    def __call__(self, players: Players, batch: Batch, spec: TrainingSpec, now: Figures) -> dict[str, Tensor]:
        """Named detached scalars, which the next call overwrites."""
        if self._places is None:
            self._places = Places(batch, now)
            self._record(players, self._places, spec)
        self._places.fill(batch, now)
        self._graph.replay()
        return self._said

    def _record(self, players: Players, places: Places, spec: TrainingSpec) -> None:
        before = [(tensor, tensor.clone()) for tensor in self._moving()]
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                self._step(players, places.batch, spec, places.now)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._said = self._step(players, places.batch, spec, places.now)
        for tensor, held in before:
            tensor.copy_(held)
