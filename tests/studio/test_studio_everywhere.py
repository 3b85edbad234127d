"""Every room with something in it, in light and dark, with names as long as may be: legible, and not wider than the
screen."""

import io
import re
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from browsing import LONG_TASK, PATIENCE, Look, Shown, longest_tasks
from PIL import Image
from playwright.sync_api import Browser, expect

from ganymede import Client

NAME: Final = "N" * 100
CLASSES: Final = ["first" * 12, "second" * 12]
UNREADABLE: Final = "w" * 120 + ".txt"
ROOMS: Final = {
    "#/data": NAME,
    f"#/data/{NAME}": CLASSES[0],
    f"#/train?dataset={NAME}": NAME,
    "#/watch": NAME,
    "#/explore": NAME,
    f"#/explore/{NAME}?pick=3": CLASSES[0],
    f"#/explore/{NAME}?a=1&b=2": CLASSES[0],
    "#/theory": NAME,
}
"""Addresses, and what stands there when the room has been told of it."""

expect.set_options(timeout=PATIENCE)


def noisy(seed: int) -> bytes:
    """A picture of 16×16, as PNG."""
    levels = np.random.default_rng(seed).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def job(client: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A training of a dataset, a model and classes whose names fill more than a line."""
    path: Path = tmp_path_factory.mktemp("long") / "long.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(UNREADABLE, "not a picture")
        for number in range(64):
            archive.writestr(f"{CLASSES[number % 2]}/{number}.png", noisy(number))
    client.datasets.upload(path, name=NAME)
    client.datasets.wait(NAME)
    body = {"type": "train", "dataset": NAME, "model": NAME, "recipe": "dcgan", "network": {"width": 8}, "images": 640}
    return client.jobs.wait(client.jobs.create(body).id, timeout=240).id


@pytest.mark.parametrize(("width", "scheme"), [("phone", "light"), ("desktop", "dark"), ("phone", "dark")])
def test_every_room_is_legible_and_as_wide_as_the_screen(look: Look, job: str, width: str, scheme: str) -> None:
    shown = look("", width, color_scheme=scheme)
    for address, told in {**ROOMS, f"#/watch/{job}": NAME}.items():
        shown.go(address)
        expect(shown.page.get_by_text(told).first).to_be_attached()
        expect(shown.page.get_by_role("progressbar", name=re.compile("Reading|Looking"))).to_have_count(0)
        shown.accessible()
        shown.keep(f"{scheme}-{re.sub('[^a-z]+', '-', address.replace(NAME, 'one'))[:30]}")


@pytest.mark.alone
@pytest.mark.parametrize(
    "address", ["#/data", f"#/data/{NAME}", f"#/train?dataset={NAME}", "#/watch", "#/watch/JOB", "#/theory"]
)
def test_no_room_has_a_task_that_is_felt_as_it_comes(look: Look, browser: Browser, job: str, address: str) -> None:
    def visit(shown: Shown) -> None:
        shown.go(address.replace("JOB", job))
        expect(shown.page.get_by_text(NAME).first).to_be_attached()
        shown.page.wait_for_timeout(1000)

    assert min(longest_tasks(browser, look, visit)) <= LONG_TASK
