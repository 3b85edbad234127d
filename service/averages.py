"""Which averages of the generator a checkpoint has: read from its file's header, once and without torch."""

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from safetensors import SafetensorError, safe_open

from gan.averages import listed
from gan.errors import CheckpointCorrupt, InvalidRequest
from ledger.records import Checkpoint
from ledger.storage import Storage

REMEMBERED: Final = 4096
"""Headers that are kept in memory; each is a few numbers."""


class Averages(NamedTuple):
    """The half-life of the average that draws by default, in images (0: none; None: not known), and all there are."""

    default: float | None = None
    halflives: tuple[float, ...] = ()


NONE: Final = Averages()


def averages_of(storage: Storage, checkpoint: Checkpoint) -> Averages:
    """What a checkpoint's file says of its averages; one of before there were any says nothing.

    Raises CheckpointCorrupt where it is gone or cannot be read.
    """
    try:
        return said(storage.path(checkpoint.path), checkpoint.sha256)
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointCorrupt(f"the file of checkpoint {checkpoint.id} cannot be read") from error


def shown(storage: Storage, checkpoint: Checkpoint) -> Averages:
    """The same for a list, which a file that cannot be read does not spoil."""
    try:
        return averages_of(storage, checkpoint)
    except CheckpointCorrupt:
        return NONE


def averages_by_id(storage: Storage, checkpoints: Iterable[Checkpoint]) -> dict[str, Averages]:
    """`shown` for many."""
    return {checkpoint.id: shown(storage, checkpoint) for checkpoint in checkpoints}


@lru_cache(REMEMBERED)
def said(path: Path, sha256: str) -> Averages:
    """That of a file whose bytes never change. OSError, SafetensorError or ValueError where it has no header."""
    del sha256
    header = header_of(path)
    return Averages(header.get("ema_halflife"), tuple(header.get("ema_halflives", ())))


def header_of(path: Path) -> dict[str, Any]:
    """What a model file says of itself (`gan.checkpoint.ModelHeader` as JSON), read without torch. Raises as `said`."""
    with safe_open(path, framework="numpy") as file:
        header: dict[str, Any] = json.loads((file.metadata() or {}).get("ganymede", "{}"))
    return header


def selected(ema: float | None, there: Averages) -> float | None:
    """The average to load besides the default (None). Raises InvalidRequest for one that the checkpoint has not."""
    if ema is None or ema == there.default:
        return None
    if ema not in there.halflives:
        offered = f"it has {listed(there.halflives)}" if there.halflives else "it has one alone: leave ema out"
        raise InvalidRequest(f"the checkpoint has no average {listed([ema])}; {offered}", param="ema")
    return ema
