"""Images with transparency, as files hold it, into the packed form."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_prepare_images import Packed, pack
from worker_kit import encoded, picture

from worker.jobs.pixel_file import channels_kept


def half(colour: tuple[int, ...], mode: str = "RGBA", side: int = 8) -> Image.Image:
    """The left half of this colour, the right half wholly transparent over loud pink (or black)."""
    hidden = (255, 0, 128, 0) if mode == "RGBA" else (0, 0)
    image = Image.new(mode, (side, side), hidden)
    image.paste((*colour, 255), (0, 0, side // 2, side))
    return image


def test_a_transparent_image_gives_the_dataset_an_alpha_channel_and_opaque_ones_get_255(tmp_path: Path) -> None:
    opaque = picture(1, mode="RGB")
    packed = pack(
        tmp_path, {"a.png": encoded(half((255, 0, 0))), "b.png": encoded(opaque), "c.png": encoded(picture(2))}
    )
    assert (packed.said.channels, packed.data.shape) == (4, (3, 8, 8, 4))
    assert packed.data[0, 0, 0].tolist() == [255, 0, 0, 255]
    assert packed.data[0, 0, 7].tolist() == [255, 255, 255, 0]  # under what is transparent there is white
    assert np.array_equal(packed.data[1, ..., :3], np.asarray(opaque))
    assert np.array_equal(packed.data[2, ..., 1], np.asarray(picture(2)))
    assert (packed.data[1:, ..., 3] == 255).all()
    assert packed.report["notes"] == [
        "1 images are transparent somewhere, so that all have an alpha channel;"
        " to train without one, lay them on a background before the upload"
    ]


def test_grey_images_with_alpha_have_two_channels_also_when_the_files_are_rgba(tmp_path: Path) -> None:
    grey = half((40,), "LA")
    packed = pack(tmp_path, {"a.png": encoded(grey), "b.png": encoded(picture(3)), "c.png": encoded(half((9, 9, 9)))})
    assert packed.data.shape == (3, 8, 8, 2)
    assert packed.data[0, 0, [0, 7]].tolist() == [[40, 255], [255, 0]]
    assert packed.data[1, ..., 0].tolist() == np.asarray(picture(3)).tolist()
    assert packed.data[2, 0, [0, 7]].tolist() == [[9, 255], [255, 0]]


@pytest.mark.parametrize(("mode", "channels"), [("RGBA", 3), ("LA", 1)])
def test_an_alpha_that_is_opaque_everywhere_is_none(tmp_path: Path, mode: str, channels: int) -> None:
    plain = picture(1, mode="RGB" if mode == "RGBA" else "L")
    packed = pack(tmp_path, {"a.png": encoded(plain.convert(mode)), "b.png": encoded(picture(2))})
    assert packed.said.channels == channels
    assert packed.report["notes"] == []


def test_one_image_is_a_duplicate_with_alpha_and_without_and_whatever_colour_is_hidden(tmp_path: Path) -> None:
    other = Image.new("RGBA", (8, 8), (1, 2, 3, 0))
    other.paste((255, 0, 0, 255), (0, 0, 4, 8))
    plain = picture(1, mode="RGB")
    files = {"a.png": half((255, 0, 0)), "b.png": other, "c.png": plain, "d.png": plain.convert("RGBA")}
    packed = pack(tmp_path, {name: encoded(image) for name, image in files.items()})
    assert packed.reasons == {"b.png": "duplicate of a.png", "d.png": "duplicate of c.png"}


@pytest.mark.parametrize("side", [64, 12])
def test_hidden_colour_does_not_bleed_into_an_edge(tmp_path: Path, side: int) -> None:
    packed = pack(tmp_path, {"a.png": encoded(half((0, 200, 0), side=side))}, width=17, height=17)
    colour, alpha = packed.data[0, ..., :3].astype(int), packed.data[0, ..., 3]
    assert len(np.unique(alpha)) > 2  # the edge is soft
    seen = alpha > 32  # fainter, eight bits are too few to tell a colour
    assert np.abs(colour[seen] - [0, 200, 0]).max() <= 24
    assert (colour[alpha == 0] == 255).all()


def test_palettes_transparent_greys_and_webp_are_read_with_their_alpha(tmp_path: Path) -> None:
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0] + [0] * 750)
    palette.paste(0, (0, 0, 4, 8))
    grey = Image.new("L", (8, 8), 7)
    grey.paste(90, (0, 0, 4, 8))
    files = {
        "a.png": encoded(palette, transparency=0),
        "b.png": encoded(grey, transparency=7),
        "c.webp": encoded(half((0, 0, 255)), "WEBP", lossless=True),
    }
    packed = pack(tmp_path, files)
    assert packed.data[:, 0, [0, 7]].tolist() == [
        [[255, 255, 255, 0], [255, 0, 0, 255]],
        [[90, 90, 90, 255], [255, 255, 255, 0]],
        [[0, 0, 255, 255], [255, 255, 255, 0]],
    ]


def test_what_is_transparent_only_where_it_is_cut_off_is_opaque(tmp_path: Path) -> None:
    image = Image.new("RGBA", (32, 8), (0, 0, 0, 0))
    image.paste(picture(5, (16, 8), "RGB"), (8, 0))
    assert pack(tmp_path, {"a.png": encoded(image)}, width=8, height=8).said.channels == 3


def test_an_image_of_nothing_is_an_image(tmp_path: Path) -> None:
    packed = pack(tmp_path, {"a.png": encoded(Image.new("RGBA", (8, 8))), "b.png": encoded(picture(1))})
    assert packed.data[0].tolist() == [[[255, 0]] * 8] * 8


def test_alpha_is_part_of_the_address(tmp_path: Path) -> None:
    faint, clear = half((255, 255, 255)), half((255, 255, 255))
    faint.putalpha(faint.getchannel("A").point(lambda level: level // 2))
    one, two = (pack(tmp_path, {"a.png": encoded(image)}) for image in (faint, clear))
    assert isinstance(one, Packed)
    assert one.said.digest != two.said.digest


@pytest.mark.parametrize(
    ("channels", "coloured", "transparent", "kept"),
    [
        (4, True, True, [0, 1, 2, 3]),
        (4, True, False, [0, 1, 2]),
        (4, False, True, [0, 3]),
        (4, False, False, [0]),
        (3, False, False, [0]),
        (2, False, True, [0, 1]),
        (2, False, False, [0]),
        (1, False, False, [0]),
    ],
)
def test_only_channels_that_say_something_are_kept(
    channels: int, coloured: bool, transparent: bool, kept: list[int]
) -> None:
    assert channels_kept(channels, coloured, transparent) == kept
