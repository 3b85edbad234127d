"""Whether a few pictures are learned or learned by heart, with augmentation and without: a row a training.

    OMP_NUM_THREADS=1 python -m benchmarks.learning.few --data photographs --side 32 --images 10000 --out table.md

r3gan is trained unconditionally on `--count` pictures; 1,000 that it draws are compared, pixel by pixel (root mean
square of the levels -1 to 1), with those trained on and with lots of as many that it never saw:

- quotient: the mean distance of a drawn picture to the nearest one trained on, over that to the nearest of an unseen
  lot. New pictures of the same kind have 1, copies 0;
- near-copies: drawn pictures that lie nearer to one trained on than half of what an unseen one usually does;
- spread: the mean distance between two drawn pictures over that between two real ones. A collapse has 0;
- precision, recall, texture and layout against 1,000 unseen pictures (`benchmarks.learning.measures`).

The first row has unseen pictures in place of drawn ones, the second copies of those trained on.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.learning.measures import scaled, worth
from benchmarks.learning.pictures import KINDS, Pictures
from benchmarks.learning.trainings import drawn, save_sheet, table, trained
from worker.evaluation.manifold import nearest

UNSEEN: Final = 1_000
COPY: Final = 0.5
"""Nearer to a picture trained on than this share of an unseen one's usual distance, a drawn one is a near-copy."""
COLUMNS: Final = ("side", "data", "augment", "seed", "images", "quotient", "near-copies %", "spread",
                  "precision %", "recall %", "texture", "layout", "CPU s")  # fmt: skip


class Sets(NamedTuple):
    """Pictures trained on, unseen ones to compare with, others in place of drawn ones, lots as large as the first."""

    trained: Pictures
    unseen: Pictures
    others: Pictures
    lots: list[Pictures]


def sets(kind: str, side: int, count: int) -> Sets:
    """Four samples of one kind."""
    first, second, third, fourth = (KINDS[kind](UNSEEN, side, seed) for seed in range(4))
    lots = [fourth[start : start + count] for start in range(0, len(fourth) - count + 1, count)]
    return Sets(first[:count], second, third, lots)


def flat(pictures: Pictures) -> Tensor:
    """(N, D) float64, scaled so that Euclidean distances are root mean squares of levels from -1 to 1."""
    rows = scaled(pictures).flatten(1).double()
    return rows.div(rows.shape[1] ** 0.5)


def spread(pictures: Pictures) -> float:
    """Mean distance between two pictures."""
    return float(torch.pdist(flat(pictures)).mean())


class Closeness(NamedTuple):
    """How near drawn pictures lie to those trained on, and to one another; see the module's docstring."""

    quotient: float
    near_copies: float
    spread: float


def closeness(made: Pictures, known: Sets) -> Closeness:
    """Of drawn pictures."""
    rows, learned = flat(made), flat(known.trained)
    to_trained, _ = nearest(rows, learned)
    to_others = torch.stack([nearest(rows, flat(lot))[0] for lot in known.lots]).mean()
    usual = nearest(flat(known.unseen), learned)[0].mean()
    copies = (to_trained < COPY * usual).double().mean()
    return Closeness(float(to_trained.mean() / to_others), float(copies), spread(made) / spread(known.unseen))


def figures(made: Pictures, known: Sets) -> list[str]:
    """The cells of the measures."""
    near, good = closeness(made, known), worth(known.unseen, made)
    shown = (near.quotient, 100 * near.near_copies, near.spread, 100 * good.precision, 100 * good.recall)
    return [*(f"{value:.{digits}f}" for value, digits in zip(shown, (2, 1, 2, 1, 1), strict=True)),
            f"{good.texture:.2f}", f"{good.layout:.2f}"]  # fmt: skip


def rows(asked: argparse.Namespace) -> Iterator[list[str]]:
    """A row a training, after two to compare with."""
    for kind in asked.data:
        known = sets(kind, asked.side, asked.count)
        place = [str(asked.side), kind]
        copies = known.trained[np.arange(len(known.unseen)) % asked.count]
        yield [*place, "unseen", "", "", *figures(known.others[: len(known.unseen)], known), ""]
        yield [*place, "copies", "", "", *figures(copies, known), ""]
        for augment in asked.augment:
            for seed in asked.seed:
                start = time.process_time()
                training = trained(known.trained, request(asked, augment, seed))
                seconds = time.process_time() - start
                made = drawn(training, len(known.unseen))
                if asked.sheets:
                    save_sheet(made, asked.sheets / f"few-{asked.side}-{kind}-{augment}-{seed}-{asked.images}.png")
                yield [*place, augment, str(seed), str(asked.images), *figures(made, known), f"{seconds:.0f}"]


def request(asked: argparse.Namespace, augment: str, seed: int) -> dict[str, Any]:
    """What a training is asked for beside its data."""
    network = {"architecture": asked.architecture, "width": asked.width}
    fields = {"images": asked.images, "augment": augment, "seed": seed, "network": network}
    given = {"batch_size": asked.batch, "learning_rate": asked.rate, "r1": asked.gamma, "r2": asked.gamma}
    return fields | {name: value for name, value in given.items() if value is not None}


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=KINDS, default=["photographs"])
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--augment", nargs="+", default=["none", "diffaugment"])
    parser.add_argument("--architecture")
    parser.add_argument("--width", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--gamma", type=float)
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, help="rows are appended to this file as well")
    parser.add_argument("--sheets", type=Path, help="a folder for what was drawn")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    """Measure and print."""
    asked = arguments(given)
    torch.set_num_threads(1)
    table(asked.out, COLUMNS, rows(asked))


if __name__ == "__main__":
    main()
