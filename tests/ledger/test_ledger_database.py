"""The database: versions, migrations, and what happens when it is away."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from servers import PostgreSQL
from sqlalchemy import create_engine, inspect, select, text
from sqlalchemy.exc import OperationalError

import ledger.database
from gan.errors import LedgerMismatch, Unavailable
from ledger.clock import now
from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.settings import Settings
from ledger.tables import Table


@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_the_migrations_make_exactly_the_tables_that_the_code_knows(ledger: Ledger) -> None:
    with ledger._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Table.metadata)
        assert [one for one in differences if "ix_jobs_queue_order" not in str(one)] == []
        # a descending index is beyond the comparison
        made = {index["name"]: index["unique"] for index in inspect(connection).get_indexes("jobs")}
        assert made.keys() >= {index.name for index in Table.metadata.tables["jobs"].indexes}


def test_times_are_unix_seconds(ledger: Ledger) -> None:
    assert abs(ledger.time() - time.time()) < 2
    with ledger.reading() as session:
        first = session.scalars(select(now())).one()
        time.sleep(0.02)
        assert session.scalars(select(now())).one() - first >= 0.015


def test_a_missing_or_empty_or_foreign_ledger_is_refused_until_it_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.sqlite3"
    ledger = Ledger(f"sqlite:///{path}")
    with pytest.raises(LedgerMismatch, match="run `ganymede migrate`"):
        ledger.check_version()
    assert not path.exists()
    ledger.migrate()
    ledger.check_version()
    ledger.migrate()
    with ledger.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refuse in (ledger.check_version, ledger.migrate):
        with pytest.raises(LedgerMismatch, match=r"version 9999.*newer Ganymede"):
            refuse()
    ledger.close()


def test_the_migrate_command_makes_the_ledger(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    command = [sys.executable, "-m", "ledger", "migrate"]
    for _ in range(2):
        done = subprocess.run(command, check=False, env=settings.environment(), capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    ledger = Ledger(settings.database_url)
    ledger.check_version()
    ledger.close()


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("postgresql://nobody@127.0.0.1:9/none", "cannot be reached"),
        ("sqlite:////proc/nowhere/ledger.sqlite3", "nowhere"),
        ("mysql://db/ganymede", "mysql:// is not"),
        ("sqlite://", "give sqlite:/// a file"),
        ("nonsense", "not a database URL"),
    ],
)
def test_a_database_that_cannot_be_had_is_one_clear_line(url: str, named: str, tmp_path: Path) -> None:
    environment = Settings(data=tmp_path, database_url=url).environment()
    command = [sys.executable, "-m", "ledger", "migrate"]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr.startswith("ganymede migrate: ")
    assert named in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_postgresql_that_is_away_is_unavailable_at_once() -> None:
    ledger = Ledger("postgresql://nobody@127.0.0.1:9/none")
    start = time.monotonic()
    with pytest.raises(Unavailable, match="cannot be reached") as caught:
        ledger.time()
    assert time.monotonic() - start < 15
    assert caught.value.retry_after > 0
    ledger.close()


def test_a_server_that_went_away_and_came_back_is_used_again(postgresql_ledger: Ledger) -> None:
    """A connection that is cut under way is Unavailable; one that was cut while idle is replaced unnoticed."""
    url = postgresql_ledger.url
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    cut_all = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    def cut_under_way() -> None:
        with postgresql_ledger.reading() as session, admin.connect() as connection:
            session.scalars(select(now())).one()
            connection.execute(cut_all)
            session.scalars(select(now())).one()

    with pytest.raises(Unavailable):
        cut_under_way()
    assert postgresql_ledger.time() > 0
    with admin.connect() as connection:
        connection.execute(cut_all)
    assert postgresql_ledger.time() > 0
    admin.dispose()


def test_a_sqlite_ledger_that_stays_locked_is_unavailable(
    sqlite_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger.database, "BUSY_SECONDS", 0.1)
    other = Ledger(str(sqlite_ledger.url))

    def write_beside() -> None:
        with sqlite_ledger.writing() as session:
            session.execute(select(now()))
            write(other)

    def write(ledger: Ledger) -> None:
        with ledger.writing() as session:
            session.execute(select(now()))

    with pytest.raises(Unavailable, match="locked"):
        write_beside()
    write(other)
    with sqlite_ledger.writing() as writer, other.reading() as reader:
        writer.execute(select(now()))
        assert reader.scalars(select(now())).one() > 0
    other.close()


def test_a_mistake_in_the_program_is_not_hidden_as_an_outage(sqlite_ledger: Ledger) -> None:
    def ask() -> None:
        with sqlite_ledger.reading() as session:
            session.execute(text("SELECT * FROM no_such_table"))

    with pytest.raises(OperationalError, match="no such table"):
        ask()


def test_what_fails_half_way_is_not_written(ledger: Ledger) -> None:
    from ledger.jobs import Jobs

    def fail() -> None:
        with ledger.writing() as session:
            session.execute(
                text(
                    "INSERT INTO workers (id, host, pid, started, queue, device, heartbeat, created_at)"
                    " VALUES ('w', 'h', 1, 0, 'train', 'cpu', 0, 0)"
                )
            )
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        fail()
    with ledger.reading() as session:
        assert session.execute(text("SELECT count(*) FROM workers")).scalar_one() == 0
    assert Jobs(ledger).newest_event() == 0


def test_a_database_made_without_an_encoding_is_used_as_any_other(postgresql: PostgreSQL) -> None:
    postgresql.database("plain", "secret", "TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    ledger = Ledger(f"postgresql://plain:secret@127.0.0.1:{postgresql.port}/plain")
    ledger.migrate()
    assert Datasets(ledger).create("größe", {"kind": "upload", "path": "uploads/x"}).name == "größe"
    assert Datasets(ledger).get("größe").name == "größe"
    ledger.close()


def test_a_database_that_became_read_only_is_unavailable(postgresql_ledger: Ledger) -> None:
    """As after a failover: worth another try, and no defect of the program."""

    def write() -> None:
        with postgresql_ledger.writing() as session:
            session.execute(text("SET TRANSACTION READ ONLY"))
            session.execute(text("DELETE FROM workers"))

    with pytest.raises(Unavailable, match="read-only"):
        write()
