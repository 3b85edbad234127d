"""Archives made to do harm: each is refused by name, or its harmless part is taken and the rest reported."""

import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from worker_kit import LIMITS, Recorder, encoded, picture, zipped

from gan.errors import DatasetUnusable
from ledger.settings import Settings
from worker.jobs import prepare
from worker.jobs.limits import Limits
from worker.protocol import Assignment, Prepared


class Member(NamedTuple):
    """A member of an archive written by hand; what is None is said truly."""

    name: bytes
    data: bytes
    method: int = 0
    flags: int = 0
    size: int | None = None
    crc: int | None = None
    at: int | None = None
    extra: bytes = b""
    packed: bytes | None = None


def archive(*members: Member, comment: bytes = b"", before: bytes = b"") -> bytes:
    """The bytes of an archive, as they are said to be."""
    body, directory = bytearray(before), b""
    for one in members:
        packed = one.data if one.packed is None else one.packed
        crc = zlib.crc32(one.data) if one.crc is None else one.crc
        size = len(one.data) if one.size is None else one.size
        offset = len(body) if one.at is None else one.at
        head = struct.pack("<HHHHHLLLH", 20, one.flags, one.method, 0, 33, crc, len(packed), size, len(one.name))
        if one.at is None:
            body += b"PK\x03\x04" + head + struct.pack("<H", 0) + one.name + packed
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + head
        directory += struct.pack("<HHHHLL", len(one.extra), 0, 0, 0, 0, offset) + one.name + one.extra
    end = struct.pack("<HHHHLLH", 0, 0, len(members), len(members), len(directory), len(body), len(comment))
    return bytes(body) + directory + b"PK\x05\x06" + end + comment


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def prepared(folder: Path, data: bytes, limits: Limits = LIMITS) -> Prepared:
    """What is made of an upload; afterwards storage holds files of our own names alone."""
    source, line = folder / "upload.zip", Recorder()
    source.write_bytes(data)
    assignment = Assignment(
        job="job_1", epoch=1, type="prepare", spec={}, storage=str(folder / "storage"), device="cpu", threads=1,
        deadline=1e12, dataset={"id": "ds_1", "source": str(source), "limits": limits.model_dump()},
    )  # fmt: skip
    try:
        prepare.run(assignment, line)
    finally:
        left = {path.name for path in folder.rglob("*") if path.is_file()}
        assert left <= {"upload.zip", "data.npy", "labels.npy", "facts.json"}
    said = line.sent[-1]
    assert isinstance(said, Prepared)
    return said


