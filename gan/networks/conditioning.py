"""How a condition enters a network: as an embedding beside z in the generator, as a projection in the discriminator.

A condition is a float matrix c of shape (N, size): one-hot rows (or mixtures of classes, when walking from one label to
another) for `class`, the numbers themselves for `vector`, None for `none`. A further kind is a further row. An `image`,
c of shape (N, size, H, W) in [-1, 1], is not embedded: its pixels lie where those of the image to be made will lie, so
the generator is built around it (`gan.networks.unet`), and the discriminator looks at both at once (`PairedInput`).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gan.spec import Conditioning


class ClassEmbedding(nn.Module):
    """A learned vector a class: one-hot or mixed rows (N, classes) → (N, width).

    It begins at N(0, 1/classes), well below z's variance of one: where the class weighs as much as z from the start,
    the generator learns to go by the class alone, and the pictures of a class are nearly the same.
    """

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(classes, width, bias=False)
        nn.init.normal_(self.linear.weight, 0.0, classes**-0.5)

    def forward(self, c: Tensor) -> Tensor:
        """A matrix product: with one-hot rows a look-up, with mixtures a walk between the embeddings."""
        embedded: Tensor = self.linear(c)
        return embedded


class VectorEmbedding(nn.Module):
    """A linear function of standardised numbers: (N, size) in the data's units → (N, width)."""

    mean: Tensor
    std: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))
        self.linear = nn.Linear(size, width)

    def forward(self, c: Tensor) -> Tensor:
        """linear((c - mean) / std), with the training data's mean and std."""
        embedded: Tensor = self.linear((c - self.mean) / self.std)
        return embedded


Embedder = Callable[[int, int], nn.Module]

EMBEDDERS: dict[str, Embedder] = {"class": ClassEmbedding, "vector": VectorEmbedding}


def embedder(conditioning: Conditioning, width: int) -> nn.Module | None:
    """The module that turns c into `width` numbers a row, or None where there is no condition."""
    row = EMBEDDERS.get(conditioning.kind)
    return row(conditioning.size, width) if row else None


def standardise_conditions(network: nn.Module, conditions: Tensor) -> None:
    """Tells every vector embedding in `network` the mean and spread of the training conditions (M, size)."""
    exact = conditions.double()  # in float32 the mean of equal numbers may be another number
    for module in network.modules():
        if isinstance(module, VectorEmbedding):
            module.mean.copy_(exact.mean(dim=0))
            module.std.copy_(exact.std(dim=0, correction=0).clamp_min(1e-6))


class ConditionedInput(nn.Module):
    """Numbers with the embedded condition beside them: (N, inputs), (N, size) → (N, `width`)."""

    def __init__(self, inputs: int, conditioning: Conditioning, embedding_width: int) -> None:
        super().__init__()
        self.embed = embedder(conditioning, embedding_width)
        self.width = inputs + (embedding_width if self.embed else 0)

    def forward(self, z: Tensor, c: Tensor | None) -> Tensor:
        """Joins z and the embedded c along the columns."""
        return z if self.embed is None else torch.cat([z, self.embed(c)], dim=1)


class PairedInput(nn.Module):
    """What a discriminator looks at: an image, and behind its channels those of the input that it was made for.

    (N, C, H, W), (N, size, H, W) → (N, `channels`, H, W); without a condition that is an image, the image alone.
    """

    def __init__(self, channels: int, conditioning: Conditioning) -> None:
        super().__init__()
        self.paired = conditioning.kind == "image"
        self.channels = channels + (conditioning.size if self.paired else 0)

    def forward(self, x: Tensor, c: Tensor | None) -> Tensor:
        """Joins x and c along the channels (Isola 2017)."""
        return x if c is None or not self.paired else torch.cat([x, c], dim=1)


class ProjectionHead(nn.Module):
    """Logits from features φ: linear(φ), plus ⟨φ, embed(c)⟩ where there is a condition (Miyato & Koyama 2018, eq. 3).

    (N, features), (N, size) → (N,).
    """

    def __init__(self, features: int, conditioning: Conditioning) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)
        self.embed = embedder(conditioning, features)
        if isinstance(self.embed, ClassEmbedding):  # no z to drown here: the class may weigh in from the start
            nn.init.normal_(self.embed.linear.weight)
        self.scale = features**-0.5

    def forward(self, features: Tensor, c: Tensor | None) -> Tensor:
        """One logit a row."""
        logits: Tensor = self.linear(features).squeeze(1)
        if self.embed is None:
            return logits
        projected: Tensor = logits + self.scale * (features * self.embed(c)).sum(dim=1)
        return projected
