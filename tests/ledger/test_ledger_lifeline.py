"""The lifeline: a process ends when whoever holds its stdin is gone."""

import signal
import subprocess
import sys

import pytest

CHILD = """
import signal, sys, time
from ledger.lifeline import end_with_parent
end_with_parent()
print("ready", flush=True)
time.sleep(60)
"""
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdin=subprocess.PIPE)
time.sleep(60)
"""


def test_a_process_ends_when_its_stdin_closes() -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    child.stdin.write(b"what is said does not matter\n")
    child.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.2)
    child.stdin.close()
    assert child.wait(5) == -signal.SIGTERM
    child.stdout.close()


def test_a_process_ends_when_its_parent_is_killed() -> None:
    """However the parent ends, the kernel closes the pipe: the grandchild's stdout closes too."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    parent.kill()
    assert parent.communicate(timeout=5)[0] == b""
