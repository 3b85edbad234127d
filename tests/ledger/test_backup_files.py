"""Backups: whole whatever goes on meanwhile, restored on either database or refused, never half."""

import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_making import Maker
from servers import PostgreSQL
from sqlalchemy import select, text, update

from gan.errors import ChecksumMismatch, Conflict, GanymedeError, InvalidRequest, LedgerMismatch, NotFound, StorageFull
from ledger import backup
from ledger.backup import LEDGER, MANIFEST, main, make, restore
from ledger.copying import TABLES, copied, in_file
from ledger.database import Ledger, mint
from ledger.datasets import Datasets
from ledger.files import named
from ledger.jobs import Jobs
from ledger.models import Models
from ledger.records import Job, Saved
from ledger.settings import Settings
from ledger.storage import Storage
from ledger.tables import JobRow
from ledger.workers import Workers

Rows = dict[str, list[tuple[Any, ...]]]
FORMS = ["backup", "backup.tar"]
NAMED = b"storage/datasets/abc/data.npy"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "storage")


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    """Another machine."""
    return Settings(data=tmp_path / "elsewhere")


def publish(jobs: Jobs, storage: Storage, job: Job, images: int) -> Saved:
    """A checkpoint with files of its own, and what retention gives up removed."""
    id = mint("ckpt")
    parts = [f"checkpoints/{job.model_id}/{id}.{part}.safetensors" for part in ("model", "state")]
    contents = [f"{part} {images} ".encode() * 100 for part in parts]
    said = [fact for content in contents for fact in (len(content), hashlib.sha256(content).hexdigest())]
    for path, content in zip(parts, contents, strict=True):
        storage.write_bytes(path, content)
    saved = Saved(id, images, parts[0], said[0], said[1], parts[1], said[2], said[3])
    storage.remove(*jobs.publish_checkpoint(job.id, job.epoch, saved).delete)
    return saved


@pytest.fixture
def lived(ledger: Ledger, jobs: Jobs, make: Maker, storage: Storage) -> Job:
    """A ledger with some of everything, and a training that runs."""
    job = make.held(keep=2)
    storage.write_bytes("datasets/abc/data.npy", b"pixels")
    storage.write_bytes("datasets/abc/facts.json", b"{}")
    for images in (100, 200, 300):
        publish(jobs, storage, job, images)
    storage.write_bytes(f"previews/{job.id}/100.png", b"png")
    jobs.add_preview(job.id, job.epoch, 100, f"previews/{job.id}/100.png")
    jobs.add_metrics(job.id, job.epoch, 100, {"loss": 0.1, "w": None})
    jobs.heartbeat(job.id, job.epoch, 30, {"images": 300})
    storage.write_bytes("uploads/ds_1/upload.zip", b"zip")
    Datasets(ledger).create("new", {"kind": "upload", "path": "uploads/ds_1/upload.zip"})
    Workers(ledger).register("train", "cpu", host="here", pid=1, started=1.0)
    storage.write_bytes("checkpoints/nobodys/x", b"left by a worker that was killed")
    return job


def rows(ledger: Ledger) -> Rows:
    with ledger.reading() as session:
        tables = {table.name: session.execute(select(table)).all() for table in TABLES}
    return {name: [tuple(row) for row in found] for name, found in tables.items()}


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_restored_is_what_was_backed_up(
    form: str, ledger: Ledger, storage: Storage, lived: Job, empty: Settings, tmp_path: Path
) -> None:
    before = rows(ledger)
    made = make(ledger, storage, tmp_path / form)
    assert (made.missing, made.damaged) == ([], [])
    assert rows(ledger) == before
    restored, released = restore(tmp_path / form, empty)
    assert restored == made
    assert released == 1
    kept = {path: data for path, data in contents(storage.root).items() if not path.startswith("checkpoints/nobodys")}
    assert contents(empty.storage) == kept
    with in_file(empty.data / LEDGER) as again:
        again.check_version()
        after = rows(again)
    differing = {name for name in before if before[name] != after[name]}
    assert differing == {"jobs", "events", "workers"}
    assert after["events"][:-1] == before["events"]
    assert after["workers"] == []


