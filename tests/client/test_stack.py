"""The embedded stack as a supervisor: children that die, hang or never were, with real processes in their place."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ganymede import stack
from ganymede.errors import StackError
from ganymede.stack import (
    GRACE_SECONDS,
    Child,
    Ending,
    await_ready,
    end,
    hold,
    look_after,
    migrate,
    port_to_listen,
    prepare_logs,
)

MODULES = {
    "steady": "import sys; print('steady', flush=True); sys.stdin.read()",
    "dies": "print('it hurts', flush=True); raise SystemExit(3)",
    "stubborn": """
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        grandchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
        print(grandchild.pid, flush=True)
        time.sleep(60)
    """,
}


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Child]]:
    monkeypatch.setattr(stack, "LOOK_SECONDS", 0.01)
    made: list[Child] = []
    for name, source in MODULES.items():
        lines = source.strip().split("\n")
        (tmp_path / f"{name}.py").write_text("\n".join(line.removeprefix(" " * 8) for line in lines) + "\n")

    def make(name: str) -> Child:
        made.append(Child(name, (name,), {**os.environ, "PYTHONPATH": str(tmp_path)}, tmp_path / f"{name}.log"))
        return made[-1]

    yield make
    for one in made:
        one.signal(signal.SIGKILL)
        one.close()


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_that_dies_is_started_again_after_growing_pauses(
    child: Callable[[str], Child], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stack, "BACKOFF_SECONDS", (0.05, 0.1))
    dying, ending = child("dies"), Ending()
    dying.start()
    threading.Thread(target=lambda: (until(lambda: dying.deaths >= 3), ending.asked.set())).start()
    look_after([dying], ending)
    said = capsys.readouterr().err.splitlines()
    assert [line.partition("starting it again in ")[2][:4] for line in said[:3]] == ["0.05", "0.1 ", "0.1 "]
    assert all("dies ended with status 3: it hurts" in line and str(dying.log) in line for line in said[:3])


def test_a_child_ends_when_the_process_above_it_is_gone(child: Callable[[str], Child]) -> None:
    steady = child("steady")
    steady.start()
    until(lambda: steady.last_words() == "steady")
    assert steady.ended() is None
    assert steady.process is not None
    assert steady.process.stdin is not None
    steady.process.stdin.close()
    until(lambda: steady.ended() == 0)


def test_a_stubborn_child_is_killed_with_its_whole_group(
    child: Callable[[str], Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "GRACE_SECONDS", 0.2)
    stubborn = child("stubborn")
    stubborn.start()
    until(lambda: stubborn.last_words().isdecimal())
    end([stubborn], Ending())
    until(lambda: stubborn.ended() == 128 + signal.SIGKILL)
    until(lambda: not alive(int(stubborn.last_words())))


def test_a_second_signal_does_not_wait(child: Callable[[str], Child]) -> None:
    stubborn, ending = child("stubborn"), Ending()
    stubborn.start()
    until(lambda: stubborn.last_words().isdecimal())
    ending.on_signal(signal.SIGINT, None)
    assert (ending.asked.is_set(), ending.hurry.is_set()) == (True, False)
    ending.on_signal(signal.SIGINT, None)
    started = time.monotonic()
    end([stubborn], ending)
    assert time.monotonic() - started < GRACE_SECONDS
    until(lambda: stubborn.ended() is not None)


def test_a_service_that_cannot_start_is_said_with_its_last_words(child: Callable[[str], Child]) -> None:
    service = child("dies")
    service.start()
    with pytest.raises(StackError, match="the service could not start: it hurts") as caught:
        await_ready([service], "http://127.0.0.1:9", Ending())
    assert caught.value.exit_code == 3


def test_a_migration_that_fails_is_said_with_its_last_words(child: Callable[[str], Child]) -> None:
    with pytest.raises(StackError, match="up to date: it hurts") as caught:
        migrate(child("dies"), Ending())
    assert caught.value.exit_code == 3


def test_a_data_folder_serves_one_stack_at_a_time(tmp_path: Path) -> None:
    with hold(tmp_path / "data"), pytest.raises(StackError, match="in use by another"), hold(tmp_path / "data"):
        pass
    with hold(tmp_path / "data"):
        pass


def test_a_port_in_use_is_said_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=f"127.0.0.1:{port}: Address already in use; give another --port"):
            port_to_listen("127.0.0.1", port)
    assert port_to_listen("127.0.0.1", 0) > 0
    with pytest.raises(StackError, match="cannot listen at"):
        port_to_listen("host.invalid", 8000)


def test_a_large_log_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "LOG_BYTES", 3)
    logs = prepare_logs(tmp_path)
    (logs / "service.log").write_text("long")
    (logs / "worker-train.log").write_text("ok")
    prepare_logs(tmp_path)
    assert sorted(path.name for path in logs.iterdir()) == ["service.log.1", "worker-train.log"]
