"""How a condition enters a network: as an embedding beside z in the generator, as a projection in the discriminator.

A condition is always a float matrix c of shape (N, size): one-hot rows (or mixtures of classes, when walking from one
label to another) for `class`, the numbers themselves for `vector`, None for `none`. A further kind is a further row.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gan.spec import Conditioning

Embedder = Callable[[int, int], nn.Module]

EMBEDDERS: dict[str, Embedder] = {
    # a matrix product with one-hot rows is an embedding look-up, and with mixtures a walk between embeddings
    "class": lambda size, width: nn.Linear(size, width, bias=False),
    "vector": lambda size, width: nn.Linear(size, width),
}


def embedding_width(conditioning: Conditioning, latent_dim: int) -> int:
    """Columns that the condition adds to z: as many as z has, or 0 without a condition."""
    return latent_dim if conditioning.kind in EMBEDDERS else 0


class ConditionedInput(nn.Module):
    """z, with the embedded condition beside it: (N, latent_dim), (N, size) → (N, `width`)."""

    def __init__(self, latent_dim: int, conditioning: Conditioning) -> None:
        super().__init__()
        extra = embedding_width(conditioning, latent_dim)
        self.width = latent_dim + extra
        self.embed = EMBEDDERS[conditioning.kind](conditioning.size, extra) if extra else None
        if self.embed is not None and conditioning.kind == "class":
            nn.init.normal_(self.embed.weight)  # type: ignore[arg-type]  # the scale of z

    def forward(self, z: Tensor, c: Tensor | None) -> Tensor:
        """Joins z and the embedded c along the columns."""
        return z if self.embed is None else torch.cat([z, self.embed(c)], dim=1)


class ProjectionHead(nn.Module):
    """Logits from features φ: linear(φ), plus ⟨φ, embed(c)⟩ where there is a condition (Miyato & Koyama 2018, eq. 3).

    (N, features), (N, size) → (N,).
    """

    def __init__(self, features: int, conditioning: Conditioning) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)
        conditioned = conditioning.kind in EMBEDDERS
        self.embed = EMBEDDERS[conditioning.kind](conditioning.size, features) if conditioned else None
        self.scale = features**-0.5

    def forward(self, features: Tensor, c: Tensor | None) -> Tensor:
        """One logit a row."""
        logits: Tensor = self.linear(features).squeeze(1)
        if self.embed is None:
            return logits
        return logits + self.scale * (features * self.embed(c)).sum(dim=1)

