"""Augmentation of what the discriminator sees, so that a small dataset is not learned by heart.

Images are (N, C, H, W) around [-1, 1]; 0 is middle grey, and an alpha channel (the last of 2 or 4) is moved and cut but
never coloured. A transform is a pure function of images and of draws u, uniform on [0, 1), one row a sample, and can be
differentiated any number of times: gradient penalties look through it at the images as they were. A real and a
generated image of one place in the batch share their row. So do an image and the input that it was made for, of which
D sees what moves and cuts (`GEOMETRIC`): where a road lies must not change between the two, nor need its colours agree.

DiffAugment (Zhao 2020) applies all transforms to every image. ADA (Karras 2020) applies each with probability p, which
follows how far the discriminator is ahead on real images; the transforms are the same ones here.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gan.spec import Augment

SHIFT = 1 / 8
"""The furthest translation, as a share of the side."""
CUT = 1 / 2
"""The side of the cut-out square (an oblong of an oblong image), as a share of the image's."""


def colours(x: Tensor) -> tuple[Tensor, Tensor]:
    """(colour channels, alpha channel or none of it): (N, C, H, W) → (N, 1 or 3, H, W), (N, 0 or 1, H, W)."""
    count = x.shape[1] - (x.shape[1] % 2 == 0)
    return x[:, :count], x[:, count:]


def brightness(x: Tensor, u: Tensor) -> Tensor:
    """Colours + U(-½, ½). u: (N, 1)."""
    colour, alpha = colours(x)
    return torch.cat([colour + (u.view(-1, 1, 1, 1) - 0.5), alpha], dim=1)


def saturation(x: Tensor, u: Tensor) -> Tensor:
    """Each pixel's distance from its own grey × U(0, 2); a grey image has none and stays. u: (N, 1)."""
    colour, alpha = colours(x)
    if colour.shape[1] == 1:
        return x
    grey = colour.mean(dim=1, keepdim=True)
    return torch.cat([grey + (colour - grey) * (2 * u.view(-1, 1, 1, 1)), alpha], dim=1)


def contrast(x: Tensor, u: Tensor) -> Tensor:
    """Distance of the colours from the image's mean × U(½, 1½). u: (N, 1)."""
    colour, alpha = colours(x)
    mean = colour.mean(dim=(1, 2, 3), keepdim=True)
    return torch.cat([mean + (colour - mean) * (u.view(-1, 1, 1, 1) + 0.5), alpha], dim=1)


def translation(x: Tensor, u: Tensor) -> Tensor:
    """Moved by whole pixels, up to an eighth of the side each way, with zeros where nothing came. u: (N, 2).

    A move is a matrix of zeros and ones beside the image: exact, and as smooth as any product.
    """
    down, right = (shifts(u[:, k], side).to(x.dtype) for k, side in enumerate(x.shape[2:]))
    return down.unsqueeze(1) @ x @ right.transpose(1, 2).unsqueeze(1)


def shifts(u: Tensor, side: int) -> Tensor:
    """(N,) in [0, 1) → matrices (N, side, side) that move a column of `side` pixels by -k … k, k an eighth of it."""
    furthest = int(side * SHIFT + 0.5)
    by = (u * (2 * furthest + 1)).floor().long().clamp_max(2 * furthest) - furthest
    place = torch.arange(side, device=u.device)
    return place.view(1, -1, 1) - place.view(1, 1, -1) == by.view(-1, 1, 1)


def cutout(x: Tensor, u: Tensor) -> Tensor:
    """Zero in a rectangle of half the sides, whose centre lies anywhere in the image. u: (N, 2)."""
    tall, wide = (cuts(u[:, k], side) for k, side in enumerate(x.shape[2:]))
    hole = tall.view(-1, 1, x.shape[2], 1) & wide.view(-1, 1, 1, x.shape[3])
    return x.masked_fill(hole, 0.0)


def cuts(u: Tensor, side: int) -> Tensor:
    """(N,) in [0, 1) → (N, side), true in a stretch of half the side around a place of the side."""
    length = int(side * CUT + 0.5)
    start = (u * (side + 1 - length % 2)).floor().long() - length // 2
    place = torch.arange(side, device=u.device).view(1, -1) - start.view(-1, 1)
    return (place >= 0) & (place < length)


