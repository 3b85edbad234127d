"""One source image: measured by its header, decoded to 8-bit grey or RGB, with alpha where it is used, cut and resized.

PNG, JPEG and WebP are read, nothing else, whatever a file's name says. Of an animation the first frame is taken.
16-bit samples are scaled to 8 bits, palettes and CMYK become RGB, and the orientation that a camera noted (EXIF) is
applied. The colour of a pixel that is wholly transparent is nobody's choice, and becomes white.
"""

import lzma
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from gan.images import has_alpha, on_white

FORMATS = ("PNG", "JPEG", "WEBP")
SMALLEST = 8
"""Pixels: an image with a shorter side is skipped."""

LARGEST_FILE = 2**28
"""Bytes: a file beyond this is no image that one trains on, and some decoders read the whole file at once."""

MOST_SCANS = 100
"""Scans of a JPEG: encoders write 1 to 20, and each, however few bytes it has, is a pass over the whole picture."""
SCAN = b"\xff\xda"
"""What a scan begins with (JPEG, ITU-T T.81, B.1.1.3); coded data have no such bytes."""
READ_BYTES = 2**20
BAND = 256
"""Bytes and rows that are looked at at once."""

BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    NotImplementedError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)
"""What Pillow's readers and zipfile raise over damaged bytes."""

ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF tag 274, and what makes an image of each orientation upright; from 5 on, width and height are exchanged."""

GREY = frozenset({"1", "L", "LA", "I", "I;16", "I;16B"})

Image.MAX_IMAGE_PIXELS = None  # the cap is `max_pixels`, checked below by the header before anything is decoded

Pixels = NDArray[np.uint8]


class Unreadable(Exception):
    """An image that cannot be taken; the message is the reason."""


class TooLarge(Unreadable):
    """An image with more pixels than are decoded."""


class Measured(NamedTuple):
    """An image by its header: upright size in pixels, and whether its mode can hold colour or transparency."""

    width: int
    height: int
    coloured: bool
    transparent: bool


def measure(file: IO[bytes], bytes: int, max_pixels: int) -> Measured:
    """Read the header alone, of an image of at most `max_pixels`. Raises Unreadable."""
    if bytes > LARGEST_FILE:
        raise Unreadable(f"{bytes:,} bytes, the limit for one image is {LARGEST_FILE:,}")
    with _opened(file, max_pixels) as image:
        width, height = _upright(image)
        return Measured(width, height, image.mode not in GREY, image.has_transparency_data)


def decode(file: IO[bytes], max_pixels: int, size: tuple[int, int]) -> Image.Image:
    """The whole image, upright, in mode L or RGB; in LA or RGBA if it is transparent somewhere. Raises Unreadable.

    A JPEG much larger than twice `size` (width, height) is decoded at a half, a quarter or an eighth of its scale.
    """
    with damage_is_unreadable():
        _check_scans(file)
    with _opened(file, max_pixels) as image:
        side = 2 * max(size)
        image.draft(None, (side, side))
        image.load()
        turn = UPRIGHT.get(_orientation(image))
        picture = _eight_bit(image)
        return picture if turn is None else picture.transpose(turn)


def fit(image: Image.Image, size: tuple[int, int]) -> Pixels:
    """Cut the centre to the aspect of `size` (width, height) and resize: uint8 (H, W, C), C = 1 to 4.

    An image that has that size already is not touched. Colours weigh as much as they are opaque: Pillow resizes LA and
    RGBA premultiplied.
    """
    if image.size != size:
        image = _hidden_white(ImageOps.fit(image, size, Image.Resampling.LANCZOS))
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels.reshape(size[1], size[0], -1)


def colour_and_alpha(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """(H, W, 1 to 4) apart: colour (H, W, 1 or 3), and alpha (H, W, 1), which is 255 where there is none."""
    if has_alpha(pixels.shape[2]):
        return pixels[..., :-1], pixels[..., -1:]
    return pixels, np.full((*pixels.shape[:2], 1), 255, dtype=np.uint8)


def in_channels(pixels: Pixels, channels: int) -> Pixels:
    """Any image (H, W, 1 to 4) in so many channels: grey is repeated or colours become their luma (ITU-R 601-2), what
    is transparent lies on white or is kept, and what has no alpha is opaque."""
    if not has_alpha(channels):
        pixels = on_white(pixels)
    colour, alpha = colour_and_alpha(pixels)
    colours = channels - has_alpha(channels)
    if colour.shape[2] > colours:
        colour = np.asarray(Image.fromarray(np.ascontiguousarray(colour)).convert("L"))[..., None]
    colour = colour.repeat(colours // colour.shape[2], axis=2)
    return np.concatenate([colour, alpha], axis=2) if has_alpha(channels) else colour


@contextmanager
def damage_is_unreadable() -> Iterator[None]:
    """What readers raise over damaged bytes becomes Unreadable, with the reason."""
    try:
        yield
    except UnidentifiedImageError as error:
        raise Unreadable("not a PNG, JPEG or WebP image") from error
    except BROKEN as error:
        raise Unreadable(f"broken: {str(error) or type(error).__name__}"[:200]) from error


@contextmanager
def _opened(file: IO[bytes], max_pixels: int) -> Iterator[Image.Image]:
    with warnings.catch_warnings(), damage_is_unreadable():
        warnings.simplefilter("ignore")  # of oddities in metadata; what cannot be decoded raises
        with Image.open(file, formats=FORMATS) as image:
            _check(image, max_pixels)
            yield image


def _check(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise TooLarge(f"{width}×{height} pixels, the limit is {max_pixels:,} (GANYMEDE_MAX_PIXELS)")
    if min(width, height) < SMALLEST:
        raise Unreadable(f"too small: {width}×{height} pixels, the least is {SMALLEST} a side")


def _check_scans(file: IO[bytes]) -> None:
    """Raises Unreadable for a JPEG of too many scans: some thousand, of thirty bytes each, keep a decoder busy for a
    minute. Leaves the file at its beginning."""
    file.seek(0)
    is_jpeg, scans, seam = file.read(2) == b"\xff\xd8", 0, b""
    while is_jpeg and (piece := file.read(READ_BYTES)):
        scans += (seam + piece).count(SCAN)
        seam = piece[-1:]
        if scans > MOST_SCANS:
            raise Unreadable(f"a JPEG of more than {MOST_SCANS} scans")
    file.seek(0)


def _upright(image: Image.Image) -> tuple[int, int]:
    """PNGs are taken as they lie: finding their EXIF block can mean decoding them."""
    turned = image.format != "PNG" and _orientation(image) >= 5
    width, height = image.size
    return (height, width) if turned else (width, height)


def _orientation(image: Image.Image) -> int:
    """1 is upright, also where the EXIF block is damaged: the picture beside it may be whole."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except (*BROKEN, TypeError, KeyError):
        return 1


