"""Who may come in: keys, what they are for, and what is then whose."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from keyed_kit import Keyed, keyed_service
from sampling_kit import publish
from seeded import network
from sqlalchemy import text
from waiting import eventually

from gan.errors import Unavailable
from ledger.database import Ledger
from ledger.keys import Keys
from ledger.records import Write
from service import gatekeeper, lane
from service.callers import HOLDS
from service.scopes import EVERY, OPEN, permits, ruled, scope_of
from service.trail import Trail

Check = Callable[..., dict[str, Any]]
METHODS = ("get", "put", "post", "delete", "patch")
NAMES = {
    "dataset": "none",
    "model": "none",
    "job": "job_none",
    "checkpoint": "1",
    "seed": "1",
    "extension": "png",
    "index": "0",
}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    with keyed_service(tmp_path_factory.mktemp("data")) as keyed:
        publish(keyed.running, "pets", network("plain"))
        yield keyed


@pytest.fixture(scope="module")
def operations(keyed: Keyed) -> list[tuple[str, str, dict[str, Any]]]:
    """(METHOD, path template, operation) of all calls."""
    paths = keyed.app.openapi()["paths"]
    return [
        (method.upper(), path, item[method]) for path, item in paths.items() for method in METHODS if method in item
    ]


def test_every_call_of_the_document_has_a_scope_of_its_own_or_is_open(operations) -> None:
    missing = [
        f"{method} {path}" for method, path, _ in operations if not OPEN.fullmatch(path) and not ruled(method, path)
    ]
    assert missing == []
    assert len(operations) > 25


def test_the_document_says_what_a_key_must_be_for(keyed: Keyed, operations) -> None:
    schemes = keyed.app.openapi()["components"]["securitySchemes"]
    assert (schemes["key"]["scheme"], schemes["session"]["in"]) == ("bearer", "cookie")
    for method, path, operation in operations:
        scope = scope_of(method, path)
        assert operation["security"] == ([] if scope is None else [{"key": [scope]}, {"session": []}]), path
        assert {"403"} | (set() if scope is None else {"401", "429"}) <= set(operation["responses"]), path


def test_where_no_keys_are_required_the_document_lets_everybody_in(service) -> None:
    paths = httpx.get(f"{service.url}/openapi.json").json()["paths"]
    assert paths["/v1/samples"]["post"]["security"] == [{"key": ["sample"]}, {"session": []}, {}]


def test_without_a_key_every_call_is_401_but_those_that_are_open(keyed: Keyed, operations, is_problem: Check) -> None:
    for method, path, _ in operations:
        answer = keyed.http.request(method, path.format(**NAMES))
        if scope_of(method, path) is None:
            assert answer.status_code in (200, 204, 401), path
            continue
        is_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer"), path
    for path in ("/livez", "/readyz", "/openapi.json", "/docs", "/v1/session"):
        assert keyed.http.get(path).status_code == 200, path
    assert keyed.http.get("/nowhere").status_code == 401
    assert keyed.http.head("/v1/jobs").status_code == 401


@pytest.mark.parametrize("scope", EVERY)
def test_a_key_may_do_what_its_scope_says_and_nothing_else(keyed: Keyed, operations, is_problem: Check, scope) -> None:
    with keyed.caller(scope) as caller:
        for method, path, _ in operations:
            needed = scope_of(method, path)
            if needed is None:
                continue
            answer = caller.request(method, path.format(**NAMES))
            if permits([scope], needed):
                assert answer.status_code not in (401, 403), f"{method} {path}"
            else:
                problem = is_problem(answer, 403, "forbidden")
                assert needed in problem["detail"], f"{method} {path}"


def test_what_no_rule_speaks_of_needs_the_most() -> None:
    assert scope_of("DELETE", "/v1/everything") == scope_of("PUT", "/v1/jobs/x") == scope_of("BREW", "/v2") == "admin"
    assert scope_of("GET", "/v2/secrets") == "read"
    assert scope_of("POST", "/v1/samples/../jobs") == "admin"


@pytest.mark.parametrize("short", [True, False])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/samples", {"model": "pets", "seed": 1}),
        ("GET", "/v1/models/pets/images/1.png", None),
        ("GET", "/v1/jobs/job_000000000000000000000000", None),
    ],
)
def test_both_ways_through_the_house_are_guarded_alike(keyed: Keyed, monkeypatch, short, method, path, body) -> None:
    if not short:
        monkeypatch.setattr(lane, "CALLS", ())
    wrong = "read" if "jobs" not in path else "sample"
    with keyed.caller(wrong) as caller, keyed.caller("read", "sample") as right:
        assert keyed.http.request(method, path, json=body).status_code == 401
        assert caller.request(method, path, json=body).status_code == 403
        assert right.request(method, path, json=body).status_code == (404 if "jobs" in path else 200)


BAD = [
    "Bearer",
    "Bearer gnm_",
    "Basic Z25tOngK",
    "Bearer gnm_" + "x" * 43,
    "Bearer " + "x" * 5000,
    "gnm_x",
    "Bearer gnm_é",
]


@pytest.mark.parametrize("shown", BAD)
def test_what_is_no_key_is_401_and_not_told_apart(keyed: Keyed, is_problem: Check, shown: str) -> None:
    answer = keyed.http.get("/v1/jobs", headers={"Authorization": shown.encode("latin-1").decode("latin-1").encode()})
    problem = is_problem(answer, 401, "unauthenticated")
    assert "gnm_x" not in problem["detail"]


def test_a_key_in_small_letters_bearer_is_a_key(keyed: Keyed) -> None:
    _, secret = keyed.key("read")
    assert keyed.http.get("/v1/jobs", headers={"Authorization": f"bearer {secret}"}).status_code == 200


def test_a_new_key_holds_at_once_and_a_revoked_one_ends_within_seconds(keyed: Keyed) -> None:
    key, secret = keyed.key("read")
    with keyed.with_secret(secret) as caller:
        assert caller.get("/v1/jobs").status_code == 200
        keyed.keys.revoke(key.id)
        revoked = time.monotonic()
        while caller.get("/v1/jobs").status_code == 200:
            assert time.monotonic() - revoked < 10 * HOLDS
        assert caller.get("/v1/jobs").status_code == 401


def test_an_expired_key_is_401(keyed: Keyed) -> None:
    _, secret = keyed.key("read", expires_in=0.01)
    time.sleep(0.1)
    with keyed.with_secret(secret) as caller:
        assert caller.get("/v1/jobs").status_code == 401


def test_a_key_is_not_looked_up_for_every_request(keyed: Keyed, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    found = Keys.passes

    def counting(keys: Keys, digests: Any) -> Any:
        asked.append(digests)
        return found(keys, digests)

    monkeypatch.setattr(Keys, "passes", counting)
    with keyed.caller("read") as caller:
        began = time.monotonic()
        for _ in range(100):
            assert caller.get("/v1/jobs/job_000000000000000000000000").status_code == 404
        took = time.monotonic() - began
    assert 1 <= len(asked) <= took / HOLDS + 2


def test_without_keys_nothing_is_looked_up(service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatekeeper, "identified", None)
    answer = service.http.get("/v1/jobs", headers={"Authorization": "Bearer gnm_whatever"})
    assert answer.status_code == 200


def test_who_may_not_come_in_need_not_send_a_body(keyed: Keyed) -> None:
    head = b"POST /v1/datasets HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\nContent-Length: 900\r\n\r\n"
    host, port = keyed.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(4096).startswith(b"HTTP/1.1 401 ")


def test_with_the_database_away_a_key_is_503_and_the_probes_answer(
    keyed: Keyed, monkeypatch, is_problem: Check
) -> None:
    def away(keys: Keys, digests: Any) -> Any:
        raise Unavailable("the database cannot be reached", reason="/secret/place is gone")

    _, secret = keyed.key("read")
    monkeypatch.setattr(Keys, "passes", away)
    with keyed.with_secret(secret) as caller:
        problem = is_problem(caller.get("/v1/jobs"), 503, "unavailable")
        assert "secret" not in problem["detail"]
        assert caller.get("/livez").status_code == 200


# ---- what is then whose ----


def test_what_is_made_is_the_keys_and_everybody_sees_it(keyed: Keyed) -> None:
    key, secret = keyed.key("train")
    keyed.running.images("whose-images")
    with keyed.with_secret(secret) as caller, keyed.caller("read") as other:
        form = {"data": {"name": "whose"}, "files": {"file": ("points.csv", b"x,y\n1,2\n3,4\n")}}
        made = caller.post("/v1/datasets", **form)
        assert made.status_code == 202, made.text
        job = caller.post("/v1/jobs", json={"type": "train", "dataset": "whose-images", "model": "whose"})
        assert job.status_code == 202, job.text
        assert other.get("/v1/datasets/whose").status_code == 200
        assert other.get("/v1/models/whose").status_code == 200
    with keyed.running.ledger.reading() as session:
        owners = [
            session.scalars(text(f"SELECT key_id FROM {table} WHERE {column} = 'whose'")).one()
            for table, column in (("datasets", "name"), ("models", "name"), ("jobs", "model"))
        ]
    assert owners == [key.id] * 3


def test_pictures_may_be_kept_by_the_caller_alone(keyed: Keyed, service) -> None:
    with keyed.caller("sample", "read") as caller:
        newest = caller.get("/v1/models/pets/images/1.png").headers["cache-control"]
        fixed = caller.get("/v1/models/ckpt_pets1000/images/1.png").headers["cache-control"]
        assert (newest, fixed) == ("private, no-cache", "private, max-age=31536000, immutable")
        assert caller.get("/v1/jobs").headers["cache-control"] == "private, no-cache"
    assert "cache-control" not in service.http.get("/v1/jobs").headers


def test_metrics_are_read_with_a_key(keyed: Keyed) -> None:
    with keyed.caller("read") as caller:
        assert "ganymede_http_request_seconds" in caller.get("/metrics").text


# ---- the audit record ----


def test_every_write_leaves_a_row_and_nothing_else_does(keyed: Keyed) -> None:
    key, secret = keyed.key("read", "train", "sample")
    with keyed.with_secret(secret) as caller:
        caller.get("/v1/jobs")
        caller.post("/v1/samples", json={"model": "pets", "seed": 1})
        caller.post("/v1/scores", json={"model": "pets", "images": []})
        caller.post("/v1/jobs/job_x%0A%00/cancel", headers={"X-Request-Id": "mine-1"})
        caller.delete("/v1/models/pets", headers={"X-Request-Id": "mine-2"})
        caller.patch("/v1/models/pets/checkpoints/1000", json={"pinned": True}, headers={"X-Request-Id": "mine-3"})
    rows = [(row.method, row.path, row.status, row.request_id, row.address) for row in keyed.recorded(key.id, 3)]
    assert rows == [
        ("PATCH", "/v1/models/pets/checkpoints/1000", 200, "mine-3", "127.0.0.1"),
        ("DELETE", "/v1/models/pets", 403, "mine-2", "127.0.0.1"),
        ("POST", "/v1/jobs/job_x%0A%00/cancel", 404, "mine-1", "127.0.0.1"),
    ]
    eventually(lambda: keyed.keys.get(key.id).used_at)


def test_a_write_that_meets_a_defect_is_put_down_as_500(keyed: Keyed, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("/secret/place")

    key, secret = keyed.key("admin")
    monkeypatch.setattr("ledger.jobs.Jobs.delete", broken)
    with keyed.with_secret(secret) as caller:
        answer = caller.delete("/v1/jobs/job_000000000000000000000000")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert [row.status for row in keyed.recorded(key.id, 1)] == [500]


def test_a_database_that_is_away_breaks_no_answer_and_rows_wait_for_it(keyed: Keyed, monkeypatch) -> None:
    key, secret = keyed.key("train")
    gone = [True]
    add = type(keyed.audit).add

    def away(audit: Any, rows: Any) -> None:
        if gone[0]:
            raise Unavailable("the database cannot be reached")
        add(audit, rows)

    monkeypatch.setattr("ledger.audit.Audit.add", away)
    with keyed.with_secret(secret) as caller:
        for number in range(3):
            assert caller.post(f"/v1/jobs/job_{number}/cancel").status_code == 404
    time.sleep(0.6)
    assert list(keyed.audit.list(key.id)) == []
    gone[0] = False
    assert [row.path for row in keyed.recorded(key.id, 3)] == [f"/v1/jobs/job_{number}/cancel" for number in (2, 1, 0)]


def test_a_database_that_hangs_does_not_hold_up_the_end(keyed: Keyed, monkeypatch, caplog) -> None:
    async def hung(*_: Any) -> None:
        await asyncio.sleep(60)

    async def noted_and_ended() -> None:
        trail = Trail(keyed.audit, keyed.keys, 90.0, hung)
        trail.start()
        for number in range(3):
            trail.note(Write(0.0, None, None, "POST", "/", 202, f"req_{number}"))
        await asyncio.sleep(0.05)
        await trail.stop()

    monkeypatch.setattr("service.trail.END_SECONDS", 0.3)
    began = time.monotonic()
    asyncio.run(noted_and_ended())
    assert time.monotonic() - began < 30
    assert "may lose 3 rows" in caplog.text


def test_rows_beyond_what_may_wait_are_given_up_the_oldest_first(keyed: Keyed, monkeypatch, caplog) -> None:
    written: list[str] = []

    async def run(function: Any, rows: Any = None, *_: Any) -> None:
        if function != keyed.audit.add:
            return
        if not written:
            written.append("first")
            raise Unavailable("the database cannot be reached")
        written.extend(row.request_id for row in rows)

    async def whole() -> None:
        trail = Trail(keyed.audit, keyed.keys, 90.0, run)
        for number in range(8):
            trail.note(Write(0.0, None, None, "POST", "/", 202, f"req_{number}"))
        trail.start()
        await asyncio.sleep(0.05)
        await trail.stop()

    monkeypatch.setattr("service.trail.MOST_WAITING", 5)
    asyncio.run(whole())
    assert written == ["first", *(f"req_{number}" for number in range(3, 8))]
    assert "loses 3 rows" in caplog.text


def test_what_was_noted_is_written_before_the_service_ends(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("service.trail.PAUSE", 3600.0)
    with keyed_service(tmp_path) as keyed:
        for number in range(5):
            keyed.running.http.post(f"/v1/jobs/job_{number}/cancel")
    ledger = Ledger(keyed.running.settings.database_url)
    assert len(type(keyed.audit)(ledger).list()) == 5
    ledger.close()