def refused(folder: Path, data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(DatasetUnusable) as caught:
        prepared(folder, data, limits)
    return caught.value.message


@contextmanager
def little_memory() -> Iterator[None]:
    """At most 2 MiB are taken beyond what is there."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


def reasons(said: Prepared) -> dict[str, str]:
    return {one["file"]: one["reason"] for one in said.report["skipped"]}


GOOD = Member(b"good.png", encoded(picture(1, (16, 16))))


# ---- bombs ----


def bomb(kernels: int) -> bytes:
    """Files that share one compressed kernel: each quotes the header of the next (Fifield, A better zip bomb, 2019)."""
    kernel = b"\x89PNG" + bytes(100_000)
    packed = deflated(kernel)
    members = [Member(b"k", kernel, method=8, packed=packed)]
    shared = [Member(f"{i}.png".encode(), kernel, method=8, packed=packed, at=0) for i in range(kernels)]
    return archive(*members, *shared)


def test_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    generous = LIMITS.model_copy(update={"max_expansion_ratio": 10**6})
    assert "overlaps another" in refused(tmp_path, bomb(10), generous)


def test_members_that_lie_inside_another_are_refused(tmp_path: Path) -> None:
    inner = archive(GOOD)
    outer = Member(b"outer.png", inner)
    inside = Member(b"good.png", GOOD.data, at=30 + len(outer.name))
    assert "overlaps another" in refused(tmp_path, archive(outer, inside))


def test_a_bomb_of_shared_bytes_is_stopped_by_each_of_the_limits_too(tmp_path: Path) -> None:
    assert "GANYMEDE_MAX_EXPANSION_RATIO" in refused(tmp_path, bomb(100))
    assert "GANYMEDE_MAX_EXPANDED_BYTES" in refused(tmp_path, bomb(200))
    assert "GANYMEDE_MAX_ARCHIVE_ENTRIES" in refused(tmp_path, bomb(1001))


def test_an_archive_in_an_archive_is_a_file_that_is_no_image(tmp_path: Path) -> None:
    nested = zipped({"a.zip": zipped({"b.zip": zipped({"c.png": GOOD.data})})})
    said = prepared(tmp_path, archive(GOOD, Member(b"nested.zip", nested)))
    assert said.count == 1
    assert reasons(said) == {"nested.zip": "not a PNG, JPEG or WebP image"}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 9, 93, 99])
def test_only_members_that_can_be_read_in_bounded_pieces_are_read(tmp_path: Path, method: int) -> None:
    said = prepared(tmp_path, archive(GOOD, Member(b"odd.png", GOOD.data, method=method)))
    assert reasons(said) == {"odd.png": "is neither stored nor deflated: no other compression is read"}


def test_a_member_of_bzip2_that_lies_about_its_size_takes_no_memory(tmp_path: Path) -> None:
    """zipfile hands a whole piece to bzip2, which makes of 64 kB as much as it says: here 64 MiB, of the 9 declared."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as made:
        made.writestr("odd.png", b"\x89PNG\r\n\x1a\n" + bytes(2**26))
    data = bytearray(buffer.getvalue())
    data[(at := data.index(b"PK\x01\x02")) + 24 : at + 28] = struct.pack("<L", 9)
    with little_memory():
        assert "neither stored nor deflated" in refused(tmp_path, bytes(data))


# ---- counts ----


def test_two_hundred_thousand_empty_entries_are_refused_in_little_memory(tmp_path: Path) -> None:
    names = [f"{i:06}.png".encode() for i in range(200_000)]
    head = struct.pack("<HHHHHLLLH", 20, 0, 0, 0, 33, 0, 0, 0, 10)
    one = b"PK\x01\x02" + struct.pack("<H", 20) + head + struct.pack("<HHHHLL", 0, 0, 0, 0, 0, 0)
    directory = b"".join(one + name for name in names)
    end = struct.pack("<HHHHLLH", 0, 0, 65_535, 65_535, len(directory), 4, 0)
    usual = Settings(data=tmp_path)
    limits = Limits(**{name: getattr(usual, name) for name in Limits.model_fields})
    data = b"PK\x03\x04" + directory + b"PK\x05\x06" + end
    with little_memory():
        assert "entries in the archive: 100,001, the limit is 100,000" in refused(tmp_path, data, limits)


@pytest.mark.parametrize("ending", [b"", b"PK\x06\x07" + bytes(16)])
def test_a_comment_as_long_as_can_be_is_no_harm(tmp_path: Path, ending: bytes) -> None:
    assert prepared(tmp_path, archive(GOOD, comment=b" " * (65_535 - len(ending)) + ending)).count == 1


@pytest.mark.parametrize(
    ("ending", "says"), [(b"PK\x05\x06", "not a readable zip archive"), (b"PK\x05\x06" + bytes(18), "holds no files")]
)
def test_a_comment_that_ends_like_a_directory_is_the_directory_that_counts(
    tmp_path: Path, ending: bytes, says: str
) -> None:
    assert says in refused(tmp_path, archive(GOOD, comment=b" " * 1000 + ending))


def test_more_members_than_the_first_count_finds_are_counted_again(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("worker.jobs.archive._check_count", lambda path, limits: None)
    assert "GANYMEDE_MAX_ARCHIVE_ENTRIES" in refused(tmp_path, zipped({f"{i}": b"" for i in range(1001)}))


# ---- what is said of a member, and what it is ----


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        ({"size": 20}, "broken"),
        ({"crc": 1}, "broken: Bad CRC-32"),
        ({"method": 8, "packed": b"\xff\xff\xff"}, "broken"),
        ({"method": 8, "packed": deflated(GOOD.data)[:-40]}, "broken"),
    ],
    ids=["smaller", "checksum", "no deflate", "cut"],
)
def test_a_member_that_is_not_what_is_said_of_it_is_skipped(tmp_path: Path, lie: dict[str, Any], says: str) -> None:
    other = Member(b"lie.png", encoded(picture(2, (16, 16))))
    said = prepared(tmp_path, archive(GOOD, other._replace(**lie)))
    assert said.count == 1
    assert reasons(said)["lie.png"].startswith(says)


