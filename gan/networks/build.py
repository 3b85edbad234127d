"""From a NetworkSpec to networks. An architecture is one row."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gan.networks.conditioning import ProjectionHead
from gan.networks.dcgan import DcganDiscriminator, DcganGenerator
from gan.networks.mlp import MlpDiscriminator, MlpGenerator
from gan.networks.plain import PlainDiscriminator, PlainGenerator
from gan.networks.r3 import R3Discriminator, R3Generator
from gan.networks.resnet import ResnetDiscriminator, ResnetGenerator
from gan.networks.unet import UnetGenerator
from gan.spec import ImageShape, NetworkSpec


class Networks(NamedTuple):
    """The two classes of an architecture; both are built from a NetworkSpec."""

    generator: type[nn.Module]
    discriminator: type[nn.Module]


ARCHITECTURES: dict[str, Networks] = {
    "mlp": Networks(MlpGenerator, MlpDiscriminator),
    "dcgan": Networks(DcganGenerator, DcganDiscriminator),
    "plain": Networks(PlainGenerator, PlainDiscriminator),
    "resnet": Networks(ResnetGenerator, ResnetDiscriminator),
    "r3": Networks(R3Generator, R3Discriminator),
    "unet": Networks(UnetGenerator, R3Discriminator),
}


def build_generator(spec: NetworkSpec, seed: int = 0) -> nn.Module:
    """The generator of `spec`: (z (N, latent_dim), c (N, size) | (N, size, H, W) | None) → (N, C, H, W) or (N, dims).

    Weights are drawn from `seed` alone, whatever else has drawn before.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ARCHITECTURES[spec.architecture].generator(spec)


def build_discriminator(spec: NetworkSpec, seed: int = 0) -> nn.Module:
    """The discriminator (critic) of `spec`: (x, c | None) → logits (N,). Spectrally normalised if the spec says so."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ARCHITECTURES[spec.architecture].discriminator(spec)
        if spec.spectral_norm:
            normalise_spectrally(network)
    return network


def generator_example(spec: NetworkSpec) -> tuple[Tensor, Tensor | None]:
    """What a generator of `spec` takes for one row: z (1, latent_dim) and c, all zeros."""
    return torch.zeros(1, spec.latent_dim), condition_example(spec)


def discriminator_example(spec: NetworkSpec) -> tuple[Tensor, Tensor | None]:
    """What a discriminator of `spec` takes for one row: x (1, C, H, W) or (1, dims) and c, all zeros."""
    shape = spec.shape
    size = (shape.channels, shape.height, shape.width) if isinstance(shape, ImageShape) else (shape.dims,)
    return torch.zeros(1, *size), condition_example(spec)


def condition_example(spec: NetworkSpec) -> Tensor | None:
    """c (1, size), of images (1, size, H, W); None for a network without conditions."""
    kind, shape = spec.conditioning.kind, spec.shape
    if kind == "none":
        return None
    area = (shape.height, shape.width) if kind == "image" and isinstance(shape, ImageShape) else ()
    return torch.zeros(1, spec.conditioning.size, *area)


def normalise_spectrally(network: nn.Module) -> None:
    """Divides every weight matrix by its largest singular value, one power iteration a forward (Miyato 2018).

    A projection's embedding is such a matrix too, and is added as it is (Miyato & Koyama 2018, eq. 3).
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            if not module.weight.any():  # a zero matrix has no largest singular value to divide by
                nn.init.normal_(module.weight, 0.0, module.weight[0].numel() ** -0.5)
            spectral_norm(module, n_power_iterations=1)
        if isinstance(module, ProjectionHead):
            module.scale = 1.0  # beside a linear layer of norm one, a smaller one would leave the class unheard


def parameter_count(network: nn.Module) -> int:
    """Numbers that training moves."""
    return sum(p.numel() for p in network.parameters())
