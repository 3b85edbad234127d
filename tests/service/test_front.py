"""The front door: headers on every answer, bounds on heads, and nothing of the inside in any answer."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from service_kit import Running, serving, settings_in

from gan.errors import Unavailable
from service import front
from service.parsing import DEEPEST, deeper_than

Check = Callable[..., dict[str, Any]]
PAGES = ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/v1/jobs", "/v1/session", "/nowhere"]


def connection(service: Running) -> socket.socket:
    host, port = service.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def said_until_closed(one: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    parts = []
    try:
        while part := one.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


# ---- headers ----


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
@pytest.mark.parametrize("path", PAGES)
def test_every_answer_is_sealed_and_opens_to_no_other_origin(service: Running, path: str, method: str) -> None:
    asking = {"Origin": service.url, "Access-Control-Request-Method": "POST"}
    answer = service.http.request(method, path, headers=asking)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "server" not in answer.headers


def test_the_page_of_the_document_may_load_what_it_is_made_of_and_nothing_else(service: Running) -> None:
    page = service.http.get("/docs")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["script-src"] == "'self'", "no script is inline, and none comes from elsewhere"
    assert not [word for words in policy.values() for word in words.split() if word.startswith("http")]
    assert policy["connect-src"] == "'self'"


def test_a_picture_by_its_address_may_stand_in_pages_of_other_origins(service: Running) -> None:
    answer = service.http.get("/v1/models/none/images/1.png")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


# ---- defects ----


def test_no_trace_and_no_path_is_in_an_answer_to_a_defect(tmp_path: Path, is_problem: Check) -> None:
    def change(app: Any) -> None:
        @app.get("/boom")
        def boom() -> None:
            raise RuntimeError(f"at {tmp_path}/secret.py, line 7")

        @app.get("/away")
        def away() -> None:
            raise Unavailable("the database cannot be reached", reason=f"no file {tmp_path}/ledger.sqlite3")

    with serving(settings_in(tmp_path), change) as running:
        broken, away = running.http.get("/boom"), running.http.get("/away")
        is_problem(broken, 500, "internal")
        is_problem(away, 503, "unavailable")
        for answer in (broken, away):
            whole = f"{answer.text} {answer.headers}"
            assert not [word for word in (str(tmp_path), "secret", "RuntimeError", "Traceback", ".py") if word in whole]
            assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert answer.headers["x-frame-options"] == "DENY"


def test_a_folder_that_was_removed_is_not_named(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path)) as running:
        running.storage.root.rename(tmp_path / "moved")
        (running.storage.root).write_text("a file in its place")
        answer = running.upload("d")
        assert answer.status_code >= 400
        assert str(tmp_path) not in answer.text


# ---- bounds on heads ----


def test_an_address_that_is_too_long_is_414(service: Running) -> None:
    for length, status in ((front.LONGEST_ADDRESS - 100, 404), (front.LONGEST_ADDRESS, 414), (120_000, 414)):
        with connection(service) as one:
            one.sendall(b"GET /v1/models/none/images/1%s.png HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"1" * length))
            said = one.recv(65536)
        assert said.startswith(b"HTTP/1.1 %d " % status)
        assert b"application/problem+json" in said


NONSENSE = [b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nA B: c\r\n\r\n"]


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_what_is_no_http_is_400_like_everything_else(service: Running, nonsense: bytes) -> None:
    with connection(service) as one:
        one.sendall(nonsense)
        head, _, body = said_until_closed(one).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"x-frame-options: DENY" in head
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (400, "malformed_request")
    assert problem["request_id"].encode() in head


@pytest.mark.parametrize(
    "headers",
    [{f"X-{number}": "a" for number in range(front.MOST_HEADERS)}, {"X-Long": "a" * front.HEADER_BYTES}],
    ids=["many", "long"],
)
def test_headers_that_are_too_many_or_too_large_are_431(service: Running, is_problem: Check, headers) -> None:
    answer = service.http.get("/livez", headers=headers)
    is_problem(answer, 431, "headers_too_large")
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("endless", [b"GET /" + b"x" * 1000, b"GET / HTTP/1.1\r\nX-Long: " + b"y" * 1000])
def test_a_head_without_end_is_cut_off(service: Running, endless: bytes) -> None:
    sent = 0
    with connection(service) as one:
        try:
            one.sendall(endless)
            while sent < 50_000_000:
                one.sendall(b"z" * 65536)
                sent += 65536
        except (BrokenPipeError, ConnectionResetError):
            pass
        said_until_closed(one)
    assert sent < 5_000_000
    assert service.http.get("/livez").status_code == 200


@pytest.mark.parametrize("begun", [b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_who_sends_no_whole_head_is_hung_up_on(service: Running, monkeypatch, begun: bytes) -> None:
    monkeypatch.setattr(front, "HEAD_SECONDS", 0.5)
    with connection(service) as one:
        one.sendall(begun)
        began = time.monotonic()
        assert said_until_closed(one) == b""
        assert time.monotonic() - began > 0.3


def test_bytes_that_trickle_do_not_prolong_it(service: Running, monkeypatch) -> None:
    monkeypatch.setattr(front, "HEAD_SECONDS", 1.0)
    with connection(service) as one:
        one.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in one.recv(65536)
        one.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        deadline = time.monotonic() + 15
        try:
            while True:
                assert time.monotonic() < deadline
                one.sendall(b"a")
                time.sleep(0.05)
        except (BrokenPipeError, ConnectionResetError):
            pass


def test_a_body_may_take_longer_than_a_head(service: Running, monkeypatch) -> None:
    monkeypatch.setattr(front, "HEAD_SECONDS", 0.3)
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
    with connection(service) as one:
        for part in (head, b"{", b"}"):
            one.sendall(part)
            time.sleep(0.6)
        assert one.recv(65536).startswith(b"HTTP/1.1 422 ")


def test_requests_one_behind_another_are_all_answered(service: Running) -> None:
    request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connection(service) as one:
        one.sendall(request * 20 + request[:30])
        time.sleep(0.2)
        one.sendall(request[30:].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert said_until_closed(one).count(b"HTTP/1.1 200 OK") == 21


# ---- depth ----


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = {"a": value} if level % 2 else [0, value]
    return value


def test_depth_is_that_of_lists_and_objects_within_one_another() -> None:
    assert not deeper_than(DEEPEST, nested(DEEPEST))
    assert deeper_than(DEEPEST, nested(DEEPEST + 1))
    assert not deeper_than(DEEPEST, [[1, 2, 3]] * 100)
    assert deeper_than(1, [[]])


@pytest.fixture(scope="module", autouse=True)
def unhurried() -> Iterator[None]:
    """Heads have their usual time but where a test says otherwise."""
    yield
    assert front.HEAD_SECONDS == 15.0
