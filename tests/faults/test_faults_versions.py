"""Ledgers and checkpoints of other versions: migrated, or refused in words; never misread (fault 15)."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import seeded
import torch
from alembic import command
from fault_table import row
from safetensors.torch import load_file, save_file
from servers import PostgreSQL
from sqlalchemy import MetaData, insert, text

import ledger.database
from gan.checkpoint import load_discriminator, load_generator
from gan.choosing import resolve
from gan.errors import CheckpointCorrupt, LedgerMismatch
from gan.spec import DatasetFacts, PointShape, TrainingSpec, TrainRequest
from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.models import Models
from ledger.settings import Settings
from ledger.workers import Workers
from worker.training.state import StateHeader, load_state, new_state, save_state

OLDEST, OLD = "0001", "0002"
CPU = torch.device("cpu")

# ---- ledgers ----

DATA = {
    "id": "ds_old", "name": "faces", "status": "ready", "source": {"kind": "upload", "path": "uploads/ds_old/u.zip"},
    "kind": "images", "digest": "d" * 64, "path": "datasets/d", "bytes": 512, "count": 200, "width": 8, "height": 8,
    "channels": 1, "condition_dims": 0, "classes": ["a", "b"], "report": {"accepted": 200}, "created_at": 1.5e9,
    "job_id": "job_old",
}  # fmt: skip
DONE = {
    "id": "job_done", "type": "train", "queue": "train", "status": "succeeded", "spec": {"images": 1000},
    "model_id": "mdl_old", "model": "m", "dataset_id": "ds_old", "dataset": "faces", "seed": 2**62, "priority": 0,
    "attempt": 1, "epoch": 4, "metadata": {"who": "me"}, "version": 9, "created_at": 1.5e9, "started_at": 1.5e9 + 1,
    "finished_at": 1.5e9 + 2, "ended_by": "images", "progress": {"images": 1000},
}  # fmt: skip
WAITING = {
    "id": "job_waiting", "type": "evaluate", "queue": "light", "status": "queued", "spec": {"checkpoint": "ckpt_old"},
    "model_id": "mdl_old", "model": "m", "dataset_id": "ds_old", "dataset": "faces", "priority": 5, "attempt": 0,
    "epoch": 0, "metadata": {}, "version": 1, "created_at": 1.5e9,
}  # fmt: skip
MODEL = {
    "id": "mdl_old", "name": "m", "recipe": "r3gan", "network": seeded.network().model_dump(mode="json"),
    "dataset_id": "ds_old", "dataset": "faces", "classes": [], "created_at": 1.5e9,
}  # fmt: skip
CHECKPOINT = {
    "id": "ckpt_old", "model_id": "mdl_old", "job_id": "job_done", "images": 1000, "path": "checkpoints/mdl_old/a",
    "bytes": 7, "sha256": "e" * 64, "state_path": "checkpoints/mdl_old/b", "state_bytes": 8, "state_sha256": "f" * 64,
    "metrics": {"fid": 0.25}, "pinned": True, "created_at": 1.5e9,
}  # fmt: skip
WORKER = {
    "id": "wrk_old", "host": "h", "pid": 7, "started": 1.0, "queue": "train", "device": "cpu", "heartbeat": 1.5e9,
    "created_at": 1.5e9,
}  # fmt: skip
ROWS: list[tuple[str, dict[str, Any]]] = [
    ("datasets", DATA),
    ("models", MODEL),
    ("jobs", DONE),
    ("jobs", WAITING),
    ("events", {"job_id": "job_done", "type": "job.running", "data": {"epoch": 4}, "created_at": 1.5e9}),
    ("metrics", {"job_id": "job_done", "images": 500, "values": {"loss": 0.5, "w": None}, "created_at": 1.5e9}),
    ("previews", {"job_id": "job_done", "images": 500, "path": "previews/job_done/500.png", "created_at": 1.5e9}),
    ("checkpoints", CHECKPOINT),
    ("workers", WORKER),
]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.sqlite3"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    server.sql("CREATE DATABASE of_other_versions")
    yield server.at("of_other_versions")
    server.sql("DROP DATABASE of_other_versions WITH (FORCE)")


def make_old(url: str, version: str) -> None:
    """A ledger of that version as its own program left it, with a row of everything."""
    old = Ledger(url)
    with old._engine.execution_options(begin="IMMEDIATE").begin() as connection:
        config = ledger.database._config()
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        tables = MetaData()
        tables.reflect(connection)
        for table, values in ROWS:
            connection.execute(insert(tables.tables[table]).values(values))
    old.close()


def run(module: str, *arguments: str, url: str, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=Settings(data=tmp_path / "data", database_url=url).environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


PROCESSES = (("service", "--port", "0"), ("worker", "--queue", "light"))


@pytest.mark.parametrize("version", [OLDEST, OLD])
def test_an_older_ledger_is_refused_until_it_is_migrated_and_then_all_is_there(
    url: str, version: str, tmp_path: Path
) -> None:
    make_old(url, version)
    for module, *arguments in PROCESSES if (version, url[:6]) == (OLD, "sqlite") else ():
        refused = run(module, *arguments, url=url, tmp_path=tmp_path)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert f"the ledger is of version {version}" in refused.stderr
        assert "ganymede migrate" in refused.stderr
    now = Ledger(url)
    with pytest.raises(LedgerMismatch, match=f"version {version}.*ganymede migrate"):
        now.check_version()
    try:
        now.migrate()
        now.check_version()
        check_all_is_there(now)
        check_work_goes_on(now)
    finally:
        now.close()
    row("15", f"a ledger of version {version}, {url.partition(':')[0]}", 1, "refused, migrated, every row there")


def check_all_is_there(now: Ledger) -> None:
    jobs, models, data = Jobs(now), Models(now), Datasets(now).get("faces")
    assert {name: getattr(data, name) for name in DATA} == DATA
    done = jobs.get("job_done")
    assert {name: getattr(done, name) for name in DONE if hasattr(done, name) and name != "queue"} == {
        name: value for name, value in DONE.items() if hasattr(done, name) and name != "queue"
    }
    assert done.metadata == {"who": "me"}
    assert [(event.type, event.data) for event in jobs.events_after("job_done")] == [("job.running", {"epoch": 4})]
    assert [(one.images, one.values) for one in jobs.metrics("job_done")] == [(500, {"loss": 0.5, "w": None})]
    assert [one.path for one in jobs.previews("job_done")] == ["previews/job_done/500.png"]
    model, checkpoint = models.resolve("m@best")
    assert (model.id, model.recipe, checkpoint.id) == ("mdl_old", "r3gan", "ckpt_old")
    assert (checkpoint.sha256, checkpoint.metrics, checkpoint.pinned) == ("e" * 64, {"fid": 0.25}, True)
    assert [state.sha256 for state in models.newest_states("mdl_old")] == ["f" * 64]
    assert Workers(now).live() == []


def check_work_goes_on(now: Ledger) -> None:
    """What waited is claimed, ends, and new things come behind it."""
    jobs = Jobs(now)
    job = jobs.claim("light", "wrk_new", 30)
    assert job is not None
    assert (job.id, job.epoch) == ("job_waiting", 1)
    jobs.finish_evaluation(job.id, job.epoch, {"kid": 1.0}, "ckpt_old", {"kid": 1.0})
    assert Models(now).resolve("ckpt_old")[1].metrics == {"fid": 0.25, "kid": 1.0}
    assert Datasets(now).create("new", {"kind": "upload", "path": "uploads/x"}).status == "preparing"


def test_a_newer_ledger_is_refused_by_everything_and_left_as_it_is(url: str, tmp_path: Path) -> None:
    newer = Ledger(url)
    newer.migrate()
    with newer.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    for module, *arguments in (*PROCESSES, ("ledger", "migrate")) if url.startswith("sqlite") else ():
        refused = run(module, *arguments, url=url, tmp_path=tmp_path)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr
        assert "version 0099" in refused.stderr
        assert "newer Ganymede" in refused.stderr
    for refuse in (newer.migrate, newer.check_version):
        with pytest.raises(LedgerMismatch, match=r"version 0099.*newer Ganymede"):
            refuse()
    newer.close()
    row("15", f"a ledger of a newer version, {url.partition(':')[0]}", 1, "refused in one line by every process")


# ---- checkpoints ----


def rewritten(path: Path, **said: Any) -> Path:
    """The same file with another header; None takes a field out."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["ganymede"])
    header = {name: value for name, value in (header | said).items() if name not in said or value is not None}
    target = path.with_name(f"other-{path.name}")
    save_file(load_file(path), target, metadata={"ganymede": json.dumps(header)})
    return target


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    seeded.write_seeded(path, seeded.network())
    return path


