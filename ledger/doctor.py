"""What is wrong with a server, as far as its settings, ledger, broker and files tell; and what to do about it.

`worker.doctor` adds what devices and versions tell, and is the command. A check yields what it finds; whatever it
raises that was foreseen is a finding too.
"""

import errno
import http.client
import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.exc import DBAPIError

from gan.errors import ChecksumMismatch, GanymedeError, LedgerMismatch, NotFound, Unavailable
from ledger.clock import now
from ledger.database import Ledger
from ledger.doorbell import BELLS, Doorbell, make_app, queues
from ledger.files import Named, named
from ledger.settings import Settings
from ledger.states import HELD
from ledger.storage import Storage
from ledger.tables import JobRow, WorkerRow
from ledger.workers import FRESH_SECONDS, this_host

Verdict = Literal["ok", "warning", "problem"]

SKEW_SECONDS: Final = 5.0
SLOW_SECONDS: Final = 0.25
"""A database that takes longer to tell the time is slow."""

FSYNC_SECONDS: Final = 0.1
FSYNCS: Final = 5
LITTLE_BYTES: Final = 5 * 10**9
LEAST_BYTES: Final = 200 * 10**6
SAMPLE: Final = 200
"""Files that are looked for unless all are."""

ELSEWHERE: Final = "the log of the process that met it says more"
DAMAGED: Final = "stop everything, and restore a backup"

