"""What a training of scikit-learn's digits learns, in this process: for choosing figures, seed by seed.

python benchmarks/learning/digits.py --images 100000 --seed 0 --set learning_rate=0.001
"""

import argparse
import json
import time

import numpy as np
import torch

from gan.choosing import resolve
from gan.latents import latents
from gan.spec import DatasetFacts, ImageShape, TrainRequest
from ganymede.demo import SHADES, Figures, digits, judge
from worker.training.data import Packed, TrainingData
from worker.training.loop import Trainer
from worker.training.state import new_state

CLASSES, EACH = 10, 200


def learned(request: TrainRequest) -> tuple[Trainer, float]:
    """A finished trainer, and the seconds that it took."""
    scans, shown = digits()
    pixels = np.rint(scans * (255 / SHADES)).astype(np.uint8).reshape(-1, 8, 8, 1)
    shape = ImageShape(channels=1, height=8, width=8)
    facts = DatasetFacts(count=len(pixels), shape=shape, classes=tuple(map(str, range(CLASSES))))
    spec = resolve(request, facts, "cpu")
    device = torch.device("cpu")
    trainer = Trainer(spec, TrainingData(Packed(facts, pixels, shown), spec, device), new_state(spec, device))
    began = time.monotonic()
    while trainer.ended_by is None:
        trainer.update()
    return trainer, time.monotonic() - began


@torch.no_grad()
def judged(trainer: Trainer) -> Figures:
    """The demo's figures, of digits drawn from the averaged generator."""
    asked = np.repeat(np.arange(CLASSES), EACH)
    network = trainer.spec.network
    z = torch.from_numpy(latents(range(len(asked)), network.latent_dim, network.latent_distribution))
    made = trainer.state.players.average(z, torch.nn.functional.one_hot(torch.from_numpy(asked), CLASSES).float())
    levels = ((made.clamp(-1, 1) + 1) * 127.5).round().numpy().reshape(len(asked), -1)
    return judge(levels * (SHADES / 255), asked, *digits())


def main() -> None:
    """Measure and print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE", help="overrides, values as JSON")
    asked = parser.parse_args()
    overrides = {name: json.loads(value) for name, _, value in (one.partition("=") for one in asked.set)}
    fields = {"type": "train", "dataset": "digits", "model": "digits", "images": asked.images, "seed": asked.seed}
    torch.set_num_threads(1)
    trainer, seconds = learned(TrainRequest.model_validate(fields | overrides))
    found = judged(trainer)
    print(
        f"{' '.join(asked.set) or 'as chosen'}, seed {asked.seed}: agreement {found.agreement:.3f}, "
        f"worst digit {found.worst[1]:.3f}, accuracy {found.accuracy:.3f}; {asked.images / seconds:.0f} images/s"
    )


if __name__ == "__main__":
    main()
