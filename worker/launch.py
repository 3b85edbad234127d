"""A job's child process as its supervisor holds it: started, spoken to, heard, ended."""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from worker.devices import Device
from worker.protocol import Assignment, FromChild, Lease, Report, Stop
from worker.relay import relayed

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
REAP_SECONDS = 5.0
"""How long a child that closed its report pipe may take to exit."""

RELAY_SECONDS = 1.0
"""How long its last words may take to reach the log: something else may hold its end of the pipe."""

READ_BYTES = 1 << 16


def environment(device: Device, threads: int) -> dict[str, str]:
    """The child's environment: without Ganymede's settings (and secrets), with its device and thread counts set.

    Both must stand before the child imports torch.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GANYMEDE_")}
    devices = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": device.visible}
    return inherited | devices | dict.fromkeys(THREAD_VARIABLES, str(threads))


class Child:
    """A running child; leaving the `with` block kills it if it still runs."""

    def __init__(self, env: dict[str, str], jobs: str | None = None) -> None:
        """Start it. `jobs` names a module with another job table. Raises OSError where the machine cannot.

        What it writes is logged under what the caller's context says.
        """
        self._reports, report = os.pipe()
        command = [sys.executable, "-m", "worker.child", str(report), *(["--jobs", jobs] if jobs else [])]
        try:
            # its own process group, so that a terminal's Ctrl-C reaches the worker alone
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=env,
                pass_fds=(report,),
                process_group=0,
            )
        except OSError:
            os.close(self._reports)
            raise
        finally:
            os.close(report)
        self._poll = select.poll()
        self._poll.register(self._reports, select.POLLIN)
        self._buffer = b""
        self._closed_at: float | None = None
        assert self._process.stdout is not None
        self._relay = relayed(self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.kill()
        self._process.wait()
        self._relay.join(RELAY_SECONDS)
        self._close_reports()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    @property
    def pid(self) -> int:
        """Also the number of its process group."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has exited and every report was read."""
        return self._closed_at is not None and self._process.poll() is not None

    def how(self) -> str:
        """How it ended, in words."""
        status = self.status
        if status is None or status >= 0:
            return f"exit status {status}"
        hint = "; the kernel does so where memory runs out" if -status == signal.SIGKILL else ""
        return f"killed by signal {-status} ({signal.Signals(-status).name}{hint})"

    @property
    def status(self) -> int | None:
        """Exit status, negative for the signal that killed it; None while it runs."""
        return self._process.poll()

    def tell(self, order: Assignment | Lease | Stop) -> None:
        """Send an order; one that is ending already does not hear it."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(order.model_dump_json().encode() + b"\n")
            self._process.stdin.flush()

    def reports(self, seconds: float) -> list[Report]:
        """What it said since, waiting up to `seconds` for a first word."""
        if self._closed_at is not None:
            self._reap(seconds, self._closed_at)
            return []
        if self._poll.poll(seconds * 1000):
            data = os.read(self._reports, READ_BYTES)
            self._buffer += data
            if not data:
                self._close_reports()
        *lines, self._buffer = self._buffer.split(b"\n")
        return [FromChild.validate_json(line) for line in lines]

    def kill(self) -> None:
        """SIGKILL its process group, if it still runs; jobs start no processes that could outlive it."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)

    def _reap(self, seconds: float, closed_at: float) -> None:
        """It closed its pipe: wait for its exit, and do not wait for ever."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        if time.monotonic() - closed_at > REAP_SECONDS:
            self.kill()

    def _close_reports(self) -> None:
        if self._closed_at is None:
            self._closed_at = time.monotonic()
            self._poll.unregister(self._reports)
            os.close(self._reports)
