"""Datasets of pairs over HTTP: the resource, its preview, and training requests that contradict them."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from service_kit import Running

from gan.spec import DatasetFacts, ImageShape

INPUTS = np.arange(30, dtype=np.uint8).reshape(30, 1, 1, 1).repeat(8, 1).repeat(8, 2) * 8
TARGETS = (255 - INPUTS).repeat(3, axis=3)


@pytest.fixture
def paired(service: Running) -> Running:
    """The service, with a dataset `pairs` of grey inputs and coloured targets."""
    facts = DatasetFacts(count=30, shape=ImageShape(channels=3, height=8, width=8), input_channels=1)
    sizes: dict[str, Any] = {"width": 8, "height": 8, "channels": 3, "input_channels": 1}
    running = service
    if not running.datasets.exists("pairs"):
        running._prepare("pairs", "images", TARGETS, None, facts, sizes)
        path = running.datasets.get("pairs").path
        assert path is not None
        np.save(running.storage.path(path) / "inputs.npy", INPUTS)
    return running


def test_a_dataset_of_pairs_says_the_channels_of_its_inputs(paired: Running) -> None:
    found = paired.http.get("/v1/datasets/pairs").json()
    assert (found["kind"], found["channels"], found["input_channels"]) == ("images", 3, 1)


def test_its_preview_has_each_input_beside_its_target(paired: Running) -> None:
    answer = paired.http.get("/v1/datasets/pairs/preview")
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    side, gap = 48, 2
    assert picture.shape == (6 * (side + gap) - gap, 10 * (side + gap) - gap, 3)
    tiles = [picture[0, k * (side + gap)] for k in range(4)]
    assert [tile.tolist() for tile in tiles] == [[0] * 3, [255] * 3, [8] * 3, [247] * 3]


def test_a_job_on_pairs_is_conditioned_on_their_inputs(paired: Running) -> None:
    spec = paired.train("pairs", "translator", l1=10.0).json()["spec"]
    assert spec["network"]["architecture"] == "unet"
    assert spec["network"]["conditioning"] == {"kind": "image", "size": 1}
    assert spec["l1"] == 10.0
    paired.quiet()


@pytest.mark.parametrize(
    ("dataset", "fields", "param"),
    [
        ("pairs", {"network": {"architecture": "dcgan"}}, "network.architecture"),
        ("pairs", {"conditional": False, "l1": 1.0}, "l1"),
        ("images", {"l1": 1.0}, "l1"),
        ("images", {"network": {"architecture": "unet"}}, "network.architecture"),
        ("pairs", {"l1": -1.0}, "l1"),
    ],
)
def test_what_contradicts_the_data_is_422_and_nothing_is_queued(
    paired: Running, dataset: str, fields: dict[str, Any], param: str
) -> None:
    if not paired.datasets.exists("images"):
        paired.images("images")
    answer = paired.train(dataset, "never", **fields)
    assert (answer.status_code, answer.json()["param"]) == (422, param)
    assert paired.jobs.list(status="queued", limit=100).data == []
