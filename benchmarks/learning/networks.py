"""What a step of training costs by network: CPU milliseconds an image, on random RGB images.

OMP_NUM_THREADS=1 python -m benchmarks.learning.networks
"""

import statistics
import time
from typing import Final

import numpy as np
import torch

from gan.choosing import resolve
from gan.spec import DatasetFacts, ImageShape, TrainRequest
from worker.training.data import Packed, TrainingData
from worker.training.loop import Trainer
from worker.training.state import new_state

NETWORKS: Final = [("dcgan", 32), ("resnet", 16), ("resnet", 32)]
RECIPES: Final = ("wgan-gp", "sngan")
SIDES: Final = (8, 32, 64)
CPU: Final = torch.device("cpu")
ROUNDS: Final = 5


def trainer(recipe: str, architecture: str, width: int, side: int) -> Trainer:
    """A training of 200 random images, before its first step."""
    pixels = np.random.default_rng(0).integers(0, 256, (200, side, side, 3), dtype=np.uint8)
    facts = DatasetFacts(count=len(pixels), shape=ImageShape(channels=3, height=side, width=side))
    network = {"architecture": architecture, "width": width}
    body = {"type": "train", "dataset": "d", "model": "m", "recipe": recipe, "network": network}
    request = TrainRequest.model_validate(body | {"augment": "none", "batch_size": 16 if side > 8 else 64})
    spec = resolve(request, facts, "cpu")
    return Trainer(spec, TrainingData(Packed(facts, pixels, None), spec, CPU), new_state(spec, CPU))


def milliseconds(training: Trainer) -> float:
    """CPU milliseconds an image: the median of rounds of five critic steps and one of the generator."""
    spent = []
    for _ in range(ROUNDS + 1):
        start, seen = time.process_time(), training.state.counters.images
        for _ in range(training.spec.critic_steps + 1):
            training.update()
        spent.append(1e3 * (time.process_time() - start) / (training.state.counters.images - seen))
    return statistics.median(spent[1:])


def main() -> None:
    """A row a size and recipe."""
    print("| size | recipe | " + " | ".join(f"`{name}` {width}" for name, width in NETWORKS) + " |")
    print("|---" * (2 + len(NETWORKS)) + "|")
    for side in SIDES:
        for recipe in RECIPES:
            costs = [f"{milliseconds(trainer(recipe, *network, side)):.2f}" for network in NETWORKS]
            print(f"| {side}² | `{recipe}` | " + " | ".join(costs) + " |", flush=True)


if __name__ == "__main__":
    main()
