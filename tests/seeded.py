"""Small generators with weights from a seed, as model files: what serving can be tested on without training."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from gan.checkpoint import LogitCalibration, ModelHeader, Written, to_levels, write_model
from gan.networks.build import build_discriminator, build_generator
from gan.spec import Conditioning, ImageShape, NetworkSpec, PointShape

IMAGES = ImageShape(channels=1, height=8, width=8)
POINTS = PointShape(dims=2)


def network(
    architecture: str = "r3", shape: Any = IMAGES, kind: str = "none", size: int = 0, **more: Any
) -> NetworkSpec:
    """A narrow network with 6 latent numbers."""
    given = {"width": 8, "latent_dim": 6, "latent_distribution": "normal"} | more
    conditioning = Conditioning(kind=kind, size=size)
    return NetworkSpec(architecture=architecture, shape=shape, conditioning=conditioning, **given)


def generator(spec: NetworkSpec, seed: int = 0) -> nn.Module:
    """A generator whose output uses the whole range: zero-initialised branches and small weights are drawn anew."""
    module = build_generator(spec, seed)
    noise = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5, generator=noise)
        elif tensor.is_floating_point():
            fan_in = tensor[0].numel() if tensor.ndim > 1 else 10
            tensor.normal_(0, 1.2 * fan_in**-0.5, generator=noise)
    return module.eval()


def write_seeded(
    path: Path,
    spec: NetworkSpec,
    seed: int = 0,
    classes: tuple[str, ...] = (),
    counts: tuple[int, ...] = (),
    conditions: torch.Tensor | None = None,
    calibration: LogitCalibration | None = None,
) -> Written:
    """A model file with such a generator; points have mean (10, 20 …) and spread (1, 2 …)."""
    tensors = {f"generator.{name}": tensor for name, tensor in generator(spec, seed).state_dict().items()}
    tensors |= {
        f"discriminator.{name}": tensor for name, tensor in build_discriminator(spec, seed).state_dict().items()
    }
    if isinstance(spec.shape, PointShape):
        units = torch.arange(1, spec.shape.dims + 1, dtype=torch.float32)
        tensors |= {"points.mean": 10 * units, "points.std": units}
    if conditions is not None and spec.conditioning.kind == "image":
        tensors["inputs"] = to_levels(conditions)
    elif conditions is not None:
        tensors["conditions"] = conditions
    header = ModelHeader(
        network=spec,
        recipe="r3gan",
        classes=classes,
        class_counts=counts,
        images=1000,
        seed=seed,
        dataset_digest="0" * 64,
        calibration=calibration,
    )
    return write_model(path, header, tensors)
