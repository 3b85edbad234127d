"""Fixtures of the service's tests."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from service_kit import Running, serving, settings_in


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for a module's tests."""
    imports = tmp_path_factory.mktemp("imports")
    with serving(settings_in(tmp_path_factory.mktemp("data"), import_dir=imports)) as running:
        yield running


@pytest.fixture
def service(house: Running) -> Running:
    """The module's service, with empty queues."""
    house.quiet()
    return house


@pytest.fixture
def is_problem() -> Callable[..., dict[str, Any]]:
    """Checks that an answer is a complete problem document of that status, and returns it."""

    def check(answer: httpx.Response, status: int, code: str | None = None, param: str | None = None) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        problem = json.loads(answer.content)
        members = {"type", "title", "status", "detail", "code", "param", "errors", "request_id"}
        assert set(problem) == members
        assert problem["status"] == status
        assert problem["detail"]
        assert problem["request_id"] == answer.headers["x-request-id"]
        assert "Traceback" not in answer.text
        assert code in (None, problem["code"])
        assert param in (None, problem["param"])
        return dict(problem)

    return check
