"""Images from archives and folders, as a user uploads them, into the packed form."""

import io
import json
import os
import random
import stat
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from worker_kit import LIMITS, Recorder, digits, encoded, picture, zipped

from gan.errors import DatasetMissing, DatasetUnusable
from worker.jobs import prepare
from worker.jobs.image_set import choose_size, class_folders
from worker.jobs.limits import Limits
from worker.jobs.reporting import Report
from worker.protocol import Assignment, Prepared, Progress, Started, Stop, Stopped


class Packed:
    """A source, prepared."""

    def __init__(self, source: Path, limits: Limits = LIMITS, **asked: int) -> None:
        self.storage = source.parent / "storage"
        self.line = Recorder()
        prepare.run(assignment(source, limits, **asked), self.line)
        said = self.line.sent[-1]
        assert isinstance(said, Prepared)
        self.said, self.report = said, said.report
        self.folder = self.storage / said.path
        self.data: NDArray[Any] = np.load(self.folder / "data.npy")
        file = self.folder / "labels.npy"
        self.labels = np.load(file).tolist() if file.exists() else None

    @property
    def reasons(self) -> dict[str, str]:
        return {one["file"]: one["reason"] for one in self.report["skipped"]}


def assignment(source: Path, limits: Limits = LIMITS, **asked: int) -> Assignment:
    return Assignment(
        job="job_1",
        epoch=1,
        type="prepare",
        spec={},
        storage=str(source.parent / "storage"),
        device="cpu",
        threads=1,
        deadline=1e12,
        dataset={"id": "ds_1", "source": str(source), "limits": limits.model_dump(), **asked},
    )


def pack(folder: Path, files: dict[str, bytes], limits: Limits = LIMITS, **asked: int) -> Packed:
    """A zip of these files, prepared."""
    return Packed(write(folder, zipped(files)), limits, **asked)


def write(folder: Path, data: bytes) -> Path:
    path = folder / "upload.zip"
    path.write_bytes(data)
    return path


def refused(folder: Path, data: bytes, limits: Limits = LIMITS) -> str:
    """Why an archive is refused; nothing of it stays in storage."""
    source = write(folder, data)
    with pytest.raises(DatasetUnusable) as caught:
        prepare.run(assignment(source, limits), Recorder())
    assert [path for path in (folder / "storage").rglob("*") if path.is_file()] == []
    return caught.value.message


# ---- classes and rows ----


def test_first_folders_are_classes_and_small_pictures_keep_every_pixel(tmp_path: Path) -> None:
    names = ["dog/b.png", "cat/1.png", "dog/a.png", "cat/sub/2.png"]
    packed = pack(tmp_path, {name: encoded(picture(i)) for i, name in enumerate(names)})
    assert (packed.said.kind, packed.said.count, packed.said.width, packed.said.height) == ("images", 4, 8, 8)
    assert packed.said.classes == ["cat", "dog"]
    assert packed.labels == [0, 0, 1, 1]
    order = [1, 3, 2, 0]  # by file name
    assert np.array_equal(packed.data[..., 0], [np.asarray(picture(i)) for i in order])
    assert packed.report | {"skipped": []} == packed.report
    assert packed.report["accepted"] == 4
    assert packed.report["per_class"] == {"cat": 2, "dog": 2}
    facts = json.loads((packed.folder / "facts.json").read_text())
    assert facts["shape"] == {"kind": "images", "channels": 1, "height": 8, "width": 8}
    assert facts["per_class"] == {"cat": 2, "dog": 2}


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["a.png", "b.png"], None),
        (["all/a.png", "all/b.png"], None),
        (["x/cat/a.png", "x/dog/b.png"], ["cat", "dog"]),
        (["x/y/cat/a.png", "x/y/dog/b.png"], ["cat", "dog"]),
        (["x/a.png", "x/more/b.png"], None),
        (["cat/a.png", "dog/b.png", "stray.png"], ["cat", "dog", None]),
        (["a.png", "b.png", "c.png", "cat/d.png", "dog/e.png"], None),
    ],
)
def test_which_folders_are_classes(names: list[str], classes: list[str | None] | None) -> None:
    assert class_folders(names) == classes


