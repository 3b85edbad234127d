"""What a key may have at most: requests, images, jobs, bytes; and what it is told of it."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from keyed_kit import Keyed, keyed_service
from sampling_kit import publish
from seeded import network

from gan.errors import QuotaExceeded
from ledger.records import Key
from service.quotas import Bucket, Quotas

Check = Callable[..., dict[str, Any]]
POLICY = re.compile(r'"(?P<name>[a-z]+)";q=(?P<q>\d+);w=(?P<w>\d+)')
STATE = re.compile(r'"(?P<name>[a-z]+)";r=(?P<r>\d+);t=(?P<t>\d+)')


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    with keyed_service(tmp_path_factory.mktemp("data")) as keyed:
        publish(keyed.running, "pets", network("plain"))
        keyed.running.images("images")
        yield keyed


def key_of(**quotas: Any) -> Key:
    unlimited = dict.fromkeys(("requests_per_second", "images_per_second", "concurrent_jobs", "stored_bytes"))
    times = {"created_at": 0.0, "expires_at": None, "revoked_at": None, "used_at": None}
    return Key(id="key_a", name="a", scopes=["read"], **unlimited | quotas, **times)


# ---- buckets ----


def test_a_bucket_holds_a_seconds_worth_and_fills_again(clock: Clock) -> None:
    bucket = Bucket(4, clock=clock)
    assert [bucket.take(1) for _ in range(4)] == [0, 0, 0, 0]
    assert bucket.take(1) == pytest.approx(0.25)
    clock.now += 0.5
    assert [bucket.take(1) for _ in range(2)] == [0, 0]
    assert bucket.take(1) > 0
    clock.now += 3600
    assert bucket.full()
    assert [bucket.take(1) == 0 for _ in range(5)] == [True] * 4 + [False]


def test_what_costs_more_than_a_bucket_holds_leaves_a_debt(clock: Clock) -> None:
    bucket = Bucket(10, clock=clock)
    assert bucket.take(95) == 0
    assert bucket.take(1) == pytest.approx(8.6)
    clock.now += 8.6
    assert bucket.take(1) == 0


def test_a_rate_below_one_a_second_is_one_in_so_many_seconds(clock: Clock) -> None:
    bucket = Bucket(0.1, clock=clock)
    assert (bucket.take(1), bucket.policy("requests")) == (0, '"requests";q=1;w=10')
    assert bucket.take(1) == pytest.approx(10)
    assert bucket.state("requests") == '"requests";r=0;t=10'


def test_a_key_without_quotas_is_told_nothing(clock: Clock) -> None:
    quotas = Quotas(clock)
    for _ in range(10_000):
        quotas.admit(key_of())
        quotas.charge("key_a", 1000)
    quotas.charge(None, 1000)
    assert quotas.headers("key_a") == quotas.headers("key_unseen") == []


def test_the_headers_are_those_of_the_draft(clock: Clock) -> None:
    quotas = Quotas(clock)
    key = key_of(requests_per_second=5, images_per_second=20)
    quotas.admit(key)
    quotas.charge(key.id, 50)
    assert quotas.headers(key.id) == [
        (b"ratelimit-policy", b'"requests";q=5;w=1, "images";q=20;w=1'),
        (b"ratelimit", b'"requests";r=4;t=1, "images";r=0;t=3'),
    ]
    with pytest.raises(QuotaExceeded, match="20 images a second") as refused:
        quotas.charge(key.id, 20)
    assert refused.value.retry_after == 3


# ---- over HTTP ----


def until_refused(ask: Callable[[], httpx.Response]) -> tuple[list[httpx.Response], httpx.Response]:
    """Ask until 429: the answers before, and that one."""
    before = []
    while (answer := ask()).status_code != 429:
        before.append(answer)
        assert len(before) < 200
    return before, answer


def test_requests_beyond_a_keys_rate_are_429_with_a_time_to_come_back(keyed: Keyed, is_problem: Check) -> None:
    with keyed.caller("read", requests_per_second=0.2) as caller, keyed.caller("read") as other:
        first = caller.get("/v1/jobs")
        assert (first.status_code, first.headers["ratelimit-policy"]) == (200, '"requests";q=1;w=5')
        refused = caller.get("/v1/jobs")
        problem = is_problem(refused, 429, "quota_exceeded")
        assert "requests_per_second" in problem["detail"]
        assert 1 <= int(refused.headers["retry-after"]) <= 5
        assert STATE.fullmatch(refused.headers["ratelimit"])["r"] == "0"
        assert "ratelimit" not in other.get("/v1/jobs").headers
        time.sleep(int(refused.headers["retry-after"]))
        assert caller.get("/v1/jobs").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/samples", {"model": "pets", "seed": 1, "count": 60}),
        ("POST", "/v1/samples", {"model": "pets", "seeds": list(range(60)), "return": ["image"]}),
        ("POST", "/v1/interpolations", {"model": "pets", "keyframes": [{"seed": 1}, {"seed": 2}], "frames": 60}),
    ],
)
def test_images_are_counted_by_how_many_are_asked_for(keyed: Keyed, is_problem: Check, method, path, body) -> None:
    with keyed.caller("sample", images_per_second=1) as caller:
        assert caller.request(method, path, json=body).status_code == 200
        refused = caller.request(method, path, json=body)
        assert "images_per_second" in is_problem(refused, 429, "quota_exceeded")["detail"]
        assert 30 <= int(refused.headers["retry-after"]) <= 60
        assert caller.get("/v1/models/pets/images/7.png").status_code == 429


def test_latents_and_pictures_that_were_drawn_already_cost_no_images(keyed: Keyed) -> None:
    with keyed.caller("sample", images_per_second=0.01) as caller, keyed.caller("sample") as other:
        body = {"model": "pets", "seed": 1, "count": 60, "return": ["latent"]}
        assert [caller.post("/v1/samples", json=body).status_code for _ in range(3)] == [200] * 3
        assert other.get("/v1/models/pets/images/8.png").status_code == 200
        assert [caller.get("/v1/models/pets/images/8.png").status_code for _ in range(3)] == [200] * 3
        assert caller.get("/v1/models/pets/images/9.png").status_code == 200
        assert caller.get("/v1/models/pets/images/10.png").status_code == 429


def test_jobs_at_once_are_limited_and_one_that_ends_makes_room(keyed: Keyed, is_problem: Check) -> None:
    with keyed.caller("train", concurrent_jobs=2) as caller:

        def train(name: str) -> httpx.Response:
            return caller.post("/v1/jobs", json={"type": "train", "dataset": "images", "model": name})

        first, second = train("first"), train("second")
        assert (first.status_code, second.status_code) == (202, 202)
        refused = train("third")
        assert "concurrent_jobs" in is_problem(refused, 429, "quota_exceeded")["detail"]
        assert int(refused.headers["retry-after"]) > 0
        upload = {"data": {"name": "more"}, "files": {"file": ("points.csv", b"x,y\n1,2\n3,4\n")}}
        is_problem(caller.post("/v1/datasets", **upload), 429, "quota_exceeded")
        assert caller.post(f"/v1/jobs/{first.json()['id']}/cancel").status_code == 202
        assert train("third").status_code == 202
        is_problem(caller.post(f"/v1/jobs/{first.json()['id']}/retry"), 429, "quota_exceeded")


def test_an_upload_that_would_be_too_much_is_refused_and_leaves_nothing(keyed: Keyed, is_problem: Check) -> None:
    uploads = keyed.running.storage.root / "uploads"
    before = set(uploads.iterdir()) if uploads.exists() else set()
    with keyed.caller("train", stored_bytes=100_000) as caller:
        upload = {"data": {"name": "large"}, "files": {"file": ("points.csv", b"x,y\n" + b"1,2\n" * 30_000)}}
        problem = is_problem(caller.post("/v1/datasets", **upload), 429, "quota_exceeded")
        assert "stored_bytes" in problem["detail"]
        model = {"data": {"name": "large"}, "files": {"file": ("m.safetensors", b"x" * 120_000)}}
        is_problem(caller.post("/v1/models", **model), 429, "quota_exceeded")
        small = {"data": {"name": "small"}, "files": {"file": ("points.csv", b"x,y\n" + b"1,2\n" * 30)}}
        assert caller.post("/v1/datasets", **small).status_code == 202
    after = set(uploads.iterdir())
    assert len(after - before) == 1


def test_one_address_that_shows_many_wrong_keys_is_slowed_and_good_keys_are_not(tmp_path, is_problem: Check) -> None:
    with keyed_service(tmp_path) as keyed, keyed.caller("read") as caller:
        assert caller.get("/v1/jobs").status_code == 200

        def guess() -> httpx.Response:
            return keyed.http.get("/v1/jobs", headers={"Authorization": f"Bearer gnm_{time.monotonic_ns():043}"})

        before, refused = until_refused(guess)
        assert {answer.status_code for answer in before} == {401}
        assert "address" in is_problem(refused, 429, "quota_exceeded")["detail"]
        assert int(refused.headers["retry-after"]) > 0
        assert caller.get("/v1/jobs").status_code == 200
        assert keyed.http.get("/v1/jobs").status_code == 401
        assert keyed.http.post("/v1/session", json={"key": "gnm_" + "y" * 43}).status_code == 429
