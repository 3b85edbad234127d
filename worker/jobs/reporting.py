"""What a preparation tells: the report of its dataset, and how far it is."""

import math
import time
from collections.abc import Sequence
from typing import Any

from worker.line import ControlLine
from worker.protocol import Progress

MOST_LISTED = 100
"""Skipped files that are named; `skipped_total` counts them all."""

PROGRESS_SECONDS = 0.5

UNBALANCED = 10.0
"""How many times as large the largest class is as the smallest before the report warns of it."""


class Report:
    """Collects what was skipped and why."""

    def __init__(self) -> None:
        self.skipped: list[dict[str, str]] = []
        self.skipped_total = 0
        self.duplicates = 0
        self.notes: list[str] = []

    def skip(self, file: str, reason: str) -> None:
        """Note a file that is passed over."""
        self.skipped_total += 1
        if len(self.skipped) < MOST_LISTED:
            self.skipped.append({"file": printable(file), "reason": reason})

    def duplicate(self, file: str, of: str) -> None:
        """Note a file whose picture came before."""
        self.duplicates += 1
        self.skip(file, f"duplicate of {printable(of)}")

    def summary(self) -> str:
        """The first reasons in one line, for a dataset of which nothing is left."""
        named = "; ".join(f"{one['file']}: {one['reason']}" for one in self.skipped[:3])
        more = f"; and {self.skipped_total - 3} more" if self.skipped_total > 3 else ""
        return f"{self.skipped_total} skipped ({named}{more})" if named else "it holds no files"

    def as_json(self, accepted: int, per_class: dict[str, int], conditions: Sequence[str] = ()) -> dict[str, Any]:
        """The dataset's `report`; `conditions` names the numbers of a condition in their order."""
        return {
            "accepted": accepted,
            "skipped": self.skipped,
            "skipped_total": self.skipped_total,
            "duplicates": self.duplicates,
            "per_class": per_class,
            "conditions": list(conditions),
            "balance": balance(per_class),
            "notes": self.notes + unbalanced(per_class),
        }


def balance(per_class: dict[str, int]) -> dict[str, float] | None:
    """How evenly rows are spread over classes; None where there are none.

    `effective_classes` is exp(H) with H = -Σ p log p, the entropy of the classes' shares: as many equally large classes
    would be as hard to guess.

    >>> balance({"cat": 30, "dog": 10})
    {'classes': 2, 'smallest': 10, 'largest': 30, 'ratio': 3.0, 'effective_classes': 1.75}
    """
    counts = sorted(per_class.values())
    if not counts:
        return None
    shares = [count / sum(counts) for count in counts]
    return {
        "classes": len(counts),
        "smallest": counts[0],
        "largest": counts[-1],
        "ratio": round(counts[-1] / counts[0], 2),
        "effective_classes": round(math.exp(-sum(share * math.log(share) for share in shares)), 2),
    }


def unbalanced(per_class: dict[str, int]) -> list[str]:
    """A note where some classes are far smaller than others: what will come of it, and what helps."""
    by_size = sorted(per_class.items(), key=lambda item: item[1])
    if not by_size or by_size[-1][1] < UNBALANCED * by_size[0][1]:
        return []
    (rare, fewest), (common, most) = by_size[0], by_size[-1]
    return [
        f"the classes are unbalanced: {common} has {most:,} rows, {rare} {fewest:,}; samples without a label will"
        " follow these shares, and those of rare classes will vary little: add rows of them, or leave them out"
    ]


class Halted(Exception):
    """The supervisor asked for the end."""


class Watch:
    """Sends progress now and then, and raises Halted once a stop came."""

    def __init__(self, line: ControlLine) -> None:
        self._line = line
        self._begun = time.monotonic()
        self._last = 0.0

    def tick(self, done: int, total: int | None, share: float) -> None:
        """`done` of `total` rows are packed; `share` (0..1) of all the work is behind us."""
        if self._line.stop is not None:
            raise Halted
        now = time.monotonic()
        if now - self._last < PROGRESS_SECONDS:
            return
        self._last = now
        spent = now - self._begun
        self._line.send(
            Progress(
                images=done,
                total_images=total,
                percent=100 * share,
                images_per_second=done / spent if done else None,
                eta_seconds=spent / share - spent if share > 0.01 else None,
            )
        )


def printable(name: str) -> str:
    """A file name as text, also where its bytes are no UTF-8."""
    return name.encode("utf-8", "replace").decode()
