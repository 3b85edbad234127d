"""How well the recipes learn a grid of 25 and a ring of 8 Gaussians, asked for through the public API.

    python -m benchmarks.learning.points --recipes r3gan,dcgan --seeds 0,1,2 --out table.md

Nothing is in a request but dataset, model name, recipe and seed, and what `--set field=value` adds. Of 2,500 samples,
one is of high quality within three standard deviations of its nearest mode, and a mode counts when such a sample falls
to it (Srivastava 2017, Lin 2018). KL is that of generated against true shares over the modes and, as one more bin, all
that is not of high quality.
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.stacks import told_by_a_stack
from gan.recipes import RECIPES
from ganymede import Client

Points = NDArray[np.float64]

ROWS = 50_000
SAMPLES = 2_500
BEYOND_THREE_SIGMA = 0.0111
"""exp(-9/2): the share of a two-dimensional Gaussian beyond three standard deviations."""


class Mixture(NamedTuple):
    """Gaussians of equal weight: their means (K, 2) and common standard deviation."""

    means: Points
    sigma: float

    def draw(self, count: int, seed: int) -> Points:
        """(count, 2)."""
        rng = np.random.default_rng(seed)
        return self.means[rng.integers(len(self.means), size=count)] + self.sigma * rng.standard_normal((count, 2))


class Score(NamedTuple):
    """Modes found, samples of high quality in per cent, KL in nats, seconds of training."""

    modes: int
    quality: float
    kl: float
    seconds: float


def grid() -> Mixture:
    """25 modes at {-4, -2, 0, 2, 4}², σ = 0.05."""
    return Mixture(np.array(list(itertools.product((-4.0, -2.0, 0.0, 2.0, 4.0), repeat=2))), 0.05)


def ring() -> Mixture:
    """8 modes on the unit circle, σ = 0.01."""
    angles = np.arange(8) * np.pi / 4
    return Mixture(np.stack([np.cos(angles), np.sin(angles)], axis=1), 0.01)


MIXTURES: dict[str, Callable[[], Mixture]] = {"25-grid": grid, "8-ring": ring}


def score(points: Points, mixture: Mixture, seconds: float) -> Score:
    """What the samples (N, 2) are worth."""
    distances = np.linalg.norm(points[:, None] - mixture.means[None], axis=2)
    nearest, good = distances.argmin(axis=1), distances.min(axis=1) < 3 * mixture.sigma
    count = len(mixture.means)
    shares = np.bincount(np.where(good, nearest, count), minlength=count + 1) / len(points)
    truth = np.append(np.full(count, (1 - BEYOND_THREE_SIGMA) / count), BEYOND_THREE_SIGMA)
    there = shares > 0
    kl = float((shares[there] * np.log(shares[there] / truth[there])).sum())
    return Score(int(there[:count].sum()), 100 * float(good.mean()), kl, seconds)


def measure(client: Client, name: str, recipe: str, seed: int, overrides: dict[str, Any]) -> Score:
    """Train one model and score it."""
    model = f"{name}-{recipe}-{seed}"
    asked = {"type": "train", "dataset": name, "model": model, "recipe": recipe, "seed": seed}
    job = client.jobs.create(asked | overrides)
    began = time.monotonic()
    client.jobs.wait(job.id)
    seconds = time.monotonic() - began
    drawn = json.loads(client.samples.create({"model": model, "seed": 0, "count": SAMPLES}).content)["data"]
    return score(np.array([row["point"] for row in drawn]), MIXTURES[name](), seconds)


def upload(client: Client, name: str, folder: Path) -> None:
    """The mixture as a dataset of its name."""
    path = folder / f"{name}.npy"
    np.save(path, MIXTURES[name]().draw(ROWS, 0).astype(np.float32))
    client.datasets.wait(client.datasets.upload(path, name).id)


def rows(client: Client, asked: argparse.Namespace, folder: Path) -> Iterator[str]:
    """The table, line by line: medians over the seeds, with the least and the most in brackets."""
    overrides = {field: json.loads(value) for field, _, value in (one.partition("=") for one in asked.set)}
    yield "| data | recipe | modes | high quality % | KL | training s |"
    yield "|---|---|---|---|---|---|"
    for name in asked.data:
        upload(client, name, folder)
        for recipe in asked.recipes:
            scores = [measure(client, name, recipe, seed, overrides) for seed in asked.seeds]
            columns = [spread([one[k] for one in scores], digits) for k, digits in enumerate((0, 1, 3, 0))]
            yield f"| {name} | `{recipe}` | " + " | ".join(columns) + " |"


def spread(values: list[float], digits: int) -> str:
    """`median (least to most)`."""
    shown = [f"{value:.{digits}f}" for value in (median(values), min(values), max(values))]
    return f"{shown[0]} ({shown[1]} to {shown[2]})" if len(values) > 1 else shown[0]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=lambda text: text.split(","), default=list(MIXTURES))
    parser.add_argument("--recipes", type=lambda text: text.split(","), default=list(RECIPES))
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[0, 1, 2])
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE", help="overrides, values as JSON")
    parser.add_argument("--out", type=Path, help="where the table goes as well")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    asked = arguments()
    told_by_a_stack(lambda client, folder: rows(client, asked, folder), asked.out)


if __name__ == "__main__":
    main()
