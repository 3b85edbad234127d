"""Gives back the space that killed processes left behind, now and then: a thread of the worker of the light queue."""

import logging
import threading

from gan.errors import Unavailable
from ledger.database import Ledger
from ledger.storage import Storage
from ledger.sweeping import sweep

SWEEP_SECONDS = 600.0

_log = logging.getLogger("ganymede.housekeeper")


def start_housekeeper(ledger: Ledger, storage: Storage, stopping: threading.Event) -> threading.Thread:
    """Sweep at once and every ten minutes, in a daemon thread, until the worker stops."""
    thread = threading.Thread(target=_run, args=(ledger, storage, stopping), name="housekeeper", daemon=True)
    thread.start()
    return thread


def _run(ledger: Ledger, storage: Storage, stopping: threading.Event) -> None:
    while not stopping.is_set():
        try:
            for path in sweep(ledger, storage):
                _log.info("removed %s, which a process that was killed had left", path)
        except Unavailable as away:
            _log.debug("not swept: %s", away)  # the reconciler tells of it
        except Exception:  # a disk may have any trouble, and the next time it may be over
            _log.exception("the storage could not be swept")
        stopping.wait(SWEEP_SECONDS)
