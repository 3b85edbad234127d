"""Points from `.npy` and `.csv` files into the packed form."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_prepare_images import Packed, assignment
from worker_kit import LIMITS, Recorder

from gan.errors import DatasetUnusable
from worker.jobs import prepare
from worker.protocol import Progress


def npy(folder: Path, array: Any) -> Path:
    path = folder / "points.npy"
    np.save(path, array, allow_pickle=True)
    return path


def csv(folder: Path, text: str | bytes) -> Path:
    path = folder / "points.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refused(source: Path) -> str:
    with pytest.raises(DatasetUnusable) as caught:
        prepare.run(assignment(source), Recorder())
    return caught.value.message


@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f8", "<i8", "|u1"])
def test_a_matrix_of_numbers_is_a_dataset_of_points(tmp_path: Path, dtype: str) -> None:
    points = np.arange(20_000).reshape(-1, 2) % 200
    packed = Packed(npy(tmp_path, np.asfortranarray(points.astype(dtype))))
    assert (packed.said.kind, packed.said.count, packed.said.dims) == ("points", 10_000, 2)
    assert packed.data.dtype == np.float32
    assert np.array_equal(packed.data, points.astype(np.float32))
    assert packed.labels is None
    facts = json.loads((packed.folder / "facts.json").read_text())
    assert facts["shape"] == {"kind": "points", "dims": 2}


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros(5), r"shape \(5,\)"),
        (np.zeros((0, 2)), r"\(0, 2\)"),
        (np.zeros((2, 2), complex), "complex128"),
        (np.array([["a"]]), "<U1"),
        (np.array([[None]]), "not a readable .npy file"),
        (np.array([[1.0, 2.0], [3.0, np.nan]]), "row 1, column 1 .*nan is not a number up to"),
        (np.array([[1.0, 1e300]]), r"row 0, column 1 .*1e\+300 is not a number up to"),
        (np.array([[0.0], [-2e30]], np.float32), r"row 1, column 0 .*-2.*e\+30 is not a number up to"),
        (np.zeros((1, 5000)), "points of 5,000 numbers, the limit is 4,096"),
        (np.zeros((100_001, 1), np.uint8), "GANYMEDE_MAX_POINTS"),
    ],
)
def test_other_arrays_are_refused_with_the_reason(tmp_path: Path, array: Any, says: str) -> None:
    with pytest.raises(DatasetUnusable, match=says) as caught:
        prepare.run(assignment(npy(tmp_path, array)), Recorder())
    assert caught.value.param == "file"


@pytest.mark.parametrize("field", ["width", "height"])
def test_a_resolution_of_what_turns_out_to_be_points_is_refused_and_named(tmp_path: Path, field: str) -> None:
    source = npy(tmp_path, np.zeros((5, 2))).rename(tmp_path / "images.zip")
    with pytest.raises(DatasetUnusable, match=f"points have no {field}") as caught:
        prepare.run(assignment(source, **{field: 16}), Recorder())
    assert caught.value.param == field


def test_the_last_progress_says_that_all_is_done(tmp_path: Path) -> None:
    packed = Packed(npy(tmp_path, np.zeros((5, 2))))
    assert packed.line.sent[-2] == Progress(images=5, total_images=5, percent=100.0)


def test_an_npy_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = npy(tmp_path, np.zeros((100, 2)))
    path.write_bytes(path.read_bytes()[:500])
    assert "not a readable .npy file" in refused(path)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2",
        "{'descr': (), 'fortran_order': False, 'shape': (2, 2)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999, 2)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 2)}",
        "{'descr': 7, 'fortran_order': False, 'shape': (2, 2)}",
        "{1: 2, 'descr': 7}",
        "{[]: 2}",
        "(" * 9000,
        "-" * 9000 + "1",
        '"""',
        "\0",
        "",
    ],
    ids=range(12),
)
def test_a_damaged_npy_header_is_refused(tmp_path: Path, header: str) -> None:
    for version, width in ((1, 2), (2, 4), (3, 4)):
        path = tmp_path / f"{version}.npy"
        path.write_bytes(b"\x93NUMPY" + bytes([version, 0]) + len(header).to_bytes(width, "little") + header.encode())
        assert "not a readable .npy file" in refused(path)


