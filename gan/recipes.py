"""The recipes: published settings that a name stands for, one row each. Torch-free, so that the service can read them.

Every figure can be overridden by the request (`gan.choosing`). A value in `schedules` moves over the job's own budget;
its `to` is given as a multiple of the start, so that an overridden start keeps the recipe's shape.
"""

from dataclasses import dataclass, field
from typing import Literal

from gan.spec import Architecture, CriticBoost, Lipschitz, Loss, Optimizer, RecipeName


@dataclass(frozen=True)
class Fade:
    """A scheduled value's end: `ratio` × its start (or the absolute value `to`), along `shape`."""

    shape: Literal["linear", "cosine"]
    ratio: float = 1.0
    to: float | None = None


@dataclass(frozen=True)
class Recipe:
    """One row. `about` is the paragraph that the API and the documentation show beside the formula."""

    loss: Loss
    about: str
    lipschitz: Lipschitz = "none"
    clip: float = 0.01
    gradient_penalty: float = 10.0
    penalised: bool = False
    """Whether r1 and r2 are on, with a γ chosen from resolution and size."""
    critic_steps: int = 1
    critic_boost: CriticBoost | None = None
    batch_size: int = 64
    optimizer: Optimizer = "adam"
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    fades: dict[Literal["learning_rate", "beta2", "r1", "r2"], Fade] = field(default_factory=dict)
    latent_dim: int = 100
    ema: bool = False
    shared_batch: bool = False
    image_architecture: Architecture = "dcgan"
    cpu_architecture: Architecture | None = None
    """What a CPU gets in place of `image_architecture`, where that is too much work for one."""


RECIPES: dict[RecipeName, Recipe] = {
    # Goodfellow 2014, algorithm 1 with the saturating generator loss of eq. 1; optimiser as in DCGAN.
    "minimax": Recipe(
        loss="minimax",
        shared_batch=True,
        about="The game of eq. 1 as it stands: G descends log(1 - D(G(z))). Where D is sure, its gradient vanishes: "
        "it saturates. Kept for teaching.",
    ),
    # Radford 2016, sec. 4: Adam 2e-4, β1 0.5, batch 128 in the paper and 64 in its code (used), z 100.
    "dcgan": Recipe(
        loss="non_saturating",
        shared_batch=True,
        about="G ascends log D(G(z)) instead: same fixed point, strong gradients early. The classic.",
    ),
    # Mao 2017: targets 0 and 1 (their eq. 9), the DCGAN setting otherwise.
    "lsgan": Recipe(
        loss="least_squares",
        shared_batch=True,
        about="Squared distance of the logit to its target: samples far from the boundary are still pulled in.",
    ),
    # Arjovsky 2017, algorithm 1; 100 critic steps for the first 25 generator steps and every 500th from its code.
    "wgan": Recipe(
        loss="wasserstein",
        lipschitz="weight_clipping",
        critic_steps=5,
        critic_boost=CriticBoost(steps=100, first=25, every=500, cap=0.05),
        optimizer="rmsprop",
        learning_rate=5e-5,
        about="The critic estimates the Wasserstein distance; clipped weights keep it Lipschitz, crudely.",
    ),
    # Gulrajani 2017, algorithm 1: λ 10, n_critic 5, Adam 1e-4 (0, 0.9); residual networks, z 128.
    "wgan-gp": Recipe(
        loss="wasserstein",
        lipschitz="gradient_penalty",
        critic_steps=5,
        learning_rate=1e-4,
        betas=(0.0, 0.9),
        latent_dim=128,
        image_architecture="resnet",
        about="The Wasserstein distance with gradients held at norm 1 between real and generated samples.",
    ),
    # Miyato 2018, sec. 4: hinge loss, setting Adam 2e-4 (0, 0.9), n_dis 5, linear decay; residual networks, z 128.
    "sngan": Recipe(
        loss="hinge",
        lipschitz="spectral_norm",
        critic_steps=5,
        betas=(0.0, 0.9),
        fades={"learning_rate": Fade("linear", ratio=0.0)},
        latent_dim=128,
        image_architecture="resnet",
        about="Every weight divided by its largest singular value; hinge loss.",
    ),
    # Huang 2024 (R3GAN), table of settings: lr 2e-4 → 5e-5, β1 0, β2 0.9 → 0.99, γ to a tenth, all cosine; z 64.
    "r3gan": Recipe(
        loss="relativistic",
        penalised=True,
        betas=(0.0, 0.9),
        fades={
            "learning_rate": Fade("cosine", ratio=0.25),
            "beta2": Fade("cosine", to=0.99),
            "r1": Fade("cosine", ratio=0.1),
            "r2": Fade("cosine", ratio=0.1),
        },
        latent_dim=64,
        ema=True,
        image_architecture="r3",
        cpu_architecture="plain",
        about="Each real is compared with a generated sample, and both gradients are penalised: a game that converges.",
    ),
}