def test_a_job_that_ran_goes_on_and_others_stay_as_they_were(
    ledger: Ledger, jobs: Jobs, storage: Storage, lived: Job, empty: Settings, tmp_path: Path
) -> None:
    with ledger.writing() as session:
        session.execute(update(JobRow).where(JobRow.id == lived.id).values(attempt=2))
    make(ledger, storage, tmp_path / "b")
    restore(tmp_path / "b", empty)
    with in_file(empty.data / LEDGER) as again:
        there = Jobs(again)
        job = there.get(lived.id)
        assert (job.status, job.attempt, job.worker, job.lease_until) == ("queued", 2, None, None)
        assert there.events_after(job.id, limit=1000)[-1].data["reason"] == "restored"
        assert [one.status for one in there.list(type="prepare").data] == ["queued", "succeeded"]
        states = Models(again).newest_states(str(job.model_id))
        assert [state.images for state in states] == [300, 200]
        claimed = there.claim("train", "wrk", 30)
        assert claimed is not None
        assert (claimed.id, claimed.epoch) == (lived.id, lived.epoch + 1)
        newer = there.newest_event()
    assert jobs.get(lived.id).status == "running"
    assert newer > jobs.newest_event()


@pytest.mark.parametrize("form", FORMS)
def test_a_backup_is_whole_although_checkpoints_come_and_go_all_the_time(
    form: str, ledger: Ledger, jobs: Jobs, storage: Storage, make: Maker, tmp_path: Path
) -> None:
    """Each backup is restored, and has every file that its ledger names, as it was written."""
    job, over = make.held(lease=600, keep=1), threading.Event()
    storage.write_bytes("datasets/abc/data.npy", b"pixels")
    for images in (1, 2, 3):
        publish(jobs, storage, job, images)

    def train() -> None:
        images = 3
        while not over.is_set():
            images += 1
            publish(jobs, storage, job, images)

    training = threading.Thread(target=train)
    training.start()
    try:
        for number in range(5):
            target, there = tmp_path / f"{number}-{form}", Settings(data=tmp_path / f"r{number}")
            made = backup.make(ledger, storage, target)
            assert (made.missing, made.damaged) == ([], [])
            restore(target, there)
            with in_file(there.data / LEDGER) as again:
                names = named(again)
            assert len(names) == 4 + 1
            for name in names:
                if name.sha256 is not None:
                    Storage(there.storage).verify(name.path, name.sha256)
    finally:
        over.set()
        training.join(30)


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on file systems that have none."""

    def none(*_: Any) -> None:
        raise PermissionError(1, os.strerror(1))

    monkeypatch.setattr(os, "link", none)


def test_where_there_are_no_links_there_are_copies_and_what_went_meanwhile_has_all_begun_anew(
    no_links: None,
    ledger: Ledger,
    jobs: Jobs,
    storage: Storage,
    lived: Job,
    empty: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    linked, seen = backup._linked, []

    def before_copying(*given: Any) -> Any:
        seen.append(linked(*given))
        return seen[-1]

    def retired_first(*given: Any) -> Any:
        if len(seen) == 1:
            for images in (400, 500, 600):
                publish(jobs, storage, lived, images)
        return copy(*given)

    copy = backup._copy
    monkeypatch.setattr(backup, "_linked", before_copying)
    monkeypatch.setattr(backup, "_copy", retired_first)
    made = make(ledger, storage, tmp_path / "b")
    assert len(seen) == 2
    assert (made.missing, made.damaged) == ([], [])
    restore(tmp_path / "b", empty)
    with in_file(empty.data / LEDGER) as again:
        names = named(again)
    assert len(names) == 7
    assert all((empty.storage / name.path).exists() for name in names)


def test_what_is_written_after_the_moment_is_not_in_the_backup(
    ledger: Ledger,
    jobs: Jobs,
    storage: Storage,
    lived: Job,
    empty: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ledger and files are of the same moment, although the ledger is copied after it."""
    copying = backup.snapshot

    def later(*given: Any) -> None:
        for images in (400, 500, 600):
            publish(jobs, storage, lived, images)
        copying(*given)

    monkeypatch.setattr(backup, "snapshot", later)
    made = make(ledger, storage, tmp_path / "b")
    assert (made.missing, made.damaged) == ([], [])
    restore(tmp_path / "b", empty)
    with in_file(empty.data / LEDGER) as again:
        assert [one.images for one in Models(again).checkpoints(str(lived.model_id))] == [300, 200]


