"""`/metrics`: what a Prometheus server reads."""

import time

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sampling_kit import ask, publish, sampling_service
from seeded import network
from waiting import eventually

from gan.errors import Unavailable
from service.engine.batcher import Batcher
from service.meters import Meters

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def service(tmp_path):
    with sampling_service(tmp_path) as running:
        publish(running, "digits", network("plain"))
        yield running


def scraped(running) -> Samples:
    """(name, labels) → value."""
    answer = running.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def of(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"ganymede_{name}", tuple(sorted(labels.items()))]


def test_batches_seconds_and_networks_are_counted(service) -> None:
    before = scraped(service)
    assert of(before, "loaded_networks") == of(before, "batch_rows_count") == 0
    assert ask(service, model="digits", seed=0, count=20).status_code == 200
    after = scraped(service)
    assert of(after, "batch_rows_sum") == 20
    assert of(after, "batch_rows_count") == of(after, "forward_seconds_count") == of(after, "load_seconds_count") == 1
    assert of(after, "encode_seconds_count") == of(after, "queue_seconds_count") == 1
    assert of(after, "forward_seconds_sum") > 0
    assert of(after, "loaded_networks") == 1
    assert of(after, "loaded_bytes") > 1000
    assert of(after, "waiting_requests") == 0
    assert of(after, "evicted_networks_total") == 0


def test_requests_are_counted_by_route_and_status_and_jobs_by_queue_and_status(service) -> None:
    service.upload("d")
    service.http.get("/v1/models/nobody")
    service.http.get("/v1/nothing/here")
    service.http.head("/v1/models/digits")
    found = scraped(service)
    counted = "http_request_seconds_count"
    assert of(found, counted, method="POST", route="/v1/datasets", status="202") == 1
    assert of(found, counted, method="GET", route="/v1/models/{model}", status="404") == 1
    assert of(found, counted, method="GET", route="unmatched", status="404") == 1
    assert of(found, counted, method="HEAD", route="/v1/models/{model}", status="200") == 1
    assert of(found, "jobs", queue="light", status="queued") == 1


def test_a_write_that_is_answered_as_before_is_counted_with_its_route(service) -> None:
    for _ in range(3):
        sent = {"data": {"name": "once"}, "files": {"file": ("points.csv", b"x,y\n1,2\n3,4\n")}}
        answer = service.http.post("/v1/datasets", **sent, headers={"Idempotency-Key": "once"})
    assert answer.headers["idempotency-replayed"] == "true"
    found = scraped(service)
    assert of(found, "http_request_seconds_count", method="POST", route="/v1/datasets", status="202") == 3


def test_a_stream_is_counted_by_when_it_began_and_not_by_how_long_somebody_listened(service) -> None:
    with service.http.stream("GET", "/v1/events", headers={"Accept": "text/event-stream"}) as answer:
        lines = answer.iter_lines()
        next(lines)
        time.sleep(1.2)
    labels = {"method": "GET", "route": "/v1/events", "status": "200"}
    sample = ("ganymede_http_request_seconds_count", tuple(sorted(labels.items())))
    found = eventually(lambda: one if sample in (one := scraped(service)) else None)
    assert of(found, "http_request_seconds_count", **labels) == 1
    assert of(found, "http_request_seconds_sum", **labels) < 1


def test_what_is_refused_is_counted_and_one_application_does_not_count_for_another() -> None:
    meters, others = Meters(), Meters()
    batcher = Batcher(lambda loaded, z, c: z, 1, meters)
    row = np.zeros((1, 2), dtype=np.float32)
    batcher.submit(None, row, None)
    with pytest.raises(Unavailable):
        batcher.submit(None, row, None)
    assert b"ganymede_rejected_total 1.0" in meters.text(None)
    assert b"ganymede_rejected_total 0.0" in others.text(None)
