"""Running means of a step's scalars between two reports, kept on the device so that no step waits for it."""

import torch
from torch import Tensor


class Meters:
    """Sums and counts by name. They are part of the training state: a resumed series has the same numbers."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, scalars: dict[str, Tensor]) -> None:
        """Adds one detached scalar a name."""
        for name, scalar in scalars.items():
            held = self._sums.get(name)
            self._sums[name] = scalar.double() if held is None else held + scalar
            self._counts[name] = self._counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        """The means since the last `clear`. Waits for the device."""
        return {name: total.item() / self._counts[name] for name, total in self._sums.items()}

    def clear(self) -> None:
        """Starts the next report's means."""
        self._sums, self._counts = {}, {}

    def dump(self) -> dict[str, tuple[float, int]]:
        """{name: (sum, count)}, exactly."""
        return {name: (total.item(), self._counts[name]) for name, total in self._sums.items()}

    def load(self, dumped: dict[str, tuple[float, int]], device: torch.device) -> None:
        """The inverse of `dump`."""
        self._sums = {k: torch.tensor(total, dtype=torch.float64, device=device) for k, (total, _) in dumped.items()}
        self._counts = {k: count for k, (_, count) in dumped.items()}