def test_files_that_were_lost_or_damaged_before_are_named_and_the_rest_is_kept(
    ledger: Ledger, storage: Storage, lived: Job, empty: Settings, tmp_path: Path
) -> None:
    newest, *_ = (name for name in named(ledger) if name.path.endswith(".state.safetensors"))
    storage.path(newest.path).write_bytes(b"flipped")
    storage.remove(f"previews/{lived.id}")
    made = make(ledger, storage, tmp_path / "b.tar")
    assert made.missing == [f"previews/{lived.id}/100.png"]
    assert made.damaged == [f"storage/{newest.path}"]
    restore(tmp_path / "b.tar", empty)
    assert (empty.storage / newest.path).read_bytes() == b"flipped"


# ---- what is refused, leaving everything as it was ----


@pytest.fixture
def made(sqlite_ledger: Ledger, storage: Storage, tmp_path: Path) -> Callable[[str], Path]:
    jobs = Jobs(sqlite_ledger)
    job = Maker(jobs, Datasets(sqlite_ledger)).held()
    storage.write_bytes("datasets/abc/data.npy", b"pixels")
    publish(jobs, storage, job, 100)

    def form(name: str) -> Path:
        make(sqlite_ledger, storage, tmp_path / name)
        return tmp_path / name

    return form


def refused(source: Path, there: Settings, error: type[GanymedeError], says: str | None = None) -> None:
    """And nothing is left of the attempt."""
    before = contents(there.data) if there.data.exists() else {}
    with pytest.raises(error, match=says):
        restore(source, there)
    assert (contents(there.data) if there.data.exists() else {}) == before


def spoil(backup_: Path, path: str, change: Callable[[bytes], bytes]) -> None:
    """Change a file in a backup of either form."""
    if backup_.is_dir():
        (backup_ / path).write_bytes(change((backup_ / path).read_bytes()))
        return
    unpacked = backup_.with_suffix(".unpacked")
    with tarfile.open(backup_) as tar:
        tar.extractall(unpacked, filter="data")
    spoil(unpacked, path, change)
    with tarfile.open(backup_, "w") as tar:
        for file in sorted(path for path in unpacked.rglob("*") if path.is_file()):
            tar.add(file, file.relative_to(unpacked).as_posix())
    shutil.rmtree(unpacked)


def flipped(data: bytes) -> bytes:
    at = random.Random(len(data)).randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize("form", FORMS)
def test_a_bit_that_flipped_anywhere_is_noticed(form: str, made: Any, empty: Settings) -> None:
    source = made(form)
    files = [entry["path"] for entry in manifest_of(source)["files"]]
    assert len(files) >= 4
    for path in files:
        spoil(source, path, flipped)
        refused(source, empty, ChecksumMismatch, path)
        spoil(source, path, flipped)
    restore(source, empty)


