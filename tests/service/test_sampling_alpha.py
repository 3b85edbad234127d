"""Models whose images have an alpha channel, over HTTP: which answers show it, and what the others show instead."""

import base64
import io
import zipfile
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from sampling_kit import array, ask, data, opened, pixels, publish, sampling_service
from seeded import network
from service_kit import Running

from gan.images import on_white
from gan.spec import ImageShape

MODES = {2: "LA", 4: "RGBA"}
ON_WHITE = {2: "L", 4: "RGB"}
CHANNELS = pytest.mark.parametrize("channels", [2, 4])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        for channels in MODES:
            publish(running, f"cut{channels}", network("r3", ImageShape(channels=channels, height=8, width=8)))
            running.images(f"cut{channels}", shape=(8, 8, channels))
        yield running


@CHANNELS
def test_png_shows_every_channel_of_the_array_that_npy_holds(service: Running, channels: int) -> None:
    levels = array(ask(service, "application/x-npy", model=f"cut{channels}", seed=3, **{"return": ["image"]}))
    assert levels.shape == (1, 8, 8, channels)
    assert len(np.unique(levels[..., -1])) > 8
    answer = ask(service, "image/png", model=f"cut{channels}", seed=3)
    assert opened(answer).mode == MODES[channels]
    assert (pixels(answer) == levels[0]).all()


@CHANNELS
def test_a_grid_is_transparent_between_its_pictures(service: Running, channels: int) -> None:
    sheet = pixels(ask(service, "image/png", model=f"cut{channels}", seed=0, count=4))
    assert sheet.shape == (17, 17, channels)
    assert (sheet[8] == [*[255] * (channels - 1), 0]).all()


@CHANNELS
def test_webp_keeps_alpha_and_jpeg_lies_on_white(service: Running, channels: int) -> None:
    asked = {"model": f"cut{channels}", "seed": 3, "size": 64}
    exact = pixels(ask(service, "image/png", **asked)).astype(np.uint8)
    webp = np.asarray(opened(ask(service, "image/webp", **asked), "image/webp").convert("RGBA"))
    assert (webp[..., 3] == exact[..., -1]).all()
    jpeg = opened(ask(service, "image/jpeg", **asked), "image/jpeg")
    assert jpeg.mode == ON_WHITE[channels]
    shown = np.asarray(jpeg).reshape(64, 64, -1).astype(int)
    assert np.abs(shown - on_white(exact)).mean() < 8


@CHANNELS
def test_zip_and_json_hold_pictures_with_alpha(service: Running, channels: int) -> None:
    answer = ask(service, "application/zip", model=f"cut{channels}", seeds=[5, 6])
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        first = Image.open(io.BytesIO(archive.read("000000_seed5.png")))
    rows = data(ask(service, "application/json", model=f"cut{channels}", seeds=[5, 6], **{"return": ["image"]}))
    second = Image.open(io.BytesIO(base64.b64decode(rows[0]["b64_json"])))
    assert first.mode == second.mode == MODES[channels]
    assert (np.asarray(first) == np.asarray(second)).all()


@CHANNELS
@pytest.mark.parametrize(("media_type", "alpha"), [("image/gif", False), ("image/apng", True), ("image/webp", True)])
def test_a_walk_moves_with_alpha_and_as_gif_on_white(
    service: Running, channels: int, media_type: str, alpha: bool
) -> None:
    walk = {"keyframes": [{"seed": 1}, {"seed": 2}], "frames": 4, "layout": "animation"}
    answer = ask(service, media_type, "interpolations", model=f"cut{channels}", **walk)
    assert answer.status_code == 200, answer.text
    image = Image.open(io.BytesIO(answer.content))
    assert image.n_frames == 4
    levels = np.stack([np.asarray(image.convert("RGBA"))[..., 3] for index in range(4) if image.seek(index) is None])
    assert (levels.min() < 255) == alpha


@CHANNELS
def test_a_seed_is_an_address_and_a_dataset_has_a_preview(service: Running, channels: int) -> None:
    assert opened(service.http.get(f"/v1/models/cut{channels}/images/7.png")).mode == MODES[channels]
    jpeg = service.http.get(f"/v1/models/cut{channels}/images/7.jpg")
    assert opened(jpeg, "image/jpeg").mode == ON_WHITE[channels]
    preview = opened(service.http.get(f"/v1/datasets/cut{channels}/preview"))
    assert preview.mode == MODES[channels]
    assert service.http.get(f"/v1/datasets/cut{channels}").json()["channels"] == channels
