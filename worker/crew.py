"""The job slots of a worker process, whoever fills them: a Celery task that heard a bell, or the reconciler."""

import logging
import threading
from collections import deque
from collections.abc import Sequence

from gan.errors import Unavailable
from worker.devices import Device
from worker.supervisor import Workplace, answer_one

_log = logging.getLogger("ganymede.worker")


class Crew:
    """A slot a device. However many bells are rung, no device ever gets two jobs."""

    def __init__(self, place: Workplace, devices: Sequence[Device]) -> None:
        self.place = place
        self.size = len(devices)
        self._idle = deque(devices)
        self._changed = threading.Condition()

    @property
    def free(self) -> int:
        """Slots without a job."""
        return len(self._idle)

    def answer(self) -> None:
        """Run jobs in a free slot until the queue is empty; returns at once where no slot is free."""
        device = self._take()
        if device is None:
            return
        try:
            while not self.place.stopping.is_set() and answer_one(self.place, device):
                pass
        except Unavailable as away:
            _log.debug("no job could be claimed: %s", away)  # the reconciler tells of it
        finally:
            self._give(device)

    def wait_idle(self, seconds: float) -> bool:
        """Whether every slot became free in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.free == self.size, seconds)

    def _take(self) -> Device | None:
        with self._changed:
            return self._idle.popleft() if self._idle else None

    def _give(self, device: Device) -> None:
        with self._changed:
            self._idle.append(device)
            self._changed.notify_all()
