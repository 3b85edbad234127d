"""What reads strangers' files, given files that were damaged in every way.

`python readers.py READER SEED [--examples N] [--seconds S]`, in a process of its own: its memory is bounded, and a hang
ends it with its stack. Prints how many files were read and what came of them; ends with status 1, and the file, where
anything but a typed error came.
"""

import argparse
import copy
import faulthandler
import io
import json
import os
import resource
import shutil
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image
from test_hostile_archives import Member, archive, deflated
from worker_kit import LIMITS, Recorder

from gan.errors import CheckpointCorrupt, DatasetUnusable
from gan.pictures import Unreadable, decode, fit, measure
from worker.jobs import prepare
from worker.protocol import Assignment

SHELF = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where the files lie: in memory, if there is such a place, for the readers sync what they write."""

HANG_SECONDS = 30
"""More than any file of these takes, on a machine that does other things too."""

ODD = (0, 1, 2, 7, 8, 127, 128, 255, 256, 32_767, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
"""Numbers that readers stumble over."""

Read = Callable[[bytes, Path], object]


class Reader(NamedTuple):
    """What makes files, what reads them, the errors that may come of it, and the megabytes that it may take."""

    files: st.SearchStrategy[bytes]
    read: Read
    errors: tuple[type[Exception], ...]
    megabytes: int


# ---- damage ----


@st.composite
def damaged(draw: st.DrawFn, whole: tuple[bytes, ...]) -> bytes:
    """One of these files, with some of its bytes changed, doubled or taken out, or another's put in, or cut short."""
    data = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 2, 3, 6)))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        length = draw(st.sampled_from((1, 1, 2, 4, 8, 64)))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            data[at : at + length] = draw(st.binary(min_size=length, max_size=length))
        elif kind == 1:
            width = draw(st.sampled_from((1, 2, 4, 8)))
            number = draw(st.sampled_from(ODD)) % 2 ** (8 * width)
            data[at : at + width] = number.to_bytes(width, draw(st.sampled_from(("little", "big"))))
        elif kind == 2:
            del data[at : at + length]
        elif kind == 3:
            data[at:at] = data[at : at + length] * draw(st.sampled_from((1, 2, 100)))
        elif kind == 4:
            other = draw(st.sampled_from(whole))
            start = draw(st.integers(0, len(other)))
            data[at:at] = other[start : start + 64]
        else:
            del data[at:]
    return bytes(data)


def rubbish() -> st.SearchStrategy[bytes]:
    """Cells, quotes, line ends and bytes that are no text, in any order."""
    pieces = (b"x", b"label", b"file", b"c_a", b"a/1.png", b"1", b"-1e9", b"nan", b",", b",", b"\n", b"\r", b'"', b"\0")
    odd = st.sampled_from((b"\xef\xbb\xbf", b"\xff", b"\xe2\x80\xa8", b"9" * 400, b" ", b"=1+1", b"\xd9\xa3"))
    return st.lists(st.sampled_from(pieces) | odd, max_size=40).map(b"".join)


@st.composite
def lying_archives(draw: st.DrawFn) -> bytes:
    """Archives whose directory says what it likes, of good pictures, tables and rubbish."""
    names = st.sampled_from(
        (b"a/1.png", b"b/2.jpg", b"labels.csv", b"input/x.png", b"target/x.png", b"../x", b"", b"/")
    )
    sizes = st.none() | st.sampled_from(ODD[:-2]).map(lambda number: number % 2**32)
    data = st.sampled_from((*PICTURES, *LABELS, b"", b"x" * 300)) | damaged(LABELS)
    members = []
    for _ in range(draw(st.integers(0, 5))):
        content = draw(data)
        packing = draw(st.sampled_from(((0, content), (8, deflated(content)), (8, content), (14, content))))
        members.append(
            Member(
                draw(names | st.binary(max_size=20)),
                content,
                method=packing[0],
                packed=packing[1],
                flags=draw(st.sampled_from((0, 0, 0, 8, 1, 0x800, 0x2000))),
                size=draw(sizes),
                crc=draw(st.none() | st.just(0)),
                at=draw(st.none() | st.none() | st.sampled_from((0, 1, 30, 2**32 - 1))),
                extra=draw(st.just(b"") | st.binary(max_size=24) | st.just(struct.pack("<HHQ", 1, 8, 2**63))),
            )
        )
    comment = draw(st.just(b"") | st.binary(max_size=40) | st.just(b"PK\x05\x06" + bytes(18)))
    return archive(*members, comment=comment, before=draw(st.just(b"") | st.just(b"junk" * 10)))


# ---- good files ----


