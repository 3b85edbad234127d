"""The OpenAPI document is complete: every route says what it takes, what it answers, and how it fails."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from pathlib import Path
from typing import Any

import pytest
from service_kit import Running, settings_in

from service import openapi
from service.app import create_app
from service.openapi import Application

METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    app = create_app(settings_in(tmp_path_factory.mktemp("data")))
    assert isinstance(app, Application)
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS & set(item):
            yield f"{method.upper()} {path}", item[method]


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def test_nobody_sees_it_before_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service makes it in a thread as it starts: who asked meanwhile was given one without bodies."""
    app, guard = create_app(settings_in(tmp_path)), openapi.guard
    inside, go_on = threading.Event(), threading.Event()

    def slow(document: dict[str, Any], required: bool) -> None:
        inside.set()
        assert go_on.wait(30)
        guard(document, required)

    monkeypatch.setattr(openapi, "guard", slow)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(app.openapi)
        assert inside.wait(30)
        second = threads.submit(app.openapi)
        with pytest.raises(StillWaiting):
            second.result(0.5)
        go_on.set()
        assert second.result(30) is first.result(30)
        assert "securitySchemes" in second.result()["components"]


def test_every_route_has_a_summary_a_description_a_tag_and_an_id_of_its_own(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids)) > 15
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name


def test_every_error_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        answers = operation["responses"]
        errors = {status for status in answers if not status.startswith(("2", "3"))}
        assert {"422", "503", "default"} <= errors, name
        if "{" in name:
            assert "404" in errors, name
        for status in errors - ({"503"} if name == "GET /readyz" else set()):
            content = answers[status]["content"]
            assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}, name
    assert {"detail", "code", "param", "errors"} <= set(document["components"]["schemas"]["Problem"]["properties"])
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if kind != "multipart/form-data":
                assert "example" in content or "examples" in content, f"{name} {kind}"


def test_every_json_answer_is_a_model_with_an_example(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            content = answer.get("content", {}).get("application/json")
            if content is None or not status.startswith("2"):
                continue
            schema = resolved(document, content.get("schema", {}))
            assert schema.get("properties") or "example" in content or "examples" in content, f"{name} {status}"


def test_every_link_leads_to_a_call_by_what_it_asks_for_and_the_answer_has(document: dict[str, Any]) -> None:
    calls = {operation["operationId"]: operation for _, operation in operations(document)}
    linked = set()
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            for link in answer.get("links", {}).values():
                linked.add(link["operationId"])
                asked = {one["name"] for one in calls[link["operationId"]].get("parameters", ())}
                assert set(link.get("parameters", {})) <= asked, name
                schema = resolved(document, answer["content"]["application/json"]["schema"])
                for place in expressions(link):
                    assert place.split("/")[1] in schema["properties"], f"{name} {status} {place}"
    named = {
        operation["operationId"] for name, operation in operations(document) if re.search("{(job|dataset|model)}", name)
    }
    assert named - {"get_image", "get_dataset_image", "change_checkpoint", "download_checkpoint"} <= linked
    assert {"change_checkpoint", "download_checkpoint", "create_samples", "create_interpolation"} <= linked


def expressions(link: dict[str, Any]) -> Iterator[str]:
    """The places in the answer that a link speaks of."""
    for value in [*link.get("parameters", {}).values(), *link.get("requestBody", {}).values()]:
        if isinstance(value, str):
            yield value.removeprefix("$response.body#")


def test_every_reference_in_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            for inner in value.values():
                yield from references(inner)
        if isinstance(value, list):
            for inner in value:
                yield from references(inner)

    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known


@pytest.mark.parametrize("example", ["short", "budget"])
def test_the_examples_of_a_training_are_accepted(service: Running, document: dict[str, Any], example: str) -> None:
    service.images(f"digits-{example}")
    examples = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    body = examples[example]["value"] | {"dataset": f"digits-{example}"}
    assert service.http.post("/v1/jobs", json=body).status_code == 202


def test_the_document_and_its_page_are_served(service: Running) -> None:
    assert service.http.get("/openapi.json").json()["info"]["title"] == "Ganymede"
    page = service.http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    files = re.findall(r'(?:href|src)="([^"]*)"', page.text)
    assert {file.rpartition("/")[2] for file in files} >= {"swagger-ui.css", "swagger-ui-bundle.js", "start.js"}
    for file in files:
        assert file.startswith("/"), "nothing comes from elsewhere"
        assert service.http.get(file).status_code == 200
    assert 'url: "/openapi.json"' in service.http.get("/docs/start.js").text
    assert not re.search(r"<script>|<style|style=|onload=", page.text), "nothing is inline"


def test_every_address_that_can_be_read_answers_its_headers_alone(service: Running, document: dict[str, Any]) -> None:
    job = service.running("headed")
    service.checkpoint(job, 10)
    service.preview(job, 10, 0)
    names = {"dataset": "images", "index": "0", "model": "headed", "job": job.id, "checkpoint": "10"}
    names |= {"seed": "x", "extension": "png"}
    for path in [path for path, item in document["paths"].items() if "get" in item]:
        assert "head" not in document["paths"][path], path
        got, headed = (service.http.request(method, path.format(**names)) for method in ("GET", "HEAD"))
        assert (headed.status_code, headed.content) == (got.status_code, b""), path
        lengths = () if path == "/metrics" else ("content-length",)  # it counts the very requests that ask for it
        for name in ("content-type", "etag", *lengths):
            assert headed.headers.get(name) == got.headers.get(name), f"{path} {name}"
