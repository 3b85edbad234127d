"""The service as a process: it starts or says in one line why not, and it ends in time."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers import closed_port, free_port
from service_kit import settings_in

from ledger.database import Ledger
from ledger.datasets import Datasets
from service.__main__ import check_doors, loopback, main

ROOT = Path(__file__).parents[2]


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GANYMEDE_")}
    return kept | {"GANYMEDE_DATA": str(folder), "GANYMEDE_SERVICE_DEVICE": "cpu", **more}


def command(port: int, *more: str) -> list[str]:
    return [sys.executable, "-m", "service", "--port", str(port), *more]


def refused(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str, **more: str
) -> str:
    """What the service says on stderr when it will not start."""
    for name, value in environment(folder, **more).items():
        monkeypatch.setenv(name, value)
    assert main(["--port", "0", *arguments]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def migrated(folder: Path) -> Ledger:
    ledger = Ledger(settings_in(folder).database_url)
    ledger.migrate()
    return ledger


@contextmanager
def process(
    folder: Path, *more: str, settings: Mapping[str, str] | None = None, **options: Any
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A service that answers `/readyz`, and its address; killed if it is still there in the end."""
    migrated(folder).close()
    port = free_port()
    child = subprocess.Popen(command(port, *more), env=environment(folder, **(settings or {})), cwd=ROOT, **options)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not answers(url):
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield child, url
    finally:
        child.kill()
        child.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1"])
def test_beyond_loopback_it_starts_only_where_keys_are_required(tmp_path, capsys, monkeypatch, host: str) -> None:
    migrated(tmp_path).close()
    said = refused(tmp_path, capsys, monkeypatch, "--host", host)
    assert "GANYMEDE_API_KEYS_REQUIRED=true" in said
    assert "ganymede keys create" in said


def test_a_host_that_nobody_knows_is_named(tmp_path, capsys, monkeypatch) -> None:
    assert "no.such.host.invalid" in refused(tmp_path, capsys, monkeypatch, "--host", "no.such.host.invalid")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_is_what_this_machine_alone_can_reach(host: str) -> None:
    assert loopback(host)
    assert not loopback("0.0.0.0")


def test_with_keys_required_it_may_listen_anywhere(tmp_path: Path) -> None:
    required = settings_in(tmp_path, api_keys_required=True)
    check_doors(required, "0.0.0.0")


