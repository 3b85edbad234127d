"""`ganymede doctor`: what is wrong is found by name, with what to do; what is well is said to be well."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from running import Stack
from servers import PostgreSQL, Redis, closed_port, free_port
from sqlalchemy import update

from ledger import doctor
from ledger.clock import now
from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.doctor import Finding, Patient, examined
from ledger.doorbell import Doorbell
from ledger.files import Named, named
from ledger.jobs import Jobs
from ledger.settings import Settings
from ledger.storage import Storage
from ledger.tables import CheckpointRow, JobRow, ModelRow, WorkerRow
from ledger.workers import Workers
from worker import doctor as command
from worker.doctor import quota, torch_says


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


@pytest.fixture
def patient(settings: Settings) -> Patient:
    ledger = Ledger(settings.database_url)
    ledger.migrate()
    storage = Storage(settings.storage)
    storage.prepare()
    return Patient(settings, ledger, storage, "127.0.0.1", free_port())


def findings(patient: Patient, *checks: str) -> list[Finding]:
    return list(examined(patient, {name: command.CHECKS[name] for name in checks or doctor.CHECKS}))


def worst(patient: Patient, *checks: str) -> Finding:
    found = findings(patient, *checks)
    return max(found, key=lambda one: ("ok", "warning", "problem").index(one.verdict))


def test_a_server_with_all_it_needs_is_well(patient: Patient) -> None:
    workers = Workers(patient.ledger)
    for queue in ("train", "light"):
        workers.register_self(queue, "cpu")
    found = findings(replace(patient, deep=True))
    assert {one.check for one in found} == set(doctor.CHECKS)
    assert [one for one in found if one.verdict != "ok"] == []


def test_every_finding_that_is_not_well_says_what_to_do(tmp_path: Path) -> None:
    with closed_port() as port:
        settings = Settings(data=tmp_path, broker_url=f"redis://127.0.0.1:{port}/0")
        patient = Patient(settings, Ledger(settings.database_url), Storage(settings.storage), "127.0.0.1", port)
        found = findings(patient)
    assert {one.check for one in found if one.verdict != "ok"} >= {"database", "broker", "storage", "port"}
    assert [one for one in found if one.verdict != "ok" and not one.remedy] == []


# ---- the database ----


def test_a_ledger_that_is_not_there_is_a_problem_and_nothing_that_needs_it_is_looked_at(settings: Settings) -> None:
    patient = Patient(settings, Ledger(settings.database_url), Storage(settings.storage), "127.0.0.1", free_port())
    found = {one.check: one for one in findings(patient)}
    assert (found["database"].verdict, "ganymede migrate" in found["database"].message) == ("problem", True)
    assert {name for name, one in found.items() if "not looked at" in one.message} == doctor.ON_LEDGER
    assert not settings.storage.exists()


def test_a_ledger_of_another_version_is_a_problem(patient: Patient) -> None:
    with patient.ledger.writing() as session:
        session.execute(doctor.text("UPDATE alembic_version SET version_num = 'zzzz'"))
    found = worst(patient, "database")
    assert (found.verdict, "zzzz" in found.message) == ("problem", True)


def test_a_database_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    with closed_port() as port:
        settings = Settings(data=tmp_path, database_url=f"postgresql://me:hunter2@127.0.0.1:{port}/g")
        patient = Patient(settings, Ledger(settings.database_url), Storage(settings.storage), "127.0.0.1", port)
        found = worst(patient, "database")
    assert found.verdict == "problem"
    assert f"127.0.0.1:{port}/g" in found.message
    assert "hunter2" not in str(found)


def test_a_password_that_is_refused_is_a_problem(tmp_path: Path, postgresql: PostgreSQL) -> None:
    url = f"postgresql://nobody:hunter2@127.0.0.1:{postgresql.port}/postgres"
    settings = Settings(data=tmp_path, database_url=url)
    found = worst(Patient(settings, Ledger(url), Storage(settings.storage), "127.0.0.1", 1), "database")
    assert (found.verdict, "hunter2" in str(found)) == ("problem", False)
    assert "nobody" in found.message


def test_a_damaged_sqlite_file_is_a_problem_where_it_is_looked_at(patient: Patient, settings: Settings) -> None:
    jobs = Jobs(patient.ledger)
    for number in range(300):
        jobs.create("project", {"filler": str(number) * 200})
    with patient.ledger.writing() as session:
        session.execute(doctor.text("PRAGMA user_version = 1"))
    patient.ledger.close()
    path = settings.data / "ledger.sqlite3"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8192] = b"\xff" * 8192
    path.write_bytes(content)
    found = worst(replace(patient, ledger=Ledger(settings.database_url), deep=True), "database")
    assert found.verdict == "problem"
    assert "restore a backup" in found.remedy


def test_what_is_no_database_at_all_is_a_problem_and_no_traceback(settings: Settings) -> None:
    (settings.data / "ledger.sqlite3").write_bytes(b"this is a letter to my aunt" * 100)
    patient = Patient(settings, Ledger(settings.database_url), Storage(settings.storage), "127.0.0.1", free_port())
    found = worst(patient, "database")
    assert (found.verdict, "not a database" in found.message) == ("problem", True)


def test_a_database_whose_clock_differs_is_a_warning(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    here = time.time()
    monkeypatch.setattr(doctor.time, "time", lambda: here + 3600)
    found = worst(patient, "clock")
    assert (found.verdict, "-3600 s" in found.message) == ("warning", True)


# ---- broker, storage, files ----


def test_a_broker_that_answers_says_what_nobody_has_heard(tmp_path: Path) -> None:
    redis = Redis(tmp_path)
    redis.start()
    try:
        settings = Settings(data=tmp_path, broker_url=redis.url)
        bell = Doorbell(settings)
        patient = Patient(settings, Ledger(settings.database_url), Storage(settings.storage), "127.0.0.1", 1)
        assert worst(patient, "broker").message.endswith("train 0, light 0")
        for _ in range(3):
            bell.ring("light")
        deadline = time.monotonic() + 20
        while not worst(patient, "broker").message.endswith("train 0, light 3"):
            assert time.monotonic() < deadline
    finally:
        redis.kill()


def test_little_room_is_a_warning_and_next_to_none_a_problem(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, verdict in ((10**12, "ok"), (10**9, "warning"), (10**6, "problem")):
        monkeypatch.setattr(Storage, "free", lambda _, free=free: free)
        assert worst(patient, "storage").verdict == verdict


def test_a_slow_disk_is_a_warning_and_one_that_cannot_be_written_a_problem(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Storage.write_bytes
    monkeypatch.setattr(Storage, "write_bytes", lambda *given: (time.sleep(0.15), write(*given)))
    assert worst(patient, "storage").verdict == "warning"

    def read_only(*_: Any) -> None:
        raise OSError(30, "Read-only file system", "scratch")

    monkeypatch.setattr(Storage, "write_bytes", read_only)
    found = worst(patient, "storage")
    assert (found.verdict, "Read-only" in found.message) == ("problem", True)
    assert list((patient.storage.root / "scratch").iterdir()) == []


def checkpoint(patient: Patient, name: str, content: bytes, **wrong: Any) -> None:
    """A model with a checkpoint whose file holds this, said to be as it is but for what is `wrong`."""
    path = f"checkpoints/mdl_{name}/{name}.safetensors"
    patient.storage.write_bytes(path, content)
    said = {"path": path, "bytes": len(content), "sha256": sha256(content)} | wrong
    with patient.ledger.writing() as session:
        session.add(ModelRow(id=f"mdl_{name}", name=name, recipe="r3gan", network={}))
        session.flush()
        session.add(CheckpointRow(id=f"ckpt_{name}", model_id=f"mdl_{name}", images=1, **said))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_files_that_are_gone_short_or_changed_are_problems(patient: Patient) -> None:
    checkpoint(patient, "well", b"whole")
    assert worst(patient, "files").message == "1 of 1 files that the ledger names: all there"
    checkpoint(patient, "gone", b"there once")
    patient.storage.remove("checkpoints/mdl_gone")
    checkpoint(patient, "short", b"cut off", bytes=100)
    checkpoint(patient, "flipped", b"a bit is off", sha256="0" * 64)
    shallow = [one.message for one in findings(patient, "files")]
    assert [message.partition(" ")[2] for message in shallow] == ["has 7 bytes instead of 100", "is gone"]
    deep = [one.message for one in findings(replace(patient, deep=True), "files")]
    assert any("mdl_flipped" in message and "checksum" in message for message in deep)
    assert len(deep) == 3


def test_what_the_ledger_names_is_known_whatever_it_belongs_to(patient: Patient) -> None:
    checkpoint(patient, "m", b"x", state_path="checkpoints/mdl_m/s", state_bytes=3, state_sha256="a" * 64)
    jobs, datasets = Jobs(patient.ledger), Datasets(patient.ledger)
    datasets.create("up", {"kind": "upload", "path": "uploads/ds_1/upload.zip"})
    datasets.create("folder", {"kind": "folder", "path": "pictures"})
    jobs.create("project", {"images": "projections/p.npz"})
    held = jobs.claim("light", "wrk", 30)
    assert held is not None
    jobs.add_preview(held.id, held.epoch, 5, "previews/j/5.png")
    assert named(patient.ledger) == [
        Named("checkpoints/mdl_m/m.safetensors", 1, sha256(b"x")),
        Named("checkpoints/mdl_m/s", 3, "a" * 64),
        Named("uploads/ds_1/upload.zip"),
        Named("projections/p.npz"),
        Named("previews/j/5.png"),
    ]


# ---- workers, jobs, the port ----


def test_a_queue_without_a_worker_is_a_problem_once_jobs_wait(patient: Patient) -> None:
    assert {one.verdict for one in findings(patient, "workers")} == {"warning"}
    Jobs(patient.ledger).create("project", {})
    found = worst(patient, "workers")
    assert (found.verdict, found.remedy) == ("problem", "ganymede up, or ganymede work --queue light")
    Workers(patient.ledger).register_self("light", "cpu")
    assert worst(patient, "workers").verdict == "warning"


def test_a_silent_worker_is_a_warning(patient: Patient) -> None:
    id = Workers(patient.ledger).register_self("light", "cpu")
    with patient.ledger.writing() as session:
        session.execute(update(WorkerRow).values(heartbeat=now() - 600))
    assert any(id in one.message and "600 s" in one.message for one in findings(patient, "workers"))


def test_a_job_that_nobody_holds_is_a_problem_and_one_that_kills_its_process_a_warning(patient: Patient) -> None:
    jobs = Jobs(patient.ledger)
    jobs.create("project", {})
    held = jobs.claim("light", "wrk", 30)
    assert held is not None
    assert worst(patient, "jobs").verdict == "ok"
    with patient.ledger.writing() as session:
        session.execute(update(JobRow).values(lease_until=now() - 300))
    found = worst(patient, "jobs")
    assert (found.verdict, held.id in found.message) == ("problem", True)
    assert jobs.expire()[0].attempt == 1
    found = worst(patient, "jobs")
    assert (found.verdict, "1 times" in found.message) == ("warning", True)


def test_a_port_is_free_or_ours_or_somebody_elses(patient: Patient, stack: Stack) -> None:
    assert "is free" in worst(patient, "port").message
    with socket.create_server(("127.0.0.1", patient.port)):
        assert worst(patient, "port").verdict == "problem"
    ours = replace(patient, port=int(stack.url.rpartition(":")[2]))
    assert "the service answers" in worst(ours, "port").message
    assert worst(replace(patient, host="192.0.2.1"), "port").verdict == "problem"


# ---- versions and devices ----


def test_a_package_that_is_missing_or_too_old_is_a_problem_and_one_not_pinned_a_warning(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = [command.Requirement("torch>=99"), command.Requirement("no-such-package"), command.Requirement("numpy>=1")]
    monkeypatch.setattr(command, "needs", lambda: needs)
    monkeypatch.setattr(
        command, "pins", lambda: {"numpy": "0.1", "torch": command.metadata.version("torch").split("+")[0]}
    )
    found = findings(patient, "versions")
    assert [one.verdict for one in found] == ["problem", "problem", "warning"]
    assert "torch" in found[0].message
    assert found[1].message == "no-such-package is not installed"
    assert "numpy" in found[2].message
    assert "torch" not in found[2].message


def test_this_environment_is_as_pinned(patient: Patient) -> None:
    assert command.pins()["torch"]
    assert worst(patient, "versions").verdict == "ok"


def test_a_gpu_that_is_wished_for_and_missing_is_a_problem(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "torch_says", lambda: {"version": "2", "devices": [], "computed": 8.0})
    wishing = replace(
        patient, settings=Settings(data=patient.settings.data, service_device="cuda", train_device="cuda:7")
    )
    found = findings(wishing, "device")
    assert [one.verdict for one in found] == ["ok", "problem", "problem"]
    assert worst(patient, "device").verdict == "ok"


def test_torch_is_asked_in_a_process_of_its_own(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert torch_says()["computed"] == 8.0
    monkeypatch.setattr(command, "TORCH", "import os; os.abort()")
    found = worst(patient, "device")
    assert (found.verdict, "torch does not work" in found.message) == ("problem", True)


def test_more_threads_than_cores_are_a_warning(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert worst(patient, "threads").verdict == "ok"
    many = replace(patient, settings=Settings(data=patient.settings.data, train_threads=1000))
    assert worst(many, "threads").remedy.startswith("GANYMEDE_TRAIN_THREADS=")
    limit = tmp_path / "cpu.max"
    for text, cpus in (("max 100000", None), ("150000 100000", 1), ("400000 100000", 4), ("nonsense", None)):
        limit.write_text(text + "\n")
        assert quota(limit) == cpus
    assert quota(tmp_path / "absent") is None


# ---- the command ----


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GANYMEDE_")}
    command = [sys.executable, "-m", "ganymede", "doctor", *arguments]
    return subprocess.run(
        command, env=inherited | environment, capture_output=True, text=True, timeout=200, check=False
    )


def test_the_command_looks_at_a_running_server(stack: Stack) -> None:
    port = stack.url.rpartition(":")[2]
    done = run("--data", str(stack.data), "--port", port, "--deep", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"]) == (0, True), told
    assert {one["check"] for one in told["findings"]} == {"settings", *command.CHECKS}
    assert any("the service answers" in one["message"] for one in told["findings"])


def test_the_command_ends_with_1_where_there_is_a_problem_and_has_a_line_each(tmp_path: Path) -> None:
    done = run("--data", str(tmp_path), GANYMEDE_TRIAN_DEVICE="cpu")
    assert done.returncode == 1, done.stdout
    lines = done.stdout.splitlines()
    assert {text.split()[0] for text in lines} == {"ok", "warning", "problem"}
    assert any("GANYMEDE_TRIAN_DEVICE" in text for text in lines)
    assert done.stderr == ""
    bad = run(GANYMEDE_LEASE_SECONDS="soon")
    assert (bad.returncode, bad.stdout.count("\n")) == (1, 1)
    assert bad.stdout.startswith("problem  settings  GANYMEDE_LEASE_SECONDS: ")
