"""PNG files (PNG specification, third edition, W3C 2025), faster than by Pillow: 8 bits, one filter, libdeflate.

Pillow's encoder tries all five filters on every row and then compresses with zlib, which takes as long as a small
generator needs for the picture. Here every row is its difference to the row above (filter 2), taken by NumPy, and
libdeflate compresses (docs/serving.md has figures). The same picture and text are the same bytes in every process.
"""

from collections.abc import Mapping
from struct import pack
from typing import Final
from zlib import crc32

import deflate
import numpy as np
import numpy.typing as npt
from PIL.PngImagePlugin import PngInfo

Pixels = npt.NDArray[np.uint8]

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPE: Final = {1: 0, 2: 4, 3: 2, 4: 6}
"""Channels → the format's number: grey, grey with alpha, RGB, RGB with alpha."""
UP: Final = 2
"""The filter that takes the row above away."""
EFFORT: Final = 1
"""libdeflate's level, of 0 to 12; the next ones take half as long again and make little smaller."""
LONG_TEXT: Final = 1000
"""Text beyond this many characters is compressed."""


def encoded(picture: Pixels, text: Mapping[str, str]) -> bytes:
    """A picture (H, W, C), C = 1 to 4, without loss, with text chunks before its pixels."""
    height, width, channels = picture.shape
    head = pack(">IIBBBBB", width, height, 8, COLOUR_TYPE[channels], 0, 0, 0)
    parts = [SIGNATURE, *chunk(b"IHDR", head)]
    for name, data, *_ in text_chunks(text).chunks:
        parts += chunk(name, data)
    parts += chunk(b"IDAT", deflate.zlib_compress(filtered(picture), EFFORT))
    return b"".join([*parts, *chunk(b"IEND", b"")])


def filtered(picture: Pixels) -> Pixels:
    """(H, W, C) → rows (H, 1 + W·C): the filter's number, then the bytes less those of the row above, modulo 256."""
    height, width, channels = picture.shape
    flat = picture.reshape(height, width * channels)
    rows = np.empty((height, 1 + width * channels), np.uint8)
    rows[:, 0] = UP
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    return rows


def text_chunks(text: Mapping[str, str]) -> PngInfo:
    """A chunk a key; long texts compressed."""
    chunks = PngInfo()
    for key, value in text.items():
        chunks.add_text(key, value, zip=len(value) > LONG_TEXT)
    return chunks


def chunk(name: bytes, data: bytes | bytearray) -> tuple[bytes, bytes, bytes | bytearray, bytes]:
    """Length, name, data, checksum."""
    return pack(">I", len(data)), name, data, pack(">I", crc32(data, crc32(name)))
