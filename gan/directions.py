"""Directions of the latent space along which pictures change most, found without labels.

Two ways, both by a generator's first layer, which is linear in z in every architecture:

- `factorisation` (Shen & Zhou 2021, "Closed-form factorization of latent semantics"): the directions that the layer's
  weights A stretch most, the eigenvectors of AᵀA.
- `pca` (Härkönen 2020, "GANSpace"): the principal components of what the layer answers to many z, after its own
  nonlinearity, carried back to z by least squares.

A direction is a unit vector of z, so an amount along it counts in standard deviations of the prior. Of a vector and its
opposite the one whose largest number is positive is taken: eigenvectors have no sign of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gan.latents import latents
from gan.networks.dcgan import DcganGenerator
from gan.networks.mlp import MlpGenerator
from gan.networks.packing import Spread
from gan.networks.plain import SLOPE, PlainGenerator
from gan.networks.r3 import R3Generator
from gan.networks.resnet import ResnetGenerator, UpBlock
from gan.networks.unet import UnetGenerator

Method = Literal["factorisation", "pca"]
Matrix = NDArray[np.float64]

DRAWN = 1024
"""Latents that `pca` looks at: those of the seeds 0, 1, 2 …"""
RIDGE = 1e-6
"""Keeps the least squares of `pca` solvable, relative to the variances."""


@dataclass(frozen=True)
class Directions:
    """`vectors` (K, latent_dim) of length one, the strongest first; `strengths` (K,), their shares of what varies."""

    vectors: Matrix
    strengths: Matrix


class First(NamedTuple):
    """A generator's first layer by its name, and what the generator makes of its answer, as far as the next layer."""

    layer: str
    activation: Callable[[nn.Module, Tensor], Tensor]


def as_it_is(_: nn.Module, h: Tensor) -> Tensor:
    """Where nothing follows but products."""
    return h


def leak(_: nn.Module, h: Tensor) -> Tensor:
    """Where a leaky ReLU follows."""
    return leaky_relu(h, SLOPE)


def normed_dcgan(generator: nn.Module, h: Tensor) -> Tensor:
    """Batch norm and a ReLU."""
    assert isinstance(generator, DcganGenerator)
    normed: Tensor = generator.base_norm(h)
    return normed.relu()


def normed_resnet(generator: nn.Module, h: Tensor) -> Tensor:
    """What the first block begins with."""
    assert isinstance(generator, ResnetGenerator)
    block = generator.body[0]
    assert isinstance(block, UpBlock)
    normed: Tensor = block.norm1(h.reshape(len(h), *generator.base))
    return normed.relu()


FIRST: dict[type[nn.Module], First] = {
    DcganGenerator: First("base", normed_dcgan),
    PlainGenerator: First("base", leak),
    ResnetGenerator: First("linear", normed_resnet),
    R3Generator: First("linear", as_it_is),
    UnetGenerator: First("linear", as_it_is),
    MlpGenerator: First("hidden.0", leak),
}
"""Generator → its first layer."""


def found(generator: nn.Module, latent_dim: int, distribution: str, method: Method) -> Directions:
    """The directions of a generator in eval mode, as many as z has numbers."""
    return METHODS[method](generator, latent_dim, distribution)


def factorised(generator: nn.Module, latent_dim: int, distribution: str) -> Directions:
    """By the weights of the first layer alone."""
    del distribution
    ones = torch.eye(latent_dim)
    stretched = (answers(generator, ones) - answers(generator, torch.zeros(1, latent_dim))).flatten(1).double().numpy()
    values, vectors = np.linalg.eigh(stretched @ stretched.T)
    return ordered(vectors.T, np.maximum(values, 0))


def principal(generator: nn.Module, latent_dim: int, distribution: str) -> Directions:
    """By what the first layer answers to many z."""
    z = latents(range(DRAWN), latent_dim, distribution)
    with torch.no_grad():
        h = FIRST[type(generator)].activation(generator, answers(generator, torch.from_numpy(z))).flatten(1)
    centred = h.double().numpy() - h.double().mean(dim=0).numpy()
    # of far fewer latents than activations: the eigenvectors of the small product are the coordinates
    values, coordinates = np.linalg.eigh(centred @ centred.T)
    most = min(latent_dim, DRAWN - 1)
    values, coordinates = values[-most:], coordinates[:, -most:]
    spread = z.astype(np.float64) - z.mean(axis=0, dtype=np.float64)
    carried = coordinates.T @ spread  # least squares: the coordinates are orthonormal
    lengths = np.linalg.norm(carried, axis=1, keepdims=True)
    return ordered(carried / np.maximum(lengths, RIDGE), np.maximum(values, 0))


METHODS: dict[Method, Callable[[nn.Module, int, str], Directions]] = {"factorisation": factorised, "pca": principal}


@torch.no_grad()
def answers(generator: nn.Module, z: Tensor) -> Tensor:
    """What the first layer answers to z (N, latent_dim), with nothing in the condition's place."""
    layer = generator.get_submodule(FIRST[type(generator)].layer)
    embedded = getattr(generator, "input", None)
    if embedded is not None:
        z = torch.cat([z, z.new_zeros(len(z), embedded.width - z.shape[1])], dim=1)
    answer: Tensor = layer(z[:, :, None, None] if isinstance(layer, nn.ConvTranspose2d | Spread) else z)
    return answer


def ordered(vectors: Matrix, values: Matrix) -> Directions:
    """The strongest first, each with the sign that makes its largest number positive."""
    order = values.argsort()[::-1]
    vectors, values = vectors[order], values[order]
    largest = np.abs(vectors).argmax(axis=1)
    signs = np.sign(vectors[np.arange(len(vectors)), largest])
    return Directions(
        vectors * np.where(signs == 0, 1, signs)[:, None], values / max(values.sum(), np.finfo(float).tiny)
    )
