"""`labels.csv` beside images, as users write it and as attackers do."""

import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from test_prepare_images import Packed, assignment, pack, write
from worker_kit import LIMITS, Recorder, encoded, picture, zipped

from gan.errors import DatasetUnusable
from worker.jobs import label_table, prepare
from worker.jobs.label_table import folder_around
from worker.jobs.limits import Limits
from worker.jobs.tables import LONGEST_LINE
from worker.protocol import Stop, Stopped


def images(*names: str) -> dict[str, bytes]:
    return {name: encoded(picture(i)) for i, name in enumerate(names)}


def refused(folder: Path, table: bytes, limits: Limits = LIMITS, **files: bytes) -> str:
    """Why an archive of two images, a.png and b.png, and this table is refused."""
    source = write(folder, zipped(images("a.png", "b.png") | files | {"labels.csv": table}, zipfile.ZIP_DEFLATED))
    with pytest.raises(DatasetUnusable) as caught:
        prepare.run(assignment(source, limits), Recorder())
    assert caught.value.param == "file"
    assert [path for path in (folder / "storage").rglob("*") if path.is_file()] == []
    return caught.value.message


# ---- what it can say ----


def test_a_column_of_labels_says_the_classes(tmp_path: Path) -> None:
    table = "file,label\nb.png,dog\nsub/c.png,cat\na.png, cat \n".encode("utf-8-sig")
    packed = pack(tmp_path, images("a.png", "b.png", "sub/c.png") | {"labels.csv": table})
    assert packed.said.classes == ["cat", "dog"]
    assert (packed.labels, packed.said.condition_dims) == ([0, 1, 0], 0)
    assert packed.report["per_class"] == {"cat": 2, "dog": 1}
    assert packed.report["skipped"] == []


def test_columns_of_numbers_are_the_condition_of_each_image_in_the_order_of_the_columns(tmp_path: Path) -> None:
    table = b"file,smiling,age\r\nb.png,0,41.5\r\n\r\na.png,1,-2e1\r\n"
    packed = pack(tmp_path, images("a.png", "b.png") | {"labels.csv": table})
    assert (packed.said.kind, packed.said.classes, packed.said.condition_dims) == ("images", [], 2)
    stored = np.load(packed.folder / "labels.npy")
    assert stored.dtype == np.float32
    assert stored.tolist() == [[1, -20], [0, 41.5]]
    assert packed.report["conditions"] == ["smiling", "age"]
    assert packed.report["per_class"] == {}


def test_one_column_of_numbers_that_is_not_called_label_is_a_vector_of_one(tmp_path: Path) -> None:
    packed = pack(tmp_path, images("a.png", "b.png") | {"labels.csv": b"file,digit\na.png,3\nb.png,4\n"})
    assert (packed.said.classes, packed.said.condition_dims) == ([], 1)


@pytest.mark.parametrize(
    ("base", "written"), [("", "x/1.png"), ("all/", "x/1.png"), ("all/", "all/x/1.png"), ("a/b/", ".\\x\\1.png")]
)
def test_a_table_is_found_at_the_root_and_in_a_folder_around_everything(
    tmp_path: Path, base: str, written: str
) -> None:
    files = images(f"{base}x/1.png", f"{base}2.png")
    packed = pack(tmp_path, files | {f"{base}labels.csv": f"file,label\n{written},one\n2.png,two\n".encode()})
    assert packed.report["skipped"] == []
    assert packed.said.classes == ["one", "two"]


@pytest.mark.parametrize(
    ("names", "folder"),
    [([], ""), (["a.png"], ""), (["x/a", "x/y/b"], "x/"), (["x/y/a", "x/y/b"], "x/y/"), (["x/a", "b"], "")],
)
def test_the_folder_around_everything(names: list[str], folder: str) -> None:
    assert folder_around(names) == folder


def test_a_folder_of_the_server_is_read_like_an_archive(tmp_path: Path) -> None:
    source = tmp_path / "faces"
    source.mkdir()
    for name, data in (images("a.png", "b.png") | {"labels.csv": b"file,x\na.png,1\nb.png,2\n"}).items():
        (source / name).write_bytes(data)
    assert Packed(source).said.condition_dims == 1


