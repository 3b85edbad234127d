"""What γ, rate, batch and width r3gan wants at a resolution: a row a training, all on the same number of images.

    OMP_NUM_THREADS=1 python -m benchmarks.learning.gamma --side 32 --gamma 0.05 0.5 5 --rate 2e-4 1e-3 --out table.md

Every combination of `--data`, `--width`, `--batch`, `--rate`, `--gamma` and `--seed` is trained unconditionally and
without augmentation on 4,000 pictures; 1,000 that it draws are compared with 1,000 real ones of another seed
(`benchmarks.learning.measures`). What is not named stays as `gan.choosing` has it. The rows `real` are other real
pictures in place of drawn ones: what could be reached.
"""

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from benchmarks.learning.measures import Worth, worth
from benchmarks.learning.pictures import KINDS, Pictures
from gan.choosing import resolve
from gan.spec import DatasetFacts, ImageShape, TrainingSpec, TrainRequest
from worker.training.data import Packed, TrainingData
from worker.training.loop import Trainer
from worker.training.state import new_state

CPU: Final = torch.device("cpu")
TRAINED: Final = 4_000
COMPARED: Final = 1_000
TRAINED_ON, COMPARED_WITH, IN_PLACE = 0, 1, 2
"""Seeds of the pictures."""
AT_ONCE: Final = 250
FIELDS: Final = {"batch": "batch_size", "rate": "learning_rate"}
COLUMNS: Final = ("side", "data", "width", "batch", "rate", "γ", "seed", "images",
                  "precision %", "recall %", "texture", "layout", "CPU s")  # fmt: skip


def facts_of(pictures: Pictures) -> DatasetFacts:
    """As preparation would state them."""
    count, height, width, channels = pictures.shape
    return DatasetFacts(count=count, shape=ImageShape(channels=channels, height=height, width=width))


def trained(pictures: Pictures, fields: dict[str, Any]) -> Trainer:
    """A finished training in this process, without reports. `fields` are those of a request."""
    facts = facts_of(pictures)
    body = {"type": "train", "dataset": "d", "model": "m", "holdout": 0.0}
    spec = resolve(TrainRequest.model_validate(body | fields), facts, "cpu")
    training = Trainer(spec, TrainingData(Packed(facts, pictures, None), spec, CPU), new_state(spec, CPU))
    while not training.ended_by:
        training.update()
    return training


def drawn(training: Trainer, count: int) -> Pictures:
    """`count` pictures of the averaged generator; always of the same latents."""
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(count, training.spec.network.latent_dim, generator=rng)
    with torch.no_grad():
        parts = [training.state.players.average(part) for part in z.split(AT_ONCE)]
    levels = ((torch.cat(parts).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).numpy()


def cells(worth_of: Worth) -> list[str]:
    """As the table shows them."""
    shares, distances = worth_of[:2], worth_of[2:]
    return [*(f"{100 * share:.1f}" for share in shares), *(f"{distance:.3f}" for distance in distances)]


def combinations(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The requests of one kind of data."""
    for width, batch, rate, gamma, seed in itertools.product(
        asked.width, asked.batch, asked.rate, asked.gamma, asked.seed
    ):
        fields = {"batch_size": batch, "learning_rate": rate, "r1": gamma, "r2": gamma, "seed": seed}
        given = {name: value for name, value in fields.items() if value is not None}
        yield given | {"images": asked.images, "augment": "none", "network": {"width": width}}


def described(spec: TrainingSpec) -> list[str]:
    """What was trained."""
    figures = (spec.network.width, spec.batch_size, f"{spec.learning_rate:g}", f"{spec.r1:g}", spec.seed, spec.images)
    return [str(figure) for figure in figures]


def rows(asked: argparse.Namespace) -> Iterator[list[str]]:
    """A row a training, after one of real pictures for each kind of data."""
    for kind in asked.data:
        make = KINDS[kind]
        pictures, real = make(TRAINED, asked.side, TRAINED_ON), make(COMPARED, asked.side, COMPARED_WITH)
        other = make(len(real), asked.side, IN_PLACE)
        yield [str(asked.side), kind, "real", *[""] * 5, *cells(worth(real, other)), ""]
        for fields in combinations(asked):
            start = time.process_time()
            training = trained(pictures, fields)
            seconds = time.process_time() - start
            made = drawn(training, len(real))
            if asked.sheets:
                save_sheet(made, asked.sheets / ("-".join([str(asked.side), kind, *described(training.spec)]) + ".png"))
            yield [str(asked.side), kind, *described(training.spec), *cells(worth(real, made)), f"{seconds:.0f}"]


def save_sheet(pictures: Pictures, path: Path) -> None:
    """Eight rows of sixteen pictures, to be looked at."""
    from PIL import Image

    count, height, width, channels = pictures[:128].shape
    sheet = pictures[:count].reshape(8, 16, height, width, channels).swapaxes(1, 2).reshape(8 * height, -1, channels)
    Image.fromarray(sheet.squeeze()).save(path)


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, required=True)
    parser.add_argument("--data", nargs="+", choices=KINDS, default=["photographs", "shapes"])
    parser.add_argument("--images", type=int, default=10_000)
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
    tell(asked.out, COLUMNS)
    tell(asked.out, ["---"] * len(COLUMNS))
    for row in rows(asked):
        tell(asked.out, row)


def tell(out: Path | None, row: Sequence[str]) -> None:
    """One line of the table."""
    line = "| " + " | ".join(row) + " |"
    print(line, flush=True)
    if out:
        with out.open("a") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    main()
