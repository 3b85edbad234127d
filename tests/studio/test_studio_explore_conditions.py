"""The explore room with models that answer to numbers or to pictures, and with a key that may not draw."""

import io
import re
from collections.abc import Iterator
from typing import Final

import numpy as np
import pytest
import torch
from browsing import PATIENCE, Look, Shown
from PIL import Image
from playwright.sync_api import Locator, expect
from running import Stack, running_stack
from seeded import network, write_seeded

from ganymede import Client

NUMBERS: Final = "explored-numbers"
PAIRS: Final = "explored-pairs"

DRAWN_FOR: Final = """() => {
  const asked = [...document.querySelectorAll(".tile img")].filter(one => one.src.includes("condition=0.5%2C-1"));
  return asked.length > 0 && asked.every(one => one.complete && one.naturalWidth > 0);
}"""
"""The wall's pictures are those of the numbers 0.5 and -1, and have come."""

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module", autouse=True)
def models(client: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A model of two numbers, and one of pictures."""
    folder = tmp_path_factory.mktemp("conditions")
    numbers = torch.tensor([[0.0, 1.0], [0.5, -1.0], [2.0, 0.25]])
    write_seeded(folder / "numbers.safetensors", network(kind="vector", size=2), conditions=numbers)
    client.models.upload(folder / "numbers.safetensors", name=NUMBERS)
    inputs = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    write_seeded(folder / "pairs.safetensors", network("unet", kind="image", size=1), conditions=inputs)
    client.models.upload(folder / "pairs.safetensors", name=PAIRS)


def picture() -> bytes:
    """A picture of 8×8, as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4).save(buffer, "PNG")
    return buffer.getvalue()


def large(shown: Shown) -> Locator:
    """The picked picture, once it has come."""
    image = shown.page.locator(".explore-picked img").first
    shown.page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=image.element_handle())
    return image


def test_a_model_of_numbers_draws_for_the_numbers_that_are_typed(look: Look, width: str, client: Client) -> None:
    shown = look(f"#/explore/{NUMBERS}?pick=1", width)
    page = shown.page
    large(shown)
    expect(page.get_by_text("logit", exact=False).first).to_be_visible()
    page.get_by_label("Numbers").fill("0.5")
    expect(page.get_by_text("2 numbers are needed")).to_be_visible()
    page.get_by_label("Numbers").fill("0.5, -1")
    page.wait_for_function(DRAWN_FOR)
    expect(page).to_have_url(re.compile("condition="))
    shown.accessible()
    shown.keep("explore-numbers")


def test_a_model_of_pictures_draws_of_the_picture_that_is_given(look: Look, width: str) -> None:
    shown = look(f"#/explore/{PAIRS}?pick=1", width)
    page = shown.page
    before = large(shown).get_attribute("src")
    expect(page.get_by_text("The discriminator judges pairs")).to_be_visible()
    page.get_by_label("Choose an input…").set_input_files(
        {"name": "input.png", "mimeType": "image/png", "buffer": picture()}
    )
    expect(page.get_by_text("are drawn of yours")).to_be_visible()
    expect(page.get_by_role("img", name="Your input")).to_be_visible()
    expect(page.get_by_text("logit", exact=False).first).to_be_visible()
    assert large(shown).get_attribute("src") != before
    shown.accessible()
    shown.keep("explore-pairs")
    page.get_by_role("button", name="Without it").click()
    expect(page.get_by_text("The discriminator judges pairs")).to_be_visible()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that asks for keys, with a model in it."""
    folder = tmp_path_factory.mktemp("reading")
    with running_stack(folder / "stack", GANYMEDE_API_KEYS_REQUIRED="true") as running:
        write_seeded(folder / "model.safetensors", network())
        with Client(running.url, api_key=running.key("maker", "--scope", "admin")) as client:
            client.models.upload(folder / "model.safetensors", name="guarded")
        yield running


@pytest.mark.parametrize("address", ["#/explore", "#/explore/guarded"])
def test_a_key_that_may_not_draw_is_told_so_and_how_one_is_made_that_may(
    look: Look, guarded: Stack, address: str, width: str
) -> None:
    shown = look(address, width, guarded.url)
    shown.page.get_by_label("API key").fill(guarded.key(f"reader-{width}-{len(address)}", "--scope", "read"))
    shown.page.get_by_role("button", name="Come in").click()
    expect(shown.page.get_by_text("This key may not draw pictures")).to_be_visible()
    expect(shown.page.get_by_text("guarded").first).to_be_visible()
    assert "--scope sample" in shown.page.locator(".note code").inner_text()
    expect(shown.page.locator("main img")).to_have_count(0)
    shown.accessible()
