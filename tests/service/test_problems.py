"""Whatever goes wrong, the caller reads the same kind of document, and it names what to change."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from service_kit import Running, serving, settings_in
from starlette.requests import Request

from gan import errors as meanings
from gan.errors import GanymedeError
from service import middleware
from service.errors import STATUS, status_of

Check = Callable[..., dict[str, Any]]


def below(kind: type[GanymedeError]) -> Iterator[type[GanymedeError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from below(child)


@pytest.mark.parametrize("kind", [kind for kind in below(GanymedeError) if kind.__module__ == meanings.__name__])
def test_every_error_has_a_status_of_its_own(kind: type[GanymedeError]) -> None:
    assert kind in STATUS
    assert STATUS[kind] >= 400


def test_an_error_without_a_row_has_its_ancestors_status() -> None:
    class Odd(meanings.NotFound):
        pass

    assert status_of(Odd) == 404


def test_unknown_routes_and_methods_are_problems(service: Running, is_problem: Check) -> None:
    is_problem(service.http.get("/v1/nothing"), 404, "not_found")
    answer = service.http.put("/v1/datasets/x")
    is_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "DELETE, GET, HEAD"
    assert service.http.head("/v1/nothing").status_code == 404


def test_a_defect_is_a_500_that_says_nothing_of_the_inside(tmp_path: Any, is_problem: Check) -> None:
    def boom(request: Request) -> None:
        raise RuntimeError("secret path /etc")

    def change(app: Any) -> None:
        app.add_api_route("/boom", boom)

    with serving(settings_in(tmp_path), change) as running:
        answer = running.http.get("/boom", headers={"X-Request-Id": "mine-1"})
        problem = is_problem(answer, 500, "internal")
        assert "secret" not in answer.text
        assert problem["request_id"] == "mine-1"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert running.http.get("/livez").status_code == 200


def test_every_answer_has_a_request_id_and_a_strange_one_is_replaced(service: Running) -> None:
    given = service.http.get("/livez", headers={"X-Request-Id": "abc-123"})
    assert given.headers["x-request-id"] == "abc-123"
    assert given.headers["x-content-type-options"] == "nosniff"
    strange = service.http.get("/livez", headers={"X-Request-Id": "a b<script>"})
    assert strange.headers["x-request-id"].startswith("req_")
    other = service.http.get("/livez")
    assert other.headers["x-request-id"] != strange.headers["x-request-id"]


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff\xfe",
        b'{"type": "train",}',
        b"[" * 100_000,
        b'{"metadata": {"key": "\xff"}}',
    ],
)
def test_what_cannot_be_read_is_400_and_not_a_defect(service: Running, is_problem: Check, body: bytes) -> None:
    answer = service.http.post("/v1/jobs", content=body, headers=JSON)
    if body:
        is_problem(answer, 400, "malformed_request")
    else:
        is_problem(answer, 422, "invalid_request")


@pytest.mark.parametrize("body", [b"null", b"[]", b"3", b'"train"', b'{"a":' * 30 + b"1" + b"}" * 30])
def test_json_that_is_no_request_is_422(service: Running, is_problem: Check, body: bytes) -> None:
    is_problem(service.http.post("/v1/jobs", content=body, headers=JSON), 422, "invalid_request")


def train(**more: Any) -> dict[str, Any]:
    return {"type": "train", "dataset": "digits", "model": "faces", **more}


@pytest.mark.parametrize(
    ("body", "param", "pointer"),
    [
        (train(type="bake"), "type", "/type"),
        (train(recipe="magic"), "recipe", "/recipe"),
        (train(colour="red"), "colour", "/colour"),
        (train(network={"width": "wide"}), "network.width", "/network/width"),
        (train(network={"depth": 3}), "network.depth", "/network/depth"),
        (train(betas=[0.5, 2]), "betas.1", "/betas/1"),
        (train(seed=-1), "seed", "/seed"),
        (train(seed=2**63), "seed", "/seed"),
        (train(seed=1.5), "seed", "/seed"),
        (train(images=0), "images", "/images"),
        (train(images=True), "images", "/images"),
        (train(batch_size="16"), "batch_size", "/batch_size"),
        (train(conditional="no"), "conditional", "/conditional"),
        (train(learning_rate=True), "learning_rate", "/learning_rate"),
        (train(model="mdl_faces"), "model", "/model"),
        (train(model="ckpt_1"), "model", "/model"),
        (train(metadata={str(number): "" for number in range(1000)}), "metadata", "/metadata"),
        (train(images=10**30), "images", "/images"),
        (train(batch_size=10**9), "batch_size", "/batch_size"),
        (train(network={"width": 10**6}), "network.width", "/network/width"),
        (train(model="a/b"), "model", "/model"),
        (train(model="x" * 101), "model", "/model"),
        (train(model="faces@best"), "model", "/model"),
        (train(dataset="a\0b"), "dataset", "/dataset"),
        (train(metadata={"key": 3}), "metadata.key", "/metadata/key"),
        (train(metadata={"a/b~c": 3}), "metadata.a/b~c", "/metadata/a~1b~0c"),
        (train(metadata={str(number): "" for number in range(17)}), "metadata", "/metadata"),
        (train(metadata={"k" * 65: ""}), "metadata", "/metadata"),
        (train(metadata={letter * 900_000: "" for letter in "abcdefghijklmnop"}), "metadata", "/metadata"),
        (train(priority="high"), "priority", "/priority"),
        (train(augment="flip"), "augment", "/augment"),
        ({"type": "train", "dataset": "digits"}, "model", "/model"),
    ],
)
def test_a_bad_field_is_422_and_named(
    service: Running, is_problem: Check, body: dict[str, Any], param: str, pointer: str
) -> None:
    problem = is_problem(service.http.post("/v1/jobs", json=body), 422, "invalid_request", param)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_nan_and_infinities_are_422(service: Running, is_problem: Check, number: str) -> None:
    body = json.dumps(train()).replace('"faces"', f'"faces", "learning_rate": {number}')
    is_problem(service.http.post("/v1/jobs", content=body, headers=JSON), 422, "invalid_request", "learning_rate")


def test_all_bad_fields_are_named_at_once(service: Running, is_problem: Check) -> None:
    problem = is_problem(service.http.post("/v1/jobs", json=train(seed="x", loss="y", z=1)), 422)
    assert {error["pointer"] for error in problem["errors"]} == {"/seed", "/loss", "/z"}
    assert "seed" in problem["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("samples", b'{"model": "m", "latents": [' + b",".join([b"[" + b"NaN," * 999 + b"NaN]"] * 100) + b"]}"),
        ("samples", b'{"model": "m", "condition": [' + b",".join([b"[" + b"NaN," * 999 + b"NaN]"] * 100) + b"]}"),
        ("samples", b'{"model": "m", "seeds": [' + b"-1," * 99_999 + b"-1]}"),
        ("samples", b'{"model": "m", "labels": [' + b"null," * 79_999 + b"null]}"),
        ("samples", b'{"model": "m", "' + b"x" * 400_000 + b'": 1}'),
        ("jobs", b"{" + b",".join(b'"x%d": 1' % number for number in range(40_000)) + b"}"),
    ],
    ids=["latents", "condition", "seeds", "labels", "long name", "many names"],
)
def test_a_flood_of_errors_is_a_short_answer_and_soon(
    service: Running, is_problem: Check, path: str, body: bytes
) -> None:
    began = time.monotonic()
    answer = service.http.post(f"/v1/{path}", content=body, headers=JSON)
    assert time.monotonic() - began < 20
    is_problem(answer, 422, "invalid_request")
    assert len(answer.content) < 4096


NUMBER = b"9" * 5000


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("jobs", b'{"type":"train","dataset":"a","model":"b","seed":' + NUMBER + b"}", "seed"),
        ("samples", b'{"model":"m","seeds":[1,' + NUMBER + b"]}", "seeds.1"),
        ("samples", b'{"model":"m","truncation":-' + NUMBER + b"}", "truncation"),
        ("datasets", b'{"name":"d","source":{"path":"p"},"width":' + NUMBER + b"}", "width"),
    ],
)
def test_a_number_of_any_length_is_an_error_of_its_field(
    service: Running, is_problem: Check, path: str, body: bytes, param: str
) -> None:
    problem = is_problem(service.http.post(f"/v1/{path}", content=body, headers=JSON), 422, "invalid_request", param)
    assert len(problem["errors"]) == 1


@pytest.mark.parametrize("path", ["jobs", "samples", "interpolations", "datasets"])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"a":"\xff"}', "utf-8"),
        (b"[" * 50_000, "nested too deep"),
        (b"[" * 33 + b"]" * 33, "nested too deep"),
        (b"{", "line 1 column 2"),
    ],
)
def test_every_route_says_what_is_wrong_with_json_that_cannot_be_read(
    service: Running, is_problem: Check, path: str, body: bytes, says: str
) -> None:
    problem = is_problem(service.http.post(f"/v1/{path}", content=body, headers=JSON), 400, "malformed_request")
    assert says in problem["detail"]


def listing(field: str, entry: bytes, count: int) -> bytes:
    return b'{"model":"m","%s":[' % field.encode() + b",".join([entry] * count) + b"]}"


def seconds_of_a_short_body() -> float:
    """What reading 300,000 entries takes on this machine now: 0.07 where nothing else runs."""
    body, began = listing("latents", b"[0]", 300_000), time.monotonic()
    json.loads(body)
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (listing("latents", b"[0]", 3_900_001), 413, None),
        (listing("condition", b"[0]", 300_000), 422, "condition"),
        (listing("latents", b"[0]", 300_000), 422, "latents"),
        (listing("seeds", b"0", 7_000_000), 422, "seeds"),
        (listing("labels", b"0", 7_000_000), 422, "labels"),
        (b"{" + b",".join(b'"%x":0' % number for number in range(1_200_000)) + b"}", 413, None),
    ],
    ids=["latents", "fewer conditions", "fewer latents", "seeds", "labels", "fields"],
)
def test_nobody_waits_while_a_body_of_millions_of_entries_is_refused(
    service: Running, is_problem: Check, body: bytes, status: int, param: str | None
) -> None:
    def refused() -> httpx.Response:
        with httpx.Client(base_url=service.url, timeout=30) as other:
            return other.post("/v1/samples", content=body, headers=JSON)

    slowest, pace = 0.0, seconds_of_a_short_body()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(refused)
        while not answer.done():
            began = time.monotonic()
            service.http.get("/livez").raise_for_status()
            slowest = max(slowest, time.monotonic() - began)
    is_problem(answer.result(), status, param=param)
    assert slowest < max(1.5, 20 * pace)


def test_of_many_errors_twenty_are_told_and_the_rest_counted(service: Running, is_problem: Check) -> None:
    body = train(**{f"x{number}": 1 for number in range(50)})
    problem = is_problem(service.http.post("/v1/jobs", json=body), 422)
    assert len(problem["errors"]) == 20
    assert problem["detail"].endswith("and 30 more")


@pytest.mark.parametrize("name", ["ds_1", "job_1", "mdl_1", "ckpt_1"])
def test_a_dataset_may_not_be_called_like_an_id(service: Running, is_problem: Check, name: str) -> None:
    is_problem(service.upload(name), 422, "invalid_request", "name")
    body = {"name": name, "source": {"path": "x"}}
    is_problem(service.http.post("/v1/datasets", json=body), 422, "invalid_request", "name")


def test_the_numbers_of_a_form_are_text_and_those_of_json_are_not(service: Running, is_problem: Check) -> None:
    assert service.upload("sized", filename="a.zip", width=16, height=16).status_code == 202
    body = {"name": "other", "source": {"path": "x"}, "width": "16"}
    is_problem(service.http.post("/v1/datasets", json=body), 422, "invalid_request", "width")


def test_whole_numbers_do_for_real_ones_and_a_list_for_a_pair(service: Running) -> None:
    spec = service.queued("whole", betas=[0, 0.9], learning_rate=1)["spec"]
    assert (spec["betas"], spec["learning_rate"]) == ([0.0, 0.9], 1.0)


def test_a_field_name_that_is_no_text_comes_back_without_harm(service: Running, is_problem: Check) -> None:
    body = b'{"type":"train","dataset":"a","model":"b","\\ud800":1}'
    is_problem(service.http.post("/v1/jobs", content=body, headers=JSON), 422)


def test_query_parameters_are_held_to_the_document(service: Running, is_problem: Check) -> None:
    is_problem(service.http.get("/v1/jobs?sort=name"), 422, "invalid_request", "sort")
    is_problem(service.http.get("/v1/jobs?limit=0"), 422, "invalid_request", "limit")
    is_problem(service.http.get("/v1/jobs?limit=101"), 422, "invalid_request", "limit")
    is_problem(service.http.get("/v1/jobs?status=canceled"), 422, "invalid_request", "status")
    is_problem(service.http.get("/v1/jobs?order=up"), 422, "invalid_request", "order")
    gone = is_problem(service.http.get("/v1/jobs?after=job_none"), 422, "invalid_request", "after")
    assert "was deleted, or there never was" in gone["detail"]
    assert "begin without after" in gone["detail"]
    is_problem(service.http.get("/v1/jobs?after=%00"), 422, "invalid_request", "after")
    is_problem(service.http.get("/livez?verbose=1"), 422, "invalid_request", "verbose")
    is_problem(service.http.get("/v1/jobs?limit=3&limit=4"), 422, "invalid_request", "limit")


@pytest.mark.parametrize("number", ["1_0", "%2B5", "05", "5.0", "%205", "-0", "٣"])
def test_a_whole_number_in_a_query_has_one_spelling(service: Running, is_problem: Check, number: str) -> None:
    is_problem(service.http.get(f"/v1/jobs?limit={number}"), 422, "invalid_request", "limit")


def test_what_a_caller_may_make_endless_is_not_said_back_whole(service: Running, is_problem: Check) -> None:
    is_problem(answer := service.http.get("/v1/jobs/" + "j" * 5000), 404, "not_found")
    assert len(answer.content) < 1000
    is_problem(answer := service.http.get("/" + "j" * 5000), 404, "not_found")
    assert len(answer.content) < 1000
    url = service.queued("endless")["urls"]["events"]
    is_problem(answer := service.http.get(url, headers={"Accept": "text/" + "x" * 20_000}), 406)
    assert len(answer.content) < 1000
    is_problem(answer := service.http.post("/v1/datasets", files={"x" * 1000: b""}), 422)
    assert len(answer.content) < 1000


@pytest.mark.parametrize("path", ["/v1/jobs/%00", "/v1/datasets/a%20b", "/v1/models/..%2fx", "/v1/jobs/" + "j" * 200])
def test_a_path_that_can_name_nothing_is_404(service: Running, is_problem: Check, path: str) -> None:
    is_problem(service.http.get(path), 404, "not_found")


def test_a_body_of_another_type_is_415(service: Running, is_problem: Check) -> None:
    problem = is_problem(service.http.post("/v1/jobs", content=b"type=train"), 415, "unsupported_media")
    assert "application/json" in problem["detail"]
    problem = is_problem(service.http.post("/v1/datasets", content=b"x", headers={"content-type": "text/plain"}), 415)
    assert "multipart/form-data" in problem["detail"]


def test_a_json_body_beyond_the_limit_is_413_whether_its_length_is_told_or_not(
    tmp_path: Any, is_problem: Check
) -> None:
    body = json.dumps(train(metadata={"k": "v" * 5000})).encode()
    with serving(settings_in(tmp_path, max_json_bytes=4096)) as running:
        for content in (body, iter([body[:100], body[100:]])):
            answer = running.http.post("/v1/jobs", content=content, headers=JSON)
            problem = is_problem(answer, 413, "limit_exceeded")
            assert "GANYMEDE_MAX_JSON_BYTES" in problem["detail"]
            assert "4096" in problem["detail"]


@pytest.mark.parametrize("path", ["jobs", "datasets"])
def test_a_body_that_stops_coming_is_answered_and_hung_up_on(
    service: Running, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(middleware, "IDLE_SECONDS", 0.2)
    kind = b"multipart/form-data; boundary=b" if path == "datasets" else b"application/json"
    head = b"POST /v1/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 500\r\n\r\n"
    address = httpx.URL(service.url)
    with socket.create_connection((address.host, address.port), timeout=10) as raw:
        raw.sendall(head % (path.encode(), kind) + b"--")
        answer = b"".join(iter(lambda: raw.recv(65_536), b""))
    assert b" 408 " in answer
    assert b'"code":"request_timeout"' in answer


@pytest.mark.parametrize("path", ["jobs", "samples", "scores", "projections", "datasets"])
def test_a_caller_who_hangs_up_in_the_middle_of_a_body_is_no_defect(
    service: Running, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    def counted() -> int:
        return service.http.get("/metrics").text.count(f'route="/v1/{path}",status="400"')

    head = b"POST /v1/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
    address = httpx.URL(service.url)
    with socket.create_connection((address.host, address.port), timeout=10) as raw:
        raw.sendall(head % path.encode())
    until = time.monotonic() + 20
    while not counted():
        assert time.monotonic() < until, service.http.get("/metrics").text
        time.sleep(0.05)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


def test_an_endless_body_is_cut_off(tmp_path: Any) -> None:
    with serving(settings_in(tmp_path, max_json_bytes=4096)) as running:
        address = httpx.URL(running.url)
        with socket.create_connection((address.host, address.port), timeout=10) as raw:
            raw.sendall(
                b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
            sent, answer = 0, b""
            raw.settimeout(0.05)
            while sent < 100_000_000 and not answer:
                try:
                    raw.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")
                    sent += 4096
                    answer = raw.recv(100_000)
                except TimeoutError:
                    continue
                except OSError:
                    break
        assert b" 413 " in answer
        assert sent < 1_000_000
