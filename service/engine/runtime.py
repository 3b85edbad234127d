"""The device and the models on it: torch is imported here, behind everybody's back.

Nothing of torch is imported with this module: the service answers while torch loads.
"""

import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from gan.errors import OutOfMemory, Unavailable
from gan.spec import ImageShape

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gan.checkpoint import LoadedNetwork, ModelHeader
    from gan.directions import Directions, Method

Floats = npt.NDArray[np.float32]
Values = npt.NDArray[Any]
"""What a generator makes: images uint8 (N, H, W, C), or points float32 (N, D) in the data's units. What a
discriminator answers: logits float32 (N,)."""

Part = float | Literal["discriminator"] | None
"""A network of a model file: the generator's default average (None), another by its half-life, or the discriminator."""

BATCH_PIXELS: Final = {"cpu": 2**16, "cuda": 2**20}
"""Pixels of one batch, by kind of device: on a CPU 16 images of 64×64, where larger batches gain nothing."""
BATCH_ROWS: Final = 4096
"""Rows of one batch at most, however small they are."""
CORES_A_LANE: Final = 4
MOST_THREADS: Final = 8
"""Threads of one batch, which more would not make faster."""


@dataclass(frozen=True)
class Loaded:
    """A generator (or a discriminator) on the device, with what planning and drawing need beside it.

    `conditions` (M, K) are condition vectors of the training data; `bytes` is the memory it takes; `ema` is the
    half-life of this average in images (0: the raw generator; None: the file does not say).
    """

    header: "ModelHeader"
    module: "nn.Module"
    mean: Floats | None
    std: Floats | None
    conditions: Floats | None
    bytes: int
    ema: float | None = None

    @property
    def pixels(self) -> int:
        """The weight of one row in a batch: an image's pixels; a point counts as one."""
        shape = self.header.network.shape
        return shape.height * shape.width if isinstance(shape, ImageShape) else 1


