"""The process of one job: `python -m worker.child REPORT_FD`, its orders on stdin, its reports on that descriptor.

It owns a process group, and ends with its supervisor. What is here it does first: nobody reads the control pipe while
it loads the rest, `worker.attempt`, which takes half a second, and several on a busy machine.
"""

import ctypes
import importlib
import os
import select
import signal
import sys
from contextlib import suppress
from typing import NoReturn

ABANDONED = 74
"""Exit status of a child whose supervisor is gone (EX_IOERR)."""

PR_SET_PDEATHSIG = 1
"""Linux's prctl(2): the signal that this process gets when the thread that started it ends."""


def main() -> NoReturn:
    """End with the supervisor from now on, take signals from nobody else, and work."""
    for ignored in (signal.SIGINT, signal.SIGTERM):  # meant for the worker
        signal.signal(ignored, signal.SIG_IGN)
    end_with_supervisor(sys.stdin.fileno())
    importlib.import_module("worker.attempt").main()
    raise AssertionError("an attempt ends its process")


def end_with_supervisor(orders: int) -> None:
    """Have the kernel end this process with its supervisor's thread, whatever it is about. Ends it where the supervisor
    is gone already.

    The control pipe, `orders`, says it too, but nobody reads it while a library is loaded or native code holds the
    interpreter.
    """
    with suppress(OSError, AttributeError):  # another kernel: the pipe has to do
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    pipe = select.poll()
    pipe.register(orders, 0)  # its other end's closing is told in any case
    if pipe.poll(0):
        leave(ABANDONED, "the supervisor is gone")


def leave(status: int, reason: str) -> NoReturn:
    """End the process at once, with a last word."""
    with suppress(OSError):  # who reads it may be gone, or stopped: the end waits for nobody
        if select.select([], [2], [], 0)[1]:
            os.write(2, f"child {os.getpid()} ends: {reason}\n".encode())
    os._exit(status)


if __name__ == "__main__":
    main()
