"""The same seeds drawn again and again while a model learns: a grid of images, or a cloud of points before the data.

Of pairs a row is one input, the input itself first, and then what several z make of it.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from gan import images, plots
from gan.errors import Diverged
from gan.latents import draw_condition, draw_label, latents
from gan.spacing import evenly
from gan.spec import TrainingSpec
from worker.training.data import TrainingData
from worker.training.players import Players

GRID_SIDE = 8
MOST_CLASS_ROWS = 10
POINTS = 2000
TILE = (32, 128)
"""Pixels that the longer side of a small picture is enlarged to, at least, and that of a large one reduced to."""


class Preview:
    """Fixed seeds 0, 1, 2 …: a row a class (the first ten), a condition or an input, the same latents in each; else a
    square."""

    def __init__(self, data: TrainingData, spec: TrainingSpec) -> None:
        self.data, self.spec = data, spec
        kind = spec.network.conditioning.kind
        rows = min(spec.network.conditioning.size, MOST_CLASS_ROWS) if kind == "class" else GRID_SIDE
        self.count = rows * GRID_SIDE if data.images else POINTS
        self.seeds = [i % GRID_SIDE if kind != "none" and data.images else i for i in range(self.count)]
        self.labels = np.array(self._labels() if kind == "class" else [])
        self.conditions = self._conditions()
        self.behind = None if data.images else backdrop(data)

    def _labels(self) -> list[int]:
        """The row's class; for points, drawn by the data's frequencies."""
        if self.data.images:
            return [index // GRID_SIDE for index in range(self.count)]
        counts = self.data.class_counts()
        return [draw_label(index, counts) for index in range(self.count)]

    def _conditions(self) -> torch.Tensor | None:
        if len(self.labels):
            classes = self.spec.network.conditioning.size
            return torch.nn.functional.one_hot(torch.from_numpy(self.labels), classes).float()
        kept = self.data.kept_conditions()
        drawn_by = [index // GRID_SIDE if self.data.images else index for index in range(self.count)]
        return None if kept is None else kept.cpu()[[draw_condition(seed, len(kept)) for seed in drawn_by]]

    @torch.no_grad()
    def draw(self, players: Players) -> bytes:
        """A PNG of what the averaged generator makes of the seeds now. Diverged where that is no numbers."""
        net, device = self.spec.network, self.data.device
        z = torch.from_numpy(latents(self.seeds, net.latent_dim, net.latent_distribution)).to(device)
        c = None if self.conditions is None else self.conditions.to(device)
        part = self.spec.batch_size  # as much as the device is known to bear
        parts = [slice(start, start + part) for start in range(0, self.count, part)]
        made = torch.cat([players.average(z[rows], None if c is None else c[rows]) for rows in parts])
        if not made.isfinite().all():
            raise Diverged("the generator makes NaN or infinite values", param="learning_rate")
        picture = self._grid(made.cpu().numpy()) if self.data.images else self._cloud(made)
        return images.STILLS["png"].encode(picture)

    def _grid(self, made: NDArray[np.float32]) -> NDArray[np.uint8]:
        pixels = images.to_uint8(made)
        columns = GRID_SIDE
        if self.spec.network.conditioning.kind == "image":
            pixels, columns = self._beside_inputs(pixels), GRID_SIDE + 1
        longer, (least, most) = max(pixels.shape[1:3]), TILE
        return images.grid(images.resize(pixels, min(most, max(least, longer))), columns=columns)

    def _beside_inputs(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Each row's input in front of what was made of it."""
        assert self.conditions is not None
        inputs = images.to_uint8(self.conditions[::GRID_SIDE].numpy())
        inputs, pixels = images.alike(inputs, pixels)
        rows = pixels.reshape(len(inputs), GRID_SIDE, *pixels.shape[1:])
        return np.concatenate([inputs[:, None], rows], axis=1).reshape(-1, *pixels.shape[1:])

    def _cloud(self, made: torch.Tensor) -> NDArray[np.uint8]:
        labels = self.labels if len(self.labels) else None
        conditions = self._plotted_conditions()
        return plots.scatter(self.data.in_units(made), labels=labels, conditions=conditions, behind=self.behind)

    def _plotted_conditions(self) -> NDArray[np.float32] | None:
        """What goes along x where a point has one coordinate: conditions, but not one-hot classes."""
        return None if len(self.labels) or self.conditions is None else self.conditions.numpy()


def backdrop(data: TrainingData) -> plots.Backdrop:
    """Training points, evenly spread over the rows: what the generator's are to become, and what the axes show."""
    x, c = data.batch(data.train_rows[evenly(len(data.train_rows), POINTS)])
    return plots.Backdrop(data.in_units(x), None if c is None else c.cpu().numpy())