def picture(format: str, mode: str = "RGB", **options: Any) -> bytes:
    shape = (12, 16, len(mode)) if len(mode) > 1 else (12, 16)
    pixels = np.random.default_rng(len(mode)).integers(0, 256, shape, dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode=None).convert(mode if mode != "RGB" else None).save(buffer, format, **options)
    return buffer.getvalue()


def deep() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint16).reshape(12, 16) * 300).save(buffer, "PNG")
    return buffer.getvalue()


def animated(format: str) -> bytes:
    frames = [Image.new("RGB", (16, 12), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, format, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def with_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture("JPEG", exif=exif)


PICTURES = (
    picture("PNG"),
    picture("PNG", "L"),
    picture("PNG", "RGBA"),
    picture("PNG", "L").replace(b"IDAT", b"IDAT"),
    deep(),
    picture("JPEG", progressive=True),
    with_exif(),
    picture("WEBP", "RGBA", lossless=True),
    picture("WEBP", quality=50),
    animated("PNG"),
    animated("WEBP"),
    animated("GIF"),
)

LABELS = (
    b"file,label\na/1.png,cat\nb/2.jpg,dog\n",
    b"file,x,y\na/1.png,1,2\nb/2.jpg,0.5,-1e3\n",
    b'\xef\xbb\xbffile,label\r\n"a/1.png","c,""at"\r\n',
)
TABLES = (
    b"x,y\n1,2\n3,4\n",
    b"x,y,label\n1,2,a\n3,4,b\n",
    b"x,c_a\n1,2\n-3e5,nan\n",
    b'\xef\xbb\xbf"x";"y"\n1;2\n',
    "é,\u0663\n1,2\n".encode(),
    b"x,y\n" + b"0.25,-1e-3\n" * 40,
    b"x,c_a,c_b\n" + b"1,2,3\n" * 40,
    b"a,label\n" + b'1,"b, c"\n' * 40,
)


def arrays() -> tuple[bytes, ...]:
    made = []
    for array in (np.zeros((5, 2), np.float32), np.arange(12).reshape(3, 4), np.asfortranarray(np.ones((4, 3), ">f8"))):
        buffer = io.BytesIO()
        np.save(buffer, array)
        made.append(buffer.getvalue())
    return tuple(made)


@st.composite
def headed_arrays(draw: st.DrawFn) -> bytes:
    """Arrays whose header is written by hand."""
    shape = draw(
        st.sampled_from(("(2, 2)", "()", "(-1, 2)", "(2**9, 2)", "(9999999999, 9999999999)", "(2, 2.5)", "[2, 2]"))
    )
    descr = draw(
        st.sampled_from(("'<f4'", "'|O'", "'<U9'", "'<M8[s]'", "'<c16'", "'V0'", "[('a','<f4')]", "'<f2'", "'|b1'"))
    )
    order = draw(st.sampled_from(("False", "True", "None", "1")))
    more = draw(st.sampled_from(("", "'x': 1, ", "'a': " + "(" * 90 + ")" * 90 + ", ", "'a': " + "-" * 900 + "1, ")))
    text = f"{{{more}'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    version = draw(st.sampled_from((b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00")))
    length = draw(st.sampled_from((len(text), len(text), 0, 65_535)))
    size = struct.pack("<H" if version[:1] == b"\x01" else "<L", length)
    return b"\x93NUMPY" + version + size + text + draw(st.binary(max_size=64))