def test_without_a_ledger_it_says_what_to_run(tmp_path: Path) -> None:
    ended = subprocess.run(
        command(0), check=False, env=environment(tmp_path), cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert "ganymede migrate" in ended.stderr


def test_a_ledger_of_another_version_is_refused(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    migrated(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'zzzz'")
    said = refused(tmp_path, capsys, monkeypatch)
    assert "zzzz" in said
    assert "use the newer Ganymede" in said


def test_a_database_that_cannot_be_reached_is_named(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    with closed_port() as port:
        url = f"postgresql://nobody@127.0.0.1:{port}/none"
        assert "database cannot be reached" in refused(tmp_path, capsys, monkeypatch, GANYMEDE_DATABASE_URL=url)


@pytest.mark.parametrize(("name", "value"), [("MAX_JSON_BYTES", "lots"), ("DATABASE_URL", "mysql://x")])
def test_a_setting_that_makes_no_sense_is_named(
    tmp_path: Path, capsys: Any, monkeypatch: Any, name: str, value: str
) -> None:
    assert f"GANYMEDE_{name}" in refused(tmp_path, capsys, monkeypatch, **{f"GANYMEDE_{name}": value})


@pytest.mark.parametrize("url", ["postgresql//me:hunter2@db/x", "postgresql://me:hunt@er2:hunter2/x@db/x"])
def test_a_malformed_database_url_is_refused_without_its_password(
    tmp_path: Path, capsys: Any, monkeypatch: Any, url: str
) -> None:
    said = refused(tmp_path, capsys, monkeypatch, GANYMEDE_DATABASE_URL=url)
    assert "GANYMEDE_DATABASE_URL" in said
    assert "hunter2" not in said


def test_a_signal_ends_it_in_order_although_somebody_waits(tmp_path: Path) -> None:
    with process(tmp_path) as (child, url):
        ledger = Ledger(settings_in(tmp_path).database_url)
        job = Datasets(ledger).create("d", {"kind": "upload", "path": "uploads/x/upload.zip"}).job_id
        ledger.close()
        found: list[httpx.Response] = []
        client = httpx.Client(base_url=url, timeout=70)
        assert client.get(f"/v1/jobs/{job}").status_code == 200
        wait = {"Prefer": "wait=60"}
        poll = threading.Thread(target=lambda: found.append(client.get(f"/v1/jobs/{job}", headers=wait)))
        poll.start()
        time.sleep(1)
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
        poll.join(30)
        client.close()
        assert found[0].status_code == 200
        assert found[0].json()["status"] == "queued"


def test_a_signal_ends_it_in_order_although_somebody_watches(tmp_path: Path) -> None:
    with process(tmp_path, stderr=subprocess.PIPE) as (child, url):
        ledger = Ledger(settings_in(tmp_path).database_url)
        job = Datasets(ledger).create("d", {"kind": "upload", "path": "uploads/x/upload.zip"}).job_id
        ledger.close()
        accept = {"Accept": "text/event-stream"}
        with httpx.Client(base_url=url, timeout=70) as client:
            with client.stream("GET", f"/v1/jobs/{job}/events", headers=accept) as answer:
                lines = answer.iter_lines()
                assert "event: job.queued" in lines
                child.send_signal(signal.SIGTERM)
                assert list(lines)[-1] == ""
            _, said = child.communicate(timeout=10)
        assert child.returncode == 0
        assert b"ERROR" not in said


@pytest.mark.parametrize("level", ["info", "debug"])
def test_its_log_is_a_json_object_a_line_and_shows_no_secret(tmp_path: Path, level: str) -> None:
    password, secret = "of-the-broker", "hunter2-Zx"
    settings = {"GANYMEDE_LOG_FORMAT": "json", "GANYMEDE_LOG_LEVEL": level}
    settings["GANYMEDE_BROKER_URL"] = f"redis://:{password}@127.0.0.1:1/0"
    with (tmp_path / "log").open("wb") as log, process(tmp_path, settings=settings, stderr=log) as (child, url):
        headers = {"Authorization": f"Bearer {secret}", "Cookie": f"session={secret}", "X-Request-Id": "req-1"}
        httpx.post(f"{url}/v1/jobs/{secret}/cancel?key={secret}", headers=headers)
        file = ("points.csv", f"x,y\n1,2\n{secret},4\n")
        sent = httpx.post(f"{url}/v1/datasets", headers=headers, data={"name": "d"}, files={"file": file})
        assert sent.status_code == 202
        child.terminate()
        assert child.wait(10) == 0
    text = (tmp_path / "log").read_text()
    assert secret not in text
    assert password not in text
    lines = [json.loads(line) for line in text.splitlines()]
    requests = [
        (line["route"], line["status"]) for line in lines if line.get("request_id") == "req-1" and "route" in line
    ]
    assert requests == [("/v1/jobs/{job}/cancel", "422"), ("/v1/datasets", "202")]
    assert {"uvicorn.error", "ganymede.requests", "ganymede.doorbell"} <= {line["logger"] for line in lines}


def test_it_ends_when_its_stdin_closes(tmp_path: Path) -> None:
    with process(tmp_path, "--until-stdin-closes", stdin=subprocess.PIPE) as (child, _):
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(10) == 0


def test_a_port_that_is_taken_is_one_line_and_status_1(tmp_path: Path) -> None:
    migrated(tmp_path).close()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            command(port), env=environment(tmp_path), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr == f"ganymede service: cannot listen on 127.0.0.1:{port}: Address already in use\n"
