"""`/metrics` tells what the ledger knows; the docs have every word of it, and their examples know no other."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from service_kit import Running

from ledger.census import FAMILIES
from service.meters import Ledgered, Meters
from worker.meters import CHILDREN
from worker.meters import Meters as WorkerMeters

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "operations.md"


def lines(service: Running) -> list[str]:
    answer = service.http.get("/metrics")
    assert answer.status_code == 200
    return answer.text.splitlines()


def test_what_the_ledger_knows_is_told(service: Running) -> None:
    job = service.running("told")
    service.jobs.heartbeat(job.id, job.epoch, 60, {"images": 10, "images_per_second": 7.5})
    service.checkpoint(job, 10)
    service.workers.register("train", "cpu", host="here", pid=1, started=1.0)
    service.upload("waiting")
    found = lines(service)
    assert 'ganymede_jobs{queue="train",status="running"} 1.0' in found
    assert "ganymede_training_images_per_second 7.5" in found
    assert "ganymede_checkpoints 1.0" in found
    assert 'ganymede_checkpoint_bytes{part="state"} 9.0' in found
    assert 'ganymede_workers{queue="train"} 1.0' in found
    assert 'ganymede_workers{queue="light"} 0.0' in found
    assert any(line.startswith('ganymede_queue_oldest_seconds{queue="light"} ') for line in found)
    assert any(line.startswith("ganymede_storage_free_bytes ") for line in found)
    assert f"ganymede_events_total {float(service.jobs.newest_event())}" in found


def told_by_the_service() -> set[str]:
    families = [*Meters().registry.collect(), *Ledgered({}).collect()]
    ours = [family for family in families if family.name.startswith("ganymede_")]
    return {family.name + ("_total" if family.type == "counter" else "") for family in ours}


def told_by_workers() -> set[str]:
    ours = [family for family in WorkerMeters().registry.collect() if family.name.startswith("ganymede_")]
    return {family.name + ("_total" if family.type == "counter" else "") for family in ours} | {
        f"ganymede_worker_{name}" for name, *_ in CHILDREN
    }


def test_every_metric_stands_in_the_documentation_and_no_other(service: Running) -> None:
    served = {line.split()[2] for line in lines(service) if line.startswith("# TYPE ganymede_")}
    served = {name for name in served if not name.endswith("_created")}
    documented = set(re.findall(r"^\| `(ganymede_\w+)`", PAGE.read_text(), re.MULTILINE))
    assert served >= told_by_the_service()
    assert documented == served | told_by_workers()
    assert len(FAMILIES) == len({family.name for family in FAMILIES})


def test_the_examples_for_prometheus_are_valid_and_ask_for_metrics_that_there_are(service: Running) -> None:
    scraping: Any = yaml.safe_load((DOCS / "examples" / "prometheus.yml").read_text())
    alerts: Any = yaml.safe_load((DOCS / "examples" / "alerts.yml").read_text())
    assert scraping["rule_files"] == ["alerts.yml"]
    assert {job["job_name"] for job in scraping["scrape_configs"]} == {"ganymede", "ganymede-workers"}
    rules = [rule for group in alerts["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 5
    known = set(re.findall(r"`(ganymede_\w+)`", PAGE.read_text()))
    for rule in rules:
        assert rule["annotations"]["summary"]
        asked = set(re.findall(r"ganymede_\w+", rule["expr"]))
        assert asked
        assert {re.sub(r"_(count|sum|bucket)$", "", name) for name in asked} <= known, rule["alert"]
        if "for" in rule:
            assert re.fullmatch(r"\d+[smh]", rule["for"])


@pytest.mark.parametrize("rule", ["GanymedeNoWorker", "GanymedeQueueStuck", "GanymedeStorageFull"])
def test_what_must_not_be_missed_has_an_alert(rule: str) -> None:
    assert f"alert: {rule}" in (DOCS / "examples" / "alerts.yml").read_text()