def model_file() -> tuple[bytes, ...]:
    from seeded import IMAGES, POINTS, network, write_seeded

    made = []
    for spec in (network("plain", IMAGES, "class", 2), network("mlp", POINTS)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "m.safetensors"
            names = ("cat", "dog") if spec.conditioning.size else ()
            write_seeded(path, spec, classes=names, counts=(3, 4) if names else ())
            made.append(path.read_bytes())
    return tuple(made)


@st.composite
def lying_models(draw: st.DrawFn, whole: tuple[bytes, ...]) -> bytes:
    """Model files whose header says something else: of the file format's, or of the model's own."""
    data = draw(st.sampled_from(whole))
    length = int.from_bytes(data[:8], "little")
    header, tensors = json.loads(data[8 : 8 + length]), data[8 + length :]
    said = json.loads(header["__metadata__"]["ganymede"])
    for _ in range(draw(st.integers(1, 3))):
        change(draw, draw(st.sampled_from((header, said))))
    if isinstance(header.get("__metadata__"), dict):
        header["__metadata__"]["ganymede"] = json.dumps(said)
    text = json.dumps(header).encode() + b" " * draw(st.integers(0, 7))
    return struct.pack("<Q", draw(st.just(len(text)) | st.sampled_from(ODD))) + text + tensors


LIES = st.one_of(
    st.sampled_from(ODD),
    st.sampled_from(
        (-1, 1e308, None, True, "", "F64", "BOOL", "U8", "none", "image", "mlp", "unet", "r3", [], {}, [[]])
    ),
    st.lists(st.sampled_from(ODD), max_size=5),
    st.text(max_size=8),
)


def change(draw: st.DrawFn, value: Any) -> None:
    """Somewhere inside, one value becomes another, goes, or comes twice."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        if isinstance(value[key], dict | list) and value[key] and draw(st.integers(0, 3)):
            value = value[key]
            continue
        if isinstance(value, dict) and not draw(st.integers(0, 5)):
            value[draw(st.text(max_size=6))] = value.pop(key)
        else:
            value[key] = copy.deepcopy(draw(LIES))  # it may be changed itself
        return


# ---- readers ----


def prepared(name: str) -> Read:
    """Preparation of an upload of that name, as a worker's child does it."""

    def read(data: bytes, folder: Path) -> object:
        (folder / name).write_bytes(data)
        asked = {"id": "ds_1", "source": str(folder / name), "limits": LIMITS.model_dump()}
        prepare.run(
            Assignment(
                job="job_1", epoch=1, type="prepare", spec={}, storage=str(folder / "storage"), device="cpu", threads=1,
                deadline=1e12, dataset=asked,
            ),
            Recorder(),
        )  # fmt: skip
        return None

    return read


def labelled(data: bytes, folder: Path) -> object:
    """A table beside two pictures."""
    files = (Member(b"labels.csv", data), Member(b"a/1.png", PICTURES[0]), Member(b"b/2.jpg", PICTURES[5]))
    return prepared("upload.zip")(archive(*files), folder)


def pictured(data: bytes, _: Path) -> object:
    """As a service or a worker reads one."""
    measure(io.BytesIO(data), len(data), 10**6)
    return fit(decode(io.BytesIO(data), 10**6, (8, 8)), (8, 8))


def modelled(data: bytes, folder: Path) -> object:
    """An upload: looked at, and where it is taken, loaded."""
    from gan.checkpoint import load_discriminator, load_generator
    from gan.foreign import inspected

    path = folder / "m.safetensors"
    path.write_bytes(data)
    inspected(path)
    return load_generator(path), load_discriminator(path)


def reader(name: str) -> Reader:
    """A reader by its name."""
    return READERS[name]()


READERS: dict[str, Callable[[], Reader]] = {
    "archives": lambda: Reader(
        lying_archives() | damaged((archive(Member(b"a/1.png", PICTURES[0]), Member(b"b/2.jpg", PICTURES[5])),)),
        prepared("upload.zip"),
        (DatasetUnusable,),
        512,
    ),
    "npy": lambda: Reader(headed_arrays() | damaged(arrays()), prepared("upload.npy"), (DatasetUnusable,), 512),
    "csv": lambda: Reader(damaged(TABLES) | rubbish(), prepared("upload.csv"), (DatasetUnusable,), 512),
    "labels": lambda: Reader(damaged(LABELS) | rubbish(), labelled, (DatasetUnusable,), 512),
    "pictures": lambda: Reader(damaged(PICTURES), pictured, (Unreadable,), 512),
    "models": lambda: models(model_file()),
}


def models(whole: tuple[bytes, ...]) -> Reader:
    """Torch alone takes more than a gigabyte of addresses that could be written to."""
    return Reader(lying_models(whole) | damaged(whole), modelled, (CheckpointCorrupt,), 3072)


# ---- the run ----


def run(name: str, number: int, examples: int, seconds: float) -> Counter[str]:
    """So many files, or as many as are read in so many seconds; what came of them."""
    came: Counter[str] = Counter()
    until = time.monotonic() + seconds
    made = reader(name)
    limit = made.megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    while True:
        one_round(made, number, examples, came)
        number += 1
        if time.monotonic() >= until:
            return came


def one_round(made: Reader, number: int, examples: int, came: Counter[str]) -> None:
    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(made.files)
    def read(data: bytes) -> None:
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        folder = Path(tempfile.mkdtemp(prefix="reader", dir=SHELF))
        try:
            made.read(data, folder)
            came["read"] += 1
        except made.errors as error:
            came[type(error).__name__] += 1
        except BaseException:
            sys.stderr.write(f"the file that does it: {data!r}\n"[:100_000])
            raise
        finally:
            shutil.rmtree(folder)
            faulthandler.cancel_dump_traceback_later()

    read()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("seed", type=int)
    parser.add_argument("--examples", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=0.0)
    given = parser.parse_args()
    came = run(given.reader, given.seed, given.examples, given.seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"reader": given.reader, "files": came.total(), "came": dict(came), "peak_mib": peak}))  # noqa: T201


if __name__ == "__main__":
    main()