LATE_SECONDS: Final = 60.0
"""How long after its lease passed a job that is still held was missed by every worker."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and what to do about it where that is anything."""

    check: str
    verdict: Verdict
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at. `deep`: every file that the ledger names, byte by byte."""

    settings: Settings
    ledger: Ledger
    storage: Storage
    host: str
    port: int
    deep: bool = False


Said = tuple[Verdict, str, str]
Check = Callable[[Patient], Iterator[Said]]


def ok(message: str) -> Said:
    """All is well."""
    return "ok", message, ""


def examined(patient: Patient, checks: dict[str, Check]) -> Iterator[Finding]:
    """What the checks find, in their order. Those of `ON_LEDGER` are passed over once the ledger cannot be read."""
    readable = True
    for name, check in checks.items():
        if name in ON_LEDGER and not readable:
            yield Finding(name, "warning", "not looked at: the ledger cannot be read", "mend the database first")
            continue
        for finding in _findings(name, check, patient):
            readable &= name != "database" or finding.verdict != "problem"
            yield finding


def _findings(name: str, check: Check, patient: Patient) -> Iterator[Finding]:
    try:
        for said in check(patient):
            yield Finding(name, *said)
    except GanymedeError as error:
        yield Finding(name, "problem", error.message, ELSEWHERE)
    except DBAPIError as error:
        yield Finding(name, "problem", f"the database failed: {str(error.orig).splitlines()[0]}", DAMAGED)
    except OSError as error:
        yield Finding(name, "problem", f"{error.filename or name}: {error.strerror or error}", ELSEWHERE)


# ---- the ledger ----


def database(patient: Patient) -> Iterator[Said]:
    """It answers, soon, and is of this version; on SQLite it is also whole, where all is looked at."""
    url = patient.ledger.url.render_as_string(hide_password=True)
    try:
        began = time.monotonic()
        patient.ledger.check_version()
        patient.ledger.time()
        seconds = time.monotonic() - began
    except LedgerMismatch as error:
        yield "problem", error.message, "`ganymede up` does so itself; stop other processes first"
        return
    except Unavailable as error:
        yield "problem", f"{url}: {error.message}", "start the database, or correct GANYMEDE_DATABASE_URL"
        return
    if seconds > SLOW_SECONDS:
        yield "warning", f"{url} answers slowly: {seconds:.2f} s", "look for a full disk or a busy machine"
    else:
        yield ok(f"{url} answers, and is of this version")
    if patient.deep and patient.settings.database_url.startswith("sqlite"):
        yield from _integrity(patient)


def _integrity(patient: Patient) -> Iterator[Said]:
    with patient.ledger.reading() as session:
        told = list(map(str, session.scalars(text("PRAGMA integrity_check(3)"))))
    if told == ["ok"]:
        yield ok("the ledger's file is whole")
    else:
        yield "problem", f"the ledger's file is damaged: {'; '.join(told)}", DAMAGED


def clock(patient: Patient) -> Iterator[Said]:
    """Leases go by database time alone, but logs and people do not."""
    skew = patient.ledger.time() - time.time()
    if abs(skew) > SKEW_SECONDS:
        remedy = "set both by NTP; jobs are safe, as they go by the database's clock"
        yield "warning", f"the database's clock is {skew:+.0f} s from this machine's", remedy
    else:
        yield ok(f"the database's clock is {skew:+.1f} s from this machine's")


# ---- the broker ----


def broker(patient: Patient) -> Iterator[Said]:
    """It answers, and nobody has left its queues full."""
    settings = patient.settings
    if settings.embedded:
        yield ok(f"none: workers look into the ledger every {settings.poll_seconds:g} s")
        return
    if Doorbell(settings).broker_state() == "degraded":
        said = f"the broker does not answer: jobs start up to {settings.reconcile_seconds:g} s late"
        yield "warning", said, "start it, or correct GANYMEDE_BROKER_URL"
        return
    with make_app(settings).connection_for_write() as connection:
        depths = [queue.bind(connection.default_channel).queue_declare().message_count for queue in queues()]
    waiting = ", ".join(f"{name} {depth}" for name, depth in zip(BELLS, depths, strict=True))
    yield ok(f"the broker answers; bells that nobody has heard: {waiting}")


# ---- storage ----


def storage(patient: Patient) -> Iterator[Said]:
    """It can be written, durably and soon, and there is room."""
    root, free = patient.storage.root, patient.storage.free()
    if not root.is_dir():
        yield "warning", f"{root} is not there yet", "the first start makes it; if it was there, mount it"
        return
    if free < LITTLE_BYTES:
        verdict: Verdict = "problem" if free < LEAST_BYTES else "warning"
        yield verdict, f"{free / 1e9:.1f} GB are free in {root}", "delete models or datasets, or give it a larger disk"
    else:
        yield ok(f"{free / 1e9:.0f} GB are free in {root}")
    seconds = _fsync_seconds(patient.storage)
    if seconds > FSYNC_SECONDS:
        yield "warning", f"the disk takes {1000 * seconds:.0f} ms to keep a file", "checkpoints and writes will be slow"
    else:
        yield ok(f"it can be written; the disk takes {1000 * seconds:.0f} ms to keep a file")


def _fsync_seconds(there: Storage) -> float:
    """The median of a few small files written durably."""
    taken, folder = [], there.relative(there.scratch())
    try:
        for number in range(FSYNCS):
            began = time.monotonic()
            there.write_bytes(f"{folder}/{number}", b"\0" * 65536)
            taken.append(time.monotonic() - began)
    finally:
        there.remove(folder)
    return statistics.median(taken)


def files(patient: Patient) -> Iterator[Said]:
    """What the ledger names is there, and of the size that it says; where all is looked at, byte by byte."""
    wanted = named(patient.ledger)
    sample = wanted if patient.deep else wanted[:SAMPLE]
    bad = [(name.path, wrong) for name in sample if (wrong := fault(patient.storage, name, patient.deep))]
    for path, wrong in bad[:SAMPLE]:
        yield "problem", f"{path} {wrong}", "restore it from a backup, or delete what it belongs to"
    if not bad:
        looked = "verified" if patient.deep else "there"
        yield ok(f"{len(sample)} of {len(wanted)} files that the ledger names: all {looked}")


def fault(there: Storage, name: Named, deep: bool) -> str:
    """What is wrong with a file or folder; nothing, where it is as the ledger says."""
    path = there.path(name.path)
    try:
        size = path.stat().st_size
        if name.bytes is not None and size != name.bytes:
            return f"has {size} bytes instead of {name.bytes}"
        if deep and name.sha256 is not None:
            there.verify(name.path, name.sha256)
    except (FileNotFoundError, NotFound):
        return "is gone"
    except ChecksumMismatch:
        return "does not have the checksum that was recorded"
    return ""


# ---- workers and jobs ----


def workers(patient: Patient) -> Iterator[Said]:
    """Somebody works for each queue, and nobody has fallen silent."""
    with patient.ledger.reading() as session:
        rows = session.execute(select(WorkerRow.id, WorkerRow.queue, WorkerRow.host, now() - WorkerRow.heartbeat)).all()
        waiting = _waiting(session)
    for id, queue, host, age in rows:
        if age > FRESH_SECONDS:
            where = "this host" if host == this_host() else host.partition("/")[0]
            remedy = "nothing, where it was killed: it is forgotten in a day; else look at its log"
            yield "warning", f"worker {id} ({queue}, {where}) has been silent for {age:.0f} s", remedy
    for queue in BELLS:
        yield _queue(queue, sum(age <= FRESH_SECONDS for _, of, _, age in rows if of == queue), waiting.get(queue, 0))


def _queue(queue: str, alive: int, waiting: int) -> Said:
    if alive:
        return ok(f"{alive} for the queue {queue}, where {waiting} jobs wait")
    verdict: Verdict = "problem" if waiting else "warning"
    said = f"nobody works for the queue {queue}" + (f", where {waiting} jobs wait" if waiting else "")
    return verdict, said, f"ganymede up, or ganymede work --queue {queue}"


def _waiting(session: Any) -> dict[str, int]:
    counted = select(JobRow.queue, func.count()).where(JobRow.status == "queued").group_by(JobRow.queue)
    return dict(session.execute(counted).all())


def jobs(patient: Patient) -> Iterator[Said]:
    """No job is held by nobody, or dies again and again."""
    held, late = JobRow.status.in_(HELD), JobRow.lease_until < now() - LATE_SECONDS
    with patient.ledger.reading() as session:
        passed = select(JobRow.id, JobRow.status, JobRow.queue, now() - JobRow.lease_until).where(held, late)
        stuck = session.execute(passed.limit(SAMPLE)).all()
        dying = session.execute(select(JobRow.id, JobRow.attempt).where(_dying()).limit(SAMPLE)).all()
    for id, status, queue, age in stuck:
        remedy = f"ganymede work --queue {queue}: a living worker takes it up within seconds"
        yield "problem", f"{id} is {status}, but its lease passed {age:.0f} s ago", remedy
    for id, attempt in dying:
        yield "warning", f"{id} has killed its process {attempt} times", "its worker's log says how; at three it fails"
    if not stuck and not dying:
        yield ok("none is stuck")


def _dying() -> ColumnElement[bool]:
    return JobRow.status.in_(("queued", *HELD)) & (JobRow.attempt > 0)


# ---- the service ----


def port(patient: Patient) -> Iterator[Said]:
    """The service answers there, or could."""
    host, number = patient.host, patient.port
    if _ganymede_answers(host, number):
        yield ok(f"the service answers at {host}:{number}")
        return
    try:
        with socket.create_server((host, number), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            yield "problem", f"nobody can listen at {host}:{number}: {error.strerror}", "give another --host or --port"
        else:
            yield "problem", f"something else listens at {host}:{number}", "end it, or give another --port"
        return
    yield ok(f"{host}:{number} is free: no service runs there")


def _ganymede_answers(host: str, number: int) -> bool:
    connection = http.client.HTTPConnection(host, number, timeout=3)
    try:
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        return answer.status == 200 and answer.getheader("X-Request-Id") is not None
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


ON_LEDGER: Final = frozenset({"clock", "files", "workers", "jobs"})

CHECKS: Final[dict[str, Check]] = {
    "database": database,
    "clock": clock,
    "broker": broker,
    "storage": storage,
    "files": files,
    "workers": workers,
    "jobs": jobs,
    "port": port,
}
"""Name → check, in the order in which they are made."""


def settled(settings: Settings) -> Iterator[Finding]:
    """What the settings say that may surprise."""
    yield Finding("settings", "ok", f"data in {settings.data}, files in {settings.storage}")
    unknown = sorted(name for name in os.environ if name.startswith("GANYMEDE_") and name not in _known())
    if unknown:
        yield Finding("settings", "warning", f"nothing reads {', '.join(unknown)}", "look for a misspelling")


def _known() -> set[str]:
    """Settings, and what the client reads."""
    return {f"GANYMEDE_{name.upper()}" for name in Settings.model_fields} | {"GANYMEDE_URL", "GANYMEDE_API_KEY"}
