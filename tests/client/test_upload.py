"""Folders as uploads: what goes into the zip, and what does not."""

import os
import zipfile
from pathlib import Path

import pytest

from ganymede import UsageError
from ganymede.upload import dataset_name, uploadable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "my digits"
    for name in ("0/a.png", "0/b.png", "1/c.jpg", ".git/config", "1/.hidden"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.png").write_bytes(b"secret")
    (root / "1" / "link.png").symlink_to(secret / "key.png")
    (root / "2").symlink_to(secret, target_is_directory=True)
    return root


def test_a_folder_becomes_a_zip_with_its_class_folders_and_without_links(folder: Path) -> None:
    with uploadable(folder) as packed:
        with zipfile.ZipFile(packed.path) as archive:
            assert archive.namelist() == ["0/a.png", "0/b.png", "1/c.jpg"]
            assert archive.read("1/c.jpg") == b"1/c.jpg"
        assert packed.files == 3
        assert sorted(link.name for link in packed.links) == ["2", "link.png"]
    assert not packed.path.exists()


def test_files_go_as_they_are(tmp_path: Path) -> None:
    points = tmp_path / "ring.npy"
    points.write_bytes(b"points")
    with uploadable(points) as packed:
        assert packed.path == points
    assert points.exists()


def test_what_is_no_dataset_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    for path, complaint in {"absent": "does not exist", "notes.txt": ".zip, .npy, .csv", "empty": "no files"}.items():
        with pytest.raises(UsageError, match=complaint), uploadable(tmp_path / path):
            pass


@pytest.mark.parametrize(
    ("path", "name"), [("a/my digits.zip", "my-digits"), ("ring.npy", "ring"), ("_x_ü.csv", "x"), ("a.b.csv", "a.b")]
)
def test_names_are_made_from_paths(path: str, name: str) -> None:
    assert dataset_name(Path(path)) == name


def test_a_path_without_a_usable_letter_needs_a_name() -> None:
    with pytest.raises(UsageError, match="--name"):
        dataset_name(Path("---.csv"))


def test_a_folder_that_cannot_be_read_is_named_rather_than_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class that is missing must not go unnoticed. (Permissions do not bind every user who runs this.)"""
    scandir = os.scandir

    def forbidden(path: str) -> object:
        if str(path) == str(folder / "1"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(UsageError, match=r"/1 cannot be read: Permission denied"), uploadable(folder):
        pass
