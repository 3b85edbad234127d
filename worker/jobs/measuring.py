"""What a training takes: seconds, memory, images a second."""

import resource
from pathlib import Path

import torch

from gan.spec import TrainingSpec
from worker.protocol import Estimated, Measured
from worker.training.schedules import spent
from worker.training.state import Counters

SETTLED = 3.0
"""Seconds of training after which its pace is known."""


class Pace:
    """How fast this process trains, from where it took the job up; and, once it has settled, what all of it takes."""

    def __init__(self, spec: TrainingSpec, counters: Counters, device: torch.device) -> None:
        self.spec, self.counters, self.device = spec, counters, device
        self._start = (counters.images, counters.seconds)
        self._told = False

    def estimate(self) -> Estimated | None:
        """The whole job's seconds and memory as they look by now; once, and None until then and after."""
        now, began = spent(self.spec, self.counters.images, self.counters.seconds), spent(self.spec, *self._start)
        passed = self.counters.seconds - self._start[1]
        if self._told or passed < SETTLED or now <= began:
            return None
        self._told = True
        left = passed * (1 - now) / (now - began)
        return Estimated(seconds=round(self.counters.seconds + left, 1), memory_bytes=peak_memory(self.device))

    def measured(self) -> Measured:
        """What the job has taken so far."""
        counters = self.counters
        return Measured(
            seconds=round(counters.seconds, 3),
            peak_memory_bytes=peak_memory(self.device),
            images_per_second=counters.images / counters.seconds if counters.seconds > 0 else None,
            changes=[change.model_dump() for change in counters.changes],
        )


def peak_memory(device: torch.device) -> int:
    """The most bytes so far: of a GPU's memory, what torch had reserved; of the machine's, what the process held."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    known = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return 1024 * (known[0] if known else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
