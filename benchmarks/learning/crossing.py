"""A world that is small enough to know: an agent walks up a road to a crossing, and there goes left or right.

A frame is 8×8 grey pixels: grey ground, a black road in the shape of a T, and the agent, a white pixel. x is a frame, y
the next one. On the road the agent goes on as it went; at the crossing it goes left with probability 0.7 and right with
0.3. Nothing else is left to chance.

    python -m benchmarks.learning.crossing --seed 0 1 2 --picture docs/images/crossing.png
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan import images
from gan.checkpoint import load_generator
from gan.choosing import resolve
from gan.networks.build import build_generator
from gan.spec import DatasetFacts, ImageShape, NetworkSpec, TrainingSpec, TrainRequest
from worker.jobs import train
from worker.protocol import Assignment, Report, SavedCheckpoint

SIDE = 8
CROSSING = (3, 3)
"""(row, column); the road goes up to it from the lower edge, and from side to side."""
LEFT = 0.7
GROUND, ROAD, AGENT = 128, 0, 255
SHARP = 0.25
"""How near to one of the two outcomes a frame must lie, as a share of the distance between them. A regression's answer
lies at 0.3."""
WALKS = 1000
REQUEST: dict[str, Any] = {
    "batch_size": 32,
    "images": 38_400,
    "r1": 0.5,
    "r2": 0.5,
    "network": {"width": 8, "latent_dim": 8},
}
"""What is asked of a training beside recipe and seed: a small network, half of the usual γ, and a short budget."""

Frames = NDArray[np.uint8]


# ---- the world ----


def frame(row: int, column: int) -> Frames:
    """(8, 8, 1): the world with the agent at its place."""
    picture = np.full((SIDE, SIDE, 1), GROUND, dtype=np.uint8)
    picture[CROSSING[0]] = ROAD
    picture[CROSSING[0] :, CROSSING[1]] = ROAD
    picture[row, column] = AGENT
    return picture


def walk(side: int) -> list[Frames]:
    """The four frames of one walk: below the crossing, at it, one step beside it (side -1 or 1), and two."""
    row, column = CROSSING
    return [frame(*at) for at in ((row + 1, column), CROSSING, (row, column + side), (row, column + 2 * side))]


def pairs(walks: int = WALKS, seed: int = 0) -> tuple[Frames, Frames]:
    """x and y, (N, 8, 8, 1) each: every two frames of so many walks that follow one another."""
    rng = np.random.default_rng(seed)
    walked = [walk(-1 if goes_left else 1) for goes_left in rng.random(walks) < LEFT]
    x = [one for frames in walked for one in frames[:-1]]
    y = [one for frames in walked for one in frames[1:]]
    return np.stack(x), np.stack(y)


def at_the_crossing() -> tuple[Frames, Frames, Frames]:
    """The frame with the agent at the crossing, and the two that may follow: it went left, it went right."""
    row, column = CROSSING
    return frame(row, column), frame(row, column - 1), frame(row, column + 1)


# ---- what was learned of it ----


class Found(NamedTuple):
    """Of frames made at the crossing: the share that is nearer to left, and the share that is sharp.

    `distance` is the median distance to the nearer of the two outcomes, `mean` that of the mean of all to the nearer:
    shares of the distance between the two.
    """

    left: float
    sharp: float
    distance: float
    mean: float


def draw(generator: nn.Module, z: Tensor) -> Frames:
    """What a generator makes of the crossing and z (N, latent_dim): (N, 8, 8, 1)."""
    x = torch.from_numpy(images.from_uint8(at_the_crossing()[0][None]))
    with torch.no_grad():
        return images.to_uint8(generator(z, x.expand(len(z), -1, -1, -1)).numpy())


def judge(made: Frames) -> Found:
    """How the frames (N, 8, 8, 1) lie to the two outcomes."""
    _, left, right = at_the_crossing()
    to_left, to_right = (distance(made, outcome) for outcome in (left, right))
    nearest = np.minimum(to_left, to_right)
    mean = made.mean(axis=0, keepdims=True)
    blurred = min(distance(mean, outcome).item() for outcome in (left, right))
    return Found(
        (to_left < to_right).mean().item(), (nearest < SHARP).mean().item(), np.median(nearest).item(), blurred
    )


def distance(made: NDArray[Any], outcome: Frames) -> NDArray[np.float64]:
    """How far frames lie from one of the outcomes, as a share of how far the outcomes lie apart: (N,)."""
    _, left, right = at_the_crossing()
    apart = np.linalg.norm(left.astype(float) - right)
    return np.linalg.norm((made.astype(float) - outcome).reshape(len(made), -1), axis=1) / apart


# ---- learning ----


def regression(network: NetworkSpec, x: Frames, y: Frames, steps: int = 300, seed: int = 0) -> nn.Module:
    """The same generator with z = 0, trained to the least mean square distance between its answer and y."""
    generator, rng = build_generator(network, seed), np.random.default_rng(seed)
    optimizer = torch.optim.Adam(generator.parameters(), 2e-3)
    z = torch.zeros(32, network.latent_dim)
    for _ in range(steps):
        rows = rng.integers(0, len(x), len(z))
        given, wanted = (torch.from_numpy(images.from_uint8(half[rows])) for half in (x, y))
        loss = (generator(z, given) - wanted).square().mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return generator


class _Line:
    """What a training job talks to: keeps the newest checkpoint, and never says stop."""

    stop = None
    saved: SavedCheckpoint

    def send(self, report: Report) -> None:
        """Take a report."""
        if isinstance(report, SavedCheckpoint):
            self.saved = report


def specified(seed: int, **request: Any) -> TrainingSpec:
    """The job that a request makes on this world."""
    facts = DatasetFacts(count=3 * WALKS, shape=ImageShape(channels=1, height=SIDE, width=SIDE), input_channels=1)
    body = {"type": "train", "dataset": "crossing", "model": "crossing", "seed": seed} | REQUEST | request
    return resolve(TrainRequest.model_validate(body), facts, "cpu")


def learned(root: Path, spec: TrainingSpec, x: Frames, y: Frames) -> nn.Module:
    """The averaged generator that a training job leaves, its files below `root`."""
    folder = root / "datasets" / "crossing"
    folder.mkdir(parents=True)
    np.save(folder / "data.npy", y)
    np.save(folder / "inputs.npy", x)
    shape = spec.network.shape
    (folder / "facts.json").write_text(DatasetFacts(count=len(x), shape=shape, input_channels=1).model_dump_json())
    assignment = Assignment(
        job="job_1",
        epoch=1,
        type="train",
        spec=spec.model_dump(mode="json"),
        storage=str(root),
        device="cpu",
        threads=1,
        deadline=1e18,
        model="mdl_1",
        dataset={"id": "ds_1", "digest": "crossing", "path": "datasets/crossing"},
    )
    line = _Line()
    train.run(assignment, line)  # type: ignore[arg-type]  # a line that keeps the newest checkpoint
    return load_generator(root / line.saved.path).module


def latents(network: NetworkSpec, count: int, seed: int = 0) -> Tensor:
    """z (count, latent_dim)."""
    return torch.randn(count, network.latent_dim, generator=torch.Generator().manual_seed(seed))


# ---- on the command line ----

TILE = 64
SHOWN = 10


def sheet(blurred: nn.Module, generator: nn.Module, network: NetworkSpec) -> Frames:
    """x, the two outcomes and the regression's answer; below them what ten z make of x each."""
    x, left, right = at_the_crossing()
    answer = draw(blurred, torch.zeros(1, network.latent_dim))
    blank = np.full((SHOWN - 4, SIDE, SIDE, 1), 255, dtype=np.uint8)
    rows = [np.stack([x, left, right]), answer, blank, draw(generator, latents(network, SHOWN))]
    return images.grid(images.resize(np.concatenate(rows), TILE), columns=SHOWN)


def main() -> None:
    """Trains with every seed and prints a line of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--images", type=int, default=REQUEST["images"])
    parser.add_argument("--picture", type=Path, help="where a picture of the first seed goes")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    x, y = pairs()
    print("| seed | left | sharp | median distance | distance of the mean | CPU seconds |\n|---|---|---|---|---|---|")
    for seed in asked.seed:
        spec, began = specified(seed, images=asked.images), time.process_time()
        with tempfile.TemporaryDirectory() as root:
            generator = learned(Path(root), spec, x, y)
        found, spent = judge(draw(generator, latents(spec.network, 400))), time.process_time() - began
        print(f"| {seed} | {' | '.join(f'{number:.3f}' for number in found)} | {spent:.0f} |", flush=True)
        if asked.picture and seed == asked.seed[0]:
            picture = sheet(regression(spec.network, x, y), generator, spec.network)
            asked.picture.write_bytes(images.STILLS["png"].encode(picture))


if __name__ == "__main__":
    main()