def test_an_accent_is_the_same_however_it_is_spelled(tmp_path: Path) -> None:
    table = "file,label\nCafe\u0301.png,one\n".encode()  # e and an accent; the archive has the single letter
    assert pack(tmp_path, images("Café.png") | {"labels.csv": table}).said.classes == ["one"]


def test_a_name_of_a_hundred_thousand_accents_takes_no_time(tmp_path: Path) -> None:
    name = "e" + "\u0301\u0323" * 50_000
    began = time.process_time()
    packed = pack(tmp_path, images("a.png") | {"labels.csv": f"file,label\n{name},x\na.png,y\n".encode()})
    assert packed.report["skipped_total"] == 1
    assert time.process_time() - began < 5


def test_the_table_decides_beside_class_folders_and_the_report_says_so(tmp_path: Path) -> None:
    table = b"file,label\ncat/a.png,tame\ncat/b.png,wild\ndog/c.png,tame\n"
    packed = pack(tmp_path, images("cat/a.png", "cat/b.png", "dog/c.png") | {"labels.csv": table})
    assert (packed.said.classes, packed.labels) == (["tame", "wild"], [0, 1, 0])
    assert packed.report["notes"] == ["labels.csv says what the images are; the 2 folders say nothing beside it"]


def test_a_table_inside_a_class_folder_is_no_table_and_it_is_said(tmp_path: Path) -> None:
    packed = pack(tmp_path, images("cat/a.png", "dog/b.png") | {"cat/labels.csv": b"file,label\na.png,one\n"})
    assert packed.said.classes == ["cat", "dog"]
    assert "in the folder that holds everything, and nowhere else" in packed.reasons["cat/labels.csv"]


def test_conditions_are_part_of_the_address(tmp_path: Path) -> None:
    one, two = (
        pack(tmp_path, images("a.png", "b.png") | {"labels.csv": b"file,x\na.png,1\nb.png,%d\n" % value})
        for value in (2, 3)
    )
    assert one.said.digest != two.said.digest


# ---- files and rows that do not match ----


def test_files_without_a_row_and_rows_without_a_file_are_reported(tmp_path: Path) -> None:
    table = b"file,label\na.png,x\ngone.png,y\nlabels.csv,x\nnote.txt,x\n" + b"z" * 500 + b",x\n"
    files = images("a.png", "b.png") | {"note.txt": b"no picture", "more.txt": b"neither"}
    packed = pack(tmp_path, files | {"labels.csv": table})
    assert packed.said.count == 1
    assert packed.reasons == {
        "gone.png": "is in line 3 of labels.csv, but there is no such file",
        "labels.csv": "is in line 4 of labels.csv, but there is no such file",
        "z" * 200: "is in line 6 of labels.csv, but there is no such file",
        "b.png": "has no row in labels.csv",
        "more.txt": "has no row in labels.csv",
        "note.txt": "not a PNG, JPEG or WebP image",
    }
    assert packed.said.classes == ["x"]  # of y no image is there


def test_a_row_that_comes_twice_counts_once_and_a_contradiction_ends_it(tmp_path: Path) -> None:
    same = b"file,x,y\na.png,1,2\nb.png,0,0\na.png,1.0,2\n"
    packed = pack(tmp_path, images("a.png", "b.png") | {"labels.csv": same})
    assert packed.reasons["a.png"].startswith("is in line 2 and again in line 4 of labels.csv, which say the same")
    assert np.load(packed.folder / "labels.npy").tolist() == [[1, 2], [0, 0]]
    (tmp_path / "second").mkdir()
    said = refused(tmp_path / "second", b"file,label\na.png,cat\nb.png,cat\n./a.png,dog\n")
    assert said == "labels.csv: 'a.png' is in line 2 and again in line 4, which say different things"


def test_a_table_of_which_no_file_is_there_leaves_nothing(tmp_path: Path) -> None:
    assert "the upload holds no usable image: 3 skipped" in refused(tmp_path, b"file,label\nc.png,x\n")


