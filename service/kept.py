"""Encoded pictures, kept in memory up to a bound in bytes: the least recently asked for leaves."""

from collections import OrderedDict
from typing import Final, NamedTuple

from service.meters import Meters

SHARE: Final = 8
"""A picture that would take more than one part in so many is not kept: it would push out many others."""


class Picture(NamedTuple):
    """A body, its media type, and the headers that name what it shows."""

    body: bytes
    media_type: str
    headers: dict[str, str]


class Kept:
    """By key; belongs to the event loop. What is kept under a key never changes, so a key names all that it depends on.

    `max_bytes` 0 keeps nothing.
    """

    def __init__(self, max_bytes: int, meters: Meters) -> None:
        self._max_bytes = max_bytes
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self.bytes = 0
        self._hits, self._misses = meters.kept_hits, meters.kept_misses
        meters.watch("kept_bytes", "Bytes of the encoded pictures in memory.", lambda: self.bytes)

    def get(self, key: str) -> Picture | None:
        """The picture, if it is there."""
        found = self._pictures.get(key)
        if found is None:
            self._misses.inc()
            return None
        self._pictures.move_to_end(key)
        self._hits.inc()
        return found

    def put(self, key: str, picture: Picture) -> None:
        """Keep a picture, and let others go for it."""
        if key in self._pictures or len(picture.body) * SHARE > self._max_bytes:
            return
        self._pictures[key] = picture
        self.bytes += len(picture.body)
        while self.bytes > self._max_bytes:
            _, gone = self._pictures.popitem(last=False)
            self.bytes -= len(gone.body)
