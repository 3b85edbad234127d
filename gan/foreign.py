"""Model files from elsewhere: read only once all that they hold is known to be what their headers say.

A header is believed in nothing that costs anything: its figures must be within the bounds of a request, a file must be
as large as the networks that it names, and every tensor must have the shape and type that these networks have.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import nn

from gan.averages import MOST_AVERAGES, number_of
from gan.checkpoint import ModelHeader, read_model
from gan.costs import COUNTS, REAL
from gan.errors import CheckpointCorrupt
from gan.networks.build import build_discriminator, build_generator
from gan.spec import IMAGE_SIDES, ImageShape, NetworkRequest

MOST_CONDITIONS = 100_000
"""Classes, or numbers of a condition, that a model may have."""
NUMBERS = {"BOOL": torch.bool, "U8": torch.uint8, "I64": torch.int64, "F32": torch.float32}
"""What safetensors calls the types that a model file has."""


class Kind(NamedTuple):
    """What a tensor must be like; None stands for any number of rows."""

    shape: tuple[int | None, ...]
    dtype: torch.dtype = torch.float32

    def fits(self, shape: list[int], dtype: str) -> bool:
        """Whether a tensor of the file is like this."""
        alike = len(shape) == len(self.shape) and all(
            want in (None, have) for want, have in zip(self.shape, shape, strict=True)
        )
        return alike and NUMBERS.get(dtype) == self.dtype


def inspected(path: Path) -> ModelHeader:
    """The header of a model file that nobody here wrote. CheckpointCorrupt names what in it is not as it should be."""
    header, _ = read_model(path, wanted=lambda _: ())
    refuse_figures(header, path)
    needed, optional = expected(header), kept(header)
    try:
        with safe_open(path, framework="pt") as file:
            there = set(file.keys())
            for name in sorted(needed.keys() - there):
                refuse(path, f"the tensor {name} is missing")
            for name in sorted(there):
                kind = needed.get(name) or optional.get(name) or refuse(path, f"there is no tensor {name[:100]!r} here")
                part = file.get_slice(name)
                if not kind.fits(part.get_shape(), part.get_dtype()):
                    refuse(path, f"the tensor {name} is {part.get_dtype()} {part.get_shape()}, not {kind.shape}")
                if kind.dtype.is_floating_point and not bool(file.get_tensor(name).isfinite().all()):
                    refuse(path, f"the tensor {name} has numbers that are NaN or infinite")
    except SafetensorError as error:
        raise CheckpointCorrupt(f"{path.name}: unreadable ({error})") from error
    return header


def refuse(path: Path, reason: str) -> NoReturn:
    """Raises CheckpointCorrupt."""
    raise CheckpointCorrupt(f"{path.name}: {reason}")


def refuse_figures(header: ModelHeader, path: Path) -> None:
    """Raises CheckpointCorrupt where the header's network is none that could have been asked for, or is too large for
    the file."""
    network = header.network
    for wrong, reason in strange(header):
        if wrong:
            refuse(path, f"its header lies: {reason}")
    try:
        NetworkRequest(architecture=network.architecture, width=network.width, latent_dim=network.latent_dim)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        refuse(path, f"its header lies: network.{place} {error.errors()[0]['msg']}")
    counted = COUNTS[network.architecture](network)
    least = REAL * (counted.generator.parameters + counted.discriminator.parameters)
    if path.stat().st_size < least:
        refuse(path, f"its header lies: its networks have {least} bytes, more than the file")


def strange(header: ModelHeader) -> Iterator[tuple[bool, str]]:
    """What no header that Ganymede wrote has: whether it is so, and in words."""
    network, conditioning = header.network, header.network.conditioning
    images, shape = isinstance(network.shape, ImageShape), network.shape
    yield not images and network.architecture != "mlp", f"{network.architecture} makes no points"
    yield (network.architecture == "unet") != (conditioning.kind == "image"), "unet, and it alone, goes with pairs"
    yield (conditioning.kind == "none") != (conditioning.size == 0), "a condition has a size"
    yield conditioning.size > MOST_CONDITIONS, f"more than {MOST_CONDITIONS} classes or numbers of a condition"
    yield conditioning.kind == "image" and conditioning.size > 4, "inputs have at most four channels"
    named = len(header.classes) if header.classes else conditioning.size
    yield conditioning.kind == "class" and named != conditioning.size, "as many names as classes are needed"
    yield len(header.class_counts) not in (0, conditioning.size), "as many counts as classes are needed"
    yield min((0, *header.class_counts)) < 0, "no class has fewer than no rows"
    yield len(header.ema_halflives) > MOST_AVERAGES + 2, f"more than {MOST_AVERAGES + 2} averages"
    if isinstance(shape, ImageShape):
        least, most = IMAGE_SIDES
        sides = shape.height, shape.width
        yield min(sides) < least or max(sides) > most, f"images have {least} to {most} pixels a side"


def expected(header: ModelHeader) -> dict[str, Kind]:
    """The tensors that a file with this header must have."""
    network = header.network
    drawn, judged = (kinds(build(network)) for build in (build_generator, build_discriminator))
    others = [h for h in header.ema_halflives if h != header.ema_halflife]
    prefixes = ["generator", *(f"ema.{number_of(halflife)}" for halflife in others)]
    found = {f"{prefix}.{name}": kind for prefix in prefixes for name, kind in drawn.items()}
    found |= {f"discriminator.{name}": kind for name, kind in judged.items()}
    if not isinstance(network.shape, ImageShape):
        found |= dict.fromkeys(("points.mean", "points.std"), Kind((network.shape.dims,)))
    return found


def kinds(module: nn.Module) -> dict[str, Kind]:
    """Of a network's parameters and buffers."""
    return {name: Kind(tuple(tensor.shape), tensor.dtype) for name, tensor in module.state_dict().items()}


def kept(header: ModelHeader) -> dict[str, Kind]:
    """The tensors that it may have besides: what a request draws its condition from where it names none."""
    shape, conditioning = header.network.shape, header.network.conditioning
    if conditioning.kind == "vector":
        return {"conditions": Kind((None, conditioning.size))}
    if conditioning.kind == "image" and isinstance(shape, ImageShape):
        return {"inputs": Kind((None, shape.height, shape.width, conditioning.size), torch.uint8)}
    return {}
