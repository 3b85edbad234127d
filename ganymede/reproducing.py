"""Making a picture again from what it says of itself: its seeds, labels and checkpoint lie in a PNG's text chunks."""

import json
import zlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zipfile import ZipFile

from ganymede.errors import UsageError

if TYPE_CHECKING:
    from ganymede.client import Client

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
KEYWORD: Final = b"ganymede"
LONGEST_TEXT: Final = 64 * 2**20
"""Bytes of a compressed text that are unpacked at most."""
LAID_OUT: Final = ("ema", "size", "columns")
MOVED: Final = ("truncation", "edits")
WALK: Final = ("keyframes", "frames", "method", "easing", "loop", "fps", "truncation", "ema", "size")
SHOWN: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"acTL", b"fcTL", b"fdAT"})
"""The chunks that say what is seen; texts and times are others."""


@dataclass(frozen=True)
class Request:
    """What to ask for: `/v1/samples` or `/v1/interpolations`, the body, the media type; of a zip, which frame."""

    path: str
    body: dict[str, Any]
    accept: str
    frame: int | None = None


@dataclass(frozen=True)
class Reproduction:
    """The picture as it was made again. `identical`: every pixel that is seen is the same."""

    identical: bool
    content: bytes
    record: dict[str, Any]


def reproduce(client: "Client", path: str | Path, inputs: Sequence[str | Path] = ()) -> Reproduction:
    """Make a PNG of Ganymede's again, and compare.

    Raises UsageError for another file or one that does not say enough, NotFound where its checkpoint is gone, OSError.
    `inputs` are the images that a picture of a model of pairs was made for: it names them, and does not hold them.
    """
    content = Path(path).read_bytes()
    record = described(content)
    request = request_of(record, moving=b"acTL" in dict(chunks(content)), inputs=[Path(file) for file in inputs])
    drawings = client.samples if request.path == "samples" else client.interpolations
    made = drawings.create(request.body, request.accept).content
    if request.frame is not None:
        made = frame_of(made, request.frame)
    return Reproduction(alike(made, content), made, record)


def alike(made: bytes, content: bytes) -> bool:
    """Whether two PNGs show the same. What another version of a server compressed in another way is looked at in
    pixels, where Pillow is installed."""
    if seen(made) == seen(content):
        return True
    try:
        from PIL import Image, ImageSequence
    except ImportError:
        return False
    first, second = (Image.open(BytesIO(one)) for one in (made, content))
    frames = zip_longest(*(ImageSequence.Iterator(one) for one in (first, second)))
    return all(a is not None and b is not None and a.mode == b.mode and a.size == b.size and a.tobytes() == b.tobytes()
               for a, b in frames)  # fmt: skip


def described(content: bytes) -> dict[str, Any]:
    """What a PNG says of how it was made. Raises UsageError where it says nothing."""
    texts = [text for kind, chunk in chunks(content) if (text := text_of(kind, chunk)) is not None]
    try:
        record = json.loads(texts[0])
        assert isinstance(record, dict)
        return record
    except (IndexError, ValueError, AssertionError) as error:
        raise UsageError("this PNG has no record of Ganymede's: it says nothing of how it was made") from error


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG in their order: type and content. Raises UsageError where it is none."""
    if not content.startswith(SIGNATURE):
        raise UsageError("only a PNG says how it was made: this is none")
    place = len(SIGNATURE)
    while place + 8 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        place += 12 + length


def text_of(kind: bytes, chunk: bytes) -> str | None:
    """The record in a text chunk; None where this is another chunk. Our own are ASCII."""
    keyword, _, rest = chunk.partition(b"\0")
    if keyword != KEYWORD:
        return None
    if kind == b"tEXt":
        return rest.decode("latin-1")
    if kind == b"zTXt":
        try:
            return zlib.decompressobj().decompress(rest[1:], LONGEST_TEXT).decode("latin-1")
        except zlib.error:
            return None
    return None


def seen(content: bytes) -> list[tuple[bytes, bytes]]:
    """What a PNG shows, without what it says."""
    return [(kind, chunk) for kind, chunk in chunks(content) if kind in SHOWN]


def request_of(record: dict[str, Any], *, moving: bool, inputs: Sequence[Path]) -> Request:
    """The request that makes the picture again. Raises UsageError where the record does not hold enough."""
    given = [b64encode(file.read_bytes()).decode() for file in inputs]
    if "keyframes" in record:
        return walk_of(record, given, moving=moving)
    body = {"model": needed(record, "checkpoint")} | picked(record, LAID_OUT) | source_of(record)
    if any(label is not None for label in record.get("labels", [])):
        body["labels"] = record["labels"]
    if "conditions" in record:
        body["condition"] = record["conditions"]
    if "inputs" in record:
        body["inputs"] = given or missing("inputs", "name them, in their order, by --input")
    return Request("samples", body, "image/png")


def source_of(record: dict[str, Any]) -> dict[str, Any]:
    """The seeds of samples and what was done to their latents; or latents, to which it was done already."""
    seeds = needed(record, "seeds")
    if all(isinstance(seed, int) for seed in seeds):
        return {"seeds": seeds} | picked(record, MOVED)
    return {"latents": record.get("latents") or missing("latents", "it was made of too many for its text")}


def walk_of(record: dict[str, Any], inputs: list[str], *, moving: bool) -> Request:
    """The request of an interpolation, or of one of its frames."""
    body = {"model": needed(record, "checkpoint")} | picked(record, WALK)
    if any("input" in keyframe for keyframe in record["keyframes"]):
        stops = inputs if len(inputs) == len(record["keyframes"]) else inputs[:1] * len(record["keyframes"])
        if not stops:
            missing("inputs", "name one for the whole walk, or one a keyframe, by --input")
        body["keyframes"] = [
            keyframe | {"input": stop} for keyframe, stop in zip(record["keyframes"], stops, strict=True)
        ]
    if "frame" in record:
        return Request("interpolations", body, "application/zip", record["frame"])
    layout = {"layout": "animation"} if moving else {"layout": "strip"}
    return Request("interpolations", body | layout, "image/apng" if moving else "image/png")


def frame_of(archive: bytes, frame: int) -> bytes:
    """A frame out of a zip of the walk, whose files begin with their number."""
    with ZipFile(BytesIO(archive)) as opened:
        return opened.read(next(name for name in opened.namelist() if name.startswith(f"{frame:06d}")))


def needed(record: dict[str, Any], name: str) -> Any:
    """A field without which nothing can be made."""
    return record.get(name) or missing(name, "it was not made by Ganymede, or its record was changed")


def missing(name: str, reason: str) -> Any:
    """Raises UsageError."""
    raise UsageError(f"the picture's record has no {name}: {reason}")


def picked(record: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of the fields that say something."""
    return {name: record[name] for name in names if record.get(name) is not None}
