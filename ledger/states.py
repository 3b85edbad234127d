"""A job's states and edges, as the contract draws them."""

from typing import Literal

Status = Literal["queued", "running", "pausing", "paused", "cancelling", "succeeded", "failed", "cancelled"]

EDGES: dict[str, frozenset[str]] = {
    "queued": frozenset({"running", "paused", "cancelled", "failed"}),
    "running": frozenset({"queued", "pausing", "cancelling", "succeeded", "failed"}),
    "pausing": frozenset({"paused", "queued", "cancelling", "succeeded", "failed"}),
    "paused": frozenset({"queued", "cancelled"}),
    "cancelling": frozenset({"cancelled", "succeeded", "failed"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}
"""Status → the statuses that may follow it."""

TERMINAL = frozenset(status for status, following in EDGES.items() if not following)
HELD = frozenset({"running", "pausing", "cancelling"})
"""The statuses in which a worker holds the job."""

CANCELLED = {"queued": "cancelled", "paused": "cancelled", "running": "cancelling", "pausing": "cancelling"}
PAUSED = {"queued": "paused", "running": "pausing"}
RESUMED = {"paused": "queued", "pausing": "queued"}
"""What a caller's wish makes of a status. A resume while pausing takes the job from its holder at once."""

LET_GO = {"running": "queued", "pausing": "paused", "cancelling": "cancelled"}
"""What becomes of a job whose holder lets go of it or is lost."""

QUEUES = {"train": "train", "prepare": "light", "evaluate": "light", "project": "light"}
"""Job type → queue."""

ATTEMPTS = 3
"""Unexplained deaths since the last published checkpoint that make a job `failed`."""


def before(status: str) -> frozenset[str]:
    """The statuses that `status` may follow."""
    return frozenset(earlier for earlier, following in EDGES.items() if status in following)
