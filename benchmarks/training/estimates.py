"""What is counted of a training before it starts, beside what its steps take: CPU milliseconds an image, one thread.

OMP_NUM_THREADS=1 python -m benchmarks.training.estimates
"""

import time
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import torch

from gan.choosing import resolve
from gan.costs import estimated
from gan.spec import DatasetFacts, ImageShape, TrainRequest
from worker.training.data import Packed, TrainingData
from worker.training.loop import Trainer
from worker.training.state import new_state

CPU: Final = torch.device("cpu")
ROWS: Final = 1_000
R3: Final[dict[str, Any]] = {"network": {"architecture": "r3"}}
CASES: Final[tuple[tuple[int, int, dict[str, Any]], ...]] = (
    (8, 200, {}), (8, 30, R3), (32, 20, {}), (32, 6, R3 | {"batch_size": 32}),
    (32, 20, {"recipe": "dcgan", "batch_size": 32}), (64, 8, {}), (64, 8, {"recipe": "dcgan", "batch_size": 32}),
)  # fmt: skip
"""Side, rounds, and what a request names."""


def row(side: int, rounds: int, asked: dict[str, Any]) -> str:
    """One training's line."""
    facts = DatasetFacts(count=ROWS, shape=ImageShape(channels=3, height=side, width=side))
    spec = resolve(TrainRequest.model_validate({"type": "train", "dataset": "d", "model": "m"} | asked), facts, "cpu")
    pixels = np.random.default_rng(0).integers(0, 256, (ROWS, side, side, 3), dtype=np.uint8)
    trainer = Trainer(spec, TrainingData(Packed(facts, pixels, None), spec, CPU), new_state(spec, CPU))
    for _ in range(4):
        trainer.update()
    seen, began = trainer.state.counters.images, time.process_time()
    for _ in range(2 * rounds):
        trainer.update()
    measured = 1000 * (time.process_time() - began) / (trainer.state.counters.images - seen)
    counted = estimated(spec, facts, "cpu")
    assert counted is not None
    assert spec.images is not None
    an_image = 1000 * counted.seconds / spec.images
    network = f"`{spec.network.architecture}` {spec.network.width}"
    return f"| {side}² | `{spec.recipe}` | {network} | {measured:.3g} | {an_image:.3g} | {an_image / measured:.2f} |"


def rows() -> Iterator[str]:
    """The table, line by line."""
    yield "| size | recipe | network | ms an image | counted | quotient |"
    yield "|---|---|---|---|---|---|"
    for case in CASES:
        yield row(*case)


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    for line in rows():
        print(line, flush=True)


if __name__ == "__main__":
    main()
