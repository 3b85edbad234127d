"""Interleaved blocks: what is compared runs in turn, in one process, so that a busy machine is busy for all alike."""

import time
from collections.abc import Callable, Sequence
from statistics import median

Block = Callable[[], object]


def cpu_seconds(block: Block) -> float:
    """CPU seconds of this process that a block takes."""
    began = time.process_time()
    block()
    return time.process_time() - began


def interleaved(
    blocks: Sequence[Block], rounds: int, clock: Callable[[Block], float] = cpu_seconds
) -> list[list[float]]:
    """`rounds` seconds of each block: first block, second …, first again. One round before is not counted."""
    for block in blocks:
        block()
    taken = [[clock(block) for block in blocks] for _ in range(rounds)]
    return [list(column) for column in zip(*taken, strict=True)]


def ratio(numerator: Sequence[float], denominator: Sequence[float]) -> float:
    """The median of the quotients of neighbours."""
    return median(a / b for a, b in zip(numerator, denominator, strict=True))