@pytest.fixture
def spec() -> TrainingSpec:
    facts = DatasetFacts(count=200, shape=PointShape(dims=2))
    asked = {"type": "train", "dataset": "d", "model": "m", "network": {"width": 8}}
    return resolve(TrainRequest.model_validate(asked), facts, "cpu")


@pytest.fixture
def state(tmp_path: Path, spec: TrainingSpec) -> Path:
    path = tmp_path / "state.safetensors"
    save_state(path, spec, new_state(spec, CPU))
    return path


SINCE = ("loss", "ema_halflife", "ema_halflives", "calibration", "classes", "class_counts")
"""What model files of earlier programs do not say."""


def test_a_model_file_of_an_earlier_program_is_read_as_it_was(model: Path) -> None:
    old = load_generator(rewritten(model, **dict.fromkeys(SINCE)))
    now = load_generator(model)
    z = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(old.module(z, None), now.module(z, None))
    assert (old.header.calibration, old.ema) == (None, None)
    load_discriminator(rewritten(model, **dict.fromkeys(SINCE)))


def test_a_training_state_of_an_earlier_program_is_read_as_it_was(state: Path, spec: TrainingSpec) -> None:
    old, now = load_state(rewritten(state, watch=None), spec, CPU), load_state(state, spec, CPU)
    assert old.counters == now.counters
    for name, module in now.modules().items():
        found = old.modules()[name].state_dict()
        assert all(torch.equal(found[key], tensor) for key, tensor in module.state_dict().items())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"version": 2}, "its version is 2, and this program reads 1"),
        ({"version": 0}, "its version is 0"),
        ({"version": "1.0"}, r"its version is 1\.0"),
        ({"format": "ganymede.film"}, r"its format is ganymede\.film"),
        ({"invented": True}, "unreadable"),
    ],
)
def test_a_file_of_another_version_is_refused_in_words(
    model: Path, state: Path, spec: TrainingSpec, said: dict[str, Any], words: str
) -> None:
    for load in (load_generator, load_discriminator):
        with pytest.raises(CheckpointCorrupt, match=words):
            load(rewritten(model, **said))
    with pytest.raises(CheckpointCorrupt, match=words):
        load_state(rewritten(state, **said), spec, CPU)


def test_neither_part_is_taken_for_the_other(model: Path, state: Path, spec: TrainingSpec) -> None:
    with pytest.raises(CheckpointCorrupt, match="its format is"):
        load_state(model, spec, CPU)
    with pytest.raises(CheckpointCorrupt, match="its format is"):
        load_generator(state)
    assert StateHeader.model_fields["version"].default == 1
