"""Ganymede's Python client: `from ganymede import Client`. What is named here is loaded when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganymede.client import Client, Drawing
    from ganymede.errors import (
        BadRequest,
        Conflict,
        GanymedeError,
        InProgress,
        JobCancelled,
        JobFailed,
        LimitExceeded,
        NotAuthorized,
        NotFound,
        NotGanymede,
        NotStreamed,
        ProblemError,
        ServerError,
        ServerUnreachable,
        TooManyRequests,
        Unavailable,
        UsageError,
    )
    from ganymede.records import Checkpoint, Dataset, Event, Job, Model, Page, Progress, Series

__all__ = [
    "BadRequest",
    "Checkpoint",
    "Client",
    "Conflict",
    "Dataset",
    "Drawing",
    "Event",
    "GanymedeError",
    "InProgress",
    "Job",
    "JobCancelled",
    "JobFailed",
    "LimitExceeded",
    "Model",
    "NotAuthorized",
    "NotFound",
    "NotGanymede",
    "NotStreamed",
    "Page",
    "ProblemError",
    "Progress",
    "Series",
    "ServerError",
    "ServerUnreachable",
    "TooManyRequests",
    "Unavailable",
    "UsageError",
]

_HOMES = ("ganymede.errors", "ganymede.records", "ganymede.client")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return next(found for home in _HOMES if (found := getattr(import_module(home), name, None)))