def test_numbered_classes_are_in_numeric_order(tmp_path: Path) -> None:
    packed = pack(tmp_path, {f"{label}/x.png": encoded(picture(label)) for label in (10, 9, 2, 0)})
    assert packed.said.classes == ["0", "2", "9", "10"]
    by_label = dict(zip(packed.labels or [], packed.data[..., 0], strict=True))
    assert np.array_equal(by_label[3], np.asarray(picture(10)))


def test_a_stray_file_beside_class_folders_is_reported(tmp_path: Path) -> None:
    files = {"cat/a.png": encoded(picture(1)), "dog/b.png": encoded(picture(2)), "c.png": encoded(picture(3))}
    assert pack(tmp_path, files).reasons == {"c.png": "lies outside the class folders"}


def test_a_folder_is_read_like_an_archive_and_links_in_it_are_not_followed(tmp_path: Path) -> None:
    source = tmp_path / "faces"
    for name, data in {"a/1.png": encoded(picture(1)), "b/2.png": encoded(picture(2))}.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    (tmp_path / "secret.png").write_bytes(encoded(picture(3)))
    (source / "a/link.png").symlink_to(tmp_path / "secret.png")
    (source / "b/loop").symlink_to(source)
    (source / ".hidden").mkdir()
    packed = Packed(source)
    assert (packed.said.count, packed.said.classes) == (2, ["a", "b"])
    assert packed.reasons == {"a/link.png": "not a plain file", "b/loop": "not a plain file"}


def test_equal_content_has_one_address_whatever_the_files_are_called(tmp_path: Path) -> None:
    first = pack(tmp_path, {f"x/{i}.png": encoded(picture(i)) for i in range(3)})
    data = (first.folder / "data.npy").stat().st_ino
    second = pack(tmp_path, {f"other{i}.png": encoded(picture(i), compress_level=0) for i in range(3)})
    assert first.said.digest == second.said.digest
    assert (second.folder / "data.npy").stat().st_ino == data  # what lay there was kept
    assert list((tmp_path / "storage/scratch").iterdir()) == []
    third = pack(tmp_path, {f"{i}/{i}.png": encoded(picture(i)) for i in range(3)})
    assert third.said.digest != first.said.digest


# ---- resolution ----


def test_mixed_sizes_are_cut_in_the_middle_and_resized_to_what_was_asked(tmp_path: Path) -> None:
    wide = Image.new("RGB", (40, 20), "red")
    wide.paste("blue", (10, 0, 30, 20))  # the middle square
    tall = Image.new("RGB", (20, 60), "red")
    tall.paste("lime", (0, 20, 20, 40))
    packed = pack(tmp_path, {"a.png": encoded(wide), "b.png": encoded(tall)}, width=16, height=16)
    assert packed.data.shape == (2, 16, 16, 3)
    for pixels, colour in zip(packed.data, ([0, 0, 255], [0, 255, 0]), strict=True):
        assert np.abs(pixels.astype(int) - colour).max() < 10  # the filter sees a little of what lies beside the cut


def test_a_resolution_need_not_be_square(tmp_path: Path) -> None:
    packed = pack(tmp_path, {"a.png": encoded(picture(1, (33, 40)))}, width=24, height=12)
    assert (packed.said.width, packed.said.height, packed.data.shape) == (24, 12, (1, 12, 24, 1))


@pytest.mark.parametrize(
    ("sizes", "width", "height", "chosen"),
    [
        ([(28, 28)] * 9 + [(300, 200)], None, None, (28, 28)),
        ([(100, 75)] * 3, None, None, (100, 75)),
        ([(300, 300)] * 3, None, None, (64, 64)),
        ([(640, 480), (800, 600), (1024, 768)], None, None, (64, 48)),
        ([(30, 30), (31, 31), (34, 34)], None, None, (32, 32)),
        ([(4000, 10)], None, None, (64, 8)),
        ([(640, 480)], 128, None, (128, 96)),
        ([(640, 480)], None, 48, (64, 48)),
        ([(128, 128)] * 3, None, None, (128, 128)),
        ([(256, 256)] * 3, None, None, (64, 64)),
        ([(640, 480)], 256, None, (256, 192)),
        ([(480, 640)], 256, None, (256, 256)),
        ([(640, 480)], 20, 30, (20, 30)),
    ],
)
def test_the_resolution_follows_the_data_unless_asked_for(
    sizes: list[tuple[int, int]], width: int | None, height: int | None, chosen: tuple[int, int]
) -> None:
    assert choose_size(sizes, width, height, Report()) == chosen


