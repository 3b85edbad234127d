"""How a step is executed, never what it computes: memory format, forwards of the critic, precision, CUDA graphs.

Each choice is a row that measurements decided (docs/training-speed.md), by architecture, size and device.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch

from gan.spec import Architecture, ImageShape, NetworkSpec, TrainingSpec

Precision = Literal["auto", "float32", "bfloat16"]

TENSOR_CORES = (8, 0)
"""The compute capability from which on a GPU multiplies bfloat16 in tensor cores."""
MEMORY_FORMATS: dict[Architecture, torch.memory_format] = {
    "mlp": torch.contiguous_format,
    "dcgan": torch.channels_last,
    "plain": torch.channels_last,
    "resnet": torch.channels_last,
    "r3": torch.channels_last,
    "unet": torch.channels_last,
}
"""Of weights and images of four dimensions: with channels side by side a round takes 0.78 to 0.96 of its time."""
TOGETHER_UP_TO = 16
"""Pixels a side up to which a CPU judges real and generated images in one forward; beyond, two stay in its cache."""


@dataclass(frozen=True)
class Execution:
    """`memory_format` of images and weights; `together`: one forward of the critic over real and generated data.

    `bfloat16`: convolutions and products of both players in bfloat16, but not what is differentiated twice.
    `captured`: steps are replayed as CUDA graphs.
    """

    memory_format: torch.memory_format = torch.contiguous_format
    together: bool = False
    bfloat16: bool = False
    captured: bool = False
    device: str = "cpu"

    def lower(self, *, safe: bool) -> AbstractContextManager[Any]:
        """The context in which a network runs: bfloat16 where that is on and `safe`."""
        on = self.bfloat16 and safe
        return torch.autocast(self.device, torch.bfloat16, cache_enabled=False) if on else nullcontext()

    def words(self) -> dict[str, str]:
        """What a job tells of it."""
        return {
            "memory_format": str(self.memory_format).removeprefix("torch."),
            "critic": "one forward over real and generated" if self.together else "a forward each",
            "precision": "bfloat16, float32 in losses and penalties" if self.bfloat16 else "float32",
            "steps": "CUDA graphs" if self.captured else "eager",
        }


PLAIN = Execution()
"""Two forwards, float32, eager: as the equations stand."""


def execution(
    spec: TrainingSpec, device: torch.device, precision: Precision = "float32", *, capture: bool = False
) -> Execution:
    """What pays for these networks on `device`. `capture` and `auto` precision mean something on a GPU alone."""
    return Execution(
        memory_format=MEMORY_FORMATS[spec.network.architecture],
        together=judged_together(spec.network, device),
        bfloat16=precision == "bfloat16" or (precision == "auto" and _has_tensor_cores(device)),
        captured=capture and device.type == "cuda",
        device=device.type,
    )


def judged_together(network: NetworkSpec, device: torch.device) -> bool:
    """Whether one forward judges real and generated data. Never with batch norm, whose statistics would be mixed."""
    if network.batch_norm:
        return False
    small = (
        not isinstance(network.shape, ImageShape) or max(network.shape.height, network.shape.width) <= TOGETHER_UP_TO
    )
    return small or device.type == "cuda"


def safe_for_critic(spec: TrainingSpec) -> bool:
    """Whether D's step may run in bfloat16: not where its graph is differentiated twice, nor its singular values."""
    return spec.r1 == 0 and spec.r2 == 0 and safe_for_generator(spec)


def safe_for_generator(spec: TrainingSpec) -> bool:
    """Whether G's step may: a power iteration needs float32."""
    return spec.lipschitz != "spectral_norm"


def _has_tensor_cores(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= TENSOR_CORES
