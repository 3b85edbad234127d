"""A server that answers from a table, to show how the client behaves when the real one misbehaves."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOST = 0
"""The status of an answer that never comes: the connection breaks after the request was read."""
CREATED = "2026-01-31T12:00:00Z"


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Fake:
    """Answers by `METHOD path`; a list is given out one by one, its last entry again and again."""

    url: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], int]] = field(default_factory=list)

    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    """What was sent, up to 64 kB of each."""

    def on(self, call: str, *answers: Answer) -> None:
        self.answers[call] = list(answers)

    def next(self, call: str) -> Answer:
        known = self.answers.get(call, [problem(404, "not_found", f"no answer for {call}")])
        return known.pop(0) if len(known) > 1 else known[0]

    def sent(self, call: str) -> list[Any]:
        """The JSON bodies of a call."""
        return [json.loads(body) for name, body in self.bodies if name == call]

    def calls(self, call: str) -> list[dict[str, str]]:
        return [headers for name, headers, _ in self.asked if name == call]


def problem(status: int, code: str, detail: str, param: str | None = None, **headers: str) -> Answer:
    body = {"type": code, "title": code, "status": status, "detail": detail, "code": code, "param": param}
    return Answer(status, body | {"errors": [], "request_id": "req_1"}, headers)


def job(status: str, **fields: Any) -> Answer:
    progress = {"images": 640, "total_images": 1000, "percent": 64.0, "images_per_second": 320.0, "eta_seconds": 1.5}
    body = {"id": "job_1", "object": "job", "type": "train", "status": status, "progress": progress}
    return Answer(200, body | {"created_at": CREATED} | fields)


def lost() -> Answer:
    return Answer(LOST)


def stream(*told: tuple[int | None, str, Any]) -> Answer:
    """A stream of messages (id, event, data) that breaks off after them."""
    numbers = ["" if id is None else f"id: {id}\n" for id, _, _ in told]
    lines = [f"event: {event}\ndata: {json.dumps(data)}\n\n" for _, event, data in told]
    text = "retry: 1000\n\n:\n\n" + "".join(number + line for number, line in zip(numbers, lines, strict=True))
    return Answer(200, text.encode(), {"Content-Type": "text/event-stream; charset=utf-8"})


def happened(number: int, type: str, **data: Any) -> tuple[int, str, Any]:
    """A message of a stream that tells an event."""
    event = {"id": number, "object": "event", "job": "job_1", "type": type, "data": data, "created_at": CREATED}
    return number, type, event


def dataset(status: str, **fields: Any) -> Answer:
    body = {"id": "ds_1", "object": "dataset", "name": "digits", "status": status, "created_at": CREATED}
    ready = {"kind": "images", "count": 3, "width": 8, "height": 8, "channels": 1, "classes": ["a", "b"]}
    return Answer(202, body | (ready if status == "ready" else {}) | fields)


class Server(ThreadingHTTPServer):
    """A server for which a caller that hangs up is nothing to write about: tests read what commands write."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def fake_server() -> Iterator[Fake]:
    fake = Fake()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            left = length = int(self.headers.get("Content-Length") or 0)
            body = b""
            while left:
                piece = self.rfile.read(min(left, 1 << 16))
                left -= len(piece)
                body = (body + piece)[: 1 << 16]
            call = f"{self.command} {self.path}"
            fake.bodies.append((call, body))
            fake.asked.append((call, dict(self.headers.items()), length))
            answer = fake.next(call)
            if answer.status == LOST:
                self.close_connection = True
                return
            content = answer.content()
            self.send_response(answer.status)
            for name, value in ({"Content-Length": str(len(content))} | answer.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the base class's names

        def log_message(self, *words: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
