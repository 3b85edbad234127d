"""Checkpoint files: safetensors with a JSON header, self-describing and versioned. No pickle is ever read or written.

The *model* part holds what serving needs: the averaged generator (`generator.*`), the other averages (`ema.400.*`, by
their half-lives in images; `ema.0.*` is the raw generator), the discriminator (`discriminator.*`), for points the
data's `points.mean` and `points.std`, for vector conditions a sample of the training data's (`conditions`, (M, K)), for
pairs some of their inputs (`inputs`, (M, H, W, C) uint8). Its header is a `ModelHeader`. The *training state* part is
described in `worker.training.state`; both are written and read here.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import torch
from pydantic import BaseModel, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gan.averages import RAW, number_of
from gan.errors import CheckpointCorrupt
from gan.networks.build import build_discriminator, build_generator
from gan.spec import NetworkSpec, RecipeName, Words

METADATA_KEY = "ganymede"
MOST_KEPT_INPUTS = 256
MOST_KEPT_BYTES = 4 * 2**20
"""Inputs of pairs that a model part carries at most, to draw from when a request names none, and their bytes."""


class LogitCalibration(Words):
    """Logit → log-odds of real against generated where half are real: linear between the points given.

    Below the first of `logits`, ascending, log-odds fall by 1 for each `unit`: what the discriminator likes less than
    all that it was calibrated by is nothing real. Above the last they stay. Counted of `rows` of the data and as many
    samples of the default average; `held_out`: of rows that were not trained on.
    """

    logits: Annotated[tuple[float, ...], Field(min_length=1)]
    log_odds: Annotated[tuple[float, ...], Field(min_length=1)]
    unit: Annotated[float, Field(gt=0)]
    rows: int
    held_out: bool


class ModelHeader(Words):
    """What a model file says of itself. `class_counts` are training rows a class, in the order of `classes`.

    `calibration` turns the discriminator's logits into probabilities; None in a file that was written without.
    `ema_halflife` is that of `generator.*` in images (0: no average; None: a file that does not say), `ema_halflives`
    are all that the file has.
    """

    format: Literal["ganymede.model"] = "ganymede.model"
    version: Literal[1] = 1
    network: NetworkSpec
    recipe: RecipeName
    classes: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    images: int
    """Real images that the discriminator had consumed when this was saved."""
    seed: int
    dataset_digest: str
    loss: str = "relativistic"
    ema_halflife: float | None = None
    ema_halflives: tuple[float, ...] = ()
    calibration: LogitCalibration | None = None


@dataclass(frozen=True)
class Written:
    """A file that lies fsynced under its final name."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class LoadedNetwork:
    """A generator (or a discriminator) in eval mode with what serving needs beside it.

    `mean`, `std` (D,) turn standardised points into the data's units; `conditions` (M, K) are training conditions, of
    pairs (M, C, H, W) in [-1, 1]. `ema` is the half-life of this average; None where the file does not say.
    """

    header: ModelHeader
    module: nn.Module
    mean: Tensor | None
    std: Tensor | None
    conditions: Tensor | None
    ema: float | None = None

    @property
    def bytes(self) -> int:
        """Memory that the parameters and buffers take."""
        return sum(t.numel() * t.element_size() for t in self.module.state_dict().values())


Header = TypeVar("Header", bound=BaseModel)


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_tensors(path: Path, header: BaseModel, tensors: dict[str, Tensor]) -> Written:
    """Writes tensors and header under a temporary name, fsyncs, renames to `path`, fsyncs the folder.

    OSError as the file system has it, also where safetensors wraps it; `path` then holds what it held before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        contiguous = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
        with _os_errors():
            save_file(contiguous, partial, metadata={METADATA_KEY: header.model_dump_json()})
        _fsync(partial)
        written = Written(partial.stat().st_size, sha256_of(partial))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _fsync(path.parent)
    return written


@contextmanager
def _os_errors() -> Iterator[None]:
    """An error of the file system inside a SafetensorError, which tells its number in its text alone."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


Wanted = Callable[[Header], tuple[str, ...]]
"""Header → the beginnings of the names of the tensors to read."""


