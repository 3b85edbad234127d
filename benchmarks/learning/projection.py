"""How near a projection comes to digits that nobody trained on, beside the nearest of 10,000 random samples.

    OMP_NUM_THREADS=1 python -m benchmarks.learning.projection --images 240000 --count 100

r3gan is trained by class on two thirds of the digits, in this process; `--count` of the last third are projected, once
without their labels and once with. Distances are root mean squares of levels as a share of the range; the quotient is
that of the projection over that of the nearest sample (of any class), its median over the digits.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from typing import Final

import torch
from torch import Tensor

from benchmarks.learning import digits
from benchmarks.learning.recipes import split
from gan.latents import latents
from gan.projection import Players, Search, project

RANDOM: Final = 10_000
CLASSES: Final = 10


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Root mean square of levels as a share of the range, of pictures (N, C, H, W) in [-1, 1]: (N,)."""
    return ((levels(a) - levels(b)).square().flatten(1).mean(dim=1)).sqrt() / 255


def levels(x: Tensor) -> Tensor:
    """As they are drawn: [-1, 1] → whole numbers 0..255."""
    return ((x + 1) * 127.5).round().clamp(0, 255)


@torch.no_grad()
def nearest(players: Players, targets: Tensor) -> Tensor:
    """The distance of each target to the nearest of `RANDOM` samples, of all classes in turn: (N,)."""
    z = torch.from_numpy(latents(range(RANDOM), players.latent_dim))
    made = players.generator(z, torch.eye(CLASSES)[torch.arange(RANDOM) % CLASSES])
    return torch.stack([distance(made, target.expand_as(made)).min() for target in targets])


def rows(asked: argparse.Namespace) -> Iterator[str]:
    """The table, line by line."""
    known = split()
    data = digits.Split(known.trained, known.labels, known.held, known.held_labels)
    training = digits.trained(data, asked.images, "none", asked.seed, {})
    judge = training.state.players.discriminator.eval().requires_grad_(False)
    players = Players(training.state.players.average, judge, training.spec.network.latent_dim, "normal")
    pixels = torch.from_numpy(known.held[: asked.count]).float() / 8 - 1
    targets, labels = pixels.view(-1, 1, 8, 8), torch.eye(CLASSES)[known.held_labels[: asked.count]]
    random = nearest(players, targets)
    yield "| | median distance | median quotient | classes right | ms a digit |"
    yield "|---|---|---|---|---|"
    yield f"| nearest of {RANDOM:,} samples | {random.median():.4f} | 1.00 | | |"
    for name, given in (("projected, class unknown", None), ("projected, class given", labels)):
        start = time.perf_counter()
        found = project(players, targets, given, torch.eye(CLASSES), Search(steps=asked.steps), lambda _: None)
        spent = 1000 * (time.perf_counter() - start) / len(targets)
        apart = distance(found.pictures, targets)
        assert found.conditions is not None
        right = (found.conditions.argmax(dim=1) == labels.argmax(dim=1)).float().mean()
        yield f"| {name} | {apart.median():.4f} | {(apart / random).median():.2f} | {100 * right:.0f} % | {spent:.0f} |"


def main(given: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=240_000)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    torch.set_num_threads(1)
    for line in rows(parser.parse_args(given)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
