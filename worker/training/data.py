"""The packed dataset as training reads it: no decoding, batches by index, on the device where it fits."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan.checkpoint import MOST_KEPT_BYTES, MOST_KEPT_INPUTS
from gan.errors import DatasetMissing
from gan.spacing import evenly
from gan.spec import DatasetFacts, ImageShape, TrainingSpec
from worker.training.draws import Stream, numbers
from worker.training.execution import MEMORY_FORMATS

FITS = 2 * 1024**3
"""Bytes of packed data up to which the whole set is held in the device's memory; beyond, it stays memory-mapped."""
PIXEL_CENTRE = 127.5
"""(p - 127.5) / 127.5 brings a pixel 0..255 to [-1, 1]."""
ROWS_AT_ONCE = 65_536
"""Rows that statistics are taken over at a time."""
MOST_KEPT_CONDITIONS = 4096
"""Condition vectors that a checkpoint carries, to draw from when a request names none."""


@dataclass(frozen=True)
class Packed:
    """A prepared dataset as it lies on disk: `data` (N, H, W, C) uint8 or (N, D) float32, `labels` (N,) or (N, K).

    Of pairs, `inputs` (N, H, W, Ci) uint8 are the images that the `data` were made for.
    """

    facts: DatasetFacts
    data: NDArray[np.uint8] | NDArray[np.float32]
    labels: NDArray[np.int64] | NDArray[np.float32] | None
    inputs: NDArray[np.uint8] | None = None


def open_packed(folder: Path) -> Packed:
    """Maps a prepared dataset. DatasetMissing where its files are gone."""
    try:
        facts = json.loads((folder / "facts.json").read_text())
        data = np.load(folder / "data.npy", mmap_mode="r", allow_pickle=False)
        paired = facts.get("input_channels") is not None
        inputs = np.load(folder / "inputs.npy", mmap_mode="r", allow_pickle=False) if paired else None
        labels_file = folder / "labels.npy"
        labels = np.load(labels_file, allow_pickle=False) if labels_file.exists() else None
    except FileNotFoundError as error:
        raise DatasetMissing(f"the prepared data is gone from storage: {folder.name}") from error
    known = {name: facts[name] for name in DatasetFacts.model_fields if name in facts}
    return Packed(DatasetFacts.model_validate(known), data, labels, inputs)


def split(count: int, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(training, held-out) row numbers: `share` of `count` rows, drawn by the seed, are never trained on."""
    order = numbers(seed, Stream.HOLDOUT, 0).permutation(count)
    held = int(count * share)
    return np.sort(order[held:]), np.sort(order[:held])


def moments(data: NDArray[Any], rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (D,) of some rows of (N, D), in two passes and memory for a few rows at a time."""
    parts = [rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE)]
    mean = sum(data[part].sum(axis=0, dtype=np.float64) for part in parts) / len(rows)
    squares = sum(np.square(data[part] - mean).sum(axis=0) for part in parts)
    return mean, np.sqrt(squares / len(rows))


