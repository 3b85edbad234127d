"""A preparation decodes what strangers sent: its process has limited memory and CPU time, and a typed end."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from worker_kit import Bench, digits, encoded, picture, zipped

from gan.pictures import MOST_SCANS, Unreadable, decode
from worker.assignments import assign
from worker.devices import CPU

SIDE = 4096
"""Pixels: a picture of this side is 64 MiB in RGBA, and a few kilobytes of PNG."""


def of_job(bench: Bench, name: str) -> tuple[str, str, str]:
    """Status, failure code and message of the preparation of a dataset."""
    id = bench.datasets.get(name).job_id
    assert id is not None
    job = bench.jobs.get(id)
    return job.status, (job.error or {}).get("code", ""), (job.error or {}).get("message", "")


def test_a_picture_that_takes_more_memory_than_there_may_be_ends_the_preparation_typed(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(prepare_memory_bytes=2**27)
    large = encoded(Image.new("RGBA", (SIDE, SIDE), (1, 2, 3, 4)))
    bench.upload("large", "upload.zip", zipped({"a.png": encoded(picture(1)), "b.png": large}))
    bench.answer()
    assert of_job(bench, "large") == (
        "failed",
        "out_of_memory",
        "preparing takes more than 134,217,728 bytes of memory (GANYMEDE_PREPARE_MEMORY_BYTES)",
    )
    bench.upload("small", "upload.zip", digits(20))
    bench.answer()
    assert of_job(bench, "small")[0] == "succeeded"


def test_a_preparation_that_takes_too_much_cpu_time_is_ended_and_not_tried_again(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(prepare_cpu_seconds=1)
    slow = zipped({f"{i}.jpg": scanned(90, i) for i in range(60)})
    bench.upload("slow", "upload.zip", slow)
    bench.answer()
    assert of_job(bench, "slow") == (
        "failed",
        "dataset_unusable",
        "preparing takes more than 1 seconds of CPU time (GANYMEDE_PREPARE_CPU_SECONDS)",
    )


def test_only_preparations_are_bounded(bench: Bench) -> None:
    bench.job("work")
    bench.upload("d", "upload.zip", digits())
    told = {}
    while claimed := bench.jobs.claim("light", "wrk_test", 30):
        bounds = assign(claimed, bench.settings, bench.models, bench.datasets, CPU, 1e12).bounds
        told[claimed.type] = bounds and (bounds.memory_bytes, bounds.cpu_seconds)
    assert told == {"project": None, "prepare": (2 * 2**30, 4 * 3600)}


# ---- pictures that cost more than they weigh ----


def scanned(scans: int, level: int = 128, side: int = 2048) -> bytes:
    """A JPEG whose last scan, of some thirty bytes, comes so many times."""
    whole = encoded(Image.new("L", (side, side), level), "JPEG", progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * scans + b"\xff\xd9"


def test_a_jpeg_of_a_thousand_scans_is_refused_before_it_is_decoded() -> None:
    """Each is a pass over the whole picture: of 4096² pixels, a body of 12 MB would be decoded for an hour."""
    bomb = scanned(1000, side=4096)
    assert len(bomb) < 200_000
    with pytest.raises(Unreadable, match=f"a JPEG of more than {MOST_SCANS} scans"):
        decode(io.BytesIO(bomb), 2**24, (64, 64))


def test_scans_are_counted_across_the_pieces_that_are_read() -> None:
    padded = bytearray(scanned(1000, side=64))
    padded[2:2] = b"\xff\xfe\xff\xff" + b" " * 65_533  # comments move the scans across the seams
    with pytest.raises(Unreadable, match="scans"):
        decode(io.BytesIO(bytes(padded)), 2**24, (64, 64))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"progressive": True, "quality": 95}])
def test_what_encoders_write_is_taken(options: dict[str, object]) -> None:
    made = encoded(picture(1, (64, 48), "RGB"), "JPEG", **options)
    assert decode(io.BytesIO(made), 2**24, (64, 64)).size == (64, 48)


def test_a_picture_of_sixteen_bits_weighs_a_few_bytes_a_pixel_while_it_is_scaled(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(prepare_memory_bytes=2**28)  # 16 bytes a pixel; in wider numbers at once it took 32
    deep = np.zeros((SIDE, SIDE), dtype=np.uint16)
    deep[:, SIDE // 2 :] = 65_535
    bench.upload("deep", "upload.zip", zipped({"a.png": encoded(Image.fromarray(deep))}), width=16, height=16)
    bench.answer()
    assert of_job(bench, "deep")[0] == "succeeded"
