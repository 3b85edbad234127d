"""Models put straight into the ledger and storage, with seeded weights, and how their answers are read."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch
from PIL import Image
from seeded import write_seeded
from service_kit import Running, serving, settings_in

from gan.checkpoint import LogitCalibration
from gan.spec import NetworkSpec
from ledger.tables import CheckpointRow, ModelRow


@contextmanager
def sampling_service(folder: Path, **settings: Any) -> Iterator[Running]:
    """A service with one CPU thread for its forwards; `app` is the application inside."""
    apps: list[Any] = []
    with serving(settings_in(folder, service_threads=1, **settings), apps.append) as running:
        running.app = apps[0]  # type: ignore[attr-defined]
        yield running


def publish(
    running: Running,
    name: str,
    network: NetworkSpec,
    images: int = 1000,
    classes: tuple[str, ...] = (),
    counts: tuple[int, ...] = (),
    conditions: torch.Tensor | None = None,
    calibration: LogitCalibration | None = None,
) -> str:
    """A new checkpoint of the model (made if need be); returns its id."""
    model, checkpoint = f"mdl_{name}", f"ckpt_{name}{images}"
    path = f"checkpoints/{model}/{checkpoint}.safetensors"
    written = write_seeded(running.storage.path(path), network, images, classes, counts, conditions, calibration)
    with running.ledger.writing() as session:
        if not running.models.exists(name):
            described = network.model_dump(mode="json")
            session.add(ModelRow(id=model, name=name, recipe="r3gan", network=described, classes=list(classes)))
            session.flush()
        row = CheckpointRow(
            id=checkpoint, model_id=model, images=images, path=path, bytes=written.bytes, sha256=written.sha256
        )
        session.add(row)
    return checkpoint


def ask(running: Running, accept: str | None = None, path: str = "samples", **body: Any) -> httpx.Response:
    """POST a sampling request; without `accept` the header says `*/*`, as curl does."""
    return running.http.post(f"/v1/{path}", json=body, headers={"Accept": accept or "*/*"})


def data(answer: httpx.Response) -> list[dict[str, Any]]:
    """The rows of a JSON answer."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return list(answer.json()["data"])


def array(answer: httpx.Response) -> np.ndarray:
    """The array of an answer."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-npy"
    return np.asarray(np.load(io.BytesIO(answer.content), allow_pickle=False))


def opened(answer: httpx.Response, media_type: str = "image/png") -> Image.Image:
    """The picture of an answer."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == media_type
    return Image.open(io.BytesIO(answer.content))


def pixels(answer: httpx.Response, media_type: str = "image/png") -> np.ndarray:
    """Its levels, (H, W) or (H, W, 3)."""
    return np.asarray(opened(answer, media_type)).astype(int)


def record(picture: Image.Image) -> dict[str, Any]:
    """What a PNG says of itself."""
    return dict(json.loads(picture.text["ganymede"]))  # type: ignore[attr-defined]