class Transform(NamedTuple):
    """A function (images, u) → images, and how many numbers of u it takes a sample."""

    apply: Callable[[Tensor, Tensor], Tensor]
    draws: int


TRANSFORMS: dict[str, Transform] = {
    "brightness": Transform(brightness, 1),
    "saturation": Transform(saturation, 1),
    "contrast": Transform(contrast, 1),
    "translation": Transform(translation, 2),
    "cutout": Transform(cutout, 2),
}
"""In the order in which they are applied."""
GEOMETRIC = frozenset({"translation", "cutout"})
"""The transforms that say where something lies."""
WIDTHS = [1 + transform.draws for transform in TRANSFORMS.values()]
"""Numbers a sample for each transform: one that says whether it is applied, and its own."""
DRAWS = sum(WIDTHS)

Augmentation = Callable[[Tensor], Tensor]
"""What stands between images and discriminator: (N, C, H, W) → the same."""


def unchanged(x: Tensor) -> Tensor:
    """No augmentation."""
    return x


@dataclass(frozen=True)
class Transformed:
    """T: each transform on each image with probability `p` () in [0, 1]; u (N, `DRAWS`) uniform on [0, 1).

    Only `which` of the transforms take part; what the others do does not depend on that.
    """

    u: Tensor
    p: Tensor
    which: Collection[str] = tuple(TRANSFORMS)

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same."""
        for (name, transform), own in zip(TRANSFORMS.items(), torch.split(self.u, WIDTHS, dim=1), strict=True):
            if name not in self.which:
                continue
            applied = (own[:, 0] < self.p).view(-1, 1, 1, 1)
            x = torch.where(applied, transform.apply(x, own[:, 1:]), x)
        return x


def augmentation(u: Tensor, p: Tensor, which: Collection[str] = tuple(TRANSFORMS)) -> Augmentation:
    """T for these draws."""
    return Transformed(u, p, which)


def draw(rng: np.random.Generator, count: int) -> Tensor:
    """u of shape (count, `DRAWS`), float32, uniform on [0, 1)."""
    return torch.from_numpy(rng.random((count, DRAWS), dtype=np.float32))


# ---- how often ----


@dataclass(frozen=True)
class Policy:
    """How likely a transform is at the start, and whether that follows the discriminator."""

    start: float
    adaptive: bool = False


POLICIES: dict[Augment, Policy] = {
    "none": Policy(0.0),
    "diffaugment": Policy(1.0),
    "ada": Policy(0.0, adaptive=True),
}
TARGET = 0.6
"""Of E sign(D(x)): four reals in five on their own side (Karras 2020, sec. 3)."""
INTERVAL = 4
"""Discriminator steps between two adjustments."""
SPEED = 500_000
"""Images in which p may go from 0 to 1."""


class Strength(nn.Module):
    """p, and the signs seen since it was last adjusted: buffers, so that a resumed training goes on with both."""

    probability: Tensor
    signs: Tensor

    def __init__(self, augment: Augment) -> None:
        super().__init__()
        self.policy = POLICIES[augment]
        moves = self.policy.adaptive  # what never moves need not be saved
        self.register_buffer("probability", torch.tensor(self.policy.start), persistent=moves)
        self.register_buffer("signs", torch.zeros(()), persistent=moves)

    @torch.no_grad()
    def follow(self, sign: Tensor, step: int, batch_size: int) -> None:
        """After discriminator step `step` (from 0), in which reals had the mean `sign` () in [-1, 1].

        Every `INTERVAL` steps p goes up where the mean lay above `TARGET`, else down, by the images seen / `SPEED`.
        Nothing here waits for the device.
        """
        if not self.policy.adaptive:
            return
        self.signs.add_(sign)
        if (step + 1) % INTERVAL == 0:
            ahead = torch.sign(self.signs / INTERVAL - TARGET)
            self.probability.add_(ahead * (INTERVAL * batch_size / SPEED)).clamp_(0.0, 1.0)
            self.signs.zero_()
