"""Requests meet here: one thread runs the forwards, and takes whatever is waiting whenever it is free.

There is no window to wait for: alone, a request runs at once; in company, requests for the same model share a batch.
A batch is bounded in pixels. What of a request does not fit goes to the end of the line, so that a request for a
thousand images delays one for a single image by at most one batch.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import perf_counter
from typing import NamedTuple

import numpy as np

from gan.errors import Unavailable
from service.engine.runtime import BATCH_ROWS, Floats, Loaded, Values
from service.meters import Meters

Forward = Callable[[Loaded, Floats, Floats | None], Values]


@dataclass(frozen=True)
class Timing:
    """Seconds that a request spent: waiting for its first batch; in batches, beside computing; computing."""

    queue: float = 0.0
    batch: float = 0.0
    forward: float = 0.0

    def __add__(self, other: "Timing") -> "Timing":
        """Both, one after the other."""
        return Timing(self.queue + other.queue, self.batch + other.batch, self.forward + other.forward)


class Forwarded(NamedTuple):
    """A request's rows in its own order, and where the time went."""

    values: Values
    timing: Timing


@dataclass(eq=False)
class Waiting:
    """A request in line. `done` of its rows are computed and lie in `parts`, in order."""

    loaded: Loaded
    z: Floats
    c: Floats | None
    future: Future[Forwarded] = field(default_factory=Future)
    arrived: float = field(default_factory=perf_counter)
    began: float = 0.0
    computing: float = 0.0
    done: int = 0
    parts: list[Values] = field(default_factory=list)

    @property
    def rest(self) -> int:
        """Rows still to be computed."""
        return len(self.z) - self.done

    def forwarded(self) -> Forwarded:
        """The answer, once nothing is left to do."""
        whole = self.parts[0] if len(self.parts) == 1 else np.concatenate(self.parts)
        spent = perf_counter() - self.began
        return Forwarded(whole, Timing(self.began - self.arrived, spent - self.computing, self.computing))


class Share(NamedTuple):
    """The rows [start, stop) of one request, in a batch."""

    request: Waiting
    start: int
    stop: int


class Batcher:
    """The line of requests, and the thread's loop (`run`). `submit` and `close` may be called from any thread."""

    def __init__(self, forward: Forward, max_waiting: int, meters: Meters) -> None:
        self._forward = forward
        self._max_waiting = max_waiting
        self._meters = meters
        self._line: deque[Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def submit(self, loaded: Loaded, z: Floats, c: Floats | None) -> Future[Forwarded]:
        """Puts rows in line, z (N ≥ 1, …) and c (N, …) as the network takes them. Cancelling the future takes them out.

        Raises Unavailable when too many requests wait, or the engine is closed.
        """
        with self._changed:
            if self._closed:
                raise Unavailable("the server is ending")
            self.refuse_overload()
            request = Waiting(loaded, z, c)
            self._line.append(request)
            self._changed.notify()
        return request.future

    def refuse_overload(self) -> None:
        """Raises Unavailable, and counts it, when as many requests wait as may."""
        if len(self._line) >= self._max_waiting:
            self._meters.rejected.inc()
            raise Unavailable(f"{len(self._line)} sampling requests are waiting already (max_waiting_requests)")

    @property
    def waiting(self) -> int:
        """Requests in line, whose rows are not all computed yet."""
        return len(self._line)

    def run(self, batch_pixels: int) -> None:
        """Serves batch after batch until `close`; whoever is in line then is told so."""
        while batch := self._next(batch_pixels):
            self._serve(batch)
        for request in self._line:
            if request.future.set_running_or_notify_cancel():
                request.future.set_exception(Unavailable("the server is ending"))

    def close(self) -> None:
        """Ends `run` after the batch that it is at; no request is taken any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _next(self, batch_pixels: int) -> list[Share]:
        """The next batch; empty once closed. Whatever has rows left goes to the end of the line."""
        with self._changed:
            while not self._closed:
                self._line = deque(request for request in self._line if not request.future.cancelled())
                if self._line:
                    return self._take(batch_pixels)
                self._changed.wait()
        return []

    def _take(self, batch_pixels: int) -> list[Share]:
        loaded = self._line[0].loaded
        room = min(BATCH_ROWS, max(1, batch_pixels // loaded.pixels))
        shares: list[Share] = []
        for request in [request for request in self._line if request.loaded is loaded]:
            rows = min(room, request.rest)
            if rows == 0:
                break
            shares.append(Share(request, request.done, request.done + rows))
            room -= rows
            self._line.remove(request)
        self._line.extend(share.request for share in shares if share.stop < len(share.request.z))
        return shares

    def _serve(self, batch: list[Share]) -> None:
        """Computes one batch and hands every request its rows."""
        began = perf_counter()
        for request, _, _ in batch:
            if not request.began:
                request.began = began
                self._meters.queue.observe(began - request.arrived)
        try:
            values, seconds = self._compute(batch)
        except Exception as error:  # whatever a model does, the thread goes on to serve the others
            self._fail(batch, error)
            return
        offset = 0
        for request, start, stop in batch:
            request.parts.append(values[offset : offset + stop - start])
            request.done, request.computing = stop, request.computing + seconds
            offset += stop - start
            if request.rest == 0 and request.future.set_running_or_notify_cancel():
                request.future.set_result(request.forwarded())

    def _compute(self, batch: list[Share]) -> tuple[Values, float]:
        z = np.concatenate([request.z[start:stop] for request, start, stop in batch])
        rows = [request.c[start:stop] for request, start, stop in batch if request.c is not None]
        began = perf_counter()
        values = self._forward(batch[0].request.loaded, z, np.concatenate(rows) if rows else None)
        seconds = perf_counter() - began
        self._meters.rows.observe(len(z))
        self._meters.forward.observe(seconds)
        return values, seconds

    def _fail(self, batch: list[Share], error: Exception) -> None:
        """Tells every request of a batch, and takes the rest of them out of the line."""
        failed = {id(request) for request, _, _ in batch}
        with self._changed:
            self._line = deque(request for request in self._line if id(request) not in failed)
        for request, _, _ in batch:
            if request.future.set_running_or_notify_cancel():
                request.future.set_exception(error)
