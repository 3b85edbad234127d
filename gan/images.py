"""Pixels: uint8 ↔ [-1, 1], sizes, grids and film strips, and their encodings. NumPy and Pillow only.

Batches of pixels are uint8 (N, H, W, C), one picture is uint8 (H, W, C), C = 1 (grey) or 3 (RGB), with alpha 2 or 4.
Alpha is not premultiplied; what a format without it shows lies on white.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil, isqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gan.errors import LimitExceeded

Pixels = npt.NDArray[np.uint8]
Tensors = npt.NDArray[np.float32]
Text = Mapping[str, str]

PAPER: Final = 255
"""The level of gaps and of empty cells: white."""
PIXEL_ART: Final = 32
"""Pictures up to this side keep their pixels as squares when enlarged by a whole factor."""
QUALITY: Final = 90
"""Of the lossy encodings; chroma is not subsampled."""
EXIF_DESCRIPTION: Final = 0x010E
EXIF_BYTES: Final = 60_000
"""An EXIF segment holds less than 64 KiB; a longer text is left out."""
LONG_TEXT: Final = 1000
"""PNG text beyond this many characters is compressed."""


# ---- levels ----------------------------------------------------------------------------------------------------------


def to_uint8(x: Tensors) -> Pixels:
    """(N, C, H, W) in [-1, 1] → uint8 (N, H, W, C): the nearest of 256 levels; beyond ±1 clipped, NaN is level 0."""
    levels = np.clip(np.rint((x.transpose(0, 2, 3, 1) + 1.0) * 127.5), 0, 255)
    pixels: Pixels = np.nan_to_num(levels, nan=0.0).astype(np.uint8)
    return pixels


def from_uint8(pixels: Pixels) -> Tensors:
    """uint8 (N, H, W, C) → float32 (N, C, H, W) in [-1, 1]; `to_uint8` gives exactly the same levels back."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - np.float32(1))


# ---- sizes -----------------------------------------------------------------------------------------------------------


def scaled(height: int, width: int, size: int | None) -> tuple[int, int]:
    """Height and width once the longer side is `size` pixels; the shorter keeps the proportion, at least 1 pixel."""
    if size is None:
        return height, width
    longer = max(height, width)
    return max(1, round(height * size / longer)), max(1, round(width * size / longer))


def resize(pixels: Pixels, size: int | None) -> Pixels:
    """Pictures (N, H, W, C) brought to `size` pixels on their longer side.

    Pictures of at most 32 pixels a side are enlarged by a whole factor as squares: their pixels are meant to be seen.
    All else is resampled by Lanczos's filter, which neither blurs nor aliases.
    """
    height, width = pixels.shape[1:3]
    target = scaled(height, width, size)
    factor, rest = divmod(target[0], height)
    if rest == 0 and target[1] == factor * width and max(height, width) <= PIXEL_ART:
        return pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    return pixels if target == (height, width) else np.stack([resample(picture, target) for picture in pixels])


def resample(picture: Pixels, target: tuple[int, int]) -> Pixels:
    """One picture (H, W, C) → (*target, C), by Lanczos's filter; colours weigh as much as they are opaque."""
    resized = np.asarray(to_pillow(picture).resize(target[::-1], Image.Resampling.LANCZOS))
    return resized.reshape(*target, picture.shape[2])


def to_pillow(picture: Pixels) -> Image.Image:
    """(H, W, C) as a Pillow image of mode L, LA, RGB or RGBA."""
    return Image.fromarray(np.ascontiguousarray(picture[:, :, 0] if picture.shape[2] == 1 else picture))


def has_alpha(channels: int) -> bool:
    """Whether the last of so many channels is alpha."""
    return channels in (2, 4)


