"""Images of every kind through real processes, as a user brings them: a folder up, a short training, samples down."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from running import Stack

from ganymede import Client, JobFailed

SECONDS = 240.0
"""What a training of a few steps may take on a busy machine."""


def trained(client: Client, name: str, **more: Any) -> str:
    """A model of a few steps on the dataset of that name."""
    asked = {"type": "train", "dataset": name, "model": name, "images": 320, "batch_size": 16}
    job = client.jobs.create({**asked, "network": {"width": 4, "latent_dim": 8}, **more})
    assert client.jobs.wait(job.id, timeout=SECONDS).status == "succeeded"
    return name


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


# ---- labels.csv ----


def lit(folder: Path, count: int = 60) -> Path:
    """Grey pictures, with their brightness and whether it is above one half beside them."""
    folder.mkdir()
    rows = ["file,bright,level"]
    for index in range(count):
        level = index / count
        Image.new("L", (8, 8), round(255 * level)).save(folder / f"{index}.png")
        rows.append(f"{index}.png,{int(level > 0.5)},{level}")
    (folder / "labels.csv").write_text("\n".join(rows))
    return folder


def test_numbers_beside_images_are_a_condition_that_samples_obey_to_the_letter(client: Client, tmp_path: Path) -> None:
    dataset = client.datasets.upload(lit(tmp_path / "lit"), "lit")
    dataset = client.datasets.wait(dataset.id, timeout=SECONDS)
    assert (dataset.kind, dataset.count, dataset.condition_dims, dataset.classes) == ("images", 60, 2, [])
    assert dataset.report is not None
    assert dataset.report["conditions"] == ["bright", "level"]
    model = trained(client, "lit")
    request = {"model": model, "seed": 0, "count": 2, "condition": [[1, 0.9], [0, 0.1]]}
    rows = client.samples.data({**request, "return": ["image"]})["data"]
    assert [row["condition"] for row in rows] == [[1, pytest.approx(0.9)], [0, pytest.approx(0.1)]]
    drawn = client.samples.data({"model": model, "seed": 0, "count": 3})["data"]
    assert all(len(row["condition"]) == 2 for row in drawn)  # left out, it is drawn from the training data
    walk = {"model": model, "keyframes": [{"seed": 1, "condition": [0, 0]}, {"seed": 1, "condition": [1, 1]}]}
    strip = client.interpolations.create({**walk, "frames": 5}, "image/png")
    assert opened(strip.content).size == (5 * 9 - 1, 8)
    assert opened(client.datasets.preview(dataset.id, tmp_path / "preview.png").read_bytes()).mode == "L"


def test_a_table_of_labels_makes_classes_that_samples_are_asked_for_by_name(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    folder = lit(tmp_path / "named")
    rows = [f"{index}.png,{'dark' if index < 30 else 'light'}" for index in range(60)]
    (folder / "labels.csv").write_text("file,label\n" + "\n".join([*rows, "60.png,light"]))
    done = stack.run("datasets", "add", str(folder), "--name", "named")
    assert done.returncode == 0, done.stderr
    assert "60 images, 8×8×1, classes: dark, light" in done.stdout
    assert "60.png: is in line 62 of labels.csv, but there is no such file" in done.stderr
    model = trained(client, "named", recipe="dcgan")
    rows = client.samples.data({"model": model, "seed": 0, "count": 2, "labels": ["light", "dark"]})["data"]
    assert [row["label"] for row in rows] == ["light", "dark"]


def test_a_bad_table_of_labels_ends_as_failed_with_line_and_reason(client: Client, tmp_path: Path) -> None:
    folder = lit(tmp_path / "bad", count=3)
    (folder / "labels.csv").write_text("file,age\n0.png,3\n1.png,old\n")
    dataset = client.datasets.upload(folder, "bad-table")
    with pytest.raises(JobFailed, match=r"labels.csv: line 3, column 'age': 'old' is not a number"):
        client.datasets.wait(dataset.id, timeout=SECONDS)


# ---- transparency ----


def test_pictures_with_transparency_come_back_with_it(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "cutouts"
    folder.mkdir()
    for index in range(60):
        image = Image.new("RGBA", (12, 12), (0, 255, 0, 0))  # the hidden green must not be learned
        image.paste((4 * index, 0, 255 - 4 * index, 255), (2, 2, 6 + index % 6, 10))
        image.save(folder / f"{index}.png")
    dataset = client.datasets.upload(folder, "cutouts")
    dataset = client.datasets.wait(dataset.id, timeout=SECONDS)
    assert (dataset.width, dataset.height, dataset.channels) == (12, 12, 4)
    preview = np.asarray(opened(client.datasets.preview(dataset.id, tmp_path / "preview.png").read_bytes()))
    assert preview.shape[2] == 4
    assert not (preview == [0, 255, 0, 0]).all(axis=2).any()
    model = trained(client, "cutouts")
    assert opened(client.samples.create({"model": model, "seed": 0, "count": 4}, "image/png").content).mode == "RGBA"
    assert opened(client.samples.create({"model": model, "seed": 0}, "image/jpeg").content).mode == "RGB"
    pixels = np.load(
        client.samples.save({"model": model, "seed": 0, "count": 3, "return": ["image"]}, tmp_path / "a.npy")
    )
    assert pixels.shape == (3, 12, 12, 4)


# ---- large ----


def test_pictures_of_256_pixels_are_kept_whole_where_that_is_asked_for(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    draws = np.random.default_rng(0)
    for index in range(6):
        pixels = draws.integers(0, 256, (256, 256, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png", compress_level=1)
    dataset = client.datasets.upload(folder, "large", width=256, height=256)
    dataset = client.datasets.wait(dataset.id, timeout=SECONDS)
    assert (dataset.width, dataset.height, dataset.report and dataset.report["notes"]) == (256, 256, [])
    model = trained(client, "large", images=4, batch_size=2)
    assert opened(client.samples.create({"model": model, "seed": 0}, "image/png").content).size == (256, 256)
