"""Idempotency keys over HTTP: the first answer again, nothing made twice, whatever was killed meanwhile."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sampling_kit import publish, sampling_service
from seeded import network
from servers import free_port
from service_kit import Running, serving, settings_in
from sqlalchemy import event, update
from test_process import ROOT, environment, migrated, process

from ledger.idempotency import DEAD_SECONDS
from ledger.jobs import Jobs
from ledger.tables import IdempotencyRow
from service.idempotency import Body

Check = Callable[..., dict[str, Any]]
POINTS = b"x,y\n1,2\n3,4\n"


def keyed(key: str, **more: str) -> dict[str, str]:
    return {"Idempotency-Key": key, **more}


def body(model: str, **more: Any) -> dict[str, Any]:
    return {"type": "train", "dataset": "images", "model": model, **more}


@pytest.fixture
def ready(service: Running) -> Running:
    """The service, with a small dataset."""
    if not service.datasets.exists("images"):
        service.images("images")
    return service


def same(first: httpx.Response, again: httpx.Response) -> None:
    """The first answer again, said to be that."""
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    for name in ("location", "retry-after", "content-type"):
        assert again.headers.get(name) == first.headers.get(name), name


# ---- answered again ----


def test_the_same_request_makes_one_job_and_is_answered_alike(ready: Running) -> None:
    first, other = (ready.http.post("/v1/jobs", json=body("once"), headers=keyed(key)) for key in ("k-once", "k-2"))
    assert first.status_code == 202
    assert other.status_code == 409
    ready.http.post(first.json()["urls"]["cancel"])
    same(first, ready.http.post("/v1/jobs", json=body("once"), headers=keyed("k-once")))
    assert len(ready.jobs.list(model="once").data) == 1


def test_every_kind_of_write_is_answered_again(ready: Running) -> None:
    http = ready.http
    job = ready.running("written")
    ready.checkpoint(job, 10)
    name = f"/v1/models/written/checkpoints/{10}"
    source = {"name": "imported", "source": {"path": "."}}
    for method, path, content in [
        ("PATCH", name, {"json": {"pinned": True}}),
        ("POST", f"/v1/jobs/{job.id}/pause", {}),
        ("POST", f"/v1/jobs/{job.id}/cancel", {}),
        ("POST", "/v1/datasets", {"json": source}),
        ("DELETE", "/v1/models/written/memory", {}),
    ]:
        key = keyed(f"k {method} {path}".replace(" ", "-"))
        first = http.request(method, path, headers=key, **content)
        assert first.is_success, first.text
        same(first, http.request(method, path, headers=key, **content))
    ready.jobs.release(job.id, job.epoch)
    for verb in ("retry", ""):
        method, path = ("POST", f"/v1/jobs/{job.id}/retry") if verb else ("DELETE", f"/v1/jobs/{job.id}")
        first = http.request(method, path, headers=keyed(f"k-{method}"))
        assert first.is_success, first.text
        same(first, http.request(method, path, headers=keyed(f"k-{method}")))
    assert http.delete(f"/v1/jobs/{job.id}").status_code == 404


def test_an_upload_sent_again_is_the_same_whatever_its_boundary(service: Running, is_problem: Check) -> None:
    def send(boundary: str, data: bytes = POINTS) -> httpx.Response:
        headers = keyed("k-upload", **{"Content-Type": f"multipart/form-data; boundary={boundary}"})
        files = {"file": ("points.csv", data)}
        return service.http.post("/v1/datasets", data={"name": "sent"}, files=files, headers=headers)

    first = send("one")
    assert first.status_code == 202
    same(first, send("another-boundary"))
    is_problem(send("one", POINTS + b"5,6\n"), 422, "invalid_request", "Idempotency-Key")
    assert [row.name for row in service.datasets.list(limit=100).data].count("sent") == 1


def test_the_digest_of_a_form_depends_on_neither_its_boundary_nor_its_parts() -> None:
    def digest(boundary: bytes, size: int) -> str:
        whole = b"--%b\r\nhead\r\n\r\n%b\r\n--%b--" % (boundary, b"-" * 50 + b"data--" * 30, boundary)
        pieces = [whole[i : i + size] for i in range(0, len(whole), size)]
        messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        messages.append({"type": "http.request", "body": b"", "more_body": False})

        async def receive() -> Any:
            return messages.pop(0)

        kind = f"multipart/form-data; boundary={boundary.decode()}"
        read = Body(SimpleNamespace(receive=receive, headers={"content-type": kind}))  # type: ignore[arg-type]
        with pytest.raises(StopIteration):
            read.drain().send(None)
        return read.digest

    assert len({digest(boundary, size) for boundary in (b"----abc", b"-x") for size in (1, 2, 3, 7, 64, 1000)}) == 1


# ---- refused ----


def test_a_key_used_for_something_else_is_422(ready: Running, is_problem: Check) -> None:
    first = ready.http.post("/v1/jobs", json=body("mine"), headers=keyed("k-mine"))
    assert first.status_code == 202
    for answer in (
        ready.http.post("/v1/jobs", json=body("other"), headers=keyed("k-mine")),
        ready.http.post("/v1/projections", json=body("mine"), headers=keyed("k-mine")),
        ready.http.delete("/v1/models/mine", headers=keyed("k-mine")),
    ):
        is_problem(answer, 422, "invalid_request", "Idempotency-Key")
    assert ready.jobs.list(model="other").data == []


@pytest.mark.parametrize("key", ["", "two words", "é".encode(), "k" * 256, "tab\tbed"])
def test_what_is_no_key_is_422(ready: Running, is_problem: Check, key: Any) -> None:
    answer = ready.http.post("/v1/jobs", json=body("no-key"), headers=[("Idempotency-Key", key)])
    is_problem(answer, 422, "invalid_request", "Idempotency-Key")


def test_two_keys_are_none_and_the_longest_is_one(ready: Running, is_problem: Check) -> None:
    two = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    is_problem(ready.http.post("/v1/jobs", json=body("two"), headers=two), 422, "invalid_request", "Idempotency-Key")
    assert ready.http.post("/v1/jobs", json=body("long"), headers=keyed("~" * 255)).status_code == 202


def test_a_request_that_failed_leaves_its_key_free(ready: Running, is_problem: Check) -> None:
    is_problem(ready.http.post("/v1/jobs", json=body("m", dataset="later"), headers=keyed("k-later")), 404)
    ready.images("later")
    assert ready.http.post("/v1/jobs", json=body("m", dataset="later"), headers=keyed("k-later")).status_code == 202


def test_an_upload_that_is_refused_is_not_read_to_its_end(service: Running) -> None:
    boundary = b'--b\r\nContent-Disposition: form-data; name="colour"\r\n\r\nred\r\n'
    url = httpx.URL(service.url)
    head = (
        "POST /v1/datasets HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k-refused\r\nContent-Length: 1000000000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port), timeout=20) as caller:
        caller.sendall(head.encode() + boundary)  # and nothing more
        assert caller.recv(1000).startswith(b"HTTP/1.1 422")


def test_while_the_first_is_served_others_are_409_and_come_again(
    ready: Running, is_problem: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, entered, go = Jobs.create_training, threading.Event(), threading.Event()

    def slow(*arguments: Any, **more: Any) -> Any:
        entered.set()
        assert go.wait(30)
        return create(*arguments, **more)

    monkeypatch.setattr(Jobs, "create_training", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: ready.http.post("/v1/jobs", json=body("slow"), headers=keyed("k-slow")))
        assert entered.wait(30)
        answer = ready.http.post("/v1/jobs", json=body("slow"), headers=keyed("k-slow"))
        is_problem(answer, 409, "conflict")
        assert answer.headers["retry-after"] == "1"
        go.set()
        assert first.result(30).status_code == 202
    same(first.result(), ready.http.post("/v1/jobs", json=body("slow"), headers=keyed("k-slow")))


def test_many_at_once_make_one(ready: Running) -> None:
    def ask(_: int) -> httpx.Response:
        return httpx.post(f"{ready.url}/v1/jobs", json=body("many"), headers=keyed("k-many"), timeout=60)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(36)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    assert all("retry-after" in answer.headers for answer in answers)
    assert len(ready.jobs.list(model="many").data) == 1


# ---- killed ----

KILLED = """
import os, signal, sys
from ledger.doorbell import Doorbell
from service.__main__ import main
Doorbell.ring = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.exit(main(["--port", sys.argv[1]]))
"""
"""A service that is killed between the commit and the answer of a write: where it would ring the bell."""


@contextmanager
def doomed(folder: Path) -> Iterator[str]:
    migrated(folder).close()
    port = free_port()
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(port)], env=environment(folder), cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{url}/readyz").raise_for_status()
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield url
        assert child.wait(30) == -signal.SIGKILL
    finally:
        child.kill()
        child.wait()


CALLS: dict[str, dict[str, Any]] = {
    "/v1/datasets": {"data": {"name": "points"}, "files": {"file": ("points.csv", POINTS)}},
    "/v1/jobs": {"json": {"type": "train", "dataset": "images", "model": "m"}},
}


@pytest.mark.parametrize("path", list(CALLS))
def test_a_service_killed_before_it_answered_makes_nothing_twice(tmp_path: Path, path: str, is_problem: Check) -> None:
    with serving(settings_in(tmp_path)) as running:
        running.images("images")
    with doomed(tmp_path) as url, pytest.raises(httpx.TransportError):
        httpx.post(url + path, headers=keyed("k"), timeout=60, **CALLS[path])
    with process(tmp_path) as (_, url):
        made = httpx.get(url + path).json()["data"][0]
        first = httpx.post(url + path, headers=keyed("k"), timeout=60, **CALLS[path])
        assert (first.status_code, first.json()["id"]) == (202, made["id"])
        assert first.headers["location"] == f"{path}/{made['id']}"
        assert first.headers["idempotency-replayed"] == "true"
        again = httpx.post(url + path, headers=keyed("k"), timeout=60, **CALLS[path])
        assert (again.status_code, again.content) == (202, first.content)
        assert len(httpx.get(url + path).json()["data"]) == 2  # with `images`, or the job that prepared it
        other = CALLS[path] | ({"json": body("another")} if path == "/v1/jobs" else {"data": {"name": "another"}})
        is_problem(httpx.post(url + path, headers=keyed("k"), timeout=60, **other), 422, None, "Idempotency-Key")


def test_what_was_made_and_deleted_since_is_404(ready: Running, is_problem: Check) -> None:
    first = ready.http.post("/v1/jobs", json=body("gone"), headers=keyed("k-gone"))
    with ready.ledger.writing() as session:  # as a service leaves it that is killed before it answers
        unanswered = {"status": None, "body": None, "headers": {}}
        session.execute(update(IdempotencyRow).where(IdempotencyRow.key == "k-gone").values(unanswered))
    ready.http.post(first.json()["urls"]["cancel"])
    assert ready.http.delete(first.json()["urls"]["self"]).status_code == 204
    is_problem(ready.http.post("/v1/jobs", json=body("gone"), headers=keyed("k-gone")), 404, "not_found")


def test_a_key_left_by_a_dead_service_that_had_made_nothing_is_free_after_a_while(
    ready: Running, is_problem: Check
) -> None:
    from ledger.idempotency import IdempotencyKeys

    row, _ = IdempotencyKeys(ready.ledger).claim("", "k-dead", "POST /v1/jobs")
    answer = ready.http.post("/v1/jobs", json=body("dead"), headers=keyed("k-dead"))
    is_problem(answer, 409, "conflict")
    assert answer.headers["retry-after"]
    with ready.ledger.writing() as session:
        older = IdempotencyRow.created_at - DEAD_SECONDS - 1
        session.execute(update(IdempotencyRow).where(IdempotencyRow.number == row.number).values(created_at=older))
    assert ready.http.post("/v1/jobs", json=body("dead"), headers=keyed("k-dead")).status_code == 202


# ---- what is computed ----


def test_samples_under_a_key_are_drawn_again_and_cost_no_statement(tmp_path: Path) -> None:
    asked: list[str] = []
    with sampling_service(tmp_path) as running:
        publish(running, "pets", network("plain"))
        engine = running.app.state.house.ledger._engine  # type: ignore[attr-defined]
        event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, *_: asked.append(statement))
        answers = [
            running.http.post("/v1/samples", json={"model": "pets", "seed": seed}, headers=keyed("k"))
            for seed in (1, 1, 2)
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].content == answers[1].content != answers[2].content
    assert all("idempotency-replayed" not in answer.headers for answer in answers)
    assert not any("idempotency" in statement for statement in asked)


def test_the_document_says_which_calls_take_a_key(service: Running) -> None:
    document = json.loads(service.http.get("/openapi.json").content)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            named = [one for one in operation.get("parameters", []) if one["name"] == "Idempotency-Key"]
            assert len(named) == (method != "get" and path != "/v1/session"), f"{method} {path}"
            replayed = [
                answer
                for answer in operation["responses"].values()
                if "Idempotency-Replayed" in answer.get("headers", {})
            ]
            computed = path in {"/v1/samples", "/v1/interpolations", "/v1/scores", "/v1/estimates", "/v1/session"}
            assert bool(replayed) == (method != "get" and not computed), f"{method} {path}"
