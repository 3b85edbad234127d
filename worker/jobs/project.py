"""The `project` job: the latents whose pictures come nearest to given images."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan.checkpoint import LoadedNetwork, load_discriminator, load_generator
from gan.errors import DatasetMissing
from gan.images import to_uint8
from gan.projection import Found, Players, Search, project
from gan.spec import ProjectionSpec
from ledger.storage import Storage
from worker.jobs.evaluate import Halted, Watch
from worker.line import ControlLine
from worker.protocol import Assignment, Evaluated, Progress, Started, Stopped

IMAGES = "images"
CONDITIONS = "conditions"
"""The arrays of a projection's file: float32 (N, C, H, W) in [-1, 1], and (N, …) where conditions were given."""


class Given(NamedTuple):
    """Images, and their conditions where they were given."""

    images: Tensor
    conditions: Tensor | None


def run(assignment: Assignment, line: ControlLine) -> None:
    """Looks for the latents, and tells them. A job that is stopped begins anew when it goes on."""
    line.send(Started(device=assignment.device))
    try:
        result = projected(assignment, Watch(line))
        line.send(Progress(images=0, total_images=None, percent=100.0))
        line.send(Evaluated(result=result))
    except Halted:
        line.send(Stopped())


def projected(assignment: Assignment, watch: Watch) -> dict[str, Any]:
    """The result. Raises JobFailures: CheckpointCorrupt, DatasetMissing where the images are gone."""
    assert assignment.evaluation is not None
    torch.set_num_threads(assignment.threads)
    spec, checkpoint = ProjectionSpec.model_validate(assignment.spec), assignment.evaluation["checkpoint"]
    storage, device = Storage(Path(assignment.storage)), torch.device(assignment.device)
    path = storage.path(checkpoint["path"])
    made = load_generator(path, checkpoint["sha256"], spec.ema)
    judge = load_discriminator(path, checkpoint["sha256"])
    given = read(storage.path(spec.images), device)
    network = made.header.network
    players = Players(made.module.to(device), judge.module.to(device), network.latent_dim, network.latent_distribution)
    choices = torch.eye(network.conditioning.size) if network.conditioning.kind == "class" else None
    search = Search(spec.steps, spec.starts, spec.candidates, spec.seed)
    found = project(players, *given, None if given.conditions is not None else choices, search, watch)
    return {"object": "projection", "model": spec.model, "checkpoint": spec.checkpoint, "ema": spec.ema,
            "data": rows(found, given.images, made)}  # fmt: skip


def read(path: Path, device: torch.device) -> Given:
    """The images that were sent. Raises DatasetMissing where they are gone."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: torch.from_numpy(file[name]).to(device) for name in file.files}
    except (OSError, ValueError) as error:
        raise DatasetMissing("the images of this projection are gone from storage: send them again") from error
    return Given(arrays[IMAGES], arrays.get(CONDITIONS))


def rows(found: Found, images: Tensor, loaded: LoadedNetwork) -> list[dict[str, Any]]:
    """A row an image: its latent, its label where the model has classes, and how far its picture is from it.

    The distance is that of neighbours: root mean square of levels, as a share of the range.
    """
    levels, targets = (to_uint8(part.cpu().numpy()).astype(np.float64) for part in (found.pictures, images))
    distances = np.sqrt(np.square(levels - targets).reshape(len(levels), -1).mean(axis=1)) / 255
    labels = labels_of(found, loaded)
    z = found.latents.cpu().numpy()
    return [
        {"index": index, "latent": z[index].tolist(), "label": labels[index], "distance": float(distances[index])}
        for index in range(len(z))
    ]


def labels_of(found: Found, loaded: LoadedNetwork) -> list[str | None]:
    """The classes that were given, or found."""
    conditioning, c = loaded.header.network.conditioning, found.conditions
    if conditioning.kind != "class" or c is None:
        return [None] * len(found.latents)
    names = loaded.header.classes or tuple(map(str, range(conditioning.size)))
    places: NDArray[np.int64] = c.argmax(dim=1).cpu().numpy()
    return [names[place] for place in places]
