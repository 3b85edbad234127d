"""How evenly a dataset's rows are spread over its classes, as its report tells."""

from pathlib import Path

import pytest
from test_prepare_images import Packed, pack
from worker_kit import encoded, picture

from worker.jobs.reporting import balance, unbalanced


def classes(folder: Path, **counts: int) -> Packed:
    """A dataset with so many pictures in each class."""
    names = [f"{label}/{index}.png" for label, count in counts.items() for index in range(count)]
    return pack(folder, {name: encoded(picture(seed)) for seed, name in enumerate(names)})


def test_the_report_tells_the_balance_of_the_classes(tmp_path: Path) -> None:
    packed = classes(tmp_path, cat=6, dog=2)
    assert packed.report["balance"] == {
        "classes": 2,
        "smallest": 2,
        "largest": 6,
        "ratio": 3.0,
        "effective_classes": 1.75,
    }
    assert packed.report["notes"] == []


def test_badly_unbalanced_classes_are_noted_with_what_comes_of_it_and_what_helps(tmp_path: Path) -> None:
    packed = classes(tmp_path, cat=20, dog=2, fish=9)
    assert packed.report["balance"]["ratio"] == 10.0
    [note] = packed.report["notes"]
    assert note.startswith("the classes are unbalanced: cat has 20 rows, dog 2;")
    assert "add rows of them, or leave them out" in note


def test_images_without_classes_have_no_balance(tmp_path: Path) -> None:
    assert pack(tmp_path, {"a.png": encoded(picture(1))}).report["balance"] is None


def test_points_with_labels_have_one_and_points_without_have_none(tmp_path: Path) -> None:
    table = tmp_path / "points.csv"
    table.write_text("x,label\n" + "1,a\n" * 30 + "2,b\n" * 3)
    report = Packed(table).report
    assert (report["balance"]["classes"], report["balance"]["ratio"], len(report["notes"])) == (2, 10.0, 1)
    table.write_text("x,y\n1,2\n")
    assert Packed(table).report["balance"] is None


@pytest.mark.parametrize(
    ("counts", "effective"), [([5] * 10, 10.0), ([1], 1.0), ([1_000_000, 1], 1.0), ([1, 1, 2], 2.83)]
)
def test_equal_classes_count_whole_and_tiny_ones_hardly(counts: list[int], effective: float) -> None:
    found = balance({str(index): count for index, count in enumerate(counts)})
    assert found is not None
    assert found["effective_classes"] == effective


def test_a_ratio_below_ten_is_not_noted() -> None:
    assert unbalanced({"a": 99, "b": 10}) == []
    assert unbalanced({}) == []
