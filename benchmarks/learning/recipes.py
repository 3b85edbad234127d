"""All recipes on handwritten digits, for the same seconds and with the same number of parameters, asked for in public.

    python -m benchmarks.learning.recipes --seconds 60 --seeds 0,1,2 --out table.md

Two thirds of scikit-learn's 8×8 digits are uploaded and trained on by class; the last third is only compared with.
A request has dataset, model, recipe, seed, seconds, and the width at which generator and discriminator together come
nearest to as many parameters as r3gan's have (`--widths chosen` leaves the width to the server). Of 2,000 drawn digits:

- agreement: those that a classifier of the real training digits takes for what was asked for;
- accuracy: held-out digits that a classifier of the drawn ones recognises;
- precision and recall (k-NN manifolds in pixel space, k = 5) of as many drawn digits as are held out;
- Fréchet distance to the held-out digits in pixel space, levels 0 to 16.

The row `real` has the training digits in place of drawn ones: what could be reached.
"""

import argparse
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

from benchmarks.learning.measures import frechet
from benchmarks.learning.stacks import told_by_a_stack
from gan.choosing import resolve
from gan.networks.build import build_discriminator, build_generator
from gan.recipes import RECIPES
from gan.spec import DatasetFacts, ImageShape, RecipeName, TrainRequest
from ganymede import Client
from ganymede.demo import CLASSES, NAME, generated, pack_digits
from worker.evaluation.manifold import prdc

Digits = NDArray[np.float64]
"""(N, 64), values 0..16."""
Labels = NDArray[np.int64]

HELD_OUT: Final = 1 / 3
WIDEST: Final = 200
REFERENCE: Final[RecipeName] = "r3gan"
"""The recipe whose default sets the number of parameters."""


class Split(NamedTuple):
    """Digits to train on and digits to compare with."""

    trained: Digits
    labels: Labels
    held: Digits
    held_labels: Labels


class Score(NamedTuple):
    """Shares in per cent, a distance, and how many thousand images the training saw."""

    agreement: float
    accuracy: float
    precision: float
    recall: float
    frechet: float
    images: float = float("nan")


COLUMNS: Final = ("agreement %", "accuracy %", "precision %", "recall %", "Fréchet", "thousand images")


def split() -> Split:
    """Always the same two thirds and third, as many of each class in both as can be."""
    scans, shown = load_digits(return_X_y=True)
    trained, held, labels, held_labels = train_test_split(
        scans, shown, test_size=HELD_OUT, random_state=0, stratify=shown
    )
    return Split(trained, labels, held, held_labels)


def parameters(recipe: RecipeName, width: int | None, facts: DatasetFacts) -> int:
    """Of generator and discriminator together, as the recipe has them at that width, or at the chosen one."""
    body = {"type": "train", "dataset": NAME, "model": NAME, "recipe": recipe, "network": {"width": width}}
    network = resolve(TrainRequest.model_validate(body), facts, "cpu").network
    players = build_generator(network), build_discriminator(network)
    return sum(parameter.numel() for player in players for parameter in player.parameters())


@cache
def matched(recipe: RecipeName, facts: DatasetFacts) -> int:
    """The width at which the recipe's parameters are nearest to the reference's at the width chosen for it."""
    goal = parameters(REFERENCE, None, facts)
    tried = {}
    for width in range(4, WIDEST):
        tried[width] = parameters(recipe, width, facts)
        if tried[width] > 2 * goal:
            break
    return min(tried, key=lambda width: abs(np.log(tried[width] / goal)))


def score(drawn: Digits, asked: Labels, digits: Split, images: float = float("nan")) -> Score:
    """What the digits are worth; `drawn` may be real ones with what they show."""
    of_real = SVC(gamma=0.001).fit(digits.trained, digits.labels)
    of_drawn = SVC(gamma=0.001).fit(drawn, asked)
    some = np.random.default_rng(0).permutation(len(drawn))[: len(digits.held)]
    found = prdc(torch.from_numpy(digits.held), torch.from_numpy(drawn[some]))
    return Score(
        agreement=100 * float(of_real.score(drawn, asked)),
        accuracy=100 * float(of_drawn.score(digits.held, digits.held_labels)),
        precision=100 * found["precision"],
        recall=100 * found["recall"],
        frechet=frechet(digits.held, drawn),
        images=images,
    )


def real(digits: Split) -> Score:
    """Training digits in place of drawn ones; agreement is that of held-out ones, which its classifier has not seen."""
    found = score(digits.trained, digits.labels, digits)
    return found._replace(agreement=found.accuracy)


def measure(client: Client, request: dict[str, Any], digits: Split) -> Score:
    """Train one model and score it."""
    job = client.jobs.wait(client.jobs.create(request).id)
    assert job.progress is not None
    return score(*generated(client, request["model"]), digits, job.progress.images / 1000)


def upload(client: Client, folder: Path, digits: Split) -> DatasetFacts:
    """The training digits as a dataset, and its facts."""
    archive = pack_digits(folder / f"{NAME}.zip", digits.trained, digits.labels)
    dataset = client.datasets.wait(client.datasets.upload(archive, NAME).id)
    assert dataset.count == len(digits.trained)
    shape = ImageShape(channels=1, height=8, width=8)
    return DatasetFacts(count=dataset.count, shape=shape, classes=tuple(map(str, range(CLASSES))))


def rows(client: Client, asked: argparse.Namespace, folder: Path) -> Iterator[str]:
    """The table, line by line."""
    digits = split()
    facts = upload(client, folder, digits)
    yield "| recipe | network | width | parameters | " + " | ".join(COLUMNS) + " |"
    yield "|---|---|---" + "|---:" * (1 + len(COLUMNS)) + "|"
    yield f"| real | | | | {' | '.join(f'{value:.1f}' for value in real(digits)[:-1])} | |"
    for recipe in asked.recipes:
        width = matched(recipe, facts) if asked.widths == "equal" else None
        scores = []
        for seed in asked.seeds:
            request = {"type": "train", "dataset": NAME, "model": f"{recipe}-{seed}", "recipe": recipe, "seed": seed}
            request |= {"max_seconds": asked.seconds} | ({"network": {"width": width}} if width else {})
            scores.append(measure(client, request, digits))
        model = client.models.get(f"{recipe}-{asked.seeds[0]}")
        assert model.network is not None
        described = [f"`{model.network['architecture']}`", str(model.network["width"])]
        count = f"{parameters(recipe, width, facts):,}"
        yield f"| `{recipe}` | {' | '.join(described)} | {count} | " + " | ".join(spread(scores)) + " |"


def spread(scores: list[Score]) -> list[str]:
    """`median (least to most)` of each column."""
    columns = list(zip(*scores, strict=True))
    if len(scores) == 1:
        return [f"{values[0]:.1f}" for values in columns]
    return [f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})" for values in columns]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", type=lambda text: text.split(","), default=list(RECIPES))
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[0, 1, 2])
    parser.add_argument("--seconds", type=float, default=60.0, help="of training, wall clock")
    parser.add_argument("--widths", choices=["equal", "chosen"], default="equal")
    parser.add_argument("--out", type=Path, help="where the table goes as well")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    asked, began = arguments(), time.monotonic()
    told_by_a_stack(lambda client, folder: rows(client, asked, folder), asked.out)
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