class TrainingData:
    """Batches of a packed dataset, ready for the networks."""

    def __init__(self, packed: Packed, spec: TrainingSpec, device: torch.device) -> None:
        self.device = device
        self.images = isinstance(packed.facts.shape, ImageShape)
        self.train_rows, self.held_rows = split(packed.facts.count, spec.split.share, spec.split.seed)
        self.classes = spec.network.conditioning.size if spec.network.conditioning.kind == "class" else 0
        self.memory_format = MEMORY_FORMATS[spec.network.architecture]
        self._rows = self._hold(packed.data)
        labels = packed.labels if spec.conditional else None
        self._labels = None if labels is None else torch.from_numpy(np.asarray(labels)).to(device)
        inputs = packed.inputs if spec.network.conditioning.kind == "image" else None
        self._inputs = None if inputs is None else self._hold(inputs)
        self.mean, self.std = self._statistics(packed.data)
        self._kept = self._keep_conditions()

    def _hold(self, data: NDArray[np.uint8] | NDArray[np.float32]) -> Tensor | NDArray[np.uint8] | NDArray[np.float32]:
        return torch.from_numpy(np.array(data)).to(self.device) if data.nbytes <= FITS else data

    def _statistics(self, data: NDArray[np.uint8] | NDArray[np.float32]) -> tuple[Tensor, Tensor]:
        if self.images:
            return torch.full((), PIXEL_CENTRE, device=self.device), torch.full((), PIXEL_CENTRE, device=self.device)
        mean, std = moments(data, self.train_rows)
        std[std < 1e-12] = 1.0
        as_tensor = [torch.from_numpy(a.astype(np.float32)).to(self.device) for a in (mean, std)]
        return as_tensor[0], as_tensor[1]

    def standardise_by(self, mean: Tensor, std: Tensor) -> None:
        """Take these (D,) for the points' own, so that a generator which learned by them goes on in its own units."""
        self.mean, self.std = mean.to(self.device), std.to(self.device)

    def batch(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor | None]:
        """x (n, C, H, W) in [-1, 1] or standardised (n, D), and c (n, size) float or None, on the device.

        Of pairs, c is (n, Ci, H, W) in [-1, 1].
        """
        index = torch.from_numpy(rows).to(self.device, non_blocking=True)
        return self._as_input(self._taken(self._rows, index)), self.condition(index)

    def _taken(self, held: Tensor | NDArray[Any], index: Tensor) -> Tensor:
        """Rows by number, from the device or from the disk."""
        if isinstance(held, Tensor):
            return held.index_select(0, index)
        return torch.from_numpy(np.ascontiguousarray(held[index.cpu().numpy()])).to(self.device, non_blocking=True)

    def _as_input(self, raw: Tensor) -> Tensor:
        x = (raw.float() - self.mean) / self.std
        return x.permute(0, 3, 1, 2).contiguous(memory_format=self.memory_format) if self.images else x

    def in_units(self, x: Tensor) -> NDArray[np.float32]:
        """Standardised points (n, D) in the data's units."""
        points: NDArray[np.float32] = (x * self.std + self.mean).cpu().numpy()
        return points

    def condition(self, index: Tensor) -> Tensor | None:
        """c (n, size) of those rows: one-hot for classes, the numbers for vectors, None when unconditional.

        Of pairs the inputs, (n, Ci, H, W) in [-1, 1].
        """
        if self._inputs is not None:
            return self._as_input(self._taken(self._inputs, index))
        if self._labels is None:
            return None
        labels = self._labels.index_select(0, index)
        if self.classes:
            return torch.nn.functional.one_hot(labels, self.classes).float()
        return labels.float()

    def class_counts(self) -> tuple[int, ...]:
        """Training rows of each class; empty without classes."""
        if not self.classes or self._labels is None:
            return ()
        kept = self._labels[torch.from_numpy(self.train_rows).to(self.device)]
        return tuple(torch.bincount(kept, minlength=self.classes).tolist())

    def kept_conditions(self) -> Tensor | None:
        """Up to `MOST_KEPT_CONDITIONS` training condition vectors (M, K), evenly spread over the rows; None without.

        For each number that is the same in all of these and yet not in all of the data (a rare attribute), there is one
        row more: its spread must not look like none, and a request for it not like nonsense. Of pairs, these are some
        of the inputs, (M, Ci, H, W) in [-1, 1]: as many as a checkpoint carries.
        """
        return self._kept

    def _keep_inputs(self) -> Tensor:
        assert self._inputs is not None
        bytes_each = int(np.prod(self._inputs.shape[1:]))
        most = max(1, min(MOST_KEPT_INPUTS, MOST_KEPT_BYTES // bytes_each))
        kept = self.condition(torch.from_numpy(self.train_rows[evenly(len(self.train_rows), most)]).to(self.device))
        assert kept is not None
        return kept

    def _keep_conditions(self) -> Tensor | None:
        if self._inputs is not None:
            return self._keep_inputs()
        if self._labels is None or self.classes:
            return None
        rows = torch.from_numpy(self.train_rows).to(self.device)
        step = -(-len(rows) // MOST_KEPT_CONDITIONS)
        kept = self._labels[rows[::step]].float()
        if step == 1:
            return kept
        still = (kept == kept[0]).all(dim=0)
        furthest = (self._labels[:, still][rows].float() - kept[0, still]).abs().max(dim=0)
        rare = np.unique(furthest.indices[furthest.values > 0].cpu().numpy())
        return torch.cat([kept, self._labels[rows[torch.from_numpy(rare).to(self.device)]].float()])
