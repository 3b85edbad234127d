"""From an image back to z: the latent whose picture comes nearest, found by descent from several starts.

The distance has two parts, each over its own variance among random samples: the squared difference of pixels, and that
of what the model's own discriminator answers in its hidden layers, a perceptual distance that needs no weights from
elsewhere and exists for every recipe (after Larsen 2016, "Autoencoding beyond pixels", where a discriminator's features
stand in place of pixels). Starts are the best of many random latents; where the class is not known, of all classes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import cos, pi
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan.latents import latents

Tell = Callable[[float], None]
"""Told the share of the work that is done; may raise to end it."""

FEATURES = 0.3
"""What the discriminator's half of the distance weighs beside that of pixels."""
RATE = 0.1
"""Of Adam, at the start, in standard deviations of the prior a step."""
OUTSIDE = 0.1
"""What a latent pays for being longer than the prior's are."""
PIXELS_AT_ONCE = 2**18
"""Pixels of the pictures that go through the networks together."""
MEASURED = 64
"""Random samples that the variances are those of."""


@dataclass(frozen=True)
class Search:
    """How long is searched: the best `starts` of `candidates` random latents (of the seeds `seed`, `seed` + 1, …), each
    for `steps` steps."""

    steps: int = 200
    starts: int = 4
    candidates: int = 256
    seed: int = 0


class Players(NamedTuple):
    """A generator and its discriminator, in eval mode and without gradients, on one device."""

    generator: nn.Module
    discriminator: nn.Module
    latent_dim: int
    distribution: str


class Found(NamedTuple):
    """Of N images: latents (N, latent_dim), their conditions (N, …) or None, and pictures (N, C, H, W)."""

    latents: Tensor
    conditions: Tensor | None
    pictures: Tensor


class Start(NamedTuple):
    """Latents and conditions to start from."""

    z: Tensor
    c: Tensor | None

    def rows(self, which: Tensor | slice) -> "Start":
        """Some of them."""
        return Start(self.z[which], None if self.c is None else self.c[which])