def _eight_bit(image: Image.Image) -> Image.Image:
    """In mode L or RGB, or, if it is transparent somewhere, in LA or RGBA."""
    if image.mode.startswith("I"):
        return _scaled(image)
    plain = "L" if image.mode in GREY else "RGB"
    if image.has_transparency_data:
        full = "LA" if plain == "L" else "RGBA"
        image = image if image.mode == full else image.convert(full)
        if image.getchannel("A").getextrema() != (255, 255):
            return _hidden_white(image)
    return image if image.mode == plain else image.convert(plain)


def _scaled(image: Image.Image) -> Image.Image:
    """16-bit samples in 8 bits; in bands, for the whole picture in wider numbers would weigh 32 times as much."""
    width, height = image.size
    scaled = np.empty((height, width), dtype=np.uint8)
    for top in range(0, height, BAND):
        band = np.asarray(image.crop((0, top, width, min(height, top + BAND)))).astype(np.int64).clip(0, 65535)
        scaled[top : top + BAND] = (band * 255 + 32767) // 65535
    return Image.fromarray(scaled)


def _hidden_white(image: Image.Image) -> Image.Image:
    """The image, in place, with white under what is wholly transparent; one without alpha as it is."""
    if image.mode in {"LA", "RGBA"}:
        hidden = image.getchannel("A").point([255] + [0] * 255)
        image.paste((*[255] * (len(image.mode) - 1), 0), mask=hidden)
    return image