# ---- what ends it ----


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (b"", "the .csv file is empty"),
        (b"name,label\na.png,x\n", "the first column must be called 'file', not 'name'"),
        (b"file;label\na.png;x\n", "the first column must be called 'file', not 'file;label'"),
        (b"file\na.png\n", "beside 'file' there must be a column 'label', or columns of numbers"),
        (b"file,label,age\na.png,x,1\n", "a column 'label' or there are numbers, not both"),
        (b"file,age,age\na.png,1,1\n", "the header names the column 'age' twice"),
        (b"file,,age\na.png,1,1\n", "the header's column 2 has no name"),
        (b"file,age\na.png,1\nb.png,old\n", "line 3, column 'age': 'old' is not a number"),
        (b"file,age\na.png,nan\n", "line 2, column 'age': 'nan' is not a number"),
        (b"file,age\na.png,inf\n", "line 2, column 'age': 'inf' is not a number"),
        (b"file,age\na.png,1e39\n", "line 2, column 'age': '1e39' is not a number"),
        (b"file,age\na.png,\n", "line 2, column 'age': '' is not a number"),
        (b"file,age\ngone.png,oops\n", "line 2, column 'age': 'oops' is not a number"),
        (b"file,label\na.png,\n", "line 2, column 'label': 0 characters"),
        (b"file,label\na.png,%s\n" % (b"x" * 101), "line 2, column 'label': 101 characters"),
        (b"file,label\na.png\n", "line 2 has 1 cells, the header names 2 columns"),
        (b"file,label\na.png,x,y\n", "line 2 has 3 cells"),
        ("file,label\na.png,é\n".encode("utf-16"), "not a readable .csv file"),
        (b'file,label\n"a.png,x\n', "not a readable .csv file"),
        (b"file,label\na.png,\xff\n", "not a readable .csv file"),
        (b"file," + b",".join(b"c%d" % i for i in range(5000)) + b"\n", "5,000 columns of numbers, the limit is 4,096"),
    ],
)
def test_a_table_that_cannot_be_meant_ends_the_preparation_with_line_and_reason(
    tmp_path: Path, table: bytes, says: str
) -> None:
    said = refused(tmp_path, table)
    assert said.startswith("labels.csv: ")
    assert says in said


def test_a_damaged_table_ends_the_preparation(tmp_path: Path) -> None:
    data = bytearray(zipped(images("a.png") | {"labels.csv": b"file,label\na.png,cat\n"}))
    data[data.index(b"a.png,cat")] ^= 1
    with pytest.raises(DatasetUnusable, match=r"labels\.csv: broken: Bad CRC"):
        prepare.run(assignment(write(tmp_path, bytes(data))), Recorder())


def test_more_rows_than_files_may_be_are_refused(tmp_path: Path) -> None:
    table = b"file,label\n" + b"".join(b"%d.png,x\n" % i for i in range(LIMITS.max_archive_entries + 1))
    assert "rows: 1,001, the limit is 1,000 (GANYMEDE_MAX_ARCHIVE_ENTRIES)" in refused(tmp_path, table)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (b"file,label\na.png," + b"x" * (12 * 2**20), "a line is longer than"),
        (b"file,label\na.png," + b'"x"' * (3 * 2**20), "a line is longer than"),
        (b'file,label\na.png,"' + b'\n","' * (3 * 2**20), "a line is longer than"),
    ],
    ids=["one cell", "one line", "one row of many lines"],
)
def test_a_huge_table_is_refused_in_little_memory(tmp_path: Path, table: bytes, says: str) -> None:
    loose = LIMITS.model_copy(update={"max_expansion_ratio": 10_000})
    tracemalloc.start()
    said = refused(tmp_path, table, loose)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert says in said
    assert peak < 4 * len(table) + 64 * LONGEST_LINE  # most of it is the upload that the test makes


def test_a_table_is_bounded_in_bytes_and_in_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = b"file,x,y\na.png,1,2\nb.png,3,4\n"
    monkeypatch.setattr(label_table, "MOST_NUMBERS", 3)
    assert "line 3: more than 3 numbers in all" in refused(tmp_path, table)
    monkeypatch.setattr(label_table, "LARGEST", 20)
    assert "labels.csv: 29 bytes, the limit is 20" in refused(tmp_path, table)


def test_a_stop_ends_the_reading_of_a_long_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_table, "CHUNK", 1)
    files = images("a.png", "b.png") | {"labels.csv": b"file,x\na.png,1\nb.png,oops\n"}
    line = Recorder(stop=Stop(save=False))
    prepare.run(assignment(write(tmp_path, zipped(files))), line)
    assert line.sent[-1] == Stopped()
