"""What γ, rate, batch and width r3gan wants at a resolution: a row a training, all on the same number of images.

    OMP_NUM_THREADS=1 python -m benchmarks.learning.gamma --side 32 --gamma 0.05 0.5 5 --rate 2e-4 1e-3 --out table.md

Every combination of `--data`, `--architecture`, `--width`, `--batch`, `--rate`, `--gamma` and `--seed` is trained
unconditionally and without augmentation on 4,000 pictures; 1,000 that it draws are compared with 1,000 real ones of
another seed (`benchmarks.learning.measures`). What is not named stays as `gan.choosing` has it. The rows `real` are
other real pictures in place of drawn ones: what could be reached.
"""

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.learning.measures import Worth, worth
from benchmarks.learning.pictures import KINDS
from benchmarks.learning.trainings import drawn, save_sheet, table, trained
from gan.spec import TrainingSpec

TRAINED: Final = 4_000
COMPARED: Final = 1_000
TRAINED_ON, COMPARED_WITH, IN_PLACE = 0, 1, 2
"""Seeds of the pictures."""
COLUMNS: Final = ("side", "data", "network", "width", "batch", "rate", "γ", "seed", "images",
                  "precision %", "recall %", "texture", "layout", "CPU s")  # fmt: skip


def cells(worth_of: Worth) -> list[str]:
    """As the table shows them."""
    shares, distances = worth_of[:2], worth_of[2:]
    return [*(f"{100 * share:.1f}" for share in shares), *(f"{distance:.3f}" for distance in distances)]


def combinations(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The requests of one kind of data."""
    for architecture, width, batch, rate, gamma, seed in itertools.product(
        asked.architecture, asked.width, asked.batch, asked.rate, asked.gamma, asked.seed
    ):
        network = {"architecture": architecture, "width": width}
        fields = {"batch_size": batch, "learning_rate": rate, "r1": gamma, "r2": gamma, "seed": seed}
        given = {name: value for name, value in fields.items() if value is not None}
        yield given | {"images": asked.images, "augment": "none", "network": network}


def described(spec: TrainingSpec) -> list[str]:
    """What was trained."""
    network, rates = spec.network, (f"{spec.learning_rate:g}", f"{spec.r1:g}")
    figures = (network.architecture, network.width, spec.batch_size, *rates, spec.seed, spec.images)
    return [str(figure) for figure in figures]


def rows(asked: argparse.Namespace) -> Iterator[list[str]]:
    """A row a training, after one of real pictures for each kind of data."""
    for kind in asked.data:
        make = KINDS[kind]
        pictures, real = make(TRAINED, asked.side, TRAINED_ON), make(COMPARED, asked.side, COMPARED_WITH)
        other = make(len(real), asked.side, IN_PLACE)
        yield [str(asked.side), kind, "real", *[""] * 6, *cells(worth(real, other)), ""]
        for fields in combinations(asked):
            start = time.process_time()
            training = trained(pictures, fields)
            seconds = time.process_time() - start
            made = drawn(training, len(real))
            if asked.sheets:
                save_sheet(made, asked.sheets / ("-".join([str(asked.side), kind, *described(training.spec)]) + ".png"))
            yield [str(asked.side), kind, *described(training.spec), *cells(worth(real, made)), f"{seconds:.0f}"]


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, required=True)
    parser.add_argument("--data", nargs="+", choices=KINDS, default=["photographs", "shapes"])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--architecture", nargs="+", default=[None])
    parser.add_argument("--width", type=int, nargs="+", default=[None])
    parser.add_argument("--batch", type=int, nargs="+", default=[None])
    parser.add_argument("--rate", type=float, nargs="+", default=[None])
    parser.add_argument("--gamma", type=float, nargs="+", default=[None])
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
