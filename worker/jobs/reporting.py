"""What a preparation tells: the report of its dataset, and how far it is."""

import time
from collections.abc import Sequence
from typing import Any

from worker.line import ControlLine
from worker.protocol import Progress

MOST_LISTED = 100
"""Skipped files that are named; `skipped_total` counts them all."""

PROGRESS_SECONDS = 0.5


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
            "notes": self.notes,
        }


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
