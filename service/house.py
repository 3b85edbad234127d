"""All that a running service holds, in one place: routes are given it, and nothing else is global."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, Literal, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request

from gan.errors import Unavailable
from ledger.acting import acting_key
from ledger.audit import Audit
from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.doorbell import Doorbell
from ledger.following import Following
from ledger.idempotency import IdempotencyKeys
from ledger.jobs import Jobs
from ledger.keys import Keys
from ledger.models import Models
from ledger.settings import Settings
from ledger.stamp import Stamp, Unstamped
from ledger.storage import Storage
from ledger.workers import Workers
from service.callers import Callers, passes_by
from service.engine.engine import Engine
from service.feeds import Feeds, Frame
from service.kept import Kept
from service.meaning import Found, found_by
from service.meters import Meters
from service.quotas import Quotas
from service.readings import Readings
from service.standing import Standing, Standings
from service.streaming import news_beyond, series_of
from service.trail import Trail
from service.watcher import Watcher

T = TypeVar("T")

ENDPOINT_THREADS: Final = 12
POLL_THREADS: Final = 4
PROBE_THREADS: Final = 2
"""Threads for plain endpoints, for long polls and for probes: together fewer than the ledger has connections."""
SCAN_THREADS: Final = 1
"""Threads that look through whole datasets, for as long as that takes: apart from those that encode and answer."""

FIRST_SECONDS: Final = 0.05
"""After which torch is loaded: the interpreter has time for little else then, and probes are answered before."""
ENGINE_SECONDS: Final = 3.0
"""How long the end waits for the engine, which may be in the middle of loading torch; the process then ends anyway."""

FULL_RETRY_AFTER: Final = 30
"""Seconds after which a full queue may be tried again."""


@dataclass(frozen=True)
class House:
    """The parts of a running service. Three limiters bound the threads of what waits, of probes, and of scans; under
    the lock `moving` one time-lapse is made at a time."""

    settings: Settings
    ledger: Ledger
    jobs: Jobs
    datasets: Datasets
    models: Models
    workers: Workers
    storage: Storage
    idempotency: IdempotencyKeys
    doorbell: Doorbell
    watcher: Watcher
    feeds: Feeds
    engine: Engine
    stamp: Stamp | Unstamped
    resolve: Readings[Found]
    standing: Readings[Standing]
    series: Readings[bytes]
    news: Readings[Frame]
    kept: Kept
    moving: asyncio.Lock
    keys: Keys
    callers: Callers
    quotas: Quotas
    trail: Trail
    polling: CapacityLimiter
    probing: CapacityLimiter
    scanning: CapacityLimiter

    async def scan(self, function: Callable[..., T], *arguments: Any) -> T:
        """Look through data for an `async` route, one request at a time."""
        return await to_thread.run_sync(partial(function, *arguments), limiter=self.scanning)

    async def read(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Run SQL or file work for an `async` route, in a thread of the long polls' own."""
        return await to_thread.run_sync(partial(function, *arguments, **options), limiter=self.polling)

    def end_waiting(self) -> None:
        """Answer whoever waits for a change, and end all event streams: the service is ending."""
        self.watcher.close()
        self.feeds.close()

    def charge(self, images: int) -> None:
        """Count images against the quota of the key that acts. Raises QuotaExceeded; for the event loop."""
        self.quotas.charge(acting_key(), images)

    def admit(self, queue: str, storing: int = 0) -> None:
        """Raises Unavailable where as many jobs are queued as this server takes, QuotaExceeded where the key that acts
        has as many as it may, or may not store so many bytes more. Asked before a body is read."""
        self.keys.check_quotas(storing)
        if self.jobs.waiting(queue) >= self.settings.max_queued_jobs:
            limit = f"{self.settings.max_queued_jobs} (GANYMEDE_MAX_QUEUED_JOBS)"
            raise Unavailable(f"the queue is full: {limit} jobs wait already", retry_after=FULL_RETRY_AFTER)

    def train_device(self) -> str:
        """The device that the next training will most likely run on, in the words of the choosing rules."""
        asked = self.settings.train_device
        return next(iter(self.workers.devices()), "cpu" if asked == "auto" else asked)

    def storage_answers(self) -> bool:
        """Whether the storage root is there and can be written."""
        return os.access(self.storage.root, os.R_OK | os.W_OK | os.X_OK)

    def broker_state(self) -> Literal["ok", "degraded"]:
        """Whether bells reach workers. Without a broker there is none to be down. Waits half a second at most."""
        return "degraded" if self.doorbell.broker_state() == "degraded" else "ok"


