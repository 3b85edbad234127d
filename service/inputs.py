"""Images that a request gives a model, as its condition or to be judged, as the network takes them.

They are read and brought to the model's size as preparation does with training data (`gan.pictures`): upright, the
centre cut to the model's aspect, resampled; and in the channels that the model's inputs have.
"""

from base64 import b64decode
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from gan.errors import InvalidRequest, LimitExceeded
from gan.images import from_uint8
from gan.pictures import TooLarge, Unreadable, damage_is_unreadable, decode, fit, in_channels, measure
from gan.spec import ImageShape, NetworkSpec
from service.engine.runtime import Floats

MOST_PIXELS: Final = 2**24
"""Pixels of one input (width × height): 4096². A small file can hold a large image."""
MOST_TOGETHER: Final = 2**28
"""Pixels of all the different inputs of a request: some seconds of decoding, however small the files are."""


@dataclass
class Allowance:
    """Pixels that the inputs of a request may still have."""

    left: int = MOST_TOGETHER

    def take(self, pixels: int, param: str) -> None:
        """Raises LimitExceeded where there are not as many left."""
        if pixels > self.left:
            raise LimitExceeded(f"the inputs have more than {MOST_TOGETHER:,} pixels together", param=param)
        self.left -= pixels


def opened_input(text: str, network: NetworkSpec, param: str, allowance: Allowance) -> Floats:
    """A condition: an image in base64 → float32 (C, H, W) in [-1, 1], in as many channels as the model's inputs have.

    Raises as `opened_image`.
    """
    assert isinstance(network.shape, ImageShape)
    return opened_image(text, network.shape, network.conditioning.size, param, allowance)


def opened_image(text: str, shape: ImageShape, channels: int, param: str, allowance: Allowance) -> Floats:
    """An image in base64 → float32 (channels, H, W) in [-1, 1], of the shape's height and width.

    Raises InvalidRequest for what is no such image, LimitExceeded for too many pixels; both name the field.
    """
    size = shape.width, shape.height
    try:
        encoded = b64decode(text, validate=True)
    except ValueError as error:  # of text that is not even ASCII it is no binascii.Error
        raise InvalidRequest(f"{param} is not base64: {error}", param=param) from error
    try:
        with damage_is_unreadable():
            found = measure(BytesIO(encoded), len(encoded), MOST_PIXELS)
            allowance.take(found.width * found.height, param)
            picture = decode(BytesIO(encoded), MOST_PIXELS, size)
    except TooLarge as error:
        raise LimitExceeded(f"{param} is too large: an input may have {MOST_PIXELS:,} pixels", param=param) from error
    except Unreadable as error:
        raise InvalidRequest(f"{param} cannot be read: {error}", param=param) from error
    pixels = in_channels(fit(picture, size), channels)
    row: Floats = from_uint8(pixels[None])[0]
    return row
