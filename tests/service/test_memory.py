"""Generators in memory: loaded before they are asked for, kept, let go, and gone with their model."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sampling_kit import ask, publish, sampling_service
from seeded import network
from service_kit import Running

Check = Callable[..., dict[str, Any]]


@pytest.fixture
def service(tmp_path: Any) -> Iterator[Running]:
    with sampling_service(tmp_path) as running:
        publish(running, "pets", network("plain"))
        publish(running, "faces", network("dcgan"))
        yield running


def put(service: Running, model: str, **body: Any) -> Any:
    return service.http.put(f"/v1/models/{model}/memory", json=body)


def loads(service: Running) -> float:
    text = service.http.get("/metrics").text
    (line,) = [line for line in text.splitlines() if line.startswith("ganymede_load_seconds_count")]
    return float(line.split()[1])


def test_a_model_is_loaded_before_it_is_asked_for_and_then_draws_without_loading(service: Running) -> None:
    before = service.http.get("/v1/models/pets/memory").json()
    assert (before["loaded"], before["bytes"], before["kept"]) == (False, 0, False)
    there = put(service, "pets@1000").json()
    assert there == {**before, "loaded": True, "bytes": there["bytes"]}
    assert there["bytes"] > 0
    assert service.http.get("/v1/models/pets").json()["loaded"] is True
    count = loads(service)
    assert ask(service, model="pets", seed=1).status_code == 200
    assert loads(service) == count


def test_what_is_kept_stays_where_the_rest_makes_room(service: Running) -> None:
    kept = put(service, "pets", kept=True).json()
    assert kept["kept"] is True
    service.app.state.house.engine._cache._max_bytes = 1  # type: ignore[attr-defined]
    assert ask(service, model="faces", seed=1).status_code == 200
    assert service.http.get("/v1/models/faces/memory").json()["loaded"] is False
    assert service.http.get("/v1/models/pets/memory").json() == kept
    assert put(service, "pets", kept=False).json()["kept"] is False
    assert service.http.get("/v1/models/pets/memory").json()["loaded"] is False


def test_no_more_is_kept_than_half_of_the_bound(service: Running, is_problem: Check) -> None:
    size = put(service, "pets").json()["bytes"]
    service.app.state.house.engine._cache._max_bytes = 2 * size  # type: ignore[attr-defined]
    assert put(service, "pets", kept=True).status_code == 200
    problem = is_problem(put(service, "faces", kept=True), 413)
    assert "GANYMEDE_MAX_LOADED_BYTES" in problem["detail"]
    assert service.http.get("/v1/models/faces/memory").json()["kept"] is False


def test_what_is_let_go_leaves_and_comes_again_when_asked(service: Running) -> None:
    put(service, "pets", kept=True)
    for _ in range(2):
        assert service.http.delete("/v1/models/pets/memory").status_code == 204
    assert service.http.get("/v1/models/pets/memory").json()["loaded"] is False
    assert ask(service, model="pets", seed=1).status_code == 200
    assert service.http.get("/v1/models/pets/memory").json()["loaded"] is True
    assert service.http.delete("/v1/models/ckpt_gone/memory").status_code == 204


def test_a_deleted_model_leaves_memory(service: Running) -> None:
    put(service, "pets", kept=True)
    engine = service.app.state.house.engine  # type: ignore[attr-defined]
    assert len(engine._cache) == 1
    assert service.http.delete("/v1/models/pets").status_code == 204
    assert len(engine._cache) == 0


def test_bad_wishes_are_named(service: Running, is_problem: Check) -> None:
    is_problem(put(service, "nobody"), 404)
    is_problem(put(service, "pets", kept="often"), 422, param="kept")
    is_problem(put(service, "pets", pinned=True), 422, param="pinned")
    is_problem(service.http.get("/v1/models/nobody/memory"), 404)
    is_problem(service.http.delete("/v1/models/nobody/memory"), 404)