def test_a_chosen_resolution_is_told(tmp_path: Path) -> None:
    packed = pack(tmp_path, {"a.png": encoded(picture(1, (300, 200)))})
    assert "64×40 was chosen from a median of 300×200" in packed.report["notes"][0]


# ---- kinds of pictures ----


def test_png_jpeg_and_webp_are_read_and_nothing_else(tmp_path: Path) -> None:
    image = picture(1, (16, 16), "RGB")
    files = {f"a.{kind}": encoded(picture(i, (16, 16), "RGB"), kind) for i, kind in enumerate(("PNG", "JPEG", "WEBP"))}
    files |= {"b.gif": encoded(image, "GIF"), "c.png": encoded(image, "BMP"), "notes.txt": b"hello"}
    packed = pack(tmp_path, files)
    assert packed.said.count == 3
    assert packed.reasons == dict.fromkeys(("b.gif", "c.png", "notes.txt"), "not a PNG, JPEG or WebP image")


def test_greyscale_is_one_channel_also_when_the_files_are_rgb(tmp_path: Path) -> None:
    grey = picture(1)
    files = {
        "a.png": encoded(grey.convert("RGB")),
        "b.png": encoded(picture(2)),
        "c.png": encoded(picture(3).convert("P")),
    }
    packed = pack(tmp_path, files)
    assert (packed.said.channels, packed.data.shape) == (1, (3, 8, 8, 1))
    assert np.array_equal(packed.data[0, ..., 0], np.asarray(grey))


def test_one_coloured_picture_makes_three_channels(tmp_path: Path) -> None:
    packed = pack(tmp_path, {"a.png": encoded(picture(1)), "b.png": encoded(picture(2, mode="RGB"))})
    assert packed.data.shape == (2, 8, 8, 3)
    assert np.array_equal(packed.data[0], np.repeat(np.asarray(picture(1))[..., None], 3, axis=2))
    assert np.array_equal(packed.data[1], np.asarray(picture(2, mode="RGB")))


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8)
    packed = pack(tmp_path, {"a.png": encoded(Image.fromarray(deep))})
    assert np.array_equal(packed.data[0, ..., 0], np.round(deep / 257).astype(np.uint8))


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held to the right: turn it back by 270° counter-clockwise
    image = Image.new("L", (16, 8))
    image.paste(255, (0, 0, 8, 8))
    packed = pack(
        tmp_path, {"a.png": encoded(image, exif=exif), "b.jpg": encoded(image, "JPEG", exif=exif, quality=95)}
    )
    assert (packed.said.width, packed.said.height) in {(8, 16), (16, 8)}
    only = pack(tmp_path, {"b.jpg": encoded(image, "JPEG", exif=exif, quality=95)})
    assert (only.said.width, only.said.height) == (8, 16)
    assert only.data[0, :8].mean() > 250
    assert only.data[0, 8:].mean() < 5


