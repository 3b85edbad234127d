"""Storage: files appear whole or not at all, below the root or not at all."""

import errno
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gan.errors import ChecksumMismatch, InvalidRequest, NotFound, StorageFull
from ledger.storage import ABANDONED_SECONDS, Storage, publishing


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "storage")


def everything(storage: Storage) -> set[str]:
    return {storage.relative(path) for path in storage.root.rglob("*") if path.is_file()}


def test_old_scratch_is_swept_when_a_process_starts(storage: Storage) -> None:
    fresh, old, filling = storage.scratch(), storage.scratch(), storage.scratch()
    storage.write_bytes("scratch/file", b"old too")
    (old / "data.npy").write_bytes(b"left by a process that was killed")
    (filling / "upload.part").write_bytes(b"what still grows in a folder that is older")
    for path in (old / "data.npy", old, filling, storage.path("scratch/file")):
        before = path.stat().st_mtime - ABANDONED_SECONDS - 60
        os.utime(path, (before, before))
    storage.prepare()
    assert set((storage.root / "scratch").iterdir()) == {fresh, filling}


def test_a_file_appears_only_when_it_is_whole(storage: Storage) -> None:
    with storage.writing("checkpoints/mdl_1/a.safetensors") as file:
        file.write(b"half")
        file.flush()
        assert not storage.path("checkpoints/mdl_1/a.safetensors").exists()
        file.write(b" and half")
    assert storage.path("checkpoints/mdl_1/a.safetensors").read_bytes() == b"half and half"
    assert everything(storage) == {"checkpoints/mdl_1/a.safetensors"}


def test_a_write_that_fails_leaves_what_was_there(storage: Storage) -> None:
    storage.write_bytes("previews/job_1/1.png", b"first")

    def break_off() -> None:
        with storage.writing("previews/job_1/1.png") as file:
            file.write(b"second")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        break_off()
    assert storage.path("previews/job_1/1.png").read_bytes() == b"first"
    assert everything(storage) == {"previews/job_1/1.png"}


def test_bytes_and_name_are_on_the_disk_before_the_name_is_told(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order that survives a power cut: file synced, renamed, folder synced."""
    steps: list[str] = []
    sync, rename = os.fsync, Path.replace

    def note_sync(descriptor: int) -> None:
        steps.append("sync " + Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.split(".")[-1])
        sync(descriptor)

    def note_rename(path: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(path, target)

    storage.write_bytes("previews/warm-up", b"")
    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_rename)
    storage.write_bytes("previews/1.png", b"picture")
    assert steps == ["sync tmp", "rename", "sync previews"]


@pytest.mark.parametrize(
    "path", ["", ".", "..", "/etc/passwd", "a/../../b", "../storage2/x", "a\\..\\b", "a\0b", "uploads/.."]
)
def test_a_path_that_would_leave_the_root_is_refused(path: str, storage: Storage) -> None:
    with pytest.raises(InvalidRequest):
        storage.path(path)


def test_a_folder_appears_filled_or_not_at_all(storage: Storage) -> None:
    with storage.building("datasets/abc") as folder:
        (folder / "data.npy").write_bytes(b"data")
        assert not storage.path("datasets/abc").exists()
    assert everything(storage) == {"datasets/abc/data.npy"}

    def break_off() -> None:
        with storage.building("datasets/def") as folder:
            (folder / "data.npy").write_bytes(b"data")
            raise RuntimeError("broken image")

    with pytest.raises(RuntimeError):
        break_off()
    assert everything(storage) == {"datasets/abc/data.npy"}
    assert list(storage.path("scratch").iterdir()) == []


def test_the_same_content_packed_by_many_at_once_is_there_once(storage: Storage) -> None:
    def pack(_: int) -> None:
        with storage.building("datasets/abc") as folder:
            (folder / "data.npy").write_bytes(b"data")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(pack, range(12)))
    assert everything(storage) == {"datasets/abc/data.npy"}


def test_a_damaged_or_missing_file_is_noticed_before_use(storage: Storage) -> None:
    storage.write_bytes("checkpoints/m/1", b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    assert storage.verify("checkpoints/m/1", digest) == storage.path("checkpoints/m/1")
    storage.path("checkpoints/m/1").write_bytes(b"weightz")
    with pytest.raises(ChecksumMismatch, match="checkpoints/m/1"):
        storage.verify("checkpoints/m/1", digest)
    with pytest.raises(NotFound, match="checkpoints/m/2"):
        storage.verify("checkpoints/m/2", digest)


def test_a_full_disk_is_a_typed_failure_and_leaves_no_rubbish(storage: Storage, tmp_path: Path) -> None:
    def fill() -> None:
        with publishing(tmp_path / "file") as temporary:
            temporary.write_bytes(b"some")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageFull):
        fill()
    assert list(tmp_path.iterdir()) == []
    assert storage.free() > 0
    storage.require(1)
    with pytest.raises(StorageFull, match="bytes are needed"):
        storage.require(2**62)


def test_an_error_of_another_kind_stays_what_it_is(storage: Storage) -> None:
    storage.write_bytes("uploads", b"a file where a folder should be")
    with pytest.raises(NotADirectoryError):
        storage.write_bytes("uploads/ds_1/file.zip", b"")


def test_what_is_removed_is_gone_and_what_is_gone_is_no_error(storage: Storage) -> None:
    storage.write_bytes("previews/job_1/1.png", b"1")
    storage.write_bytes("uploads/ds_1/a.zip", b"2")
    storage.remove("previews/job_1", "uploads/ds_1/a.zip", "datasets/never")
    storage.remove("previews/job_1")
    assert everything(storage) == set()


def test_removal_does_not_follow_links(storage: Storage, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"1")
    storage.write_bytes("uploads/ds_1/a", b"")
    storage.path("uploads/ds_1/link").symlink_to(outside)
    storage.path("uploads/ds_2").symlink_to(outside)
    storage.remove("uploads/ds_1", "uploads/ds_2")
    assert (outside / "precious").exists()
    assert list(storage.path("uploads").iterdir()) == []


def test_a_root_that_cannot_be_written_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        Storage(tmp_path / "file").prepare()
    Storage(tmp_path / "new").prepare()
    assert list((tmp_path / "new").rglob("*")) == [tmp_path / "new" / "scratch"]


def test_a_sweep_removes_what_is_old_and_nobodys_and_nothing_else(storage: Storage) -> None:
    for name in ("kept", "orphan", "fresh"):
        storage.write_bytes(f"checkpoints/mdl_1/{name}", b"weights")
    for name in ("kept", "orphan"):
        os.utime(storage.path(f"checkpoints/mdl_1/{name}"), (1000, 1000))
    assert storage.sweep("checkpoints/mdl_1", {"checkpoints/mdl_1/kept"}, 2000) == ["checkpoints/mdl_1/orphan"]
    assert sorted(path.name for path in storage.path("checkpoints/mdl_1").iterdir()) == ["fresh", "kept"]
    assert storage.sweep("checkpoints/mdl_2", set(), 2000) == []