class Runtime:
    """One device. `start` once, in a thread that will call `forward`; `open` in any thread after that.

    `cores` are those that forwards may use, all of the process's for 0; networks on a GPU need none.
    """

    def __init__(self, device: str, cores: int) -> None:
        self._asked = device
        self._cores = cores or len(os.sched_getaffinity(0))
        self.device = "cpu"

    def start(self) -> None:
        """Imports torch and finds the device. Unavailable if it is not there."""
        import torch

        import gan.checkpoint
        import gan.networks.folding
        import gan.networks.packing  # noqa: F401  # so that the first request does not wait for their imports

        torch.set_num_threads(1)  # of every thread that does not say otherwise
        torch.backends.cudnn.allow_tf32 = False  # ten bits of mantissa would let a batch's size show in its pixels
        self.device = device_of(self._asked)

    @property
    def batch_pixels(self) -> int:
        """Pixels of one batch on this device."""
        return BATCH_PIXELS[self.device.partition(":")[0]]

    @property
    def lanes(self) -> int:
        """Batches that are computed at the same time: two where there are two cores, one for four cores of more.

        Two batches with a thread each take less than two batches, one after the other, with two threads each: threads
        wait for one another in every layer, for long where another process has taken one's core.
        """
        return 1 if self.device != "cpu" else min(self._cores, max(2, self._cores // CORES_A_LANE))

    def threads(self, busy: int) -> int:
        """Threads of a batch that is one of `busy` at this moment."""
        return max(1, min(self._cores // max(1, busy), MOST_THREADS))

    def open(self, path: Path, sha256: str, part: Part = None) -> Loaded:
        """Reads one network of a model file and puts it on the device. CheckpointCorrupt as `gan.checkpoint`."""
        from gan.checkpoint import load_discriminator, load_generator
        from gan.networks.build import discriminator_example, generator_example
        from gan.networks.folding import for_serving
        from gan.networks.packing import pack

        opened = load_discriminator(path, sha256) if part == "discriminator" else load_generator(path, sha256, part)
        size = size_of(opened)
        module = for_serving(opened.module).to(self.device)
        if self.device == "cpu":
            example = discriminator_example if part == "discriminator" else generator_example
            pack(module, *example(opened.header.network))
        return Loaded(
            header=opened.header,
            module=module,
            mean=array_of(opened.mean),
            std=array_of(opened.std),
            conditions=array_of(opened.conditions),
            bytes=size,
            ema=opened.ema,
        )

    def inspect(self, path: Path) -> "ModelHeader":
        """The header of a model file from elsewhere, once all in it is as it should be. Raises CheckpointCorrupt."""
        from gan.foreign import inspected

        return inspected(path)

    def directions(self, loaded: Loaded, method: "Method") -> "Directions":
        """Along which a loaded generator's pictures change most."""
        from gan.directions import found

        network = loaded.header.network
        on_host = loaded.module if self.device == "cpu" else deepcopy(loaded.module).cpu()
        return found(on_host, network.latent_dim, network.latent_distribution, method)

    def forward(self, loaded: Loaded, z: Floats, c: Floats | None, busy: int = 1) -> Values:
        """One batch: latents (N, latent_dim) and conditions (N, K) → images or points. OutOfMemory, typed.

        Of a discriminator: images (N, C, H, W) in [-1, 1] or standardised points (N, D) → logits (N,). `busy` is how
        many batches are computed at this moment, in as many threads.
        """
        import torch

        if torch.get_num_threads() != self.threads(busy):
            torch.set_num_threads(self.threads(busy))

        try:
            with torch.inference_mode():
                out = loaded.module(self._on_device(z), None if c is None else self._on_device(c))
                return FINISHED[out.ndim](out, loaded)
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise OutOfMemory(f"{self.device} has too little memory left for this model") from error

    def _on_device(self, array: Floats) -> "Tensor":
        import torch

        return torch.from_numpy(array).to(self.device)


def device_of(asked: str) -> str:
    """`auto` → a GPU if there is one, else the CPU; a device named by the settings must be there."""
    import torch

    count = torch.cuda.device_count()
    if asked == "auto":
        return "cuda:0" if count else "cpu"
    there = {"cpu", *(f"cuda:{index}" for index in range(count))}
    device = "cuda:0" if asked == "cuda" else asked
    if device not in there:
        raise Unavailable(f"GANYMEDE_SERVICE_DEVICE is {asked}; this machine has {', '.join(sorted(there))}")
    return device


def logits(out: "Tensor", loaded: Loaded) -> Values:
    """What a discriminator answers, as it is."""
    del loaded
    array: Values = out.float().cpu().numpy()
    return array


def pixels(out: "Tensor", loaded: Loaded) -> Values:
    """Images as levels."""
    del loaded
    return levels(out)


def levels(out: "Tensor") -> Values:
    """`gan.images.to_uint8` on the device: (N, C, H, W) in [-1, 1] → uint8 (N, H, W, C), the same levels."""
    import torch

    scaled = out.permute(0, 2, 3, 1).add(1.0).mul_(127.5).round_().clamp_(0, 255).nan_to_num_(nan=0.0)
    array: Values = scaled.to(torch.uint8).contiguous().cpu().numpy()
    return array


def in_units(out: "Tensor", loaded: Loaded) -> Values:
    """Standardised points (N, D) → float32 in the data's units."""
    points: Floats = out.float().cpu().numpy()
    return points if loaded.mean is None or loaded.std is None else points * loaded.std + loaded.mean


FINISHED: Final[dict[int, Callable[["Tensor", Loaded], Values]]] = {1: logits, 2: in_units, 4: pixels}
"""Dimensions of what a network puts out → how it is handed on."""


def array_of(tensor: "Tensor | None") -> Floats | None:
    """A tensor as a float32 array, if it is there."""
    return None if tensor is None else tensor.float().cpu().numpy()


def size_of(opened: "LoadedNetwork") -> int:
    """Bytes of the parameters, the buffers, and the arrays beside them."""
    beside = [tensor for tensor in (opened.mean, opened.std, opened.conditions) if tensor is not None]
    return opened.bytes + sum(tensor.nbytes for tensor in beside)