def test_a_large_jpeg_is_read_at_a_smaller_scale_and_looks_the_same(tmp_path: Path) -> None:
    across = np.tile(np.linspace(0, 255, 800, dtype=np.uint8), (800, 1))
    large = Image.fromarray(across).convert("RGB")
    packed = pack(tmp_path, {"a.jpg": encoded(large, "JPEG", quality=95)}, width=16, height=16)
    wanted = np.asarray(large.resize((16, 16), Image.Resampling.BOX), dtype=int)
    assert np.abs(packed.data[0].astype(int) - wanted).max() <= 6


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    packed = pack(tmp_path, {"a.jpg": encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG")})
    red = packed.data[0].reshape(-1, 3).mean(axis=0)
    assert red[0] > 240
    assert red[1] < 15


# ---- what is skipped ----


def test_broken_tiny_and_duplicate_files_are_skipped_and_named(tmp_path: Path) -> None:
    whole = encoded(picture(1, (16, 16), "RGB"), "JPEG")
    files = {
        "0.png": encoded(picture(0, (16, 16))),
        "again.png": encoded(picture(0, (16, 16)), compress_level=0),
        "cut.jpg": whole[: len(whole) // 2],
        "flipped.png": flipped(encoded(picture(5, (16, 16)))),
        "tiny.png": encoded(picture(2, (7, 30))),
        "empty.png": b"",
        ".DS_Store": b"junk",
        "__MACOSX/._0.png": b"junk",
    }
    packed = pack(tmp_path, files)
    assert packed.said.count == 1
    assert packed.report["duplicates"] == 1
    assert packed.report["skipped_total"] == 5
    reasons = packed.reasons
    assert reasons["again.png"] == "duplicate of 0.png"
    assert reasons["tiny.png"] == "too small: 7×30 pixels, the least is 8 a side"
    assert reasons["cut.jpg"].startswith("broken: ")
    assert reasons["flipped.png"].startswith("broken: ")
    assert reasons["empty.png"] == "not a PNG, JPEG or WebP image"


def flipped(data: bytes) -> bytes:
    """With one byte of its pixels changed."""
    at = data.index(b"IDAT") + 20
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def test_a_long_list_of_skipped_files_is_cut_and_counted(tmp_path: Path) -> None:
    files = {f"{i:03}.txt": b"no" for i in range(150)} | {"a.png": encoded(picture(1))}
    packed = pack(tmp_path, files)
    assert (len(packed.report["skipped"]), packed.report["skipped_total"]) == (100, 150)


def test_a_class_of_which_nothing_is_left_is_no_class(tmp_path: Path) -> None:
    files = {"a/1.png": encoded(picture(1)), "b/2.png": encoded(picture(2)), "c/3.png": encoded(picture(1))}
    packed = pack(tmp_path, files)
    assert packed.said.classes == ["a", "b"]
    assert packed.report["per_class"] == {"a": 1, "b": 1}


def test_random_damage_never_fails_a_dataset_with_one_good_picture(tmp_path: Path) -> None:
    draw = random.Random(0)
    files = {"good.png": encoded(picture(0, (16, 16), "RGB"))}
    for index in range(120):
        kind = ("PNG", "JPEG", "WEBP")[index % 3]
        data = bytearray(encoded(picture(index + 1, (16, 16), "RGB"), kind))
        for _ in range(draw.choice((1, 4, 40))):
            data[draw.randrange(len(data))] = draw.randrange(256)
        files[f"{index}.{kind}"] = bytes(data[: draw.choice((len(data), draw.randrange(len(data))))])
    packed = pack(tmp_path, files)
    assert packed.said.count + packed.report["skipped_total"] == 121
    assert "good.png" not in packed.reasons


# ---- limits and attacks ----


def huge_png(width: int, height: int) -> bytes:
    """A PNG that says it is huge: a header and next to no pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def test_a_picture_of_50000_by_50000_pixels_is_skipped_by_its_header(tmp_path: Path) -> None:
    tracemalloc.start()
    packed = pack(tmp_path, {"huge.png": huge_png(50_000, 50_000), "a.png": encoded(picture(1))})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert packed.reasons["huge.png"] == "50000×50000 pixels, the limit is 1,000,000 (GANYMEDE_MAX_PIXELS)"
    assert peak < 2**24


def test_an_archive_without_a_usable_picture_is_refused_with_the_reasons(tmp_path: Path) -> None:
    said = refused(tmp_path, zipped({"huge.png": huge_png(50_000, 50_000), "a.txt": b"x"}))
    assert said.startswith("the upload holds no usable image: 2 skipped (a.txt: not a PNG")
    assert "GANYMEDE_MAX_PIXELS" in said


def test_an_empty_archive_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, zipped({})) == "the upload holds no usable image: it holds no files"


@pytest.mark.parametrize("name", ["/etc/passwd", "../up.png", "a/../../up.png", "C:\\windows.png", "a\\..\\..\\up.png"])
def test_an_archive_with_a_name_that_leads_elsewhere_is_refused_by_name(tmp_path: Path, name: str) -> None:
    said = refused(tmp_path, zipped({"ok.png": encoded(picture(1)), name: b"x"}))
    assert "the archive is refused" in said
    assert "absolute path" in said or "`..`" in said


def test_an_archive_with_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert refused(tmp_path, buffer.getvalue()) == "the archive is refused: its entry 'link.png' is a link"


def test_an_archive_with_too_many_entries_is_refused_before_they_are_kept(tmp_path: Path) -> None:
    data = zipped({f"{i}.txt": b"" for i in range(LIMITS.max_archive_entries + 1)})
    assert "entries in the archive: 1,001, the limit is 1,000 (GANYMEDE_MAX_ARCHIVE_ENTRIES)" in refused(tmp_path, data)
    forged = bytearray(data)
    end = data.rindex(b"PK\x05\x06")
    forged[end + 8 : end + 12] = struct.pack("<HH", 1, 1)  # it claims to have one entry
    assert "GANYMEDE_MAX_ARCHIVE_ENTRIES" in refused(tmp_path, bytes(forged))


def test_an_archive_of_the_64_bit_kind_is_read_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)  # beyond it, zipfile writes the 64-bit records
    files = {f"{i}.png": encoded(picture(i)) for i in range(4)}
    data = zipped(files)
    assert b"PK\x06\x06" in data
    assert Packed(write(tmp_path, data)).said.count == 4
    few = LIMITS.model_copy(update={"max_archive_entries": 3})
    (tmp_path / "second").mkdir()
    assert "GANYMEDE_MAX_ARCHIVE_ENTRIES" in refused(tmp_path / "second", data, few)


def test_an_archive_that_expands_a_hundredfold_is_refused(tmp_path: Path) -> None:
    data = zipped({"zeros.png": bytes(2**20)}, zipfile.ZIP_DEFLATED)
    said = refused(tmp_path, data)
    assert "times its own size that the archive expands to" in said
    assert "GANYMEDE_MAX_EXPANSION_RATIO" in said


def test_an_archive_that_expands_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    data = zipped({f"{i}.png": bytes(2**20) for i in range(17)})
    assert "GANYMEDE_MAX_EXPANDED_BYTES" in refused(tmp_path, data)


@pytest.mark.parametrize("cut", [0.3, 0.9, 0.999])
def test_an_archive_that_was_cut_short_is_refused(tmp_path: Path, cut: float) -> None:
    data = digits(20)
    assert "not a readable zip archive" in refused(tmp_path, data[: int(len(data) * cut)])


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.png": encoded(picture(1))}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "is encrypted" in refused(tmp_path, bytes(data))


def test_a_file_that_is_nothing_known_is_refused(tmp_path: Path) -> None:
    assert "neither a zip archive nor a .npy nor a .csv" in refused(tmp_path, os.urandom(100))


def test_an_upload_that_is_gone_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing):
        prepare.run(assignment(tmp_path / "upload.zip"), Recorder())


def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        folder = tmp_path / str(count)
        folder.mkdir()
        data = write(
            folder, zipped({f"{i}.png": encoded(picture(i, (64, 64), "RGB"), compress_level=1) for i in range(count)})
        )
        tracemalloc.start()
        Packed(data)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    packed_bytes = 64 * 64 * 3
    few, many = peak(20), peak(320)
    assert many - few < 300 * packed_bytes + 300 * 4000  # the test itself loads the result; the rest is bookkeeping


# ---- cancelling ----


def test_a_stop_ends_it_without_a_trace(tmp_path: Path) -> None:
    source = write(tmp_path, digits(20))
    line = Recorder(stop=Stop(save=False))
    prepare.run(assignment(source), line)
    assert line.sent == [Started(device="cpu"), Stopped()]
    assert list((tmp_path / "storage/scratch").iterdir()) == []


def test_progress_is_told(tmp_path: Path) -> None:
    said = [one for one in pack(tmp_path, {"a.png": encoded(picture(1))}).line.sent if isinstance(one, Progress)]
    assert said
    assert all(0 <= one.percent <= 100 for one in said)


@pytest.mark.parametrize(
    ("files", "limits"),
    [(0, LIMITS), (1, LIMITS), (3, LIMITS.model_copy(update={"max_archive_entries": 2}))],
    ids=["no files", "no image", "too many files"],
)
def test_a_folder_that_is_unusable_is_the_fault_of_its_source(tmp_path: Path, files: int, limits: Limits) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for index in range(files):
        (folder / f"{index}.png").write_bytes(b"no picture")
    with pytest.raises(DatasetUnusable) as caught:
        prepare.run(assignment(folder, limits), Recorder())
    assert caught.value.param == "source"
