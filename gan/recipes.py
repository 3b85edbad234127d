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
class Source:
    """The paper that a recipe's figures are from."""

    authors: str
    title: str
    year: int
    url: str


@dataclass(frozen=True)
class Recipe:
    """One row. `summary` is a line, `about` a paragraph: what it does, when to choose it and how it fails.

    Both are shown beside the formula (`gan.formulas`); what they say was measured is in docs/learning.md.
    """

    loss: Loss
    summary: str
    about: str
    source: Source
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
        summary="The game of 2014 as it stands. It saturates: kept for teaching.",
        about="The discriminator learns to tell real from generated, and the generator descends log(1 - D(G(z))): at "
        "the best discriminator it descends the Jensen-Shannon divergence between what it makes and the data. Choose "
        "it to see the theory at work rather than for results. Where the two do not overlap, the discriminator is "
        "soon right everywhere: the divergence stays at log 2 however far apart they are, the generator's gradient "
        "vanishes, and the job warns of saturated gradients. On a ring of Gaussians it finds no mode at all; on small "
        "digits, where batch norm in both players keeps the discriminator unsure, it does as well as dcgan.",
        source=Source("Goodfellow et al.", "Generative adversarial nets", 2014, "https://arxiv.org/abs/1406.2661"),
    ),
    # Radford 2016, sec. 4: Adam 2e-4, β1 0.5, batch 128 in the paper and 64 in its code (used), z 100.
    "dcgan": Recipe(
        loss="non_saturating",
        shared_batch=True,
        summary="The classic: the same game with a generator's gradient that does not fade.",
        about="The discriminator is that of the game of 2014; the generator ascends log D(G(z)) instead. The fixed "
        "point is the same, but the gradient is strong where the generator is at its worst, so that training gets off "
        "the ground. Its strided convolutions with batch norm are cheap, which makes it a good baseline, and a quick "
        "one on a small machine. Nothing keeps the discriminator from growing steep, so the two may circle instead of "
        "settling, and modes get lost: what it draws is sharp, but of a grid of 25 Gaussians it kept 13. Watch "
        "diversity and recall, and go to r3gan where they fall.",
        source=Source(
            "Radford, Metz and Chintala",
            "Unsupervised representation learning with deep convolutional generative adversarial networks",
            2016,
            "https://arxiv.org/abs/1511.06434",
        ),
    ),
    # Mao 2017: targets 0 and 1 (their eq. 9), the DCGAN setting otherwise.
    "lsgan": Recipe(
        loss="least_squares",
        shared_batch=True,
        summary="Squared distances to targets: even what lies far from the boundary is pulled in.",
        about="The discriminator pulls its logit towards 1 for real and towards 0 for generated data, and the "
        "generator pulls that of its own towards 1, each by the squared distance. A sample that already passes for "
        "real but lies far from the data is still moved, where cross-entropy would have let go of it. Networks and "
        "optimiser are those of dcgan: choose it to compare the two losses, or where dcgan is restless. It fails as "
        "dcgan does: nothing bounds the discriminator, and it forgets modes, on the ring of eight Gaussians five of "
        "them. Its logits are no log-odds, so they are brought there by a regression before a divergence is "
        "estimated.",
        source=Source(
            "Mao et al.", "Least squares generative adversarial networks", 2017, "https://arxiv.org/abs/1611.04076"
        ),
    ),
    # Arjovsky 2017, algorithm 1; 100 critic steps for the first 25 generator steps and every 500th from its code.
    "wgan": Recipe(
        loss="wasserstein",
        lipschitz="weight_clipping",
        critic_steps=5,
        critic_boost=CriticBoost(steps=100, first=25, every=500, cap=0.05),
        optimizer="rmsprop",
        learning_rate=5e-5,
        summary="A critic estimates the Wasserstein distance, kept Lipschitz by clipped weights.",
        about="The discriminator becomes a critic without a sigmoid: the gap between its means on real and on "
        "generated data, over its steepest slope, estimates the Wasserstein distance, the least work of moving the "
        "one onto the other. That falls steadily as the two approach, overlapping or not, and so has a gradient where "
        "the Jensen-Shannon divergence has none. To keep the critic's slope in bounds every weight is clamped, which "
        "is crude: the bound that this implies is unknown, and the critic grows simple. Choose it to see the idea; "
        "wgan-gp does it better. It learns slowly, with five critic steps to one of the generator at a low rate: a "
        "minute of digits was not nearly enough. With a wide clip the critic may explode, which the job warns of.",
        source=Source("Arjovsky, Chintala and Bottou", "Wasserstein GAN", 2017, "https://arxiv.org/abs/1701.07875"),
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
        summary="The Wasserstein distance, with the critic's gradient held at norm 1 by a penalty.",
        about="The game of wgan, but instead of clamping weights the critic is penalised wherever the norm of its "
        "gradient, looked at between real and generated samples, is not 1. The critic may then be as rich as its "
        "network allows, and its gap is a curve worth following: it falls while the generator learns. Choose it where "
        "other games collapse, or where you want that curve. It is dear, about twice sngan: five critic steps to one "
        "of the generator, each with gradients of gradients. The penalty is soft and looks at samples only, so the "
        "distance is an estimate and never a bound; and in short trainings its samples lie about between the modes, "
        "since its published rate is low.",
        source=Source(
            "Gulrajani et al.", "Improved training of Wasserstein GANs", 2017, "https://arxiv.org/abs/1704.00028"
        ),
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
        summary="Hinge loss, with every weight divided by its largest singular value.",
        about="Each weight matrix of the critic is divided by its largest singular value, found by one power "
        "iteration a step, so that no layer stretches anything: the whole cannot grow steep, without a penalty to "
        "differentiate. The hinge loss lets go of samples that are beyond their margin, and the critic learns from "
        "those that are still in doubt. Choose it for long trainings where wgan-gp is too dear: it costs about half. "
        "The learning rate falls to zero over the budget, so give it the budget that you mean to spend. In short "
        "trainings it is far from done: after a minute only about a third of its digits could be told, although on "
        "Gaussians it found every mode, if loosely.",
        source=Source(
            "Miyato et al.",
            "Spectral normalization for generative adversarial networks",
            2018,
            "https://arxiv.org/abs/1802.05957",
        ),
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
        summary="Real against generated in pairs, both gradients penalised: a game that converges.",
        about="Each real is compared with a generated sample, so that the generator has to move every mode and cannot "
        "hide behind those it has; and the discriminator's gradient is penalised on both sides, which makes the game "
        "converge locally instead of circling. Nothing is normalised, and an average of the generator over its last "
        "images is what draws. It is the default: on digits and on Gaussians it led the other six, and found every "
        "mode. What it asks for is a fitting γ, the strength of the penalties: too small, and it collapses; up to "
        "tenfold larger is safe. γ is chosen by the size of the images, and was measured on a CPU up to 64 pixels; "
        "where modes get lost, try a larger one.",
        source=Source(
            "Huang, Gokaslan, Kuleshov and Tompkin",
            "The GAN is dead; long live the GAN! A modern GAN baseline",
            2024,
            "https://arxiv.org/abs/2501.05441",
        ),
    ),
}
