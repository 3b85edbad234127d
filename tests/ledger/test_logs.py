"""What the processes log: lines in two forms, what they belong to, and what they never show."""

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger import logs
from ledger.acting import ACTOR, Actor
from ledger.database import Ledger
from ledger.jobs import Jobs
from ledger.logs import REQUEST, Concealment, holding
from ledger.settings import Settings

Said = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is the process's: what a test sets up is taken back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    named = {name: logging.getLogger(name).level for name in (*logs.LEVELS, *logs.ALWAYS, "chatty")}
    hooks = logs.sys.excepthook, threading.excepthook
    yield
    logging.captureWarnings(False)
    root.handlers, root.level = handlers, level
    for name, was in named.items():
        logging.getLogger(name).setLevel(was)
    logs.sys.excepthook, threading.excepthook = hooks


@pytest.fixture
def logged() -> Callable[..., Said]:
    """Logs in a form from now on; gives what gives the lines so far."""

    def begin(form: str, *secrets: str, level: str = "INFO") -> Said:
        stream = io.StringIO()
        logs.install(form, level, Concealment(secrets), stream)
        return lambda: stream.getvalue().splitlines()

    return begin


def test_a_line_says_which_request_job_and_attempt_it_belongs_to(logged: Callable[..., Said]) -> None:
    said = logged("text")
    log = logging.getLogger("third.party")
    log.info("before")
    with holding("job_1", 2, 5, "req_1"):
        log.info("of the job")
    log.info("after")
    assert said()[0].endswith("INFO third.party: before")
    assert said()[1].endswith("third.party: of the job [request_id=req_1 job=job_1 attempt=2 epoch=5]")
    assert said()[2].endswith("INFO third.party: after")


def test_in_json_the_same_are_fields_and_a_key_is_one(logged: Callable[..., Said]) -> None:
    said = logged("json")
    with holding("job_1", 1, 1, None):
        ACTOR.set(Actor("key_1"))
        logging.getLogger("a.b").warning("%d things\nin two lines", 3, extra={"fields": {"route": "/v1/jobs"}})
        ACTOR.set(Actor())
    [line] = map(json.loads, said())
    moment = datetime.fromisoformat(line.pop("time"))
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60
    assert line == {
        "level": "warning",
        "logger": "a.b",
        "message": "3 things\nin two lines",
        "key": "key_1",
        "job": "job_1",
        "attempt": 1,
        "epoch": 1,
        "route": "/v1/jobs",
    }


