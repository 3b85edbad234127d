"""Training loops without a trainer: forward, backward, step, on one batch that lies in memory.

`bare_round` is the least that a round of this network can cost; `stock_round` is the loop of the tutorials, with two
forwards of the critic, weights and images as torch lays them out, and a look at every loss.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan.networks.build import build_discriminator, build_generator
from gan.spec import NetworkSpec, TrainingSpec
from worker.training.execution import Execution


def random_images(network: NetworkSpec, count: int, device: torch.device) -> Tensor:
    """(count, C, H, W) uniform on [-1, 1]."""
    shape = network.shape
    rng = torch.Generator().manual_seed(0)
    sizes = (count, shape.channels, shape.height, shape.width)  # type: ignore[union-attr]
    return (torch.rand(sizes, generator=rng) * 2 - 1).to(device)


def bare_round(spec: TrainingSpec, device: torch.device, how: Execution, *, looks: bool = False) -> Callable[[], None]:
    """A round of non-saturating training, one step of either player; `looks` at both losses as numbers."""
    D, G = build_discriminator(spec.network), build_generator(spec.network)
    for network in (D, G):
        network.to(device).to(memory_format=how.memory_format)
    x = random_images(spec.network, spec.batch_size, device).to(memory_format=how.memory_format)
    z = torch.randn(spec.batch_size, spec.network.latent_dim, generator=torch.Generator().manual_seed(0)).to(device)
    move_d, move_g = (torch.optim.Adam(p.parameters(), 2e-4, betas=(0.5, 0.999), fused=True) for p in (D, G))
    seen: list[float] = []

    def one() -> None:
        D.requires_grad_(True)
        with torch.no_grad():
            fake = G(z)
        loss = (softplus(-D(x)) + softplus(D(fake))).mean()
        move_d.zero_grad()
        loss.backward()
        move_d.step()
        if looks:
            seen.append(loss.item())
        D.requires_grad_(False)
        loss = softplus(-D(G(z))).mean()
        move_g.zero_grad()
        loss.backward()
        move_g.step()
        if looks:
            seen.append(loss.item())

    return one
