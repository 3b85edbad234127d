"""Server-sent events as a client reads them: messages out of lines, and a stream taken up again where it broke off."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from ganymede.errors import GanymedeError, NotStreamed, ServerUnreachable, Unavailable
from ganymede.transport import Away, Transport, delay_after

EVENT_STREAM: Final = "text/event-stream"
QUIET_SECONDS: Final = 45.0
"""A server says something every 15 seconds; one that is silent for so long is gone."""
PAUSE_SECONDS: Final = 0.5
"""Before a stream is taken up again that its server ended in order, before the job had ended."""
LAST: Final = frozenset({"job.succeeded", "job.failed", "job.cancelled"})
"""The types of events that are a job's last."""


@dataclass(frozen=True)
class Message:
    """One message; `id` is None of one that is not replayed."""

    id: str | None
    event: str
    data: str


def messages(lines: Iterable[str]) -> Iterator[Message]:
    """The messages of a stream's lines (HTML standard, section 9.2.6); one that is cut off is left out. One that is a
    number alone, which says where to go on from, has no data."""
    fields: dict[str, str] = {}
    data: list[str] = []
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif line:
            fields[name] = value
        else:
            if data or "id" in fields:
                yield Message(fields.get("id"), fields.get("event") or "message", "\n".join(data))
            fields, data = {}, []


@dataclass
class Following:
    """A job's stream that is taken up again where it broke off, for as long as a server stays away no longer than
    `patience` seconds; `away` is told once each time that it is waited for. An `endless` one is that of all jobs."""

    http: Transport
    address: str
    last: str | None
    metrics_after: int | None
    patience: float
    away: Away | None
    endless: bool = False
    ended: bool = False
    lost_at: float | None = None
    tries: int = 0

    def __iter__(self) -> Iterator[Message]:
        """Messages, until the job has ended. Raises what the server refuses with, NotStreamed, ServerUnreachable."""
        while not self.ended:
            try:
                yield from self._once()
            except (ServerUnreachable, Unavailable) as error:
                self._wait(error)
            else:
                time.sleep(0.0 if self.ended else PAUSE_SECONDS)

    def _once(self) -> Iterator[Message]:
        asked = {"metrics_after": self.metrics_after} if self.metrics_after is not None else {}
        headers = {"Accept": EVENT_STREAM} | ({"Last-Event-ID": self.last} if self.last is not None else {})
        timeout = httpx.Timeout(self.http.timeout, read=QUIET_SECONDS)
        with self.http.stream("GET", self.address, params=asked, headers=headers, timeout=timeout) as response:
            self.ended = response.status_code == httpx.codes.NO_CONTENT
            if not self.ended and not response.headers.get("Content-Type", "").startswith(EVENT_STREAM):
                raise NotStreamed(f"{response.url} is no stream of events")
            for message in messages(response.iter_lines()):
                self._note(message)
                if message.data:
                    yield message

    def _note(self, message: Message) -> None:
        """Where to go on from, should it break off after this message."""
        self.lost_at, self.tries = None, 0
        if message.id is not None:
            self.last = message.id
        if message.event == "metrics":
            self.metrics_after = newest(json.loads(message.data), self.metrics_after)
        self.ended = message.event in LAST and not self.endless

    def _wait(self, error: GanymedeError) -> None:
        """Until the server may be back. Raises the error where it has been away for too long."""
        if self.lost_at is None:
            self.lost_at = time.monotonic()
            if self.away is not None:
                self.away(error)
        delay = delay_after(error, self.tries)
        if time.monotonic() + delay > self.lost_at + self.patience:
            raise error
        self.tries += 1
        time.sleep(delay)


def newest(series: Mapping[str, Any], before: int | None) -> int | None:
    """The images of the last row that was told."""
    rows = series.get("data") or []
    return int(rows[-1]["images"]) if rows else before
