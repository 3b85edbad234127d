"""What a figure of r3gan's changes on digits: a row a training, measured as `benchmarks.learning.recipes` measures.

    OMP_NUM_THREADS=1 python -m benchmarks.learning.thirds --images 240000 --gamma 0.1 1 10 --seed 0 1

By class, on two thirds of the digits, in this process and on one thread; 2,000 digits drawn by each are compared with
the last third. What is not named stays as `gan.choosing` has it.
"""

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.learning import digits
from benchmarks.learning.recipes import COLUMNS, score, split
from benchmarks.learning.trainings import table

HEADINGS: Final = ("network", "width", "batch", "rate", "γ", "augment", "seed", "images", *COLUMNS[:-1], "CPU s")


def rows(asked: argparse.Namespace) -> Iterator[list[str]]:
    """A row a training."""
    known = split()
    data = digits.Split(known.trained, known.labels, known.held, known.held_labels)
    varied = (asked.architecture, asked.width, asked.batch, asked.rate, asked.gamma, asked.augment, asked.seed)
    for architecture, width, batch, rate, gamma, augment, seed in itertools.product(*varied):
        given = {"batch_size": batch, "learning_rate": rate, "r1": gamma, "r2": gamma}
        fields: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        fields["network"] = {"architecture": architecture, "width": width}
        start = time.process_time()
        training = digits.trained(data, asked.images, augment, seed, fields)
        seconds = time.process_time() - start
        spec, found = training.spec, score(*digits.drawn(training), known)
        trained = (spec.network.architecture, spec.network.width, spec.batch_size, f"{spec.learning_rate:g}")
        cells = [*map(str, trained), f"{spec.r1:g}", augment, str(seed), str(asked.images)]
        yield [*cells, *(f"{value:.1f}" for value in found[:-1]), f"{seconds:.0f}"]


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--architecture", nargs="+", default=[None])
    parser.add_argument("--width", type=int, nargs="+", default=[None])
    parser.add_argument("--batch", type=int, nargs="+", default=[None])
    parser.add_argument("--rate", type=float, nargs="+", default=[None])
    parser.add_argument("--gamma", type=float, nargs="+", default=[None])
    parser.add_argument("--augment", nargs="+", default=["none"])
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, help="rows are appended to this file as well")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    """Measure and print."""
    asked = arguments(given)
    table(asked.out, HEADINGS, rows(asked))


if __name__ == "__main__":
    main()
