"""Uploads as they stream: a multipart form whose one file goes straight to disk, whatever its size.

Memory stays at a few chunks. The body's total is bounded by the middleware (`max_upload_bytes`); what is bounded here
is everything that is not the file.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from gan.errors import InvalidRequest, LimitExceeded, MalformedRequest, UnsupportedMedia
from service.errors import LONGEST_NAME

FILE: Final = "file"
"""The name of the part that is the file."""

POINTS: Final = (".npy", ".csv")


class Kinds(NamedTuple):
    """What an uploaded file may be, by the ending of its name, and in words."""

    suffixes: tuple[str, ...]
    words: str


DATASETS: Final = Kinds((".zip", *POINTS), "a zip of images, or .npy or .csv points")
MODELS: Final = Kinds((".safetensors",), "a downloaded checkpoint, a safetensors file")

FIELD_BYTES: Final = 4096
"""The longest text field, in bytes."""

FLUSH_BYTES: Final = 1 << 20
"""File bytes gathered before a thread writes them: fewer hops than chunks, and still little memory."""


@dataclass
class Upload:
    """What came: the text fields, and the path of the file as it was written."""

    fields: dict[str, str]
    path: Path


@dataclass
class Part:
    """The part being read: the headers so far, its name, and its text unless it is the file."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    header: bytes = b""
    value: bytes = b""
    name: str = ""
    text: bytes = b""


class FormReader:
    """Turns a multipart body, fed in chunks, into text fields and the bytes of one file.

    Feeding raises InvalidRequest (unknown or repeated fields), LimitExceeded (a text field too long),
    UnsupportedMedia (a file of another kind) and MalformedRequest (not multipart).
    """

    def __init__(self, boundary: bytes, known: Iterable[str], kinds: Kinds) -> None:
        self.known = {FILE, *known}
        self.kinds = kinds
        self.fields: dict[str, str] = {}
        self.suffix: str | None = None
        self.pending: list[bytes] = []
        self.ended = False
        self._part = Part()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Read on. File bytes gather in `pending` until they are taken."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise MalformedRequest(f"the body is not a multipart form: {error}") from error

    def finish(self) -> None:
        """All chunks were fed: raises if the form stops in the middle or has no file."""
        if not self.ended:
            raise MalformedRequest("the multipart body ends before its closing boundary: the upload was cut off")
        if self.suffix is None:
            raise InvalidRequest(f"a file is needed: {self.kinds.words}", param=FILE)

    def take(self) -> bytes:
        """The file's bytes since the last call."""
        taken = b"".join(self.pending)
        self.pending.clear()
        return taken

    def _begin(self) -> None:
        self._part = Part()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._part.header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.value += data[start:end]

    def _header_end(self) -> None:
        part = self._part
        part.headers[part.header.lower()] = part.value
        part.header = part.value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._part.headers.get(b"content-disposition"))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name not in self.known:
            raise InvalidRequest(
                f"unknown field; known are {', '.join(sorted(self.known))}", param=(name or "body")[:LONGEST_NAME]
            )
        if name in self.fields or (name == FILE and self.suffix):
            raise InvalidRequest("given twice", param=name)
        self._part.name = name
        if name == FILE:
            self.suffix = suffix_of(options.get(b"filename", b"").decode("utf-8", "replace"), self.kinds)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.name == FILE:
            self.pending.append(data[start:end])
            return
        self._part.text += data[start:end]
        if len(self._part.text) > FIELD_BYTES:
            raise LimitExceeded(f"a text field may have {FIELD_BYTES} bytes", param=self._part.name)

    def _end_part(self) -> None:
        if self._part.name != FILE:
            self.fields[self._part.name] = self._part.text.decode("utf-8", "replace")

    def _end(self) -> None:
        self.ended = True


def suffix_of(filename: str, kinds: Kinds) -> str:
    """The ending that says what a file is; raises UnsupportedMedia if it is none that is read here."""
    suffix = PurePosixPath(filename).suffix.lower()
    if suffix not in kinds.suffixes:
        raise UnsupportedMedia(f"the file's name must end in one of {', '.join(kinds.suffixes)}", param=FILE)
    return suffix


def boundary_of(content_type: str) -> bytes:
    """The boundary that a multipart Content-Type names; raises MalformedRequest if it names none."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise MalformedRequest("the Content-Type of a multipart body must name its boundary")
    return boundary


async def receive(request: Request, folder: Path, known: Iterable[str], kinds: Kinds) -> Upload:
    """Stream a form into `folder` (which must exist), its file as `upload` with its own ending, fsynced.

    What is left in the folder after an error is the caller's to remove.
    """
    reader = form_reader(boundary_of(request.headers["content-type"]), known, kinds)
    partial = folder / "upload.part"
    with partial.open("xb") as file:
        await _stream(request, reader, file)
        await asyncio.to_thread(_settle, file, reader.take())
    path = partial.with_name(f"upload{reader.suffix}")
    try:
        partial.rename(path)
    except FileNotFoundError as error:
        raise MalformedRequest("nothing came for so long that what had come was removed: upload it again") from error
    return Upload(reader.fields, path)


def form_reader(boundary: bytes, known: Iterable[str], kinds: Kinds) -> FormReader:
    """A reader; raises MalformedRequest for a boundary that no form may have."""
    try:
        return FormReader(boundary, known, kinds)
    except FormParserError as error:
        raise MalformedRequest(str(error)) from error


async def _stream(request: Request, reader: FormReader, file: BinaryIO) -> None:
    waiting = 0
    try:
        async for chunk in request.stream():
            reader.feed(chunk)
            waiting += len(chunk)
            if waiting >= FLUSH_BYTES:
                await asyncio.to_thread(file.write, reader.take())
                waiting = 0
    except ClientDisconnect as error:
        raise MalformedRequest("the caller went away in the middle of the upload") from error
    reader.finish()


def _settle(file: BinaryIO, rest: bytes) -> None:
    write: Callable[[bytes], int] = file.write
    write(rest)
    file.flush()
    os.fsync(file.fileno())