def project(players: Players, x: Tensor, c: Tensor | None, choices: Tensor | None, search: Search, tell: Tell) -> Found:
    """The latents of images x (N, C, H, W) in [-1, 1].

    c (N, …) are their conditions; or `choices` (M, K) are all that there are, of which the best is taken for each.
    """
    step = max(1, at_once(x) // search.starts)
    parts = []
    for start in range(0, len(x), step):
        rows = slice(start, min(start + step, len(x)))

        def done(share: float, rows: slice = rows) -> None:
            tell((rows.start + share * (rows.stop - rows.start)) / len(x))

        parts.append(descended(players, x[rows], None if c is None else c[rows], choices, search, done))
    z, conditions, pictures = zip(*parts, strict=True)
    given = None if conditions[0] is None else torch.cat([row for row in conditions if row is not None])
    return Found(torch.cat(z), given, torch.cat(pictures))


def descended(
    players: Players, x: Tensor, c: Tensor | None, choices: Tensor | None, search: Search, tell: Tell
) -> Found:
    """The latents of some images, all descended together."""
    random = candidates(players, search, x, c, choices)
    some = random[0].rows(slice(min(MEASURED, at_once(x))))
    distance = Distance(players, drawn(players, some), some.c)
    starts = chosen(players, distance, x, random, search.starts)
    targets = x.repeat_interleave(search.starts, dim=0)
    z, conditions = starts.z.clone().requires_grad_(True), starts.c
    looked_for = distance.of(targets, conditions)
    optimizer = torch.optim.Adam([z], lr=RATE, betas=(0.9, 0.99))
    best, nearest = z.detach().clone(), torch.full((len(z),), float("inf"), device=z.device)
    for number in range(search.steps + 1):
        made = players.generator(z, conditions)
        far = distance.between(looked_for, distance.of(made, conditions))
        better = far.detach() < nearest
        best[better], nearest[better] = z.detach()[better], far.detach()[better]
        if number == search.steps:
            break
        optimizer.param_groups[0]["lr"] = RATE * 0.5 * (1 + cos(pi * number / search.steps))
        optimizer.zero_grad()
        (far + outside(z, players.distribution)).sum().backward()  # type: ignore[no-untyped-call]  # of torch
        optimizer.step()
        if players.distribution == "uniform":
            z.data.clamp_(-1, 1)
        tell(number / search.steps)
    first = nearest.view(len(x), search.starts).argmin(dim=1) + torch.arange(len(x), device=z.device) * search.starts
    found = Start(best[first], None if conditions is None else conditions[first])
    return Found(*found, drawn(players, found))


def outside(z: Tensor, distribution: str) -> Tensor:
    """What each latent pays for being longer than the prior's are: (N, latent_dim) → (N,)."""
    if distribution == "uniform":
        return torch.zeros(len(z), device=z.device)
    return OUTSIDE * (z.square().mean(dim=1) - 1).clamp_min(0).square()


def candidates(players: Players, search: Search, x: Tensor, c: Tensor | None, choices: Tensor | None) -> list[Start]:
    """Random latents to choose starts from, for each image with its own condition, or with each choice in turn."""
    seeds = range(search.seed, search.seed + search.candidates)
    z = torch.from_numpy(latents(seeds, players.latent_dim, players.distribution)).to(x.device)
    if c is not None:
        return [Start(z, row.expand(len(z), *row.shape)) for row in c]
    every = None if choices is None else choices[torch.arange(len(z)) % len(choices)].to(x.device)
    return [Start(z, every)] * len(x)


def chosen(players: Players, distance: "Distance", x: Tensor, random: list[Start], starts: int) -> Start:
    """For each image the candidates whose pictures are nearest: (N · starts, …)."""
    if all(start is random[0] for start in random):
        ranks = ranked(players, distance, x, random[0])
    else:
        ranks = torch.cat([ranked(players, distance, x[[i]], start) for i, start in enumerate(random)])
    orders = ranks.argsort(dim=1)[:, :starts]
    picked = [start.rows(order) for start, order in zip(random, orders, strict=True)]
    conditions = [start.c for start in picked if start.c is not None]
    return Start(torch.cat([start.z for start in picked]), torch.cat(conditions) if conditions else None)


@torch.no_grad()
def ranked(players: Players, distance: "Distance", x: Tensor, start: Start) -> Tensor:
    """How far each image (N, C, H, W) is from what each of M candidates makes: (N, M)."""
    columns, step = [], at_once(x)
    for first in range(0, len(start.z), step):
        part = start.rows(slice(first, first + step))
        made = distance.of(drawn(players, part), part.c)
        seen = (distance.of(target.expand_as(made.pixels), part.c) for target in x)
        columns.append(torch.stack([distance.between(one, made) for one in seen]))
    return torch.cat(columns, dim=1)


def at_once(x: Tensor) -> int:
    """How many pictures like these go through the networks together."""
    return max(1, PIXELS_AT_ONCE // (x.shape[2] * x.shape[3]))


@torch.no_grad()
def drawn(players: Players, start: Start) -> Tensor:
    """What the generator makes of them."""
    made: Tensor = players.generator(start.z, start.c)
    return made


class Seen(NamedTuple):
    """Pixels, and what each hidden layer of the discriminator answers."""

    pixels: Tensor
    layers: list[Tensor]


class Distance:
    """Between pictures: pixels and hidden layers, each as a share of its variance among some samples."""

    def __init__(self, players: Players, samples: Tensor, c: Tensor | None) -> None:
        self._discriminator = players.discriminator
        self._watched = list(hidden(players.discriminator))
        with torch.no_grad():
            pixels, layers = self.of(samples, c)
        self._pixels, self._layers = variance(pixels), [variance(layer) for layer in layers]

    def of(self, x: Tensor, c: Tensor | None) -> Seen:
        """What is seen of pictures under their conditions."""
        with answers_of(self._watched) as layers:
            self._discriminator(x, c)
        return Seen(x, layers)

    def between(self, targets: Seen, made: Seen) -> Tensor:
        """How far each picture is from its target: (N,)."""
        pixels = apart(targets.pixels, made.pixels) / self._pixels
        pairs = zip(targets.layers, made.layers, self._layers, strict=True)
        layers = [apart(there.detach(), here) / spread for there, here, spread in pairs]
        return pixels + FEATURES * torch.stack(layers).mean(dim=0)


def apart(there: Tensor, here: Tensor) -> Tensor:
    """Mean square difference of each row: (N, …) → (N,)."""
    return (there - here).square().flatten(1).mean(dim=1)


def variance(rows: Tensor) -> Tensor:
    """Mean variance of the numbers of a row among rows, never 0: (N, …) → ()."""
    return rows.flatten(1).var(dim=0, correction=0).mean().clamp_min(1e-12)


def hidden(discriminator: nn.Module) -> Iterator[nn.Module]:
    """The layers of a discriminator that have weights, but for the one that gives the logit, and what embeds labels."""
    embeddings = {id(part) for module in discriminator.modules() for part in modules_of(getattr(module, "embed", None))}
    for module in discriminator.modules():
        if id(module) in embeddings:
            continue
        if isinstance(module, nn.Conv2d) or (isinstance(module, nn.Linear) and module.out_features > 1):
            yield module


def modules_of(module: nn.Module | None) -> Iterator[nn.Module]:
    """A module with all that is in it; nothing of None."""
    return iter(()) if module is None else module.modules()


@contextmanager
def answers_of(layers: list[nn.Module]) -> Iterator[list[Tensor]]:
    """A list that fills with what these layers answer while the block runs."""
    answers: list[Tensor] = []
    handles = [layer.register_forward_hook(lambda _layer, _given, answer: answers.append(answer)) for layer in layers]
    try:
        yield answers
    finally:
        for handle in handles:
            handle.remove()
