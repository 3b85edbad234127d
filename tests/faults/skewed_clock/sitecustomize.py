"""On PYTHONPATH, Python imports this before anything else: its wall clock then is off by FAULT_CLOCK_OFFSET seconds.

The machine's other clocks go on as they are: monotonic time, the database server's, the one that stamps files.
"""

import os
import time
from functools import partial

OFFSET = float(os.environ.get("FAULT_CLOCK_OFFSET", "0"))


def _seconds(clock, offset):
    return clock() + offset


time.time = partial(_seconds, time.time, OFFSET)
time.time_ns = partial(_seconds, time.time_ns, int(OFFSET * 1e9))
