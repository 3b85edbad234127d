"""Levels, sizes, sheets and encodings: what a viewer of the files sees."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.errors import LimitExceeded
from gan.images import ANIMATIONS, STILLS, from_uint8, grid, resize, scaled, sheet, strip, to_uint8


def pictures(count, height=8, width=8, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, channels), dtype=np.uint8)


def opened(data):
    return Image.open(BytesIO(data))


def test_every_level_survives_the_way_to_the_network_and_back():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    values = from_uint8(levels)
    assert values.dtype == np.float32
    assert (values.min(), values.max()) == (-1, 1)
    np.testing.assert_array_equal(to_uint8(values), levels)


def test_values_are_rounded_clipped_and_never_undefined():
    x = np.array([-9, -1, -0.999, 0.0, 0.999, 1, 9, np.inf, np.nan], dtype=np.float32).reshape(1, 1, 1, 9)
    assert to_uint8(x).ravel().tolist() == [0, 0, 0, 128, 255, 255, 255, 255, 0]


def test_channels_go_last_for_pixels_and_first_for_networks():
    pixels = pictures(2, 3, 5)
    assert from_uint8(pixels).shape == (2, 3, 3, 5)
    assert to_uint8(from_uint8(pixels)).tobytes() == pixels.tobytes()


def test_small_pictures_are_enlarged_as_squares():
    large = resize(pictures(1, 2, 4, 1), 12)
    assert large.shape == (1, 6, 12, 1)
    np.testing.assert_array_equal(large[0, ::3, ::3], pictures(1, 2, 4, 1)[0])
    assert len(np.unique(large[0, :3, :3])) == 1


@pytest.mark.parametrize(("side", "size", "expected"), [(64, 128, 128), (8, 20, 20), (64, 16, 16), (64, 64, 64)])
def test_other_sizes_are_resampled_and_a_flat_picture_stays_flat(side, size, expected):
    flat = np.full((2, side, side, 3), 77, dtype=np.uint8)
    resized = resize(flat, size)
    assert resized.shape == (2, expected, expected, 3)
    assert set(resized.ravel()) == {77}


def test_size_is_the_longer_side_and_proportions_stay():
    assert scaled(48, 96, 32) == (16, 32)
    assert scaled(96, 48, 32) == (32, 16)
    assert scaled(1, 128, 4) == (1, 4)
    assert scaled(5, 7, None) == (5, 7)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 30),
    columns=st.none() | st.integers(1, 40),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.sampled_from([1, 3]),
)
def test_a_grid_holds_every_picture_row_by_row_on_white(count, columns, height, width, channels):
    tiles = (
        np.zeros((count, height, width, channels), dtype=np.uint8)
        + np.arange(count, dtype=np.uint8)[:, None, None, None]
    )
    layout = sheet(count, height, width, columns)
    drawn = grid(tiles, columns)
    assert drawn.shape == (*layout.shape, channels)
    assert layout.columns == min(columns, count) if columns else abs(layout.rows - layout.columns) <= 1
    for index in range(count):
        row, column = divmod(index, layout.columns)
        y, x = row * (height + layout.gap), column * (width + layout.gap)
        assert (drawn[y : y + height, x : x + width] == index).all()
    assert (drawn == 255).sum() == drawn.size - tiles.size


def test_one_picture_is_a_grid_without_gaps():
    np.testing.assert_array_equal(grid(pictures(1))[:], pictures(1)[0])


def test_a_strip_is_one_row():
    assert strip(pictures(5, 40, 40)).shape == (40, 5 * 40 + 4 * 2, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_png_gives_the_very_pixels_back(channels):
    picture = pictures(1, 9, 13, channels)[0]
    image = opened(STILLS["png"].encode(picture))
    assert image.format == "PNG"
    np.testing.assert_array_equal(np.asarray(image).reshape(picture.shape), picture)


@pytest.mark.parametrize(("name", "form"), STILLS.items())
@pytest.mark.parametrize("channels", [1, 3])
def test_every_still_format_shows_the_picture(name, form, channels):
    smooth = np.linspace(0, 255, 32 * 32, dtype=np.uint8).reshape(32, 32, 1).repeat(channels, axis=2)
    image = opened(form.encode(smooth))
    assert image.format.lower() == name
    assert Image.MIME[image.format] == form.media_type
    shown = np.asarray(image.convert("RGB" if channels == 3 else "L")).reshape(smooth.shape)
    assert np.abs(shown.astype(int) - smooth).max() <= 8


def test_png_text_is_readable_by_any_viewer_short_long_or_in_another_alphabet():
    text = {"ganymede": '{"seeds":[1]}', "Software": "Ganymede", "Title": "Цифры", "long": "x" * 5000}
    data = STILLS["png"].encode(pictures(1)[0], text)
    assert opened(data).text == text
    assert len(data) < 5000


@pytest.mark.parametrize("name", ["webp", "jpeg"])
def test_lossy_formats_carry_the_record_as_a_description_where_it_fits(name):
    record = '{"seeds":[1]}'
    assert opened(STILLS[name].encode(pictures(1)[0], {"ganymede": record})).getexif()[0x010E] == record
    assert not opened(STILLS[name].encode(pictures(1)[0], {"ganymede": "x" * 70_000})).getexif()


@pytest.mark.parametrize(("name", "form"), ANIMATIONS.items())
@pytest.mark.parametrize("channels", [1, 3])
def test_every_animation_has_all_frames_at_the_speed_asked_for_and_repeats(name, form, channels):
    frames = np.linspace(0, 240, 6, dtype=np.uint8)[:, None, None, None] + np.zeros((6, 16, 16, channels), np.uint8)
    image = opened(form.encode(frames, fps=10, text={"ganymede": "{}"}))
    assert image.n_frames == 6
    assert image.info.get("loop") == 0
    for index in range(6):
        image.seek(index)
        image.load()
        assert image.info["duration"] == 100
        shown = np.asarray(image.convert("RGB"))
        assert np.abs(shown.astype(int) - int(frames[index, 0, 0, 0])).max() <= 4


def test_an_animation_of_grey_pictures_keeps_every_level_as_gif():
    frames = pictures(3, channels=1)
    image = opened(ANIMATIONS["gif"].encode(frames, fps=60))
    for index in range(3):
        image.seek(index)
        np.testing.assert_array_equal(np.asarray(image.convert("L")), frames[index, :, :, 0])
    assert image.info["duration"] == 20


def shown(data):
    """Every frame as RGB levels, and how long each is shown, in milliseconds."""
    image, frames, times = opened(data), [], []
    for index in range(image.n_frames):
        image.seek(index)
        image.load()
        frames.append(np.asarray(image.convert("RGB")).astype(int))
        times.append(image.info["duration"])
    return np.stack(frames), times


@pytest.mark.parametrize("form", ANIMATIONS.values(), ids=ANIMATIONS)
@pytest.mark.parametrize(("count", "fps"), [(10, 12), (1000, 12), (3, 0.1), (7, 30), (60, 60)])
@pytest.mark.parametrize("step", [0, 1], ids=["equal", "different"])
def test_an_animation_has_the_frames_and_lasts_as_long_as_asked_for(form, count, fps, step):
    frames = (np.arange(count)[:, None, None, None] * step % 200 + np.zeros((count, 16, 16, 3))).astype(np.uint8)
    levels, times = shown(form.encode(frames, fps))
    assert np.abs(levels - frames).max() <= 4
    shortest = 1000 * count / min(fps, 500 / form.tick)
    assert (len(times), sum(times)) == (count, pytest.approx(shortest, abs=form.tick / 2))
    assert max(times) - min(times) <= form.tick


@pytest.mark.parametrize(("name", "nearly"), [("gif", 0), ("apng", 0), ("webp", 12)])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_moves_is_shown_where_it_is_and_the_rest_stays(name, nearly, channels):
    frames = np.full((6, 21, 33, channels), 90, dtype=np.uint8)
    for index in range(1, 5):
        frames[index, 3 * index : 3 * index + 5, 5 * index : 5 * index + 7] = 200
    levels, _ = shown(ANIMATIONS[name].encode(frames, fps=10))
    assert np.abs(levels - frames).max() <= nearly


@pytest.mark.parametrize("record", ['{"seeds":[1]}', "x" * 70_000])
def test_an_animation_carries_the_record_where_it_fits(record):
    frames, text = pictures(3), {"ganymede": record}
    assert opened(ANIMATIONS["gif"].encode(frames, 10, text)).info["comment"] == record.encode()
    assert opened(ANIMATIONS["apng"].encode(frames, 10, text)).text == text
    short = {0x010E: record} if len(record) < 60_000 else {}
    assert dict(opened(ANIMATIONS["webp"].encode(frames, 10, text)).getexif()) == short


def test_a_side_beyond_the_format_names_the_limit():
    wide = np.zeros((1, 16_384, 1), dtype=np.uint8)
    with pytest.raises(LimitExceeded, match="image/webp holds at most 16383 pixels a side, not 16384"):
        STILLS["webp"].encode(wide)
    assert STILLS["png"].encode(wide)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (31, 33)])
def test_a_png_of_any_size_and_channels_is_read_back_by_another_reader_level_by_level(channels, size):
    picture = np.random.default_rng(channels).integers(0, 256, (*size, channels), dtype=np.uint8)
    image = opened(STILLS["png"].encode(picture, {"Title": "Ω", "ganymede": "x" * 5000, "Software": "Ganymede"}))
    assert image.mode == {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    assert np.array_equal(np.asarray(image).reshape(picture.shape), picture)
    image.load()
    assert image.text == {"Title": "Ω", "ganymede": "x" * 5000, "Software": "Ganymede"}


def test_a_view_of_a_picture_is_encoded_as_it_looks():
    picture = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    turned = picture.transpose(1, 0, 2)[::-1]
    assert np.array_equal(np.asarray(opened(STILLS["png"].encode(turned))), turned)
