"""Browsers: sessions instead of keys, and pages of other sites that may change nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from keyed_kit import Keyed, keyed_service
from service_kit import Running, serving, settings_in

from gan.errors import Forbidden
from ledger.keys import digest_of
from service.origins import check_host, check_origin, names_of

Check = Callable[..., dict[str, Any]]
COOKIE = "ganymede_session"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    with keyed_service(tmp_path_factory.mktemp("data"), allowed_hosts="studio.example, proxy.example") as keyed:
        yield keyed


@contextmanager
def browser(keyed: Keyed, secret: str) -> Iterator[httpx.Client]:
    """A client that has traded a key for a session, and shows nothing else."""
    with httpx.Client(base_url=keyed.url, timeout=30) as client:
        answer = client.post("/v1/session", json={"key": secret})
        assert answer.status_code == 200, answer.text
        yield client


# ---- sessions ----


def test_a_key_is_traded_for_a_cookie_that_no_script_reads_and_no_other_site_sends(keyed: Keyed) -> None:
    key, secret = keyed.key("read")
    for traded in (
        keyed.http.post("/v1/session", json={"key": secret}),
        keyed.http.post("/v1/session", headers={"Authorization": f"Bearer {secret}"}),
    ):
        assert traded.status_code == 200
        said = traded.json()
        assert (said["key"], said["scopes"], said["keys_required"]) == (key.name, ["read"], True)
        assert said["expires_at"] is not None
        cookie = traded.headers["set-cookie"]
        words = {word.strip().lower() for word in cookie.split(";")}
        assert {"httponly", "samesite=strict", "path=/"} <= words
        assert "secure" not in words  # http on loopback
        assert "domain" not in cookie.lower()
        assert 43_000 < int(cookie.lower().partition("max-age=")[2].partition(";")[0]) <= 43_200
        assert secret not in cookie
    keyed.http.cookies.clear()


def test_over_tls_the_cookie_is_never_sent_without(keyed: Keyed) -> None:
    _, secret = keyed.key("read")
    behind = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
    traded = httpx.post(f"{keyed.url}/v1/session", json={"key": secret}, headers=behind)
    assert "secure" in traded.headers["set-cookie"].lower()


def test_a_session_is_as_good_as_its_key_and_no_better(keyed: Keyed) -> None:
    key, secret = keyed.key("read", "train")
    with browser(keyed, secret) as page:
        assert page.get("/v1/jobs").status_code == 200
        assert page.post("/v1/jobs/job_x/cancel").status_code == 404
        assert page.delete("/v1/models/none").status_code == 403
        said = page.get("/v1/session").json()
        assert (said["key"], said["scopes"]) == (key.name, ["read", "train"])


def test_who_calls_is_said_to_anybody(keyed: Keyed) -> None:
    nobody = {"object": "session", "keys_required": True, "key": None, "scopes": [], "expires_at": None}
    assert keyed.http.get("/v1/session").json() == nobody
    assert keyed.http.get("/v1/session", headers={"Authorization": "Bearer gnm_no"}).json() == nobody
    assert keyed.http.get("/v1/session", headers={"Cookie": f"{COOKIE}=gns_no"}).json() == nobody
    key, secret = keyed.key("sample")
    with keyed.with_secret(secret) as caller:
        assert caller.get("/v1/session").json()["key"] == key.name


def test_what_is_no_key_is_traded_for_nothing(keyed: Keyed, is_problem: Check) -> None:
    _, secret = keyed.key("read")
    with browser(keyed, secret) as page:
        token = page.cookies[COOKIE]
        for traded in (
            keyed.http.post("/v1/session", json={"key": "gnm_" + "x" * 43}),
            keyed.http.post("/v1/session", json={"key": token}),
            keyed.http.post("/v1/session"),
            page.post("/v1/session"),
        ):
            is_problem(traded, 401, "unauthenticated")
            assert "set-cookie" not in traded.headers
        is_problem(keyed.http.post("/v1/session", json={"key": ""}), 422, "invalid_request", "key")
        is_problem(keyed.http.post("/v1/session", json={"key": secret, "name": "x"}), 422, "invalid_request", "name")
        assert keyed.http.get("/v1/jobs", headers={"Authorization": f"Bearer {token}"}).status_code == 401
        assert keyed.http.get("/v1/jobs", headers={"Cookie": f"{COOKIE}={secret}"}).status_code == 401


def test_a_session_that_was_ended_is_over(keyed: Keyed) -> None:
    _, secret = keyed.key("read")
    with browser(keyed, secret) as page:
        token = page.cookies[COOKIE]
        ended = page.delete("/v1/session")
        assert ended.status_code == 204
        assert "max-age=0" in ended.headers["set-cookie"].lower()
        assert COOKIE not in page.cookies
        assert digest_of(token) not in keyed.keys.passes([digest_of(token)])
        assert page.delete("/v1/session").status_code == 204


def test_a_session_ends_with_its_key(keyed: Keyed) -> None:
    key, secret = keyed.key("read")
    with browser(keyed, secret) as page:
        token = page.cookies[COOKIE]
        keyed.keys.revoke(key.id)
        assert keyed.keys.passes([digest_of(token)]) == {}
    keyed.http.cookies.clear()


def test_a_trade_is_put_down_as_the_keys(keyed: Keyed) -> None:
    key, secret = keyed.key("read")
    with browser(keyed, secret) as page:
        page.post("/v1/jobs/job_x/cancel")
        page.delete("/v1/session")
    assert [(row.method, row.path, row.status) for row in keyed.recorded(key.id, 3)] == [
        ("DELETE", "/v1/session", 204),
        ("POST", "/v1/jobs/job_x/cancel", 403),
        ("POST", "/v1/session", 200),
    ]


def test_where_no_keys_are_required_there_is_nothing_to_trade(service: Running) -> None:
    for answer in (service.http.get("/v1/session"), service.http.post("/v1/session", json={"key": "gnm_x"})):
        everything = ["read", "sample", "train", "admin"]
        assert answer.json() == {
            "object": "session",
            "keys_required": False,
            "key": None,
            "scopes": everything,
            "expires_at": None,
        }
        assert "set-cookie" not in answer.headers
    assert service.http.delete("/v1/session").status_code == 204


# ---- pages of other sites ----

FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "not an origin"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
]


def own(url: str) -> list[dict[str, str]]:
    """What browsers say of a page of the service itself, and what is no browser."""
    return [{}, {"Origin": url}, {"Origin": url, "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}]


@pytest.mark.parametrize("said", FOREIGN)
def test_without_keys_a_page_of_another_site_changes_nothing(service: Running, is_problem: Check, said) -> None:
    job = service.queued(f"victim{abs(hash(str(said)))}")
    for path in (f"/v1/jobs/{job['id']}/cancel", "/v1/samples", "/v1/session"):
        is_problem(service.http.post(path, headers=said), 403, "forbidden")
    is_problem(service.http.delete("/v1/datasets/images", headers=said), 403, "forbidden")
    assert service.jobs.get(job["id"]).status == "queued"
    assert service.http.get("/v1/jobs", headers=said).status_code == 200


def test_without_keys_its_own_pages_and_programs_may(service: Running) -> None:
    for number, said in enumerate(own(service.url)):
        job = service.queued(f"own{number}")
        assert service.http.post(f"/v1/jobs/{job['id']}/cancel", headers=said).status_code == 202


@pytest.mark.parametrize("said", FOREIGN)
def test_a_session_is_of_no_use_to_a_page_of_another_site(keyed: Keyed, is_problem: Check, said) -> None:
    _, secret = keyed.key("train", "read")
    with browser(keyed, secret) as page:
        is_problem(page.post("/v1/jobs/job_x/cancel", headers=said), 403, "forbidden")
        is_problem(page.delete("/v1/session", headers=said), 403, "forbidden")
        assert page.get("/v1/jobs").status_code == 200
    is_problem(keyed.http.post("/v1/session", json={"key": secret}, headers=said), 403, "forbidden")


def test_its_own_pages_may_with_a_session(keyed: Keyed) -> None:
    _, secret = keyed.key("train")
    with browser(keyed, secret) as page:
        for said in (*own(keyed.url), {"Origin": "https://studio.example", "Sec-Fetch-Site": "cross-site"}):
            assert page.post("/v1/jobs/job_x/cancel", headers=said).status_code == 404


def test_who_shows_a_key_is_nobodys_victim(keyed: Keyed) -> None:
    with keyed.caller("train") as caller:
        for said in FOREIGN:
            assert caller.post("/v1/jobs/job_x/cancel", headers=said).status_code == 404


@pytest.mark.parametrize(
    "name", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.", "[::2]:80"]
)
def test_without_keys_a_rebound_name_is_refused(service: Running, is_problem: Check, name: str) -> None:
    is_problem(service.http.get("/v1/jobs", headers={"Host": name}), 403, "forbidden")


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000", "[::1]"])
def test_without_keys_its_own_names_are_answered(service: Running, name: str) -> None:
    assert service.http.get("/v1/jobs", headers={"Host": name}).status_code == 200


def test_further_names_can_be_allowed(tmp_path) -> None:
    with serving(settings_in(tmp_path, allowed_hosts="Box.example , other.example")) as running:
        named = [running.http.get("/livez", headers={"Host": host}) for host in ("box.example:80", "third.example")]
        assert [answer.status_code for answer in named] == [200, 403]


def test_with_keys_it_answers_to_any_name(keyed: Keyed) -> None:
    with keyed.caller("read") as caller:
        assert caller.get("/v1/jobs", headers={"Host": "gan.example.org"}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "host", "fine"),
    [
        ("https://gan.example", "gan.example", True),
        ("https://gan.example", "gan.example:443", True),
        ("http://gan.example:80", "gan.example", True),
        ("https://gan.example:8443", "gan.example", False),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://[::1]:8000", "[::1]", False),
        ("HTTP://GAN.example", "gan.EXAMPLE", True),
        ("http://[", "gan.example", False),
        ("", "", False),
    ],
)
def test_an_origin_is_the_services_own_by_name_and_port(origin: str, host: str, fine: bool) -> None:
    headers = {b"origin": origin.encode(), b"host": host.encode()}
    try:
        check_origin(headers, frozenset())
    except Forbidden:
        assert not fine
    else:
        assert fine


def test_the_name_that_it_listens_at_is_its_own() -> None:
    check_host({b"host": b"[fe80::7]:80"}, names_of("fe80::7", frozenset()))
    check_host({b"host": b"box:80"}, names_of("Box", frozenset()))
    check_host({}, names_of("box", frozenset()))
    with pytest.raises(Forbidden):
        check_host({b"host": b"bax"}, names_of("box", frozenset()))
