"""Writes the audit record beside the answers: what was noted is written within a second, and by the end at the latest.

While the database is away, rows wait here; answers never do. What a killed process had not written is lost.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from gan.errors import Unavailable
from ledger.audit import Audit
from ledger.keys import Keys
from ledger.records import Write

logger = logging.getLogger("service")

PAUSE: Final = 0.25
"""Seconds that rows are gathered."""
MOST_WAITING: Final = 20_000
"""Rows that wait while the database is away; beyond, the oldest are given up."""
END_SECONDS: Final = 3.0
"""How long the end of the service waits for rows to be written."""
USED_EVERY: Final = 60.0
"""Seconds between two notes that a key is in use."""
TIDY_EVERY: Final = 3600.0
"""Seconds between two looks for what is too old."""

Run = Callable[..., Awaitable[Any]]
"""Runs a function in a thread, which is left alone where the caller is cancelled."""


class Trail:
    """Belongs to the event loop."""

    def __init__(self, audit: Audit, keys: Keys, days: float, run: Run) -> None:
        self._audit, self._keys, self._days, self._run = audit, keys, days, run
        self._waiting: list[Write] = []
        self._used: set[str] = set()
        self._noted: dict[str, float] = {}
        self._tidied = -TIDY_EVERY
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def note(self, write: Write) -> None:
        """Have a row written."""
        self._waiting.append(write)

    def used(self, key_id: str) -> None:
        """A key is in use."""
        now = monotonic()
        if now - self._noted.get(key_id, -USED_EVERY) >= USED_EVERY:
            self._noted[key_id] = now
            self._used.add(key_id)

    def start(self) -> None:
        """Write from now on."""
        self._task = asyncio.create_task(self._follow(), name="audit")

    async def stop(self) -> None:
        """Write what is left, if that takes no longer than `END_SECONDS`."""
        self._ending.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                if self._task is not None:
                    await self._task
                await self._write()
        if self._waiting:
            logger.error("the audit record may lose %d rows: the database is away", len(self._waiting))

    async def _follow(self) -> None:
        while not self._ending.is_set():
            await self._write()
            await self._tidy()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), PAUSE)

    async def _write(self) -> None:
        """Rows that the database is away for wait for the next time, the newest `MOST_WAITING` of them."""
        rows, self._waiting, done = self._waiting, [], False
        try:
            done = not rows or await self._done(self._audit.add, rows)
        finally:
            if not done:
                self._wait_again(rows)
        used, self._used = self._used, set()
        if used:
            await self._done(self._keys.used, used)

    def _wait_again(self, rows: list[Write]) -> None:
        whole = [*rows, *self._waiting]
        self._waiting = whole[-MOST_WAITING:]
        if len(whole) > MOST_WAITING:
            logger.error("the audit record loses %d rows: the database is away", len(whole) - MOST_WAITING)

    async def _tidy(self) -> None:
        if monotonic() - self._tidied >= TIDY_EVERY:
            self._tidied = monotonic()
            await self._done(self._audit.forget, self._days)
            await self._done(self._keys.forget_ended)

    async def _done(self, function: Callable[..., Any], *arguments: Any) -> bool:
        """False where it has to be tried again. What fails otherwise is for the log: nobody waits for it."""
        try:
            await self._run(function, *arguments)
        except Unavailable as error:
            logger.warning("the audit record waits: %s", error)
            return False
        except Exception:
            logger.exception("the audit record loses what cannot be written")
        return True
