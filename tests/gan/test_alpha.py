"""Pictures with alpha: sizes, sheets and encodings, as a viewer of the files sees them."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from gan.images import ANIMATIONS, STILLS, from_uint8, grid, on_white, resize, strip, to_uint8


def pictures(count: int = 4, side: int = 16, channels: int = 4) -> np.ndarray:
    """Dark pictures whose left half is opaque, but for a corner, and whose right half is transparent."""
    made = np.full((count, side, side, channels), 60, dtype=np.uint8)
    made += np.arange(count, dtype=np.uint8)[:, None, None, None] * 20
    made[..., -1] = 0
    made[:, :, : side // 2, -1] = 255
    made[:, : side // 4, : side // 4, -1] = 0
    return made


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


ALPHA = pytest.mark.parametrize("channels", [2, 4])


@ALPHA
def test_every_level_of_every_channel_survives_the_way_to_the_network_and_back(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 7, channels), dtype=np.uint8)
    assert from_uint8(pixels).shape == (3, channels, 5, 7)
    np.testing.assert_array_equal(to_uint8(from_uint8(pixels)), pixels)


@ALPHA
def test_png_and_lossless_sheets_keep_every_channel(channels: int) -> None:
    picture = pictures(1, channels=channels)[0]
    image = opened(STILLS["png"].encode(picture))
    assert image.mode == {2: "LA", 4: "RGBA"}[channels]
    np.testing.assert_array_equal(np.asarray(image), picture)


@ALPHA
def test_webp_keeps_alpha_and_jpeg_lies_on_white(channels: int) -> None:
    picture = pictures(1, 32, channels)[0]
    webp = np.asarray(opened(STILLS["webp"].encode(picture)).convert("RGBA")).astype(int)
    assert (webp[:, :, 3] == picture[:, :, -1]).all()
    assert np.abs(webp[9:, :14, :3] - 60).max() < 8
    jpeg = opened(STILLS["jpeg"].encode(picture))
    assert jpeg.mode == {2: "L", 4: "RGB"}[channels]
    shown = np.asarray(jpeg.convert("L")).astype(int)
    assert np.abs(shown[10:, :14] - 60).max() < 8
    assert shown[:, 18:].min() > 245


def test_what_is_half_transparent_is_half_white() -> None:
    picture = np.array([[[0, 0, 0, 128], [10, 20, 30, 255], [7, 7, 7, 0]]], dtype=np.uint8)
    assert on_white(picture).tolist() == [[[127, 127, 127], [10, 20, 30], [255, 255, 255]]]
    assert on_white(picture[..., [0, 3]]).tolist() == [[[127], [10], [255]]]
    plain = picture[..., :3]
    assert on_white(plain) is plain


@ALPHA
def test_a_grid_and_a_strip_are_transparent_between_the_pictures(channels: int) -> None:
    made = pictures(4, channels=channels)
    made[..., -1] = 255
    for sheet in (grid(made), strip(made)):
        gaps = sheet[..., -1] == 0
        assert gaps.any()
        assert (sheet[gaps][:, :-1] == 255).all()
        assert (~gaps).sum() == 4 * 16 * 16


@ALPHA
@pytest.mark.parametrize("size", [10, 40, 64])
def test_hidden_colour_does_not_bleed_into_a_resized_picture(channels: int, size: int) -> None:
    made = pictures(1, 64, channels)
    made[:, :, 32:, :-1] = 255  # white under what is transparent
    resized = resize(made, size)
    assert resized.shape == (1, size, size, channels)
    seen = resized[..., -1] > 16
    assert np.abs(resized[seen][:, :-1].astype(int) - 60).max() <= 12


@ALPHA
@pytest.mark.parametrize("name", ANIMATIONS)
def test_animations_keep_alpha_but_gif_lies_on_white(name: str, channels: int) -> None:
    frames = pictures(4, channels=channels)
    image = opened(ANIMATIONS[name].encode(frames, fps=10))
    assert image.n_frames == 4
    for index in range(4):
        image.seek(index)
        shown = np.asarray(image.convert("RGBA")).astype(int)
        assert np.abs(shown[5:, :7, 0] - (60 + 20 * index)).max() <= 6
        if name == "gif":
            assert (shown[..., 3] == 255).all()
            assert (shown[:, 8:, :3] == 255).all()
        else:
            assert (shown[5:, :7, 3] == 255).all()
            assert (shown[:, 9:, 3] == 0).all()


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("form", ["apng", "webp"])
def test_every_frame_of_a_moving_picture_keeps_its_own_alpha(form: str, channels: int) -> None:
    """Nothing of an earlier frame shines through a later one, and equal frames are frames."""
    drawn = np.zeros((5, 16, 16, channels), dtype=np.uint8)
    for index, corner in enumerate((0, 4, 4, 8, 0)):
        drawn[index, corner : corner + 6, corner : corner + 6] = 200
        drawn[index, corner : corner + 6, corner : corner + 6, -1] = 255
    with Image.open(BytesIO(ANIMATIONS[form].encode(drawn, 10))) as moving:
        assert moving.n_frames == 5
        for index, frame in enumerate(drawn):
            moving.seek(index)
            shown = np.asarray(moving.convert("RGBA"))
            assert np.array_equal(shown[:, :, 3], frame[:, :, -1]), index
            assert abs(shown[frame[:, :, -1] == 255, 0].astype(int) - 200).max() <= 6
