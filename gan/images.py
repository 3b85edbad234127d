"""Pixels: uint8 ↔ [-1, 1], sizes, grids and film strips, and their encodings. NumPy, Pillow and ISA-L only.

Batches of pixels are uint8 (N, H, W, C), one picture is uint8 (H, W, C), C = 1 (grey) or 3 (RGB), with alpha 2 or 4.
Alpha is not premultiplied; what a format without it shows lies on white.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from math import ceil, isqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops
from PIL.GifImagePlugin import getdata, getheader

from gan import png
from gan.errors import LimitExceeded

Pixels = npt.NDArray[np.uint8]
Tensors = npt.NDArray[np.float32]
Text = Mapping[str, str]

PAPER: Final = 255
"""The level of gaps and of empty cells: white."""
PIXEL_ART: Final = 32
"""Pictures up to this side keep their pixels as squares when enlarged by a whole factor."""
RUN_LENGTHS: Final = 3
"""zlib's strategy Z_RLE: as small as level 4 on pictures of a generator, in less time."""
QUALITY: Final = 90
"""Of the lossy encodings; chroma is not subsampled."""
EXIF_DESCRIPTION: Final = 0x010E
EXIF_BYTES: Final = 60_000
"""An EXIF segment holds less than 64 KiB; a longer text is left out."""
WEBP_MOVES: Final = 0x02
WEBP_EXIF: Final = 0x08
WEBP_ALPHA: Final = 0x10
"""Flags in the head of a WebP file that has more than one still picture."""
WEBP_REPLACES: Final = 0x02
"""Flag of a frame whose pixels replace those below it, alpha included."""
WEBP_STILL_HEAD: Final = 18
"""Bytes of the VP8X chunk of a still picture."""
WEBP_HEAD: Final = 12
"""Bytes before the first chunk of a WebP file."""


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


def alike(a: Pixels, b: Pixels) -> tuple[Pixels, Pixels]:
    """Pictures of one size (…, H, W, C) in as many channels as the richer of the two needs to be shown beside it."""
    colours = max(count - has_alpha(count) for count in (a.shape[-1], b.shape[-1]))
    alpha = has_alpha(a.shape[-1]) or has_alpha(b.shape[-1])
    first, second = (with_channels(picture, colours, alpha=alpha) for picture in (a, b))
    return first, second


def with_channels(pixels: Pixels, colours: int, *, alpha: bool) -> Pixels:
    """Grey pictures (…, H, W, 1 or 2) repeated in 3 `colours` where so many are asked for, opaque where there was no
    alpha; colours and alpha that are there stay."""
    has = has_alpha(pixels.shape[-1])
    colour = pixels[..., :-1] if has else pixels
    if colour.shape[-1] < colours:
        colour = colour.repeat(colours, axis=-1)
    if not alpha:
        return colour
    return np.concatenate([colour, pixels[..., -1:] if has else np.full_like(pixels[..., :1], 255)], axis=-1)


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
    if count == 1:
        return np.ascontiguousarray(pixels[0])
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
    file: Callable[[Pixels, Text], bytes]
    alpha: bool = True

    def encode(self, picture: Pixels, text: Text | None = None) -> bytes:
        """A picture (H, W, C) → a file's bytes, with `text` inside. Raises LimitExceeded beyond `max_side`."""
        check_side(self, picture)
        return self.file(picture if self.alpha else on_white(picture), text or {})


@dataclass(frozen=True)
class Animation:
    """One encoding of a moving picture, which repeats for ever. `tick` is the format's unit of time in milliseconds.

    Without `alpha`, what is transparent is white (of GIF's single bit, an edge would be left jagged).
    """

    media_type: str
    extension: str
    max_side: int
    tick: int
    file: Callable[[Sequence[Image.Image], Sequence[int], Text], bytes]
    alpha: bool = True

    def encode(self, frames: Sequence[Pixels] | Pixels, fps: float, text: Text | None = None) -> bytes:
        """Two frames or more, each (H, W, C), at `fps` ≥ 0.1 a second → a file's bytes, equal frames kept apart.

        Raises LimitExceeded beyond `max_side`.
        """
        check_side(self, frames[0])
        drawn = [to_pillow(frame if self.alpha else on_white(frame)) for frame in frames]
        return self.file(drawn, delays(len(frames), fps, self.tick), text or {})


def check_side(form: Format | Animation, picture: Pixels) -> None:
    """Raises LimitExceeded where the format cannot hold a picture that tall or wide."""
    side = max(picture.shape[:2])
    if side > form.max_side:
        raise LimitExceeded(f"{form.media_type} holds at most {form.max_side} pixels a side, not {side}", param="size")


def exif(text: Text) -> Image.Exif:
    """The `ganymede` text as EXIF's ImageDescription, where it fits."""
    tags = Image.Exif()
    description = text.get("ganymede", "")
    if 0 < len(description) < EXIF_BYTES:
        tags[EXIF_DESCRIPTION] = description
    return tags


def webp_still(picture: Pixels, text: Text) -> bytes:
    """Lossy, at Pillow's default effort."""
    return saved(picture, "webp", quality=QUALITY, exif=exif(text))


def jpeg_still(picture: Pixels, text: Text) -> bytes:
    """Without chroma subsampling, which would smear small pictures."""
    return saved(picture, "jpeg", quality=QUALITY, subsampling=0, exif=exif(text))


