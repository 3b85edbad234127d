"""A user's first hour at the command line: data in, a short training, pictures out, everything put away again."""

import json
import shutil
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from running import Stack

IMAGES = "6400"
"""A training of a few seconds."""


@pytest.fixture(scope="module")
def folder(digits_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred digits in class folders, with a broken file, a copy and a link among them."""
    root = tmp_path_factory.mktemp("pictures") / "digits"
    with zipfile.ZipFile(digits_zip) as archive:
        archive.extractall(root, archive.namelist()[:200])
    first = next(path for path in sorted((root / "3").iterdir()))
    shutil.copy(first, root / "3" / "copy.png")
    (root / "3" / "broken.png").write_bytes(first.read_bytes()[:40])
    (root / "3" / "link.png").symlink_to("/etc/hostname")
    return root


@pytest.fixture(scope="module")
def trained(stack: Stack, folder: Path) -> str:
    """A model's name, once `train --watch` has ended."""
    added = stack.run("datasets", "add", str(folder), "--name", "first", "--json")
    assert added.returncode == 0, added.stderr
    done = stack.run("train", "first", "--model", "first", "--images", IMAGES, "--width", "8", "--watch", "--json")
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert (job["status"], job["ended_by"], job["progress"]["percent"]) == ("succeeded", "images", 100.0)
    assert "images/s" in done.stderr
    return "first"


def test_a_folder_is_uploaded_and_what_was_left_out_is_named(stack: Stack, folder: Path) -> None:
    done = stack.run("datasets", "add", str(folder), "--name", "pictures")
    assert done.returncode == 0, done.stderr
    assert "200 images, 8×8×1, classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in done.stdout
    assert "link.png is a link" in done.stderr
    assert "3/broken.png" in done.stderr
    shown = json.loads(stack.run("datasets", "show", "pictures", "--json").stdout)
    assert (shown["report"]["accepted"], shown["report"]["duplicates"]) == (200, 1)
    assert sum(shown["report"]["per_class"].values()) == 200


def test_a_folder_that_lies_on_the_server_is_read_there(stack: Stack, folder: Path) -> None:
    imports = Path(stack.environment["GANYMEDE_IMPORT_DIR"])
    shutil.copytree(folder / "3", imports / "threes", symlinks=True)
    done = stack.run("datasets", "import", "threes", "--name", "threes", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["count"] == len(list((folder / "3").iterdir())) - 3
    refused = stack.run("datasets", "import", "../data", "--name", "stolen")
    assert refused.returncode == 3
    assert "path" in refused.stderr


def test_what_was_chosen_comes_back_with_reasons(stack: Stack, trained: str) -> None:
    [job] = json.loads(stack.run("jobs", "list", "--model", trained, "--json").stdout)["data"]
    spec = json.loads(stack.run("jobs", "show", job["id"], "--json").stdout)["spec"]
    assert (spec["images"], spec["network"]["width"]) == (int(IMAGES), 8)
    assert all(spec["chosen"].values())
    assert "batch_size" in spec["chosen"]
    assert "images" not in spec["chosen"]


def test_a_job_tells_its_story(stack: Stack, trained: str, tmp_path: Path) -> None:
    [job] = json.loads(stack.run("jobs", "list", "--model", trained, "--json").stdout)["data"]
    events = json.loads(stack.run("jobs", "events", job["id"], "--json").stdout)["data"]
    assert [event["id"] for event in events] == sorted(event["id"] for event in events)
    rows = json.loads(stack.run("jobs", "metrics", job["id"], "--json").stdout)
    assert rows[-1]["images"] == int(IMAGES)
    assert stack.run("jobs", "preview", job["id"], "--out", str(tmp_path / "preview.png")).returncode == 0
    assert picture(tmp_path / "preview.png").format == "PNG"


def test_samples_come_in_every_format_and_again_the_same(stack: Stack, trained: str, tmp_path: Path) -> None:
    asked = ("sample", trained, "--seed", "5", "--count", "6", "--label", "3")
    for name in ("grid.png", "grid.webp", "grid.jpg", "all.zip", "all.json", "all.npy"):
        done = stack.run(*asked, "--out", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
    assert stack.run(*asked, "--return", "image", "--out", str(tmp_path / "pixels.npy")).returncode == 0
    latents, pixels = np.load(tmp_path / "all.npy"), np.load(tmp_path / "pixels.npy")
    assert (latents.dtype, pixels.dtype, pixels.shape) == (np.float32, np.uint8, (6, 8, 8, 1))
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert "manifest.json" in archive.namelist()
        image = np.asarray(Image.open(BytesIO(archive.read("000002_seed7.png"))))
    alone = stack.run(
        "sample", trained, "--seeds", "7", "--label", "3", "--return", "image", "--out", str(tmp_path / "7.npy")
    )
    assert alone.returncode == 0, alone.stderr
    assert np.abs(np.load(tmp_path / "7.npy")[0, ..., 0].astype(int) - image.astype(int)).max() <= 1
    listed = json.loads((tmp_path / "all.json").read_text())["data"]
    assert [(row["seed"], row["label"]) for row in listed] == [(seed, "3") for seed in range(5, 11)]


def test_a_walk_is_a_strip_or_moves(stack: Stack, trained: str, tmp_path: Path) -> None:
    walk = ("interpolate", trained, "--from", "1", "--to", "2", "--label", "3", "--label", "8", "--frames", "7")
    assert stack.run(*walk, "--out", str(tmp_path / "strip.png")).returncode == 0
    assert stack.run(*walk, "--out", str(tmp_path / "walk.gif")).returncode == 0
    strip, moving = picture(tmp_path / "strip.png"), picture(tmp_path / "walk.gif")
    assert strip.width > 6 * strip.height
    assert getattr(moving, "n_frames", 1) == 7


def picture(path: Path) -> Image.Image:
    return Image.open(BytesIO(path.read_bytes()))


def test_a_model_is_downloaded_whole(stack: Stack, trained: str, tmp_path: Path) -> None:
    assert stack.run("models", "download", trained, "--out", str(tmp_path / "m.safetensors")).returncode == 0
    newest = json.loads(stack.run("models", "show", trained, "--json").stdout)["checkpoints"][0]
    assert (tmp_path / "m.safetensors").stat().st_size == newest["bytes"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("train", "absent", "--model", "m1"), 5, "absent"),
        (("train", "first", "--model", "first"), 3, "first"),
        (("train", "first", "--model", "m1", "--batch-size", "1"), 3, "batch_size"),
        (("train", "first", "--model", "m1", "--set", "network.depth=3"), 3, "network.depth"),
        (("train", "first", "--model", "m1", "--recipe", "stylegan"), 3, "recipe"),
        (("sample", "first", "--label", "11", "--out", "x.png"), 3, "labels"),
        (("sample", "first", "--count", "1000000000", "--out", "x.png"), 3, "10000"),
        (("jobs", "show", "job_nope"), 5, "job_nope"),
        (("datasets", "rm", "absent"), 5, "absent"),
        (("jobs", "list", "--status", "canceled"), 3, "cancelled"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_is_one_line_that_names_it(
    stack: Stack, trained: str, tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = stack.run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr.replace(",", "")
    assert list(tmp_path.iterdir()) == []


def test_everything_can_be_put_away(stack: Stack, digits_zip: Path) -> None:
    assert stack.run("datasets", "add", str(digits_zip), "--name", "brief").returncode == 0
    done = stack.run("train", "brief", "--model", "brief", "--images", "640", "--width", "8", "--watch", "--json")
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)["id"]
    for command in (("jobs", "rm", job), ("models", "rm", "brief"), ("datasets", "rm", "brief")):
        gone = stack.run(*command, "--json")
        assert (gone.returncode, json.loads(gone.stdout)["deleted"]) == (0, True), gone.stderr
        assert stack.run(command[0], "show", command[2]).returncode == 5
