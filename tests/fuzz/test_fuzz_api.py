"""Whatever is asked of the service, the answer is as its OpenAPI document says, and never a server error."""

import os
from collections.abc import Iterator

import pytest
from api_kit import Fuzz, furnished
from service_kit import Running

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "10000"))
"""Of the long form."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with furnished(tmp_path_factory.mktemp("fuzz")) as service:
        yield service


def test_calls_and_walks_along_the_links_are_answered_as_documented(running: Running) -> None:
    fuzz = Fuzz(running)
    fuzz.every_call(1)
    fuzz.broken_bodies()
    fuzz.uploads(20)
    fuzz.walks(steps=10)
    assert not fuzz.findings, fuzz.report()
    assert set(fuzz.by_call) == {found.ok().label for found in fuzz.schema.get_all_operations()}
    assert {200, 201, 202, 400, 404, 409, 415, 422} <= set(fuzz.statuses)


@pytest.mark.fuzz_long
@pytest.mark.timeout(7200)
def test_thousands_of_requests_are_answered_as_documented(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    fuzz = Fuzz(running, number=1)
    fuzz.until(REQUESTS, examples=10, steps=12)
    with capsys.disabled():
        print(f"\n{fuzz.report()}")  # noqa: T201  # what the documentation quotes
    assert not fuzz.findings
