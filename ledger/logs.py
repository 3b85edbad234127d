"""What the processes log: a line a record, in words or as JSON, with the request and the job that it belongs to.

Both travel beside the arguments, in context variables, so that the records of every library get them as well. What a
child writes is logged by its worker (`worker.relay`), under the job that the worker holds. Passwords and keys are
struck out of every line, whoever wrote them into it.
"""

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Final, TextIO
from urllib.parse import unquote, urlsplit

from ledger.acting import acting_key
from ledger.settings import Settings

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Holding:
    """A job as its worker holds it; `attempt` counts from 1."""

    job: str
    attempt: int
    epoch: int


REQUEST: Final[ContextVar[str | None]] = ContextVar("request", default=None)
"""The id of the request that is served, or that made the job which is worked on."""

HOLDING: Final[ContextVar[Holding | None]] = ContextVar("holding", default=None)


@contextmanager
def holding(job: str, attempt: int, epoch: int, request_id: str | None) -> Iterator[None]:
    """What is logged in the block belongs to this job, and to the request that made it."""
    request, held = REQUEST.set(request_id), HOLDING.set(Holding(job, attempt, epoch))
    try:
        yield
    finally:
        REQUEST.reset(request)
        HOLDING.reset(held)


def belonging() -> dict[str, Any]:
    """What a record that is made now belongs to: `request_id`, `key`, `job`, `attempt`, `epoch`, as far as known."""
    held, known = HOLDING.get(), {"request_id": REQUEST.get(), "key": acting_key()}
    return {name: value for name, value in known.items() if value is not None} | (asdict(held) if held else {})


# ---- secrets ----

HIDDEN: Final = "***"
SECRETS: Final = re.compile(
    r"""(://[^\s:/@'"]*:)[^\s'"]+(?=@)          # the password of a URL, up to its last @
      | ((?i:bearer)\s+)[\w.~+/=-]+              # a key as it travels
      | ((?i:password|cookie|authorization)['"]?\s*[=:]\s*['"]?(?!(?i:bearer)\s)(?!\*\*\*))[^\s'",;]+""",
    re.VERBOSE,
)
SHORTEST: Final = 4
"""Characters from which a password is looked for by itself: a shorter one would be found in any word."""


class Concealment:
    """Strikes secrets out of text: those that are known, and whatever looks like one."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        self._known = sorted((secret for secret in secrets if len(secret) >= SHORTEST), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text without them."""
        for secret in self._known:
            text = text.replace(secret, HIDDEN)
        return SECRETS.sub(_struck_out, text)


def _struck_out(found: re.Match[str]) -> str:
    return next(group for group in found.groups() if group is not None) + HIDDEN


def secrets_of(settings: Settings) -> set[str]:
    """The passwords in its URLs, as they are written there and as they are meant."""
    passwords = (urlsplit(url).password or "" for url in (settings.database_url, settings.broker_url))
    return {form for password in passwords for form in (password, unquote(password))}


# ---- forms of a line ----


def fields_of(record: logging.LogRecord) -> Fields:
    """What a record says beside its message: `extra={"fields": {…}}`."""
    fields: Fields = getattr(record, "fields", {})
    return fields


class Words(logging.Formatter):
    """For people: time, level, logger, message, and in brackets what it belongs to. A trace follows in lines."""

    def __init__(self, conceal: Concealment) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._conceal = conceal

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """One line, whatever line breaks the message has."""
        said = super().formatMessage(record).replace("\n", "\\n").replace("\r", "\\r")
        belongs = " ".join(f"{name}={value}" for name, value in belonging().items())
        return f"{said} [{belongs}]" if belongs else said

    def format(self, record: logging.LogRecord) -> str:
        """The whole record."""
        return self._conceal(super().format(record))


class Json(logging.Formatter):
    """For machines: one JSON object a line."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, conceal: Concealment) -> None:
        super().__init__()
        self._conceal = conceal

    def format(self, record: logging.LogRecord) -> str:
        """`time, level, logger, message`, what it belongs to and says beside, and the trace of an `exception`."""
        said = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **belonging(),
            **fields_of(record),
        }
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            said["exception"] = record.exc_text
        return json.dumps({name: self._concealed(value) for name, value in said.items()}, default=str)

    def _concealed(self, value: Any) -> Any:
        return self._conceal(value) if isinstance(value, str) else value


FORMATS: Final[dict[str, Callable[[Concealment], logging.Formatter]]] = {"text": Words, "json": Json}
"""GANYMEDE_LOG_FORMAT → how a record is written."""

LEVELS: Final[dict[str, int]] = {
    "alembic": logging.WARNING,
    "celery": logging.WARNING,
    "celery.worker.consumer": logging.CRITICAL,
    "celery.worker.consumer.consumer": logging.CRITICAL,
    "kombu": logging.CRITICAL,
}
"""Loggers that say less than is asked for, but while debugging; the last three repeat every failure to reach the
broker, which the reconciler says once."""

ALWAYS: Final[dict[str, int]] = {"sqlalchemy": logging.INFO, "python_multipart": logging.INFO, "PIL": logging.INFO}
"""Loggers that would write what passes through them: rows, bodies, files."""


def configure(settings: Settings, quiet: Collection[str] = ()) -> None:
    """Log to stderr, as the settings say; the loggers `quiet` say nothing but while debugging."""
    install(settings.log_format, settings.log_level.upper(), Concealment(secrets_of(settings)))
    debugging = settings.log_level == "debug"
    levels = {} if debugging else LEVELS | dict.fromkeys(quiet, logging.CRITICAL)
    loud = ALWAYS if debugging else dict.fromkeys(ALWAYS, logging.WARNING)
    for name, level in (levels | loud).items():
        logging.getLogger(name).setLevel(level)


def install(format: str, level: str, conceal: Concealment, stream: TextIO | None = None) -> None:
    """One handler for everything, warnings and defects that end a thread or the process among it."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(FORMATS[format](conceal))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook, threading.excepthook = _process_ended, _thread_ended


def _process_ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("ganymede").critical("the process ends", exc_info=(kind, error, trace))


def _thread_ended(how: threading.ExceptHookArgs) -> None:
    error = how.exc_value or how.exc_type()
    name = how.thread.name if how.thread else "?"
    logging.getLogger("ganymede").critical("thread %s ends", name, exc_info=(how.exc_type, error, how.exc_traceback))
