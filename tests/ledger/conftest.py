"""The ledger's tests run on SQLite and on a real PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_making import Maker
from servers import PostgreSQL
from sqlalchemy import text

from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.models import Models
from ledger.tables import Table
from ledger.workers import Workers


@pytest.fixture(scope="session")
def postgresql_ledger(postgresql: PostgreSQL) -> Iterator[Ledger]:
    ledger = Ledger(postgresql.url)
    ledger.migrate()
    yield ledger
    ledger.close()


@pytest.fixture(scope="session")
def blank_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: quicker than to migrate for every test."""
    path = tmp_path_factory.mktemp("blank") / "ledger.sqlite3"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.migrate()
    ledger.close()
    return path


@pytest.fixture
def sqlite_ledger(blank_sqlite: Path, tmp_path: Path) -> Iterator[Ledger]:
    path = shutil.copy(blank_sqlite, tmp_path / "ledger.sqlite3")
    ledger = Ledger(f"sqlite:///{path}")
    yield ledger
    ledger.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    ledger: Ledger = request.getfixturevalue(f"{request.param}_ledger")
    if request.param == "postgresql":
        tables = ", ".join(table.name for table in Table.metadata.sorted_tables)
        with ledger.writing() as session:
            session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    return ledger


@pytest.fixture
def jobs(ledger: Ledger) -> Jobs:
    return Jobs(ledger)


@pytest.fixture
def datasets(ledger: Ledger) -> Datasets:
    return Datasets(ledger)


@pytest.fixture
def models(ledger: Ledger) -> Models:
    return Models(ledger)


@pytest.fixture
def workers(ledger: Ledger) -> Workers:
    return Workers(ledger)


@pytest.fixture
def make(jobs: Jobs, datasets: Datasets) -> Maker:
    return Maker(jobs, datasets)