def saved(picture: Pixels, form: str, **options: Any) -> bytes:
    """A file as Pillow writes it."""
    buffer = BytesIO()
    to_pillow(picture).save(buffer, form, **options)
    return buffer.getvalue()


# ---- moving ----------------------------------------------------------------------------------------------------------


def delays(count: int, fps: float, tick: int) -> list[int]:
    """How long each frame is shown, in milliseconds: whole ticks, together `count / fps` seconds to half a tick.

    Two ticks at least: a GIF's viewers show a frame of one tick for ten.
    """
    ends = [round(1000 * index / fps / tick) for index in range(count + 1)]
    return [max(2, after - before) * tick for before, after in pairwise(ends)]


def changes(frames: Sequence[Image.Image], grain: int = 1) -> Iterator[tuple[tuple[int, int], Image.Image]]:
    """Of each frame the part that differs from the one before, and where its corner lies: at multiples of `grain`.

    A frame like the one before is a pixel at the origin: the formats' own writers would leave it out.
    """
    yield (0, 0), frames[0]
    for before, frame in pairwise(frames):
        changed = ImageChops.difference(before, frame).getbbox(alpha_only=False)
        left, top, right, bottom = changed or (0, 0, 1, 1)
        corner = left - left % grain, top - top % grain
        yield corner, frame.crop((*corner, right, bottom))


def gif_file(frames: Sequence[Image.Image], durations: Sequence[int], text: Text) -> bytes:
    """The `ganymede` text as the comment. Colours are the 256 that suit each frame best; grey loses nothing."""
    comment = text.get("ganymede", "").encode("ascii", "replace")
    head, _ = getheader(Image.new("P", frames[0].size), info={"loop": 0, "comment": comment})
    body = [
        b"".join(getdata(paletted(part), corner, duration=duration, include_color_table=True))
        for (corner, part), duration in zip(changes(frames), durations, strict=True)
    ]
    return b"".join([*head, *body, b";"])


def paletted(picture: Image.Image) -> Image.Image:
    """A grey or RGB picture with a palette of at most 256 colours."""
    return picture.convert("P", palette=Image.Palette.ADAPTIVE)


def apng_file(frames: Sequence[Image.Image], durations: Sequence[int], text: Text) -> bytes:
    """Frames are put on by turns in two ways that look the same: Pillow joins equal ones of one way.

    Opaque frames are blended or not; what lies under frames with alpha, which are not blended, stays or is cleared.
    """
    buffer = BytesIO()
    way = "disposal" if frames[0].has_transparency_data else "blend"
    turns = [index % 2 for index in range(len(frames))]
    moving = {"save_all": True, "append_images": frames[1:], "duration": list(durations), "loop": 0, way: turns}
    frames[0].save(buffer, "png", **moving, pnginfo=png.text_chunks(text), compress_level=1, compress_type=RUN_LENGTHS)
    return buffer.getvalue()


def webp_file(frames: Sequence[Image.Image], durations: Sequence[int], text: Text) -> bytes:
    """Stills in the format's container, as its specification lays it out: libwebp's writer joins similar frames."""
    width, height = frames[0].size
    described = exif(text).tobytes().removeprefix(b"Exif\0\0") if exif(text) else b""
    flags = WEBP_MOVES | WEBP_EXIF * bool(described) | WEBP_ALPHA * frames[0].has_transparency_data
    parts = [
        chunk(b"VP8X", bytes([flags, 0, 0, 0]) + triples(width - 1, height - 1)),
        chunk(b"ANIM", bytes(6)),
        *(webp_frame(*change, duration) for change, duration in zip(changes(frames, 2), durations, strict=True)),
        chunk(b"EXIF", described) if described else b"",
    ]
    return chunk(b"RIFF", b"WEBP" + b"".join(parts))


def webp_frame(corner: tuple[int, int], picture: Image.Image, duration: int) -> bytes:
    """One frame, put in the place of what lies below it: its place in units of two pixels, and its still's chunks."""
    buffer = BytesIO()
    picture.save(buffer, "webp", quality=QUALITY, method=0)
    still = buffer.getvalue()[WEBP_HEAD:]
    if still.startswith(b"VP8X"):  # a still with alpha has a head of its own, which has no place in a frame
        still = still[WEBP_STILL_HEAD:]
    place = triples(corner[0] // 2, corner[1] // 2, picture.width - 1, picture.height - 1, duration)
    return chunk(b"ANMF", place + bytes([WEBP_REPLACES]) + still)


def chunk(name: bytes, payload: bytes) -> bytes:
    """A RIFF chunk, of even length."""
    return name + len(payload).to_bytes(4, "little") + payload + b"\0" * (len(payload) % 2)


def triples(*numbers: int) -> bytes:
    """Numbers of three bytes each, least first."""
    return b"".join(number.to_bytes(3, "little") for number in numbers)


STILLS: Final[dict[str, Format]] = {
    "png": Format("image/png", "png", 1_000_000, png.encoded),
    "webp": Format("image/webp", "webp", 16_383, webp_still),
    "jpeg": Format("image/jpeg", "jpg", 65_500, jpeg_still, alpha=False),
}

ANIMATIONS: Final[dict[str, Animation]] = {
    "gif": Animation("image/gif", "gif", 65_535, 10, gif_file, alpha=False),
    "apng": Animation("image/apng", "png", 1_000_000, 1, apng_file),
    "webp": Animation("image/webp", "webp", 16_383, 1, webp_file),
}
