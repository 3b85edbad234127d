"""The short way answers as the long way does; who hangs up costs no forward; a new checkpoint fails nobody."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sampling_kit import ask, publish, sampling_service
from seeded import network
from service_kit import Running

from ledger.tables import CheckpointRow
from service import lane

OWN = {"date", "x-request-id", "server-timing"}
"""Headers of which no two answers have the same."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        publish(running, "pets", network("plain"))
        running.jobs.create("evaluate", {})
        yield running


def seen(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body, but for what no two answers have in common."""
    body = answer.content.replace(answer.headers["x-request-id"].encode(), b"")
    return answer.status_code, {name: value for name, value in answer.headers.items() if name not in OWN}, body


POSTS: list[tuple[Any, dict[str, str]]] = [
    ({"model": "pets", "seed": 3}, {}),
    ({"model": "pets", "seed": 3, "count": 5}, {"Accept": "application/zip"}),
    ({"model": "pets", "seed": 3}, {"Accept": "image/webp;q=0.5, image/jpeg"}),
    ({"model": "pets", "seed": 3}, {"Accept": "text/html"}),
    ({"model": "pets", "seed": -1}, {}),
    ({"model": "pets", "seed": 3, "colour": "red"}, {}),
    ({"model": "nobody", "seed": 3}, {}),
    ({"model": "pets", "latents": [[1.0]]}, {}),
    (b"{", {"Content-Type": "application/json"}),
    (b"", {"Content-Type": "application/json"}),
    (b"{}", {"Content-Type": "text/plain"}),
]
PATHS = [
    "/v1/models/pets/images/3.png",
    "/v1/models/pets@1000/images/3.webp",
    "/v1/models/ckpt_pets1000/images/3.jpg",
    "/v1/models/nobody/images/3.png",
    "/v1/models/pets/images/03.png",
    "/v1/models/pets/images/9223372036854775807.png",
    "/v1/models/pets/images/9223372036854775808.png",
    "/v1/models/pets/images/3.gif",
    "/v1/jobs/{job}",
    "/v1/jobs/job_000000000000000000000000",
    "/v1/jobs/job_x",
]


@pytest.mark.parametrize(("body", "headers"), POSTS)
def test_samples_are_answered_as_on_the_long_way(service: Running, monkeypatch, body, headers) -> None:
    content: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
    short = service.http.post("/v1/samples", headers=headers, **content)
    monkeypatch.setattr(lane, "CALLS", ())
    assert seen(service.http.post("/v1/samples", headers=headers, **content)) == seen(short)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", PATHS)
def test_pictures_and_jobs_are_answered_as_on_the_long_way(service: Running, monkeypatch, path, method) -> None:
    path = path.format(job=service.jobs.list().data[0].id)
    short = service.http.request(method, path)
    held = {"If-None-Match": short.headers.get("etag", '"none"'), "Prefer": "wait=0"}
    known = service.http.request(method, path, headers=held)
    monkeypatch.setattr(lane, "CALLS", ())
    assert seen(service.http.request(method, path)) == seen(short)
    assert seen(service.http.request(method, path, headers=held)) == seen(known)
    assert known.status_code == (304 if short.status_code == 200 else short.status_code)


def test_both_ways_are_counted_under_the_routes_own_name(service: Running, monkeypatch) -> None:
    for _ in range(2):
        ask(service, model="pets", seed=1)
        text = service.http.get("/metrics").text
        counted = [line for line in text.splitlines() if 'route="/v1/samples",status="200"' in line]
        assert any("seconds_count" in line for line in counted)
        monkeypatch.setattr(lane, "CALLS", ())


# ---- hanging up ----


def waiting(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("short", [True, False])
@pytest.mark.parametrize("call", ["POST", "GET"])
def test_who_hangs_up_in_line_costs_no_forward(service: Running, monkeypatch, call: str, short: bool) -> None:
    if not short:
        monkeypatch.setattr(lane, "CALLS", ())
    batcher = service.app.state.house.engine._batcher  # type: ignore[attr-defined]
    forward, go, drawn = batcher._forward, threading.Event(), []

    def held(loaded: Any, z: Any, c: Any, busy: int) -> Any:
        drawn.append(len(z))
        assert go.wait(30)
        return forward(loaded, z, c, busy)

    monkeypatch.setattr(batcher, "_forward", held)
    body = b'{"model":"pets","seed":77,"count":3}'
    head = (
        b"POST /v1/samples HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    asked = {
        "POST": head % len(body) + body,
        "GET": b"GET /v1/models/pets/images/%d.png HTTP/1.1\r\nHost: localhost\r\n\r\n" % (1000 + short),
    }[call]
    first = threading.Thread(target=ask, args=(service,), kwargs={"model": "pets", "seed": 1})
    first.start()
    waiting(lambda: drawn == [1])
    url = httpx.URL(service.url)
    with socket.create_connection((url.host, url.port)) as caller:
        caller.sendall(asked)
        waiting(lambda: batcher.waiting == 1)
    waiting(lambda: all(request.future.cancelled() for request in batcher._line))
    go.set()
    first.join(30)
    assert ask(service, model="pets", seed=2).status_code == 200
    assert drawn == [1, 1]


# ---- checkpoints that come and go ----


def test_a_new_checkpoint_is_picked_up_and_its_predecessor_goes_without_a_failed_request(service: Running) -> None:
    network_ = network("plain")
    publish(service, "busy", network_, images=1)
    answers: list[tuple[int, str]] = []
    ended = threading.Event()

    def caller() -> None:
        with httpx.Client(base_url=service.url, timeout=30) as http:
            while not ended.is_set():
                answer = http.post("/v1/samples", json={"model": "busy", "seed": len(answers)})
                answers.append((answer.status_code, answer.headers.get("x-ganymede-checkpoint", answer.text)))

    callers = [threading.Thread(target=caller) for _ in range(4)]
    for one in callers:
        one.start()
    for images in range(2, 12):
        old = service.models.resolve("busy")[1]
        newest = publish(service, "busy", network_, images=images)
        with service.ledger.writing() as session:
            session.delete(session.get(CheckpointRow, old.number))
        service.storage.remove(old.path)
        assert ask(service, model="busy", seed=0).headers["x-ganymede-checkpoint"] == newest
    ended.set()
    for one in callers:
        one.join(30)
    assert {status for status, _ in answers} == {200}
    assert len({checkpoint for _, checkpoint in answers}) > 3