def test_threads_do_not_take_each_others_lines_for_their_own(logged: Callable[..., Said]) -> None:
    said, meet = logged("json"), threading.Barrier(2)

    def work(job: str) -> None:
        with holding(job, 1, 1, None):
            meet.wait(10)
            logging.getLogger("work").info(job)

    threads = [threading.Thread(target=copy_context().run, args=(work, f"job_{n}")) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    lines = [json.loads(line) for line in said()]
    assert sorted(line["job"] for line in lines) == ["job_0", "job_1"]
    assert all(line["job"] == line["message"] for line in lines)


@pytest.mark.parametrize("form", logs.FORMATS)
def test_a_trace_is_kept_and_a_message_stays_one_record(form: str, logged: Callable[..., Said]) -> None:
    said = logged(form)
    try:
        raise ValueError("the reason")
    except ValueError:
        logging.getLogger("x").exception("one\nforged INFO line")
    text = "\n".join(said())
    assert "the reason" in text
    assert "test_a_trace_is_kept" in text
    assert not any(line.startswith("forged") for line in said())


def test_what_ends_a_thread_is_a_record(logged: Callable[..., Said]) -> None:
    said = logged("json")
    thread = threading.Thread(target=lambda: 1 / 0, name="doomed")
    thread.start()
    thread.join(10)
    [line] = map(json.loads, said())
    assert (line["level"], line["message"]) == ("critical", "thread doomed ends")
    assert "ZeroDivisionError" in line["exception"]


SECRET = "hunter2-Zx"

SHOWN = [
    "postgresql+psycopg://me:hunter2-Zx@db:5432/g is away",
    "redis://:hunter2-Zx@redis:6379/0",
    "redis://user:odd@hunter2-Zx@redis",
    "Authorization: Bearer hunter2-Zx",
    "{'authorization': 'hunter2-Zx'}",
    'connection to "db", password=hunter2-Zx failed',
    "Cookie: hunter2-Zx; a=b",
]


@pytest.mark.parametrize("form", logs.FORMATS)
@pytest.mark.parametrize("text", SHOWN)
def test_what_looks_like_a_secret_is_struck_out(form: str, text: str, logged: Callable[..., Said]) -> None:
    said = logged(form)
    logging.getLogger("x").warning("%s", text)
    try:
        raise RuntimeError(text)
    except RuntimeError:
        logging.getLogger("x").exception("failed", extra={"fields": {"detail": text}})
    assert SECRET not in "\n".join(said())
    assert "\n".join(said()).count("***") >= 2


def test_what_is_no_secret_stays(logged: Callable[..., Said]) -> None:
    said = logged("text")
    kept = "password authentication failed for user me at http://127.0.0.1:8000/v1/jobs?x=1, a@b"
    logging.getLogger("x").warning(kept)
    assert said()[0].endswith(kept)


def test_the_passwords_of_the_settings_are_struck_out_wherever_they_appear(tmp_path: Path, capsys: object) -> None:
    settings = Settings(
        data=tmp_path,
        database_url="postgresql://me:of%20the%20database@db/g",
        broker_url="redis://:of-the-broker@redis:6379/0",
        log_format="json",
    )
    assert logs.secrets_of(settings) == {"of%20the%20database", "of the database", "of-the-broker"}
    hide = Concealment(logs.secrets_of(settings))
    for text in ("dsn: of the database", "raw of%20the%20database", "-a of-the-broker"):
        assert "of" not in hide(text)


def test_the_level_holds_for_ours_and_chatty_libraries_say_less(tmp_path: Path) -> None:
    logs.configure(Settings(data=tmp_path, log_level="info"), quiet=("chatty",))
    assert not logging.getLogger("chatty").isEnabledFor(logging.ERROR)
    assert not logging.getLogger("alembic").isEnabledFor(logging.INFO)
    assert logging.getLogger("ganymede.worker").isEnabledFor(logging.INFO)
    assert not logging.getLogger("sqlalchemy.engine").isEnabledFor(logging.INFO)


def test_not_even_while_debugging_does_the_database_show_what_it_is_given(
    sqlite_ledger: Ledger, logged: Callable[..., Said], tmp_path: Path
) -> None:
    said = logged("text", level="DEBUG")
    logging.getLogger("sqlalchemy").setLevel(logs.ALWAYS["sqlalchemy"])
    verbose = Ledger(str(sqlite_ledger.url))
    Jobs(verbose).create("project", {"secret": SECRET})
    verbose.close()
    text = "\n".join(said())
    assert "INSERT INTO jobs" in text
    assert SECRET not in text


def test_a_jobs_first_event_and_its_holder_know_the_request_that_made_it(ledger: Ledger, jobs: Jobs) -> None:
    REQUEST.set("req_1")
    asked = jobs.create("project", {})
    REQUEST.set(None)
    unasked = jobs.create("project", {})
    first = {job.id: jobs.events_after(job.id)[0].data for job in (asked, unasked)}
    assert first[asked.id] == {"status": "queued", "retry_of": None, "request_id": "req_1"}
    assert "request_id" not in first[unasked.id]
    claimed = [jobs.claim("light", "wrk_1", 30) for _ in range(2)]
    assert [(job.id, job.request_id) for job in claimed if job] == [(asked.id, "req_1"), (unasked.id, None)]