def read_tensors(
    path: Path, kind: type[Header], sha256: str | None = None, wanted: Wanted[Header] = lambda _: ("",)
) -> tuple[Header, dict[str, Tensor]]:
    """Header and wanted tensors of a file. CheckpointCorrupt where it is gone, its hash is another or its header lies.

    The hash is that of the whole file; of the tensors, only those that are wanted are read into memory.
    """
    try:
        if sha256 is not None and sha256_of(path) != sha256:
            raise CheckpointCorrupt(f"{path.name}: the bytes are not those that were written (sha256 differs)")
        with safe_open(path, framework="pt") as file:
            said = json.loads((file.metadata() or {})[METADATA_KEY])
            refuse_other(kind, said, path)
            header = kind.model_validate(said)
            names = [name for name in file.keys() if name.startswith(wanted(header))]  # noqa: SIM118  # not a dict
            return header, {name: file.get_tensor(name) for name in names}
    except FileNotFoundError as error:
        raise CheckpointCorrupt(f"{path.name}: the file is gone") from error
    except KeyError as error:
        raise CheckpointCorrupt(f"{path.name}: not a file of Ganymede's (no header)") from error
    except (SafetensorError, ValidationError, ValueError) as error:
        raise CheckpointCorrupt(f"{path.name}: unreadable ({error})") from error


def refuse_other(kind: type[BaseModel], said: Any, path: Path) -> None:
    """CheckpointCorrupt, in words, for a file of another kind or of a version that this program does not read."""
    for name in ("format", "version"):
        wanted = kind.model_fields[name].default
        found = said.get(name, wanted) if isinstance(said, dict) else wanted
        if found != wanted:
            raise CheckpointCorrupt(
                f"{path.name}: its {name} is {str(found)[:40]}, and this program reads {wanted}; nothing of it is used"
            )


def write_model(path: Path, header: ModelHeader, tensors: dict[str, Tensor]) -> Written:
    """Writes a model part; see the module's docstring for the tensors' names."""
    return write_tensors(path, header, tensors)


def read_model(
    path: Path, sha256: str | None = None, wanted: Wanted[ModelHeader] = lambda _: ("",)
) -> tuple[ModelHeader, dict[str, Tensor]]:
    """Header and wanted tensors of a model part. CheckpointCorrupt as `read_tensors`."""
    return read_tensors(path, ModelHeader, sha256, wanted)


def average_prefix(halflife: float | None, default: float | None) -> str:
    """Where the average of that half-life lies in a model file whose default is that; None is the default."""
    return "generator" if halflife in (None, default) else f"ema.{number_of(halflife or RAW)}"


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors below `prefix.`, without it."""
    return {name.removeprefix(prefix + "."): t for name, t in tensors.items() if name.startswith(prefix + ".")}


def load_generator(path: Path, sha256: str | None = None, ema: float | None = None) -> LoadedNetwork:
    """The averaged generator of a model part, on the CPU, in eval mode, without gradients.

    `ema` is the half-life of another average than the default, 0 the raw generator: one that the header names, or
    CheckpointCorrupt. No other generator is read into memory.
    """

    def prefix(header: ModelHeader) -> str:
        return average_prefix(ema, header.ema_halflife)

    header, tensors = read_model(path, sha256, lambda header: (f"{prefix(header)}.", "points.", "conditions", "inputs"))
    module = _filled(built(build_generator, header), part(tensors, prefix(header)), path)
    points = part(tensors, "points")
    conditions = from_levels(tensors["inputs"]) if "inputs" in tensors else tensors.get("conditions")
    which = header.ema_halflife if ema is None else ema
    return LoadedNetwork(header, module, points.get("mean"), points.get("std"), conditions, which)


def to_levels(inputs: Tensor) -> Tensor:
    """(M, C, H, W) in [-1, 1] → uint8 (M, H, W, C): a quarter of the bytes, and exact for what came from an image."""
    return ((inputs.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def from_levels(levels: Tensor) -> Tensor:
    """The inverse of `to_levels`."""
    return levels.permute(0, 3, 1, 2).float() / 127.5 - 1


def load_discriminator(path: Path, sha256: str | None = None) -> LoadedNetwork:
    """The discriminator of a model part, on the CPU, in eval mode, without gradients. CheckpointCorrupt as above."""
    header, tensors = read_model(path, sha256, lambda _: ("discriminator.", "points.", "conditions"))
    module = _filled(built(build_discriminator, header), part(tensors, "discriminator"), path)
    points = part(tensors, "points")
    return LoadedNetwork(header, module, points.get("mean"), points.get("std"), tensors.get("conditions"))


class Undrawn(TorchFunctionMode):
    """Where weights are about to be overwritten, none are drawn: that takes longer than reading them."""

    DRAWS = frozenset({Tensor.normal_, Tensor.uniform_})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Leaves a tensor as it is where it would be drawn."""
        return args[0] if func in self.DRAWS else func(*args, **(kwargs or {}))


def built(build: Callable[[NetworkSpec], nn.Module], header: ModelHeader) -> nn.Module:
    """A network whose weights are still to be filled in."""
    with Undrawn():
        return build(header.network)


def _filled(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> nn.Module:
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise CheckpointCorrupt(f"{path.name}: its tensors do not fit its header's network") from error
    return module.eval().requires_grad_(False)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
