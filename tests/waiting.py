"""Waiting for what other processes and threads do."""

import time
from collections.abc import Callable
from typing import TypeVar

import psutil

T = TypeVar("T")


def eventually(find: Callable[[], T | None], seconds: float = 30.0, pause: float = 0.02) -> T:
    """The first thing found that is neither None nor False, zero or empty. AssertionError after `seconds`."""
    until = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(pause)
    return found


def gone(pid: int) -> bool:
    """Whether a process has ended (or is but a zombie)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