def on_white(picture: Pixels) -> Pixels:
    """A picture (H, W, C) without its alpha, C = 1 or 3: what is transparent shows white, in proportion."""
    if not has_alpha(picture.shape[2]):
        return picture
    colour, alpha = picture[:, :, :-1].astype(np.uint16), picture[:, :, -1:].astype(np.uint16)
    laid: Pixels = ((colour * alpha + PAPER * (255 - alpha) + 127) // 255).astype(np.uint8)
    return laid


# ---- sheets ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sheet:
    """How `count` pictures of height × width lie side by side: rows × columns with `gap` pixels between them."""

    rows: int
    columns: int
    height: int
    width: int

    @property
    def gap(self) -> int:
        """1 pixel between small pictures, 2 between larger ones."""
        return 1 if max(self.height, self.width) < PIXEL_ART else 2

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the whole sheet in pixels."""
        gap = self.gap
        return self.rows * (self.height + gap) - gap, self.columns * (self.width + gap) - gap


def sheet(count: int, height: int, width: int, columns: int | None = None) -> Sheet:
    """The sheet that holds `count` pictures: `columns` wide, or as near to a square of cells as can be."""
    columns = min(columns or isqrt(count - 1) + 1, count)
    return Sheet(ceil(count / columns), columns, height, width)


def grid(pixels: Pixels, columns: int | None = None) -> Pixels:
    """Pictures (N, H, W, C), row by row, on one white sheet: uint8 of shape `sheet(…).shape` + (C,).

    The sheet of pictures with alpha is transparent between them, as they may be themselves.
    """
    count, height, width, channels = pixels.shape
    layout = sheet(count, height, width, columns)
    step_y, step_x = height + layout.gap, width + layout.gap
    canvas = np.full((*layout.shape, channels), PAPER, dtype=np.uint8)
    if has_alpha(channels):
        canvas[:, :, -1] = 0
    for index, picture in enumerate(pixels):
        row, column = divmod(index, layout.columns)
        canvas[row * step_y : row * step_y + height, column * step_x : column * step_x + width] = picture
    return canvas


def strip(pixels: Pixels) -> Pixels:
    """A film strip: all pictures (N, H, W, C) side by side in one row."""
    return grid(pixels, columns=len(pixels))


# ---- encodings -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Format:
    """One encoding of one still picture. `max_side` is its limit in pixels; without `alpha`, pictures lie on white."""

    media_type: str
    extension: str
    max_side: int
    options: Callable[[Text], dict[str, Any]]
    alpha: bool = True

    def encode(self, picture: Pixels, text: Text | None = None) -> bytes:
        """A picture (H, W, C) → a file's bytes, with `text` inside. Raises LimitExceeded beyond `max_side`."""
        check_side(self, picture)
        buffer = BytesIO()
        to_pillow(picture if self.alpha else on_white(picture)).save(
            buffer, self.extension.replace("jpg", "jpeg"), **self.options(text or {})
        )
        return buffer.getvalue()


@dataclass(frozen=True)
class Animation:
    """One encoding of a moving picture, which repeats for ever. `tick` is the format's unit of time in milliseconds.

    Without `alpha`, what is transparent is white (of GIF's single bit, an edge would be left jagged).
    """

    media_type: str
    extension: str
    max_side: int
    plugin: str
    tick: int
    options: Callable[[Text], dict[str, Any]]
    alpha: bool = True

    def encode(self, frames: Sequence[Pixels] | Pixels, fps: float, text: Text | None = None) -> bytes:
        """Frames, each (H, W, C), at `fps` a second → a file's bytes. Raises LimitExceeded beyond `max_side`."""
        check_side(self, frames[0])
        first, *rest = [to_pillow(frame if self.alpha else on_white(frame)) for frame in frames]
        duration = max(2 * self.tick, round(1000 / fps / self.tick) * self.tick)
        moving = {"save_all": True, "append_images": rest, "duration": duration, "loop": 0}
        buffer = BytesIO()
        first.save(buffer, self.plugin, **moving, **self.options(text or {}))
        return buffer.getvalue()


def check_side(form: Format | Animation, picture: Pixels) -> None:
    """Raises LimitExceeded where the format cannot hold a picture that tall or wide."""
    side = max(picture.shape[:2])
    if side > form.max_side:
        raise LimitExceeded(f"{form.media_type} holds at most {form.max_side} pixels a side, not {side}", param="size")


def png_text(text: Text) -> PngInfo:
    """Text chunks, one a key; long ones compressed."""
    chunks = PngInfo()
    for key, value in text.items():
        chunks.add_text(key, value, zip=len(value) > LONG_TEXT)
    return chunks


def exif(text: Text) -> Image.Exif:
    """The `ganymede` text as EXIF's ImageDescription, where it fits."""
    tags = Image.Exif()
    description = text.get("ganymede", "")
    if 0 < len(description) < EXIF_BYTES:
        tags[EXIF_DESCRIPTION] = description
    return tags


def png_options(text: Text) -> dict[str, Any]:
    """Level 4: on pictures from a generator as small as level 9, in two thirds of the time."""
    return {"pnginfo": png_text(text), "compress_level": 4}


def webp_options(text: Text) -> dict[str, Any]:
    """Lossy, at Pillow's default effort."""
    return {"quality": QUALITY, "exif": exif(text)}


def jpeg_options(text: Text) -> dict[str, Any]:
    """Without chroma subsampling, which would smear small pictures."""
    return {"quality": QUALITY, "subsampling": 0, "exif": exif(text)}


def gif_options(text: Text) -> dict[str, Any]:
    """The `ganymede` text as the file's comment. Colours are the 256 that suit each frame best; grey loses nothing."""
    return {"comment": text.get("ganymede", "").encode("ascii", "replace")}


STILLS: Final[dict[str, Format]] = {
    "png": Format("image/png", "png", 1_000_000, png_options),
    "webp": Format("image/webp", "webp", 16_383, webp_options),
    "jpeg": Format("image/jpeg", "jpg", 65_500, jpeg_options, alpha=False),
}

ANIMATIONS: Final[dict[str, Animation]] = {
    "gif": Animation("image/gif", "gif", 65_535, "gif", 10, gif_options, alpha=False),
    "apng": Animation("image/apng", "png", 1_000_000, "png", 1, png_options),
    "webp": Animation("image/webp", "webp", 16_383, "webp", 1, webp_options),
}