def manifest_of(source: Path) -> dict[str, Any]:
    if source.is_dir():
        return dict(json.loads((source / MANIFEST).read_text()))
    with tarfile.open(source) as tar:
        file = tar.extractfile(MANIFEST)
        assert file is not None
        return dict(json.loads(file.read()))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda said: b"not json", InvalidRequest),
        (lambda said: b"{}", InvalidRequest),
        (lambda said: json.dumps(json.loads(said) | {"files": []}).encode(), InvalidRequest),
        (lambda said: json.dumps(json.loads(said) | {"format": 2}).encode(), LedgerMismatch),
        (
            lambda said: said.replace(NAMED, b"../../../../tmp/stolen/out.npy"),
            InvalidRequest,
        ),
        (lambda said: said.replace(NAMED, b"/etc/passwd"), InvalidRequest),
    ],
)
def test_a_manifest_that_lies_is_refused(change: Any, error: type[GanymedeError], made: Any, empty: Settings) -> None:
    source = made("b")
    spoil(source, MANIFEST, change)
    refused(source, empty, error)


def test_a_tar_that_was_cut_off_is_refused_wherever_it_was(made: Any, empty: Settings) -> None:
    source = made("b.tar")
    whole = source.read_bytes()
    for part in (0.1, 0.5, 0.9):
        source.write_bytes(whole[: int(len(whole) * part)])
        refused(source, empty, GanymedeError)
    source.write_bytes(b"")
    refused(source, empty, InvalidRequest, "no backup")
    refused(source.with_name("absent.tar"), empty, NotFound, "there is no")


def test_a_ledger_of_a_newer_version_is_refused(made: Any, empty: Settings) -> None:
    source = made("b")
    connection = sqlite3.connect(source / LEDGER)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = 'zzzz'")
    connection.close()
    said = json.loads((source / MANIFEST).read_text())
    ledger_ = (source / LEDGER).read_bytes()
    entry = next(entry for entry in said["files"] if entry["path"] == LEDGER)
    entry |= {"bytes": len(ledger_), "sha256": hashlib.sha256(ledger_).hexdigest()}
    (source / MANIFEST).write_text(json.dumps(said))
    refused(source, empty, LedgerMismatch, "zzzz")


def test_what_is_not_empty_is_not_touched(made: Any, empty: Settings, tmp_path: Path) -> None:
    source = made("b")
    Storage(empty.storage).write_bytes("checkpoints/m/x", b"mine")
    refused(source, empty, Conflict, "checkpoints")
    shutil.rmtree(empty.storage)
    restore(source, empty)
    shutil.rmtree(empty.storage)
    refused(source, empty, Conflict, "rows in")


def test_an_empty_ledger_and_storage_that_were_made_already_are_filled(made: Any, empty: Settings) -> None:
    ledger = Ledger(empty.database_url)
    ledger.migrate()
    Storage(empty.storage).prepare()
    _, released = restore(made("b"), empty)
    assert released == 1
    assert [job.status for job in Jobs(ledger).list(type="train").data] == ["queued"]
    ledger.close()


