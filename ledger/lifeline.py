"""A process's lifeline to the one that started it: when the other end of its stdin closes, it ends itself."""

import os
import signal
import sys
import threading


def end_with_parent() -> threading.Thread:
    """Read stdin to its end in a daemon thread, then send this process SIGTERM.

    For children whose stdin is a pipe that their parent holds open: the kernel closes it however the parent ends.
    """
    thread = threading.Thread(target=_wait, args=(sys.stdin.fileno(),), name="lifeline", daemon=True)
    thread.start()
    return thread


def _wait(descriptor: int) -> None:
    while os.read(descriptor, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
