"""Pictures and files of strangers, in the service: bounded before they are decoded, never sent on as they came."""

import io
import struct
import subprocess
import sys
import warnings
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sampling_kit import publish, sampling_service
from seeded import IMAGES, network
from service_kit import Running, settings_in

from gan.pictures import FORMATS, Unreadable, measure
from service.app import create_app
from service.inputs import MOST_PIXELS

Check = Callable[..., dict[str, Any]]
PAYLOAD = b"<script>alert(document.domain)</script>"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        publish(running, "plain", network("plain"))
        publish(running, "pairs", network("unet", IMAGES, "image", 1), conditions=None)
        yield running


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# ---- before they are decoded ----


def huge(side: int = 60_000) -> bytes:
    """A PNG of a few bytes that says that it is huge."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def scans(count: int) -> bytes:
    """A JPEG of 4096² pixels and so many scans, each of thirty bytes and a pass over all of it."""
    whole = encoded(Image.new("L", (4096, 4096), 128), "JPEG", progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * count + b"\xff\xd9"


@pytest.mark.parametrize("path", ["scores", "projections"])
@pytest.mark.parametrize(
    ("picture", "status", "says"),
    [
        (huge(), 413, f"{MOST_PIXELS:,} pixels"),
        (scans(20_000), 422, "scans"),
        (encoded(Image.new("L", (16, 16)), "GIF"), 422, "not a PNG, JPEG or WebP image"),
    ],
    ids=["huge", "scans", "kind"],
)
def test_what_would_cost_too_much_is_refused_before_it_is_decoded(
    service: Running, is_problem: Check, path: str, picture: bytes, status: int, says: str
) -> None:
    body = {"model": "plain", "images": [b64encode(picture).decode()]}
    problem = is_problem(service.http.post(f"/v1/{path}", json=body), status, param="images.0")
    assert says in problem["detail"]


KINDS = {
    "RGBA": {"kind": "PNG"},
    "16 bits": {"kind": "PNG"},
    "palette": {"kind": "PNG", "transparency": 0},
    "progressive": {"kind": "JPEG", "progressive": True, "quality": 95, "subsampling": 0},
    "WebP": {"kind": "WEBP", "lossless": True, "method": 0},
}


def of_kind(name: str, side: int) -> bytes:
    """A picture of that many pixels a side."""
    made = {
        "16 bits": lambda: Image.fromarray(np.zeros((side, side), np.uint16)),
        "palette": lambda: Image.new("P", (side, side)),
        "progressive": lambda: Image.new("RGB", (side, side), (9, 8, 7)),
    }.get(name, lambda: Image.new("RGBA", (side, side), (1, 2, 3, 4)))()
    return encoded(made, **KINDS[name])


BOUNDED = """
import resource, sys
from base64 import b64encode
from pathlib import Path
from gan.spec import ImageShape
from service.inputs import Allowance, opened_image
text = b64encode(Path(sys.argv[1]).read_bytes()).decode()
now = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
limit = now + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
opened_image(text, ImageShape(channels=3, height=64, width=64), 3, "images.0", Allowance())
"""


@pytest.mark.parametrize("name", KINDS)
def test_the_largest_picture_that_is_decoded_weighs_less_than_twenty_four_bytes_a_pixel(
    tmp_path: Path, name: str
) -> None:
    """So that as many as are decoded at once, one a core, fit into memory: 4096² pixels weigh at most 384 MiB."""
    path = tmp_path / "picture"
    path.write_bytes(of_kind(name, 4096))
    subprocess.run([sys.executable, "-c", BOUNDED, str(path), str(24 * MOST_PIXELS)], check=True)


def test_no_reader_but_those_of_png_jpeg_and_webp_is_ever_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the bytes say they are. A JPEG of several pictures (MPO) is read by the reader of JPEG, by its first."""
    Image.init()
    reached: list[str] = []
    for kind, (factory, accepts) in dict(Image.OPEN).items():

        def opened(*arguments: Any, kind: str = kind, factory: Any = factory, **options: Any) -> Any:
            reached.append(kind)
            return factory(*arguments, **options)

        monkeypatch.setitem(Image.OPEN, kind, (opened, accepts))
    image, tried = Image.new("RGB", (16, 16), "red"), 0
    for kind in sorted(set(Image.SAVE) - {"PDF"}):
        if (data := written(image, kind)) is not None:
            tried += 1
            assert is_read(data) == (kind in {*FORMATS, "MPO"}), kind
    assert set(reached) == set(FORMATS)
    assert tried > 15


def written(image: Image.Image, kind: str) -> bytes | None:
    """As a file of that kind; None where Pillow cannot write it as such."""
    with warnings.catch_warnings(), suppress(OSError, ValueError, KeyError):
        warnings.simplefilter("ignore")  # of kinds that Pillow will not write much longer
        return encoded(image, kind)
    return None


def is_read(data: bytes) -> bool:
    """Whether it is taken for a picture."""
    try:
        measure(io.BytesIO(data), len(data), 10**6)
    except Unreadable:
        return False
    return True


# ---- never sent on as they came ----


def test_a_preview_holds_nothing_but_pixels_of_what_was_uploaded(service: Running) -> None:
    service.images("shown", 4)
    preview = service.http.get("/v1/datasets/shown/preview").content
    opened = Image.open(io.BytesIO(preview), formats=("PNG",))
    opened.load()
    assert opened.info == {}
    assert encoded(opened).count(b"IDAT") >= 1
    assert {name for name in (b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"iCCP") if name in preview} == set()


def test_a_picture_that_is_given_to_a_model_is_answered_with_numbers(service: Running) -> None:
    """Also of one that has a page for browsers behind its end, and in its texts."""
    picture = encoded(Image.new("L", (16, 16), 9)) + PAYLOAD
    body = {"model": "plain", "images": [b64encode(picture).decode()]}
    answer = service.http.post("/v1/scores", json=body)
    assert answer.status_code == 200
    assert PAYLOAD not in answer.content
    queued = service.http.post("/v1/projections", json=body)
    assert queued.status_code == 202
    [kept] = (service.storage.root / "projections").iterdir()
    assert PAYLOAD not in kept.read_bytes()
    with np.load(kept, allow_pickle=False) as arrays:
        assert {name: arrays[name].dtype for name in arrays} == {"images": np.float32}


def test_a_checkpoint_is_sent_as_a_file_to_keep_and_not_as_something_to_show(service: Running) -> None:
    answer = service.http.get("/v1/models/plain/checkpoints/1000/download")
    assert answer.headers["content-type"] == "application/x-safetensors"
    assert answer.headers["content-disposition"].startswith("attachment")


# ---- every answer ----


def test_every_answer_of_every_call_forbids_guessing_its_type(service: Running, tmp_path: Path) -> None:
    document = create_app(settings_in(tmp_path)).openapi()
    names = {
        "dataset": "shown",
        "model": "plain",
        "job": "job_x",
        "checkpoint": "1000",
        "seed": "1",
        "extension": "png",
        "index": "0",
    }
    asked = 0
    for path in ["/docs", "/openapi.json", "/nothing", "/v1", *document["paths"]]:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            for content in (None, b"{", b"{}"):
                answer = service.http.request(
                    method, path.format(**names), content=content, headers={"content-type": "application/json"}
                )
                assert answer.headers.get_list("x-content-type-options") == ["nosniff"], (method, path)
                asked += 1
    assert asked > 500
