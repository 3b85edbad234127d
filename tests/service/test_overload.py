"""More sampling requests than may wait: refused at once, before their bodies are read, and counted."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sampling_kit import ask, publish, sampling_service
from seeded import network

from benchmarks.serving import conditions
from gan.errors import Unavailable

Check = Callable[..., dict[str, Any]]


@pytest.fixture
def service(tmp_path):
    with sampling_service(tmp_path) as running:
        publish(running, "digits", network("plain"))
        yield running


def test_a_full_line_refuses_before_a_body_is_read_and_says_when_to_come_back(
    service, is_problem: Check, monkeypatch
) -> None:
    assert ask(service, model="digits", seed=1).status_code == 200
    assert service.http.get("/v1/models/digits/images/1.png").status_code == 200
    monkeypatch.setattr(service.app.state.house.engine._batcher, "_max_waiting", -1)
    for path in ("samples", "interpolations", "scores"):
        broken = service.http.post(f"/v1/{path}", content=b"{", headers={"Content-Type": "application/json"})
        assert is_problem(broken, 503, "unavailable")["detail"].endswith("(max_waiting_requests)")
        assert int(broken.headers["retry-after"]) > 0
        assert broken.headers["x-request-id"]
    is_problem(service.http.get("/v1/models/digits/images/2.png"), 503, "unavailable")
    assert service.http.get("/v1/models/digits/images/1.png").status_code == 200, "what is kept needs no forward"
    assert service.http.get("/v1/models/digits").status_code == 200
    text = service.http.get("/metrics").text
    assert "ganymede_rejected_total 4.0" in text
    assert 'route="/v1/samples",status="503"' in text
    assert "unmatched" not in text


def test_where_there_is_room_nothing_is_refused(service) -> None:
    engine = service.app.state.house.engine
    engine.refuse_overload()
    assert engine._batcher.waiting == 0
    engine._batcher._max_waiting = -1
    with pytest.raises(Unavailable):
        engine.refuse_overload()


def test_the_benchmark_of_conditions_is_answered(service) -> None:
    """Its requests are written by hand, by a caller that does as little as can be."""
    publish(service, "dcgan", network("plain"))
    seen = asyncio.run(conditions.closed_loop(service.http.base_url.port, 2, 0.3))
    assert set(seen.statuses) == {200}
    assert len(seen.seconds) == seen.statuses[200]
    assert "a second" in seen.row()
    with pytest.raises(RuntimeError, match="403"):
        conditions.Seen(statuses=Counter({403: 2})).row()
