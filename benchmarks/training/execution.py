"""Which execution pays: channels_last against contiguous, and one forward of the critic over real and generated data.

Each line is the median quotient of neighbouring blocks' CPU seconds (one round each): below one, the choice pays. A
critic with batch norm is never shown both at once, so `r3gan`'s and `wgan-gp`'s networks are measured.

OMP_NUM_THREADS=1 python -m benchmarks.training.execution
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from benchmarks.training.blocks import Block, interleaved, ratio
from gan.choosing import resolve
from gan.spec import DatasetFacts, DataShape, ImageShape, PointShape, TrainingSpec, TrainRequest
from worker.training.data import Packed, TrainingData
from worker.training.execution import Execution
from worker.training.loop import Trainer
from worker.training.state import new_state

CPU = torch.device("cpu")
ROWS = 256
PLAIN = Execution()
LAST = Execution(memory_format=torch.channels_last)
FORMATS = [
    (recipe, side, batch) for side, batch in ((8, 64), (32, 16), (64, 8)) for recipe in ("dcgan", "wgan-gp", "r3gan")
]
TOGETHER = [("r3gan", 0, 64), ("wgan-gp", 0, 64), *[row for row in FORMATS if row[0] != "dcgan"]]
"""Recipe, side (0: points), batch."""


def the_spec(recipe: str, side: int, batch: int) -> TrainingSpec:
    """As it is chosen for a CPU, with one critic step."""
    shape: DataShape = ImageShape(channels=3, height=side, width=side) if side else PointShape(dims=2)
    body = {"type": "train", "dataset": "d", "model": "m", "recipe": recipe, "augment": "none"}
    request = TrainRequest.model_validate(body | {"batch_size": batch, "critic_steps": 1})
    return resolve(request, DatasetFacts(count=ROWS, shape=shape), "cpu")


def a_round(spec: TrainingSpec, how: Execution) -> Block:
    """A step of either player, several times where it is quick."""
    rng, shape = np.random.default_rng(0), spec.network.shape
    if isinstance(shape, ImageShape):
        rows = rng.integers(0, 256, (ROWS, shape.height, shape.width, 3), dtype=np.uint8)
    else:
        rows = rng.normal(size=(ROWS, shape.dims)).astype(np.float32)
    data = TrainingData(Packed(DatasetFacts(count=ROWS, shape=shape), rows, None), spec, CPU)
    data.memory_format = how.memory_format
    trainer = Trainer(spec, data, new_state(spec, CPU, how))

    def one() -> None:
        for _ in range(2 if isinstance(shape, ImageShape) else 20):
            trainer.update()

    return one


def rows(blocks: int) -> Iterator[str]:
    """The table, line by line."""
    yield "| choice | size | recipe | network | batch | with it / without |"
    yield "|---|---|---|---|---|---|"
    choices = [("channels_last", row, PLAIN, LAST) for row in FORMATS]
    choices += [("one forward", row, LAST if row[1] else PLAIN, None) for row in TOGETHER]
    for choice, (recipe, side, batch), without, given in choices:
        spec = the_spec(recipe, side, batch)
        chosen = given or replace(without, together=True)
        plain, measured = interleaved([a_round(spec, without), a_round(spec, chosen)], blocks)
        net = f"`{spec.network.architecture}` {spec.network.width}"
        size = f"{side}²" if side else "points"
        yield f"| {choice} | {size} | `{recipe}` | {net} | {batch} | {ratio(measured, plain):.2f} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=20)
    torch.set_num_threads(1)
    for line in rows(parser.parse_args().blocks):
        print(line, flush=True)


if __name__ == "__main__":
    main()