async def inside(request: Request) -> House:
    """The dependency that gives a route the house."""
    house = request.app.state.house
    assert isinstance(house, House)
    return house


Inside = Annotated[House, Depends(inside)]


async def loaded_now(house: Inside) -> frozenset[str]:
    """The dependency that gives a route the ids of checkpoints in memory; asked in the loop, which changes them."""
    return house.engine.loaded()


Loaded = Annotated[frozenset[str], Depends(loaded_now)]


@asynccontextmanager
async def opened(settings: Settings, meters: Meters) -> AsyncIterator[House]:
    """A house from start to end. Raises LedgerMismatch or Unavailable where the ledger cannot be used."""
    ledger, storage = Ledger(settings.database_url), Storage(settings.storage)
    await to_thread.run_sync(ledger.check_version)
    await to_thread.run_sync(storage.prepare)
    house = furnished(settings, ledger, storage, meters)
    to_thread.current_default_thread_limiter().total_tokens = ENDPOINT_THREADS
    house.trail.start()
    starting = asyncio.get_running_loop().call_later(FIRST_SECONDS, house.engine.start)
    try:
        yield house
    finally:
        starting.cancel()
        await house.watcher.stop()
        await house.feeds.stop()
        await house.trail.stop()
        await to_thread.run_sync(closed_within, house.engine, ENGINE_SECONDS)
        house.stamp.close()
        ledger.close()


def closed_within(engine: Engine, seconds: float) -> None:
    """Close the engine, but do not wait longer than this for it."""
    closing = threading.Thread(target=engine.close, name="closing", daemon=True)
    closing.start()
    closing.join(seconds)


def furnished(settings: Settings, ledger: Ledger, storage: Storage, meters: Meters) -> House:
    """A house with all its parts, none of them started."""
    jobs = Jobs(ledger)
    models, keys = Models(ledger), Keys(ledger)
    polling = CapacityLimiter(POLL_THREADS)
    in_thread = partial(to_thread.run_sync, limiter=polling)
    meters.watch("storage_free_bytes", "Bytes free where uploads, datasets and checkpoints lie.", storage.free)
    stamp, standings, following = ledger.stamp(), Standings(jobs), Following(ledger)
    standing = Readings(lambda ids: in_thread(standings, ids), stamp)
    return House(
        settings=settings,
        ledger=ledger,
        jobs=jobs,
        datasets=Datasets(ledger),
        models=models,
        workers=Workers(ledger),
        storage=storage,
        idempotency=IdempotencyKeys(ledger),
        doorbell=Doorbell(settings),
        watcher=Watcher(lambda: in_thread(jobs.newest_event), lambda seen: in_thread(jobs.events_after, None, seen)),
        feeds=Feeds(partial(in_thread, following.begin), partial(in_thread, following.go_on), standing, stamp),
        engine=Engine(settings, storage, meters),
        kept=Kept(settings.max_kept_bytes, meters),
        stamp=stamp,
        resolve=Readings(lambda references: in_thread(found_by, models, references), stamp),
        standing=standing,
        series=Readings(lambda asked: in_thread(series_of, jobs, asked), lambda: None),
        news=Readings(lambda asked: in_thread(news_beyond, jobs, asked), stamp),
        moving=asyncio.Lock(),
        keys=keys,
        callers=Callers(lambda digests: in_thread(passes_by, keys, digests)),
        quotas=Quotas(),
        trail=Trail(Audit(ledger), keys, settings.audit_days, partial(in_thread, abandon_on_cancel=True)),
        polling=polling,
        probing=CapacityLimiter(PROBE_THREADS),
        scanning=CapacityLimiter(SCAN_THREADS),
    )
