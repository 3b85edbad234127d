"""Images a second and peak memory of training, by size and recipe; and the stock loop beside ours at dcgan-64.

One block is one round: all steps of the critic and one of the generator. Blocks of what is compared run in turn, and
figures are medians of them: on a CPU of CPU time, which a busy machine leaves alone for the most part, on a GPU of the
clock. Memory is torch's own peak on a GPU; on a CPU it is how far the process has grown, in a process for each row.

OMP_NUM_THREADS=1 python -m benchmarks.training.images_per_second --blocks 5 --batch 16
python -m benchmarks.training.images_per_second --device cuda --stock
"""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import torch

from benchmarks.training.bare import bare_round
from benchmarks.training.blocks import Block, cpu_seconds, ratio
from gan.choosing import resolve
from gan.recipes import RECIPES
from gan.spec import DatasetFacts, ImageShape, TrainingSpec, TrainRequest
from worker.training.data import Packed, TrainingData
from worker.training.execution import PLAIN, Execution, execution
from worker.training.loop import Trainer
from worker.training.state import new_state

SIDES = (32, 64, 128)
ROWS = 256
STOCK = (64, 64)
"""Side and width of dcgan-64."""


@dataclass(frozen=True)
class Asked:
    """Where and how long to measure; `batch` None: as the recipe has it."""

    device: str
    blocks: int
    batch: int | None
    width: int | None
    precision: str
    capture: bool

    def execution(self, spec: TrainingSpec) -> Execution:
        return execution(spec, torch.device(self.device), self.precision, capture=self.capture)  # type: ignore[arg-type]


def the_spec(recipe: str, side: int, asked: Asked) -> TrainingSpec:
    """As a request with nothing but the recipe would be resolved, but for augmentation, which is off."""
    facts = DatasetFacts(count=ROWS, shape=ImageShape(channels=3, height=side, width=side))
    body = {"type": "train", "dataset": "d", "model": "m", "recipe": recipe, "augment": "none"}
    chosen = {"batch_size": asked.batch} if asked.batch else {}
    network = {"network": {"width": asked.width}} if asked.width else {}
    spec = resolve(TrainRequest.model_validate(body | chosen | network), facts, asked.device)
    return spec.model_copy(update={"critic_boost": None})


def a_round(spec: TrainingSpec, how: Execution, device: torch.device) -> Block:
    """The trainer's round on random images."""
    shape = spec.network.shape
    assert isinstance(shape, ImageShape)
    pixels = np.random.default_rng(0).integers(0, 256, (ROWS, shape.height, shape.width, 3), dtype=np.uint8)
    facts = DatasetFacts(count=ROWS, shape=shape)
    trainer = Trainer(spec, TrainingData(Packed(facts, pixels, None), spec, device), new_state(spec, device, how))

    def one() -> None:
        for _ in range(spec.critic_steps + 1):
            trainer.update()

    return one


def clock_of(device: torch.device) -> Callable[[Block], float]:
    """CPU seconds on a CPU; on a GPU seconds until it has nothing left to do."""
    if device.type == "cpu":
        return cpu_seconds

    def seconds(block: Block) -> float:
        torch.cuda.synchronize(device)
        began = time.perf_counter()
        block()
        torch.cuda.synchronize(device)
        return time.perf_counter() - began

    return seconds


def memory(device: torch.device) -> float:
    """Peak MiB so far."""
    if device.type == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return torch.cuda.max_memory_allocated(device) / 2**20


def measure_row(recipe: str, side: int, asked: Asked) -> str:
    """One row of the table."""
    torch.set_num_threads(1)
    device = torch.device(asked.device)
    spec = the_spec(recipe, side, asked)
    before = memory(device)
    block, clock = a_round(spec, asked.execution(spec), device), clock_of(device)
    block()
    seconds = median(clock(block) for _ in range(asked.blocks))
    rate = spec.batch_size * spec.critic_steps / seconds
    net = f"`{spec.network.architecture}` {spec.network.width}"
    return f"| {side}² | `{recipe}` | {net} | {spec.batch_size} | {rate:.1f} | {memory(device) - before:.0f} |"


def in_a_process_of_its_own(recipe: str, side: int, asked: Asked) -> str:
    """The row, with the memory of nothing else in it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure_row, (recipe, side, asked))


def stock(asked: Asked) -> list[str]:
    """dcgan-64, width 64, the recipe's batch: the stock loop, ours as it was before, and ours."""
    torch.set_num_threads(1)
    device = torch.device(asked.device)
    side, width = STOCK
    spec = the_spec("dcgan", side, replace(asked, width=width))
    rows = {
        "stock loop: contiguous, float32, eager, `.item()` every step": bare_round(spec, device, PLAIN, looks=True),
        "the trainer, contiguous, float32, eager": a_round(spec, PLAIN, device),
        "the trainer": a_round(spec, asked.execution(spec), device),
    }
    clock = clock_of(device)
    for block in rows.values():
        block()
    taken = [[clock(block) for block in rows.values()] for _ in range(asked.blocks)]
    columns = list(zip(*taken, strict=True))
    lines = ["| dcgan-64 | images/s | times the stock loop's |", "|---|---|---|"]
    for name, column in zip(rows, columns, strict=True):
        lines.append(f"| {name} | {spec.batch_size / median(column):.1f} | {ratio(columns[0], column):.2f} |")
    return lines


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--width", type=int)
    parser.add_argument("--sides", type=lambda text: [int(side) for side in text.split(",")], default=list(SIDES))
    parser.add_argument("--recipes", type=lambda text: text.split(","), default=list(RECIPES))
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--capture", action="store_true", help="replay steps as CUDA graphs")
    parser.add_argument("--stock", action="store_true", help="the comparison with the stock loop instead")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> None:
    """Measure and print."""
    options = arguments(given)
    names = ("device", "blocks", "batch", "width", "precision", "capture")
    asked = Asked(**{name: getattr(options, name) for name in names})
    if options.stock:
        print("\n".join(stock(asked)))
        return
    print("| size | recipe | network | batch | images/s | peak MiB |")
    print("|---|---|---|---|---|---|")
    for side in options.sides:
        for recipe in options.recipes:
            print(in_a_process_of_its_own(recipe, side, asked), flush=True)


if __name__ == "__main__":
    main()
