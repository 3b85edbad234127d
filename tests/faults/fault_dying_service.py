"""A service that is killed at one moment: `python fault_dying_service.py MOMENT …` goes on as `python -m service …`."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from ledger.datasets import Datasets
from ledger.doorbell import Doorbell
from service.__main__ import main

MOMENTS: dict[str, tuple[type, str]] = {
    "before the bell": (Doorbell, "ring"),
    "before the commit": (Datasets, "create"),
}
"""Moment → the call that it comes in place of: the service is killed as if it had been on its way there."""


def killed(*_arguments: Any, **_options: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_at(moment: str, kill: Callable[..., None] = killed) -> None:
    owner, name = MOMENTS[moment]
    setattr(owner, name, kill)


if __name__ == "__main__":
    dying_at(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
