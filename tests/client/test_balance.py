"""The balance of a dataset's classes, to someone at the command line and in Python."""

from pathlib import Path

from PIL import Image
from running import Stack


def pictures(folder: Path, **counts: int) -> Path:
    for label, count in counts.items():  # no two pictures are alike
        (folder / label).mkdir(parents=True)
        for index in range(count):
            Image.new("L", (8, 8), 40 * len(label) + index).save(folder / label / f"{index}.png")
    return folder


def test_unbalanced_classes_are_told_when_they_are_added_and_shown(stack: Stack, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "lopsided", cat=60, tiger=3)
    added = stack.run("datasets", "add", str(folder), "--name", "lopsided")
    assert added.returncode == 0, added.stderr
    assert "note: the classes are unbalanced: cat has 60 rows, tiger 3;" in added.stderr
    shown = stack.run("datasets", "show", "lopsided").stdout.splitlines()
    told = dict(line.split(maxsplit=1) for line in shown if line.startswith("report.balance."))
    assert {name.removeprefix("report.balance."): value.strip() for name, value in told.items()} == {
        "classes": "2",
        "smallest": "3",
        "largest": "60",
        "ratio": "20",
        "effective_classes": "1.21",
    }
    with stack.client() as client:
        known = client.datasets.get("lopsided").balance
    assert known is not None
    assert (known.ratio, known.effective_classes) == (20.0, 1.21)