def test_too_little_room_is_said_before_anything_is_written(
    made: Any, empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = made("b")
    monkeypatch.setattr(Storage, "free", lambda _: 100)
    refused(source, empty, StorageFull, "100 are free")


@pytest.mark.parametrize("form", FORMS)
def test_a_backup_that_fails_leaves_nothing_and_one_that_exists_is_not_replaced(
    form: str, made: Any, sqlite_ledger: Ledger, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = made(form)
    with pytest.raises(Conflict, match="exists already"):
        make(sqlite_ledger, storage, source)
    before = sorted(tmp_path.iterdir())

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup.Hashed, "read", full)
    with pytest.raises(StorageFull):
        make(sqlite_ledger, storage, tmp_path / f"other-{form}")
    assert sorted(tmp_path.iterdir()) == before
    assert list((storage.root / "scratch").iterdir()) == []


@pytest.mark.parametrize("form", FORMS)
def test_others_cannot_read_a_backup(form: str, made: Any) -> None:
    assert made(form).stat().st_mode & 0o077 == 0


# ---- from one database to the other ----


@pytest.fixture
def other(postgresql: PostgreSQL, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of another, empty PostgreSQL database, whose owner is asked for a password."""
    name = f"restored{os.getpid()}"
    postgresql.database(name, "hunter2")
    yield f"postgresql://{name}:hunter2@127.0.0.1:{postgresql.port}/{name}"
    postgresql.sql(f"DROP DATABASE {name} WITH (FORCE)")
    postgresql.sql(f"DROP ROLE {name}")


def test_a_backup_of_either_database_is_restored_into_postgresql(
    ledger: Ledger, storage: Storage, lived: Job, other: str, tmp_path: Path
) -> None:
    before = rows(ledger)
    make(ledger, storage, tmp_path / "b.tar")
    there = Settings(data=tmp_path / "elsewhere", database_url=other)
    restore(tmp_path / "b.tar", there)
    target = Ledger(other)
    try:
        after = rows(target)
        assert {name for name in before if before[name] != after[name]} == {"jobs", "events", "workers"}
        assert Jobs(target).get(lived.id).status == "queued"
        newer = Jobs(target).create("project", {})  # it counts on
        assert newer.number > max(row[0] for row in before["jobs"])
        with pytest.raises(Conflict, match="not empty"):
            copied(ledger, target)
    finally:
        target.close()


def emptied(ledger: Ledger) -> None:
    with ledger.writing() as session:
        session.execute(text(f"TRUNCATE {', '.join(table.name for table in TABLES)} RESTART IDENTITY CASCADE"))


def test_a_dump_of_postgresqls_own_tools_is_restored_as_documented(
    postgresql: PostgreSQL, postgresql_ledger: Ledger, other: str, tmp_path: Path
) -> None:
    """With a copy of the storage it is a backup too; jobs that ran are taken up when their lease has passed."""
    emptied(postgresql_ledger)
    jobs = Jobs(postgresql_ledger)
    job = Maker(jobs, Datasets(postgresql_ledger)).held(lease=-1)
    before = rows(postgresql_ledger)
    tools, dump = Path(postgresql._server.bin_path), tmp_path / "ledger.dump"
    subprocess.run([tools / "pg_dump", "--format", "custom", "--file", dump, postgresql.url], check=True)
    subprocess.run([tools / "pg_restore", "--no-owner", "--dbname", other, dump], check=True)
    target = Ledger(other)
    try:
        target.check_version()
        assert rows(target) == before
        assert [(one.id, one.status) for one in Jobs(target).expire()] == [(job.id, "queued")]
    finally:
        target.close()


# ---- the command ----


def test_the_commands_say_what_they_did(
    made: Any, empty: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made("seen")
    monkeypatch.setenv("GANYMEDE_DATABASE_URL", f"sqlite:///{tmp_path}/ledger.sqlite3")
    monkeypatch.setenv("GANYMEDE_STORAGE", str(tmp_path / "storage"))
    assert main(["make", str(tmp_path / "b.tar")]) == 0
    assert str(tmp_path / "b.tar") in capsys.readouterr().out
    assert main(["make", str(tmp_path / "b.tar")]) == 1
    assert capsys.readouterr().err == f"ganymede backup: {tmp_path}/b.tar exists already: give another name\n"
    shutil.rmtree(tmp_path / "storage" / "datasets")
    assert main(["make", str(tmp_path / "c.tar")]) == 1
    assert "datasets/abc is gone from storage" in capsys.readouterr().err
    assert main(["restore", str(tmp_path / "b.tar")]) == 1
    assert "is not empty" in capsys.readouterr().err
    monkeypatch.delenv("GANYMEDE_DATABASE_URL")
    monkeypatch.delenv("GANYMEDE_STORAGE")
    monkeypatch.setenv("GANYMEDE_DATA", str(empty.data))
    assert main(["restore", str(tmp_path / "b.tar")]) == 0
    assert capsys.readouterr().out.endswith("1 jobs that ran are queued again\n")
