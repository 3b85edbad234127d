"""What is learned of handwritten digits, all 1,797 of them or a few: with augmentation, and with what `--set` changes.

    OMP_NUM_THREADS=1 python -m benchmarks.learning.digits --count 100 --images 200000 --seed 0 1

Trains r3gan by class on the first `count` digits (as many of each class as can be), draws 2,000 and reports, beside
what two classifiers say of them (`ganymede demo`), how near they lie to the digits trained on and to as many others.
"""

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import pairwise_distances

from gan.choosing import resolve
from gan.spec import DatasetFacts, ImageShape, TrainRequest
from ganymede.demo import judge
from worker.training.data import Packed, TrainingData
from worker.training.loop import Trainer
from worker.training.state import new_state

CPU: Final = torch.device("cpu")
CLASSES: Final = 10
EACH: Final = 200
"""Digits of each class that are drawn."""
COPY: Final = 0.5
"""Nearer to a digit trained on than this share of a real one's usual distance to them, a drawn one is a near-copy."""
Digits = NDArray[np.float64]
"""(N, 64), values 0..16."""


class Split(NamedTuple):
    """Digits to train on, and all others, with what they show."""

    trained: Digits
    labels: NDArray[np.int64]
    others: Digits
    other_labels: NDArray[np.int64]


def split(count: int) -> Split:
    """`count` digits, the same number of each class where there are enough of it, and the rest; always the same."""
    scans, shown = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(scans))
    rank = np.empty(len(scans), dtype=int)
    for digit in range(CLASSES):
        own = order[shown[order] == digit]
        rank[own] = np.arange(len(own))
    chosen = np.argsort(rank, kind="stable")[:count]
    rest = np.setdiff1d(np.arange(len(scans)), chosen)
    return Split(scans[chosen], shown[chosen], scans[rest], shown[rest])


def trained(digits: Split, images: int, augment: str, seed: int, overrides: dict[str, Any]) -> Trainer:
    """A finished training on one thread."""
    torch.set_num_threads(1)
    pixels = (digits.trained * (255 / 16)).round().astype(np.uint8).reshape(-1, 8, 8, 1)
    shape = ImageShape(channels=1, height=8, width=8)
    facts = DatasetFacts(count=len(pixels), shape=shape, classes=tuple("0123456789"))
    body = {"type": "train", "dataset": "d", "model": "m", "images": images, "augment": augment, "seed": seed}
    spec = resolve(TrainRequest.model_validate(body | overrides), facts, "cpu")
    spec = spec.model_copy(update={"report_every": images + 1})
    training = Trainer(spec, TrainingData(Packed(facts, pixels, digits.labels), spec, CPU), new_state(spec, CPU))
    while not training.ended_by:
        training.update()
    return training


def drawn(training: Trainer) -> tuple[Digits, NDArray[np.int64]]:
    """`EACH` digits of each class from the averaged generator, as levels of 256, and what was asked for."""
    labels = np.repeat(np.arange(CLASSES), EACH)
    z = torch.randn(len(labels), training.spec.network.latent_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made = training.state.players.average(z, torch.eye(CLASSES)[labels])
    levels = ((made.clamp(-1, 1) + 1) * 127.5).round().flatten(1).double().numpy()
    return levels * (16 / 255), labels


def nearest(digits: Digits, among: Digits) -> NDArray[np.float64]:
    """Euclidean distance of each digit to the nearest of some."""
    distances: NDArray[np.float64] = pairwise_distances(digits, among).min(axis=1)
    return distances


def spread(digits: Digits, labels: NDArray[np.int64]) -> float:
    """Mean distance between two digits of one class."""
    return float(
        np.mean(
            [
                pairwise_distances(digits[labels == d]).sum() / (n * (n - 1))
                for d in range(CLASSES)
                if (n := (labels == d).sum()) > 1
            ]
        )
    )


def figures(made: Digits, asked: NDArray[np.int64], digits: Split) -> list[float]:
    """In the order of `COLUMNS`. The others come in lots as large as the training set, so that distances compare."""
    scans, shown = load_digits(return_X_y=True)
    judged = judge(made, asked, scans, shown)
    size = len(digits.trained)
    lots = [digits.others[k : k + size] for k in range(0, len(digits.others) - size + 1, size)]
    to_trained = nearest(made, digits.trained)
    to_others = np.mean([nearest(made, lot) for lot in lots], axis=0) if lots else np.full(len(made), np.nan)
    usual = np.mean([nearest(lot, digits.trained).mean() for lot in lots]) if lots else np.nan
    real = spread(scans, shown)
    covered = nearest(digits.others, made).mean() if len(digits.others) else np.nan
    return [
        100 * judged.agreement,
        100 * judged.accuracy,
        to_trained.mean(),
        to_others.mean(),
        to_trained.mean() / to_others.mean(),
        100 * float((to_trained < COPY * usual).mean()),
        spread(made, asked) / real,
        covered,
    ]


COLUMNS: Final = (
    "agreement %", "accuracy %", "to trained", "to others", "quotient", "near-copies %", "spread", "others to drawn",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """A row a training."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--augment", nargs="+", default=["none", "diffaugment", "ada"])
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE", help="overrides, values as JSON")
    asked = parser.parse_args(arguments)
    overrides = {field: json.loads(value) for field, _, value in (one.partition("=") for one in asked.set)}
    digits = split(asked.count)
    print("| augment | seed | p | " + " | ".join(COLUMNS) + " | CPU s |")
    print("|---" * (4 + len(COLUMNS)) + "|")
    for augment in asked.augment:
        for seed in asked.seed:
            start = time.process_time()
            training = trained(digits, asked.images, augment, seed, overrides)
            seconds = time.process_time() - start
            found = figures(*drawn(training), digits)
            p = training.state.strength.probability.item()
            cells = [augment, str(seed), f"{p:.2f}", *(f"{value:.2f}" for value in found), f"{seconds:.0f}"]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
