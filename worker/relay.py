"""What a child writes to its stderr, line by line, in its worker's log: under the job that the worker holds.

A child logs JSON (`ledger.logs`), which becomes records again; what libraries and the C runtime write is a record each
line. So the log has one form, and a child needs to know neither the settings nor whose job it does.
"""

import json
import logging
import threading
from contextvars import copy_context
from datetime import datetime
from typing import IO, Any, Final

LONGEST: Final = 16_384
"""Bytes of a line; what is longer becomes several."""

OTHERS: Final = "ganymede.child"
"""The logger of what was not logged but written."""


def relayed(stream: IO[bytes]) -> threading.Thread:
    """Log what comes until its end, in a thread that sees the context variables of the caller."""
    context = copy_context()
    thread = threading.Thread(target=context.run, args=(_relay, stream), name="relay", daemon=True)
    thread.start()
    return thread


def _relay(stream: IO[bytes]) -> None:
    with stream:
        while line := stream.readline(LONGEST):
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                _log(text)


def _log(text: str) -> None:
    told = _told(text)
    if told is None:
        logging.getLogger(OTHERS).info("%s", text)
        return
    logger = logging.getLogger(told["logger"])
    level = logging.getLevelNamesMapping().get(told["level"].upper(), logging.INFO)
    if logger.isEnabledFor(level):
        logger.handle(_record(told, level))


def _told(text: str) -> dict[str, Any] | None:
    """A record as a child's log has it; None for any other text."""
    if not text.startswith("{"):
        return None
    try:
        told = json.loads(text)
    except ValueError:
        return None
    known = all(isinstance(told.get(name), str) for name in ("time", "level", "logger", "message"))
    return told if known else None


def _record(told: dict[str, Any], level: int) -> logging.LogRecord:
    """With the time that the child wrote it at."""
    record = logging.makeLogRecord({"name": told["logger"], "levelno": level, "levelname": told["level"].upper()})
    record.msg, record.exc_text = told["message"], told.get("exception")
    try:
        record.created = datetime.fromisoformat(told["time"]).timestamp()
    except ValueError:
        return record
    record.msecs = record.created % 1 * 1000
    return record