def test_an_npy_header_is_not_read_where_it_is_too_long(tmp_path: Path) -> None:
    path = tmp_path / "points.npy"
    with path.open("wb") as file:
        file.write(b"\x93NUMPY\x02\x00" + (2**26).to_bytes(4, "little"))
        file.truncate(2**26 + 100)
    tracemalloc.start()
    assert "its header is 67,108,864 bytes long, the limit is 65,536" in refused(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


def test_a_table_without_labels_is_points(tmp_path: Path) -> None:
    packed = Packed(csv(tmp_path, "x, y\n1,2\n\n-3.5,4e2\n"))
    assert packed.data.tolist() == [[1.0, 2.0], [-3.5, 400.0]]
    assert (packed.labels, packed.said.classes, packed.said.condition_dims) == (None, [], 0)


def test_the_label_column_is_the_class(tmp_path: Path) -> None:
    packed = Packed(csv(tmp_path, "x,label,y\n1,b,2\n3,a,4\n5,b,6\n"))
    assert packed.data.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert packed.said.classes == ["a", "b"]
    assert packed.labels == [1, 0, 1]
    assert packed.report["per_class"] == {"a": 1, "b": 2}


def test_numbered_labels_are_in_numeric_order(tmp_path: Path) -> None:
    packed = Packed(csv(tmp_path, "x,label\n1,10\n2,9\n3,1\n"))
    assert (packed.said.classes, packed.labels) == (["1", "9", "10"], [2, 1, 0])


def test_c_columns_are_conditions(tmp_path: Path) -> None:
    packed = Packed(csv(tmp_path, "c_t,y,c_u\n0.5,1,2\n1.5,-1,3\n"))
    assert packed.data.tolist() == [[1.0], [-1.0]]
    assert packed.labels == [[0.5, 2.0], [1.5, 3.0]]
    assert (packed.said.dims, packed.said.condition_dims) == (1, 2)
    assert np.load(packed.folder / "labels.npy").dtype == np.float32


def test_a_long_table_is_read_in_pieces_and_stays_in_order(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{i % 3}" for i in range(10_000))
    packed = Packed(csv(tmp_path, f"x,label\n{rows}\n"))
    assert np.array_equal(packed.data[:, 0], np.arange(10_000, dtype=np.float32))
    assert packed.labels == [i % 3 for i in range(10_000)]


def test_a_table_as_a_spreadsheet_writes_it_is_read(tmp_path: Path) -> None:
    packed = Packed(csv(tmp_path, '\ufeff"x","label"\r\n"1","a, b"\r\n"2","c"\r\n'.encode()))
    assert (packed.data.tolist(), packed.said.classes) == ([[1.0], [2.0]], ["a, b", "c"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("x,y\n", "below the header there are no rows"),
        ("1,2\n3,4\n", "has no header"),
        ("x,x\n1,2\n", "names the column 'x' twice"),
        ("x,\n1,2\n", "column 2 has no name"),
        ("label\na\n", "no column is a coordinate"),
        ("x,label,c_t\n1,a,2\n", "not both"),
        ("x,y\n1,2\n3\n", "line 3 has 1 cells, the header names 2 columns"),
        ("x,y\n1,2\n3,oops\n", "line 3, column 'y': 'oops' is not a number"),
        ("x,y\n1,\n", "line 2, column 'y': '' is not a number"),
        ("x,y\n1,nan\n", "line 2, column 'y': 'nan'"),
        ("x,y\n1,1e39\n", "line 2, column 'y': '1e39'"),
        ("x,y\n1,-2e30\n", "line 2, column 'y': '-2e30'"),
        ("x,c_t\n1,inf\n", "line 2, column 'c_t': 'inf'"),
        ("x,label\n1,\n", "line 2, column 'label': 0 characters"),
        (b"x,y\n1,\xff\n", "not a readable .csv file"),
        ('x,y\n"1,2\n', "not a readable .csv file"),
        ("x\n" + "1" * (2**20 + 1), "longer than"),
        ("x,label\n" + "".join(f"1,n{i}\n" for i in range(5000)), "more than 4,096 classes"),
        ("x\n" + "1\n" * (LIMITS.max_points + 1), "GANYMEDE_MAX_POINTS"),
    ],
)
def test_a_faulty_table_is_refused_naming_line_and_column(tmp_path: Path, text: str | bytes, says: str) -> None:
    assert says in refused(csv(tmp_path, text))