def test_a_size_that_claims_more_than_there_is_counts_against_the_limits_and_no_more(tmp_path: Path) -> None:
    other = Member(b"lie.png", encoded(picture(2, (16, 16))))
    assert prepared(tmp_path, archive(GOOD, other._replace(size=10_000))).count == 2
    assert "GANYMEDE_MAX_EXPANSION_RATIO" in refused(tmp_path, archive(GOOD, other._replace(size=10**6)))


def test_a_member_that_is_called_otherwise_in_its_own_header_is_skipped(tmp_path: Path) -> None:
    data = bytearray(archive(Member(b"a.png", encoded(picture(2, (16, 16)))), GOOD))
    data[30:35] = b"b.png"
    said = prepared(tmp_path, bytes(data))
    assert reasons(said)["a.png"].startswith("broken: File name in directory")


def test_a_member_that_begins_nowhere_is_skipped(tmp_path: Path) -> None:
    said = prepared(tmp_path, archive(GOOD, Member(b"no.png", b"x", at=2**31)))
    assert reasons(said)["no.png"].startswith("broken")


@pytest.mark.parametrize("flag", [0x1, 0x1 | 0x40])
def test_an_encrypted_member_is_refused_by_name(tmp_path: Path, flag: int) -> None:
    assert "'locked.png' is encrypted" in refused(tmp_path, archive(GOOD, Member(b"locked.png", b"x" * 20, flags=flag)))


def test_of_members_of_one_name_the_last_counts_and_it_is_said(tmp_path: Path) -> None:
    first, last = (Member(b"a/x.png", encoded(picture(seed, (16, 16)))) for seed in (2, 3))
    said = prepared(tmp_path, archive(GOOD, first, last._replace(name=b"a\\x.png"), last))
    assert said.count == 2
    assert said.report["skipped_total"] == 2
    assert reasons(said) == {"a/x.png": "is in the archive more than once: the last counts"}


def test_sizes_in_data_descriptors_and_of_64_bits_are_read(tmp_path: Path) -> None:
    buffer = Unseekable()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for seed in range(3):
            with made.open(f"{seed}.png", "w", force_zip64=True) as file:
                file.write(encoded(picture(seed, (16, 16))))
    assert prepared(tmp_path, buffer.getvalue()).count == 3


class Unseekable(io.BytesIO):
    """A pipe: sizes are written after the data."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: Any) -> int:
        raise OSError("a pipe")

    def tell(self) -> int:
        raise OSError("a pipe")


def test_a_64_bit_size_that_lies_is_judged_by_what_it_says(tmp_path: Path) -> None:
    extra = struct.pack("<HHQ", 1, 8, 2**62)
    assert "GANYMEDE_MAX_EXPANDED_BYTES" in refused(
        tmp_path, archive(GOOD, Member(b"x.png", b"x", size=0xFFFFFFFF, extra=extra))
    )


@pytest.mark.parametrize(
    "name", [b"", b"\0x.png", b"nul\0/../../x.png", b"con.png", b"a" * 60_000, b"\xff\xfe.png", b"-rf", b" ", b"."]
)
def test_odd_names_are_names_of_nothing_here(tmp_path: Path, name: bytes) -> None:
    assert prepared(tmp_path, archive(GOOD, Member(name, b"no picture"))).count == 1
