"""What serving computes with: one device, threads for forwards, a cache of generators, and threads that encode."""

import asyncio
import gc
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from gan.errors import Unavailable
from ledger.records import Checkpoint
from ledger.settings import Settings
from ledger.storage import Storage
from service.engine.batcher import Batcher, Forwarded
from service.engine.cache import Cache, Held
from service.engine.runtime import Floats, Loaded, Part, Runtime
from service.meters import Meters

if TYPE_CHECKING:
    from gan.checkpoint import ModelHeader
    from gan.directions import Directions, Method

T = TypeVar("T")

SWITCH_SECONDS = 0.0005
"""After which a thread lets another go on in Python: a forward asks for its turn before every layer, and must not wait
Python's usual five milliseconds for it while requests are read."""
NICE = 4
"""By how much forwards are nicer than the event loop: less than a training is."""
DIRECTIONS_KEPT = 64
"""Sets of directions that are remembered: up to 8 MB each, of the largest latents."""

logger = logging.getLogger("service.engine")


class Engine:
    """Generators, ready to sample. `start` returns at once: torch loads in a thread of its own, and requests wait.

    `generator`, `sample` and `work` are called from the event loop and never hold it.
    """

    def __init__(self, settings: Settings, storage: Storage, meters: Meters) -> None:
        self._storage = storage
        self.meters = meters
        self._runtime = Runtime(settings.service_device, settings.service_threads)
        self._batcher = Batcher(self._runtime.forward, settings.max_waiting_requests, meters)
        self._cache = Cache(self._load, settings.max_loaded_bytes, meters)
        meters.watch("waiting_requests", "Sampling requests in line.", lambda: self._batcher.waiting)
        meters.watch("loaded_networks", "Generators and discriminators in memory.", lambda: len(self._cache))
        meters.watch("loaded_bytes", "Bytes that these take.", lambda: self._cache.bytes)
        self._directions: dict[tuple[str, float | None, str], Directions] = {}
        self._started: Future[None] = Future()
        self._started.set_running_or_notify_cancel()  # a waiter that gives up must not cancel it for the others
        self._threads = [threading.Thread(target=self._run, name="forward", daemon=True)]
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._workers = ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="encode")

    def start(self) -> None:
        """Starts the first forward thread, which starts the others; call it once."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self._threads[0].start()

    def close(self) -> None:
        """Ends all threads after what they are at; whoever still waits is told 503."""
        self._batcher.close()
        for pool in (self._loader, self._workers):
            pool.shutdown(wait=True, cancel_futures=True)
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    @property
    def state(self) -> Literal["loading", "ready", "failed"]:
        """`ready` once torch is imported and the device found; `failed` where that cannot be."""
        if not self._started.done():
            return "loading"
        return "ready" if self._started.exception() is None else "failed"

    def refuse_overload(self) -> None:
        """Raises Unavailable where as many requests wait as may: asked before anything is done for another."""
        self._batcher.refuse_overload()

    def loaded(self) -> frozenset[str]:
        """Ids of the checkpoints that lie in memory."""
        return self._cache.ids

    def held(self, checkpoint: Checkpoint) -> Held:
        """What of a checkpoint's generator lies in memory."""
        return self._cache.held(checkpoint.id)

    async def keep(self, checkpoint: Checkpoint, *, kept: bool) -> Held:
        """Has a checkpoint's generator in memory, ready to draw, and has it stay there or not. Raises as `generator`,
        and LimitExceeded where too much would stay."""
        return await self._cache.keep(checkpoint, None, kept=kept)

    def drop(self, checkpoints: Collection[str]) -> None:
        """Lets the networks of these checkpoints (by id) go: now, or with the last request that uses them."""
        self._cache.drop(checkpoints)

    @asynccontextmanager
    async def generator(self, checkpoint: Checkpoint, ema: float | None = None) -> AsyncIterator[Loaded]:
        """A checkpoint's generator, loaded if need be, which stays in memory until the block ends.

        `ema` is the half-life of another of its averages than the default. Raises CheckpointCorrupt if the file is
        gone or not what was written; Unavailable if there is no device.
        """
        async with self._cache.using(checkpoint, ema) as loaded:
            yield loaded

    @asynccontextmanager
    async def discriminator(self, checkpoint: Checkpoint) -> AsyncIterator[Loaded]:
        """A checkpoint's discriminator; all else as `generator`."""
        async with self._cache.using(checkpoint, "discriminator") as loaded:
            yield loaded

    async def sample(self, loaded: Loaded, z: Floats, c: Floats | None) -> Forwarded:
        """What a network makes of latents (N, latent_dim), or images or points, and conditions (N, K): see `Values`.

        Cancelling it takes the rest of the request out of the line. Raises Unavailable when the line is too long.
        """
        return await asyncio.wrap_future(self._batcher.submit(loaded, z, c))

    async def directions(self, checkpoint: Checkpoint, loaded: Loaded, method: "Method") -> "Directions":
        """Along which a checkpoint's pictures change most, of one of its averages; found once, and then known."""
        key = (checkpoint.id, loaded.ema, method)
        known = self._directions.get(key)
        if known is None:
            known = await self.work(self._runtime.directions, loaded, method)
            self._directions[key] = known
            while len(self._directions) > DIRECTIONS_KEPT:
                del self._directions[next(iter(self._directions))]
        return known

    async def work(self, function: Callable[..., T], *arguments: object) -> T:
        """Runs something long (planning, encoding) in one of as many threads as there are cores."""
        return await asyncio.get_running_loop().run_in_executor(self._workers, function, *arguments)

    async def inspect(self, path: Path) -> "ModelHeader":
        """The header of a model file from elsewhere. Raises CheckpointCorrupt, which names what is wrong with it."""
        await asyncio.wrap_future(self._started)
        return await asyncio.get_running_loop().run_in_executor(self._loader, self._runtime.inspect, path)

    async def _load(self, checkpoint: Checkpoint, part: Part) -> Loaded:
        await asyncio.wrap_future(self._started)
        path = self._storage.path(checkpoint.path)
        loop = asyncio.get_running_loop()
        with self.meters.load.time():
            return await loop.run_in_executor(self._loader, self._runtime.open, path, checkpoint.sha256, part)

    def _run(self) -> None:
        """The first forward thread: gets ready, starts the others that the device is good for, serves until closed."""
        try:
            self._runtime.start()
        except Exception as error:  # nobody watches this thread: whatever it is, the requests must hear of it
            logger.error("sampling is off: %s", error)
            self._started.set_exception(Unavailable(f"sampling is off: {error}", retry_after=60))
            return
        gc.collect()
        gc.freeze()  # torch's objects are there to stay: looking through them would stop every request for long
        pixels = self._runtime.batch_pixels
        for _ in range(1, self._runtime.lanes):
            another = threading.Thread(target=self._forward, args=(pixels,), name="forward", daemon=True)
            self._threads.append(another)
            another.start()
        self._started.set_result(None)
        logger.info("sampling on %s", self._runtime.device)
        self._forward(pixels)

    def _forward(self, pixels: int) -> None:
        """Serves batches until closed, and leaves the cores to the event loop whenever that has something to do."""
        with suppress(OSError, AttributeError):  # where threads have no niceness of their own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + NICE)
        self._batcher.run(pixels)
