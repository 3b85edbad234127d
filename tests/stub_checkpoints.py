"""Checkpoints of jobs that are none: for the job tables that tests give to real workers."""

from pathlib import Path

from ledger.storage import Storage, sha256_of
from worker.protocol import Assignment, SavedCheckpoint


def saved(assignment: Assignment, images: int) -> SavedCheckpoint:
    """Two small files at so many images, and the line that tells of them."""
    storage, stem = Storage(Path(assignment.storage)), f"checkpoints/{assignment.model}/e{assignment.epoch}-{images}"
    for name in (f"{stem}.model", f"{stem}.state"):
        storage.write_bytes(name, b"weights")
    sha256 = sha256_of(storage.path(f"{stem}.model"))
    return SavedCheckpoint(
        id=f"ckpt_{assignment.epoch}_{images}",
        images=images,
        path=f"{stem}.model",
        bytes=7,
        sha256=sha256,
        state_path=f"{stem}.state",
        state_bytes=7,
        state_sha256=sha256,
    )
