"""What an average of the generator costs: CPU milliseconds to move one, beside a round of training.

OMP_NUM_THREADS=1 python -m benchmarks.learning.averages
"""

import statistics
import time
from collections.abc import Callable
from typing import Final

import torch

from gan.choosing import resolve
from gan.networks.build import parameter_count
from gan.spec import DatasetFacts, ImageShape, TrainingSpec, TrainRequest
from worker.training.players import figures, new_players, update_average
from worker.training.step import Batch, discriminator_step, generator_step

# recipe, architecture, width, channels, side, batch
CASES: Final = [("r3gan", "r3", 24, 1, 8, 64), ("dcgan", "dcgan", 64, 3, 64, 16)]
CPU: Final = torch.device("cpu")
ROUNDS: Final = 5
MOVES: Final = 5
"""Moves of the average after each round."""


def spec_of(recipe: str, architecture: str, width: int, channels: int, side: int, batch: int) -> TrainingSpec:
    """A training of images without classes."""
    facts = DatasetFacts(
        count=10_000, shape=ImageShape.model_validate({"channels": channels, "height": side, "width": side})
    )
    network = {"architecture": architecture, "width": width}
    body = {"type": "train", "dataset": "d", "model": "m", "recipe": recipe, "network": network, "batch_size": batch}
    return resolve(TrainRequest.model_validate(body), facts, "cpu")


def spent(action: Callable[[], object]) -> float:
    """CPU milliseconds of an action."""
    start = time.process_time()
    action()
    return 1e3 * (time.process_time() - start)


def row(spec: TrainingSpec) -> str:
    """Parameters, a round of both players, and a move of one average: medians, one after the other in turns."""
    players, now, shape = new_players(spec, CPU), figures(spec, 0.0), spec.network.shape
    assert isinstance(shape, ImageShape)
    x = torch.rand(spec.batch_size, shape.channels, shape.height, shape.width) * 2 - 1
    z = torch.randn(spec.batch_size, spec.network.latent_dim)
    batch = Batch(x, None, z, torch.rand(spec.batch_size))
    rounds, moves = [], []
    for _ in range(ROUNDS + 1):
        rounds.append(
            spent(lambda: (discriminator_step(players, batch, spec, now), generator_step(players, batch, spec, now)))
        )
        moves += [spent(lambda: update_average(players.average, players.generator, 0.9)) for _ in range(MOVES)]
    a_round, move = statistics.median(rounds[1:]), statistics.median(moves[MOVES:])
    million = parameter_count(players.generator) / 1e6
    return (
        f"| {million:.2f} M | {4 * million:.1f} MB | {a_round:.0f} ms | {move:.2f} ms, {100 * move / a_round:.1f} % |"
    )


def main() -> None:
    """A row a network."""
    torch.set_num_threads(1)
    print("| generator | parameters | each average | one round of both players | moving one average |")
    print("|---|---|---|---|---|")
    for recipe, architecture, width, channels, side, batch in CASES:
        name = f"`{architecture}`, width {width}, {side}² × {channels}, batch {batch}"
        print(f"| {name} {row(spec_of(recipe, architecture, width, channels, side, batch))}", flush=True)


if __name__ == "__main__":
    main()
