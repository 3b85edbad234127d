"""The ledger's database: engine, sessions, version. SQLite by default, PostgreSQL by URL."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from gan.errors import InvalidRequest, LedgerMismatch, Unavailable
from ledger.clock import now
from ledger.stamp import Stamp, Unstamped
from ledger.tables import EventRow

BUSY_SECONDS = 15
"""How long a SQLite writer waits for another before the ledger counts as away."""

STALLED_SECONDS = 10
"""How long PostgreSQL waits for a client in the middle of a transaction: one that was stopped, or cannot be reached any
more, would else keep its locks, and whoever needs them waiting, until it goes on.
"""

EVENT_LOCK = 0x67616E79
"""PostgreSQL advisory lock that makes event numbers grow in the order of commits."""

STILL = ("jobs", "datasets", "models", "checkpoints", "previews")
"""The tables that name files, in the order in which writers come to them."""

FEW_BYTES = 2**16
"""Free bytes below which an I/O error of SQLite is told as a full disk: it cannot open a ledger with less than 32 KiB,
which the index beside it takes, and a transaction's log takes some more.
"""

DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "sqlite": "sqlite+pysqlite"}
MIGRATIONS = Path(__file__).parent / "migrations"

SQLITE_AWAY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_READONLY")
SQLSTATE_AWAY = ("08", "53", "57P", "57014", "55P03", "40P01", "40001", "25006", "25P03")
"""Connection lost, resources exhausted, server shut down or starting, query cancelled, lock not had, deadlock,
serialisation failure, read-only after a failover, stalled in a transaction: all worth another try."""


def mint(prefix: str) -> str:
    """A new unguessable id: the prefix, `_`, and 24 hexadecimal digits (96 random bits)."""
    return f"{prefix}_{secrets.token_hex(12)}"


class Ledger:
    """A database that holds the ledger. Thread-safe; one per process.

    The URL is SQLAlchemy's: `sqlite:///path` or `postgresql://…` (psycopg); any other raises InvalidRequest.
    """

    def __init__(self, url: str) -> None:
        self.url = _normal(url)
        self._engine = _sqlite_engine(self.url) if self._sqlite else _postgresql_engine(self.url)
        # where every statement has a snapshot of its own anyway, a reader needs no transaction and no words about one
        alone = {} if self._sqlite else {"isolation_level": "AUTOCOMMIT"}
        self._readers = sessionmaker(self._engine.execution_options(**alone), expire_on_commit=False)
        self._writers = sessionmaker(self._engine.execution_options(begin="IMMEDIATE"), expire_on_commit=False)

    @property
    def _sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for reads, one snapshot on SQLite. Raises Unavailable when the database is away."""
        with self._away(), self._readers() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes are committed together when the block ends, with the events told to `record`.

        Others can write until its first statement; `still` keeps them out from the start.
        Raises Unavailable when the database is away; whether the commit had happened is then unknown.
        """
        with self._away(), self._writers.begin() as session:
            yield session
            _write_events(session)

    @contextmanager
    def whole(self) -> Iterator[Connection]:
        """A connection in one transaction, which sees the ledger as it was when it began: for tables as a whole.

        Raises Unavailable when the database is away.
        """
        options = {} if self._sqlite else {"isolation_level": "REPEATABLE READ"}
        with self._away(), self._engine.execution_options(**options).begin() as connection:
            yield connection

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nobody writes while the block lasts; let it be short. Raises Unavailable where writers do not make way."""
        with self.writing() as session:
            session.connection()
            if not self._sqlite:
                session.execute(text(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'"))
                session.execute(text(f"LOCK TABLE {', '.join(STILL)} IN SHARE MODE"))
            yield

    def known_version(self, version: str) -> bool:
        """Whether this program can bring a ledger of that version to its own."""
        return any(script.revision == version for script in ScriptDirectory.from_config(_config()).walk_revisions())

    def version(self) -> str | None:
        """The version of its schema; None where there is no ledger yet. Raises Unavailable."""
        return self._version()

    def stamp(self) -> Stamp | Unstamped:
        """Says whether anything was committed since it was last asked, where the database knows; for one thread."""
        return Stamp(Path(self.url.database)) if self._sqlite and self.url.database else Unstamped()

    def time(self) -> float:
        """Database time in Unix seconds; also the cheapest proof that the database answers."""
        with self.reading() as session:
            return float(session.scalars(select(now())).one())

    def migrate(self) -> None:
        """Bring the schema to this program's version; makes the database file where there is none."""
        if self._sqlite and self.url.database:
            _make_folder(Path(self.url.database).parent)
        with self._away(), self._engine.execution_options(begin="IMMEDIATE").begin() as connection:
            if not self._sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": EVENT_LOCK})
            _refuse_unknown(MigrationContext.configure(connection).get_current_revision())
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check_version(self) -> None:
        """Raises LedgerMismatch unless the schema is exactly this program's; Unavailable when the database is away."""
        found, (wanted, *_) = self._version(), _versions()
        if found is None:
            raise LedgerMismatch("there is no ledger in the database yet: run `ganymede migrate`")
        _refuse_unknown(found)
        if found != wanted:
            raise LedgerMismatch(
                f"the ledger is of version {found}, this program's is {wanted}: run `ganymede migrate`"
            )

    def _version(self) -> str | None:
        if self._sqlite and not Path(self.url.database or "").exists():
            return None
        with self._away(), self._engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _away(self) -> Iterator[None]:
        """The one place where a database that cannot be reached becomes Unavailable."""
        try:
            yield
        except PoolTimeout as error:
            raise Unavailable("the database is busy: no connection became free") from error
        except (OperationalError, InterfaceError, InternalError) as error:
            if not _is_away(error):
                raise
            reason = str(error.orig).splitlines()[0] + ("; its disk is full" if self._disk_full() else "")
            raise Unavailable("the database cannot be reached", reason=reason) from error

    def _disk_full(self) -> bool:
        """Whether SQLite has no room for its files, which it calls an I/O error where it opens them."""
        if not self._sqlite:
            return False
        try:
            return disk_usage(Path(str(self.url.database)).parent).free < FEW_BYTES
        except OSError:
            return False


def record(session: Session, job_id: str, type: str, data: dict[str, Any]) -> None:
    """Have an event written with this session's transaction, as its last statement."""
    session.info.setdefault("events", []).append({"job_id": job_id, "type": type, "data": data})


def _write_events(session: Session) -> None:
    """Events come last, under one lock: numbers then grow in the order of commits, and followers miss none."""
    events = session.info.pop("events", [])
    if not events:
        return
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": EVENT_LOCK})
    session.add_all(EventRow(**event) for event in events)
    session.flush()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable("the ledger's folder cannot be made", reason=str(error)) from error


def _normal(url: str) -> URL:
    """The URL with the driver that is used here. Raises InvalidRequest for any other database."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # what was given, or its parts, may hold a password: neither is repeated
        raise _refused("this is not a database URL (sqlite:///FILE or postgresql://HOST/NAME)") from None
    if parsed.drivername not in {*DRIVERS, *DRIVERS.values()}:
        raise _refused(f"{parsed.drivername}:// is not sqlite:// or postgresql://")
    return parsed.set(drivername=DRIVERS.get(parsed.drivername, parsed.drivername))


def _refused(reason: str) -> InvalidRequest:
    return InvalidRequest(f"GANYMEDE_DATABASE_URL: {reason}", param="GANYMEDE_DATABASE_URL")


def _sqlite_engine(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise _refused("the ledger is shared by processes; give sqlite:/// a file")
    serializer = partial(json.dumps, allow_nan=False)
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS},
        hide_parameters=True,
        json_serializer=serializer,
        pool_size=8,
        max_overflow=24,
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: object) -> None:
    """The driver's own transaction control is turned off: it would begin late and deferred."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Writers take the write lock at once: a deferred reader that turns writer could not wait, only fail."""
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('begin', 'DEFERRED')}")


def _postgresql_engine(url: URL) -> Engine:
    # a database made without an encoding (SQL_ASCII) would else answer in bytes
    engine = create_engine(
        url,
        connect_args={"connect_timeout": 5, "client_encoding": "utf8"},
        hide_parameters=True,
        json_serializer=partial(json.dumps, allow_nan=False),
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=15,
        pool_timeout=10,
    )
    event.listen(engine, "connect", _configure_postgresql)
    return engine


def _configure_postgresql(connection: Any, _record: object) -> None:
    """By a statement: what a URL says of options stays, and poolers that refuse them do not mind."""
    connection.execute(f"SET idle_in_transaction_session_timeout = '{STALLED_SECONDS}s'")
    connection.commit()


def _versions() -> list[str]:
    """The schemas that this program knows, its own first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def _refuse_unknown(found: str | None) -> None:
    """Raises LedgerMismatch for a schema that a later program made: this one would misread it."""
    known = _versions()
    if found is not None and found not in known:
        raise LedgerMismatch(
            f"the ledger is of version {found}, which this program, whose own is {known[0]}, does not know: use the "
            "newer Ganymede that made it, or restore a backup from before"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _is_away(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return str(name).startswith(SQLITE_AWAY)
    state = getattr(error.orig, "sqlstate", None)
    return state is None or str(state).startswith(SQLSTATE_AWAY)
