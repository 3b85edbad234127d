"""Requests meet here: a few threads run the forwards, and each takes whatever is waiting whenever it is free.

There is no window to wait for: alone, a request runs at once; in company, requests for the same model share a batch.
A batch is bounded in pixels and shared fairly, so that a request for a thousand images delays one for a single image by
the batches that are being computed when it comes, and no more.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, NamedTuple

import numpy as np

from gan.errors import Unavailable
from service.engine.runtime import BATCH_ROWS, Floats, Loaded, Values
from service.meters import Meters

Forward = Callable[[Loaded, Floats, Floats | None, int], Values]
"""A network on one batch; the number is how many batches are computed at this moment, this one too."""


FEWEST_WAITING: Final = 32
"""Requests that may always wait, however few of them a batch has room for."""


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
    """A request in line. The first `taken` of its rows are in batches; `parts` are those computed, by their first row.

    `computing` is the time that its batches took, `done` how many of its rows are computed. Once in batches, it is
    changed under the batcher's lock alone.
    """

    loaded: Loaded
    z: Floats
    c: Floats | None
    future: Future[Forwarded] = field(default_factory=Future)
    arrived: float = field(default_factory=perf_counter)
    began: float = 0.0
    computing: float = 0.0
    taken: int = 0
    done: int = 0
    answered: bool = False
    parts: dict[int, Values] = field(default_factory=dict)

    @property
    def rest(self) -> int:
        """Rows that no batch has taken yet."""
        return len(self.z) - self.taken

    def take(self, rows: int) -> "Share":
        """The next rows, for a batch."""
        share = Share(self, self.taken, self.taken + rows)
        self.taken = share.stop
        return share

    def forwarded(self) -> Forwarded:
        """The answer, once nothing is left to do."""
        parts = [self.parts[start] for start in sorted(self.parts)]
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
        spent = perf_counter() - self.began
        return Forwarded(whole, Timing(self.began - self.arrived, max(0.0, spent - self.computing), self.computing))


class Share(NamedTuple):
    """The rows [start, stop) of one request, in a batch."""

    request: Waiting
    start: int
    stop: int


class Batcher:
    """The line of requests, and the threads' loop (`run`). `submit` and `close` may be called from any thread.

    `max_waiting` 0 lets as many wait as fill the next batch of every thread, of single images of the model that was
    drawn last, and `FEWEST_WAITING` at least: who comes in waits little longer than at full load, however many come.
    """

    def __init__(self, forward: Forward, max_waiting: int, meters: Meters) -> None:
        self._forward = forward
        self._max_waiting = max_waiting
        self._meters = meters
        self._line: deque[Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._busy = 0
        self._lanes = 0
        self._room = 0

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
        if len(self._line) >= (self._max_waiting or max(FEWEST_WAITING, self._lanes * self._room)):
            self._meters.rejected.inc()
            raise Unavailable(
                f"{len(self._line)} sampling requests are waiting already (max_waiting_requests)", retry_after=1
            )

    @property
    def waiting(self) -> int:
        """Requests in line, whose rows are not all computed yet."""
        return len(self._line)

    def run(self, batch_pixels: int) -> None:
        """Serves batch after batch until `close`; whoever is in line then is told so. For any number of threads."""
        with self._changed:
            self._lanes += 1
        while batch := self._next(batch_pixels):
            try:
                self._serve(batch)
            finally:
                self._free()
        with self._changed:
            left, self._line = self._line, deque()
        for request in left:
            self._tell(request, Unavailable("the server is ending"))

    def close(self) -> None:
        """Ends `run` in every thread after the batch that it is at; no request is taken any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _free(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify()  # whoever waits for this thread rather than for more company

    def _next(self, batch_pixels: int) -> list[Share]:
        """The next batch, which counts as busy; empty once closed. What has rows left goes to the end of the line."""
        with self._changed:
            while not self._closed:
                self._line = deque(request for request in self._line if not request.future.cancelled())
                if self._line and self._worth_it(batch_pixels):
                    self._busy += 1
                    return self._take(batch_pixels)
                self._changed.wait()
        return []

    def _worth_it(self, batch_pixels: int) -> bool:
        """Whether to begin now: beside another batch only with a whole one. Small ones take longer a row."""
        loaded = self._line[0].loaded
        waiting = sum(request.rest for request in self._line if request.loaded is loaded)
        return self._busy == 0 or waiting >= room_for(loaded, batch_pixels)

    def _take(self, batch_pixels: int) -> list[Share]:
        loaded = self._line[0].loaded
        self._room = room = room_for(loaded, batch_pixels)
        chosen = [request for request in self._line if request.loaded is loaded][:room]
        for request in chosen:
            self._line.remove(request)
        rows = fair(room, [request.rest for request in chosen])
        shares = [request.take(count) for request, count in zip(chosen, rows, strict=True)]
        self._line.extend(request for request in chosen if request.rest)
        if self._line:
            self._changed.notify()  # another thread, if one is free
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
            self._give(request, start, values[offset : offset + stop - start], seconds)
            offset += stop - start

    def _give(self, request: Waiting, start: int, rows: Values, seconds: float) -> None:
        """Hands a request its rows, and the whole once these were the last."""
        with self._changed:
            request.parts[start] = rows
            request.done, request.computing = request.done + len(rows), request.computing + seconds
            complete = request.done == len(request.z) and not request.answered
            request.answered |= complete
        if complete and request.future.set_running_or_notify_cancel():
            request.future.set_result(request.forwarded())

    def _compute(self, batch: list[Share]) -> tuple[Values, float]:
        z = np.concatenate([request.z[start:stop] for request, start, stop in batch])
        rows = [request.c[start:stop] for request, start, stop in batch if request.c is not None]
        began = perf_counter()
        values = self._forward(
            batch[0].request.loaded, z, np.concatenate(rows) if rows else None, self._company(len(z))
        )
        seconds = perf_counter() - began
        self._meters.rows.observe(len(z))
        self._meters.forward.observe(seconds)
        return values, seconds

    def _company(self, rows: int) -> int:
        """How many batches are computed at this moment; of a full one, which says that many requests come, as many as
        there can be: others will begin before it ends, and answering takes a core's time as well."""
        return self._lanes if rows >= self._room else self._busy

    def _fail(self, batch: list[Share], error: Exception) -> None:
        """Tells every request of a batch, and takes what is left of them out of the line."""
        failed = {id(request) for request, _, _ in batch}
        with self._changed:
            self._line = deque(request for request in self._line if id(request) not in failed)
        for request, _, _ in batch:
            self._tell(request, error)

    def _tell(self, request: Waiting, error: Exception) -> None:
        """Hands a request an error, unless it is answered already or has given up."""
        with self._changed:
            first, request.answered = not request.answered, True
        if first and request.future.set_running_or_notify_cancel():
            request.future.set_exception(error)


def room_for(loaded: Loaded, batch_pixels: int) -> int:
    """Rows of a batch."""
    return min(BATCH_ROWS, max(1, batch_pixels // loaded.pixels))


def fair(room: int, wanted: list[int]) -> list[int]:
    """How many of `room` rows each gets, of as many who want one or more as there are rows at most: all that it wants,
    or as much as any other that gets less than it wants, to a row."""
    given = [0] * len(wanted)
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    for place, index in enumerate(order):
        given[index] = min(wanted[index], room // (len(order) - place))
        room -= given[index]
    return given
