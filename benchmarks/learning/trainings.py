"""Trainings of pictures in this process, without a service around them, and what they draw."""

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import torch
from PIL import Image

from benchmarks.learning.pictures import Pictures
from gan.choosing import resolve
from gan.spec import DatasetFacts, ImageShape, TrainRequest
from worker.training.data import Packed, TrainingData
from worker.training.loop import Trainer
from worker.training.state import new_state

CPU: Final = torch.device("cpu")
AT_ONCE: Final = 250


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
        parts = [training.state.players.average(z[k : k + AT_ONCE]) for k in range(0, count, AT_ONCE)]
    levels = ((torch.cat(parts).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).numpy()


def save_sheet(pictures: Pictures, path: Path) -> None:
    """Eight rows of sixteen pictures, to be looked at."""
    count, height, width, channels = pictures[:128].shape
    sheet = pictures[:count].reshape(8, 16, height, width, channels).swapaxes(1, 2).reshape(8 * height, -1, channels)
    Image.fromarray(sheet.squeeze()).save(path)


def table(out: Path | None, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table row by row, as each is measured; into a file as well, where one is named."""
    for row in chain([columns, ["---"] * len(columns)], rows):
        tell(out, row)


def tell(out: Path | None, row: Sequence[str]) -> None:
    """One line of the table."""
    line = "| " + " | ".join(row) + " |"
    print(line, flush=True)
    if out:
        with out.open("a") as file:
            file.write(line + "\n")
