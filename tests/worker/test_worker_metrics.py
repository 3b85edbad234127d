"""What a worker tells Prometheus: the docs have every word of it."""

import os
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers import Redis, free_port
from waiting import eventually
from worker_kit import ROOT, Bench, WorkerProcess

from gan.errors import Unavailable
from ledger.doorbell import Doorbell
from ledger.settings import Settings
from worker import meters as metering
from worker.devices import CPU, Device
from worker.meters import Meters, Slot, gpu_used, port_of, resident, serve
from worker.supervisor import answer_one

Start = Callable[..., WorkerProcess]


def value(meters: Meters, name: str, **labels: str) -> float:
    found = meters.registry.get_sample_value(f"ganymede_worker_{name}", labels)
    return 0.0 if found is None else found


@pytest.mark.parametrize(
    ("act", "spec", "outcome"),
    [("work", {}, "succeeded"), ("fail", {"with": "diverged"}, "failed"), ("kill", {}, "died")],
)
def test_a_job_is_counted_by_how_it_ended(bench: Bench, act: str, spec: dict[str, Any], outcome: str) -> None:
    bench.job(act, **spec)
    bench.answer()
    meters = bench.place.meters
    assert value(meters, "jobs_claimed_total", type="project") == 1
    assert value(meters, "jobs_ended_total", type="project", outcome=outcome) == 1
    assert value(meters, "claim_seconds_count") == 1
    assert meters.slots == []


def test_a_job_that_is_let_go_of_or_lost_is_counted_as_that(bench: Bench) -> None:
    job = bench.job("wait")
    thread = bench.answering()
    bench.child_pid(job)
    bench.jobs.resume(bench.jobs.pause(job.id)[0].id)  # taken from its holder
    thread.join(20)
    assert value(bench.place.meters, "jobs_ended_total", type="project", outcome="lost") == 1
    thread = bench.answering()
    eventually(lambda: bench.place.meters.slots)
    bench.place.stopping.set()
    thread.join(20)
    assert value(bench.place.meters, "jobs_ended_total", type="project", outcome="released") == 1


def test_a_running_child_shows_its_memory_and_its_rate(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(heartbeat_seconds=0.2)
    job = bench.job("steady")
    thread = bench.answering()
    pid = bench.child_pid(job)
    meters, labels = bench.place.meters, {"device": "cpu", "type": "project"}
    eventually(lambda: value(meters, "job_images_per_second", **labels) == 12.5 or None)
    assert value(meters, "job_images", **labels) == 50
    assert value(meters, "running", **labels) == 1
    assert value(meters, "child_memory_bytes", **labels) == pytest.approx(resident(pid), rel=0.5)
    assert value(meters, "child_memory_bytes", **labels) > 2**20
    assert meters.registry.get_sample_value("ganymede_worker_gpu_memory_bytes", labels) is None
    eventually(lambda: value(meters, "heartbeat_seconds_count") >= 2 or None)
    bench.jobs.cancel(job.id)
    thread.join(20)
    assert value(meters, "running", **labels) == 0


def test_a_database_that_is_away_is_counted_where_it_was_needed(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(heartbeat_seconds=0.2, lease_seconds=60)
    bench.ledger.closed = True
    with pytest.raises(Unavailable):
        answer_one(bench.place, CPU)
    bench.ledger.closed = False
    assert value(bench.place.meters, "claim_failures_total") == 1
    job = bench.job("wait")
    thread = bench.answering()
    bench.child_pid(job)
    bench.ledger.closed = True
    eventually(lambda: value(bench.place.meters, "heartbeat_failures_total") >= 1 or None)
    bench.ledger.closed = False
    bench.jobs.cancel(job.id)
    thread.join(20)
    assert bench.status(job) == "cancelled"


def test_bells_and_what_is_taken_up_without_one_are_counted(
    make_bench: Callable[..., Bench], start_worker: Start, tmp_path: Any
) -> None:
    redis = Redis(tmp_path)
    redis.start()
    port = free_port()
    try:
        bench = make_bench(broker_url=redis.url, reconcile_seconds=0.3, worker_metrics_port=port - 1)
        worker = start_worker(bench)
        one = bench.job("work")
        Doorbell(bench.settings).ring("light", one.id)
        eventually(lambda: bench.status(one) == "succeeded")
        eventually(lambda: scraped(port)["bells_heard_total"] >= 1 or None)
        redis.kill()
        two = bench.job("work")
        eventually(lambda: bench.status(two) == "succeeded")
        found = scraped(port)
        assert found["reconciled_total"] >= 1
        assert found["slots"] == 1
        assert worker.stop()[0] == 0
    finally:
        redis.kill()


def scraped(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = (sample for family in families for sample in family.samples)
    return {sample.name.removeprefix("ganymede_worker_"): sample.value for sample in samples}


def test_nothing_listens_unless_it_is_asked_for_and_the_queues_have_ports_of_their_own() -> None:
    off, on = Settings(), Settings(worker_metrics_port=9400)
    assert [port_of(off, queue) for queue in ("train", "light")] == [0, 0]
    assert [port_of(on, queue) for queue in ("train", "light")] == [9400, 9401]
    assert on.worker_metrics_host == "127.0.0.1"
    assert serve(Meters(), off, "train") == 0


def test_a_port_that_is_taken_costs_the_metrics_alone(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    settings = Settings(worker_metrics_port=port)
    assert serve(Meters(), settings, "train") == port
    assert serve(Meters(), settings, "train") == 0
    assert f"cannot listen on 127.0.0.1:{port}" in caplog.text


def test_what_is_not_known_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    assert resident(2**22 + 1) is None
    assert gpu_used(CPU) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_used(Device("GPU", "0")) is None
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 2048\n")
    os.chmod(tmp_path / "nvidia-smi", 0o755)
    assert gpu_used(Device("GPU", "0")) == 2048 << 20


def test_every_metric_of_a_worker_stands_in_the_documentation() -> None:
    meters = Meters()
    meters.slots.append(Slot(CPU, "train", os.getpid()))
    families = [family for family in meters.registry.collect() if family.name.startswith("ganymede_")]
    names = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    assert len(names) >= 8 + len(metering.CHILDREN)
    page = (ROOT / "docs" / "operations.md").read_text()
    assert sorted(name for name in names if f"| `{name}`" not in page) == []
