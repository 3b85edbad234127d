"""What a training that broke goes on with: its last good state and one figure changed; how often, and what is told.

A training breaks by NaN or infinity, by figures that grow beyond all bounds, or for want of memory. `Change`s are part
of the training state (`Counters.changes`), so that a resumed job goes on with the changed figures and their count.
"""

import gc
from collections.abc import Sequence
from math import isfinite
from typing import Literal, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict

from gan.errors import Diverged, JobFailure, OutOfMemory
from gan.spec import TrainingSpec

Breakage = Literal["not_finite", "exploded", "out_of_memory"]

ABSURD = 1e6
"""Means of logits and losses beyond this are an explosion: a healthy discriminator's stay below some hundreds."""
BOUNDED = ("logit_real", "logit_fake", "loss_discriminator", "loss_generator")


class Broken(NamedTuple):
    """How a training broke, and in which words it was noticed."""

    how: Breakage
    message: str


class Change(BaseModel):
    """One figure changed after a break; `from_images` had been seen, and training went on from `to_images`."""

    model_config = ConfigDict(frozen=True)

    reason: Breakage
    field: str
    was: float
    now: float
    from_images: int
    to_images: int


class Remedy(NamedTuple):
    """Which figure is changed, by which factor, how often at most, and how a job ends for which that did not help.

    A quarter of the rate rather than half of it: two changes then span a factor of sixteen, and a rate that breaks a
    training is usually ten times too high. γ stays: a stronger penalty makes a step stiffer, which a rate that is too
    high bears even less. Clipped critics explode because the bound is too wide, whatever the rate.
    """

    field: str
    factor: float
    most: int
    failure: type[JobFailure]


SLOWER = Remedy("learning_rate", 0.25, 2, Diverged)
NARROWER = Remedy("clip", 0.1, 2, Diverged)
IN_HALVES = Remedy("accumulate", 2.0, 1, OutOfMemory)
LONGEST_WORDS = 300
"""Characters of an allocator's own words that a message has room for."""
SMALLEST_HALVED = 4
"""Rows of the smallest batch that is cut in half: batch norm needs two rows."""


def remedy_for(broke: Broken, spec: TrainingSpec) -> Remedy:
    """The remedy of a break."""
    if broke.how == "out_of_memory":
        return IN_HALVES
    return NARROWER if broke.how == "exploded" and spec.lipschitz == "weight_clipping" else SLOWER


def figure(field: str, spec: TrainingSpec, changes: Sequence[Change]) -> float:
    """What a field is by now: as the last change left it, or as asked."""
    changed = [change.now for change in changes if change.field == field]
    return changed[-1] if changed else float(getattr(spec, field, 1.0))


def parts(changes: Sequence[Change]) -> int:
    """Into how many parts a batch is cut, whose gradients are accumulated; 1 unless memory ran out."""
    return int(max((change.now for change in changes if change.field == IN_HALVES.field), default=1.0))


def eased(spec: TrainingSpec, changes: Sequence[Change]) -> TrainingSpec:
    """The spec with the changed figures in it, and their schedules in proportion; the spec itself without any."""
    for change in changes:
        if change.field == IN_HALVES.field:
            continue
        schedules = {
            name: row.model_copy(update={"to": row.to * change.now / change.was}) if name == change.field else row
            for name, row in spec.schedules.items()
        }
        spec = spec.model_copy(update={change.field: change.now, "schedules": schedules})
    return spec


def change_for(broke: Broken, spec: TrainingSpec, changes: Sequence[Change], images: int) -> Change:
    """The change that is tried next; `to_images` is not known yet. Raises the typed failure where none is left."""
    remedy = remedy_for(broke, spec)
    tried = [change for change in changes if (change.reason == "out_of_memory") == (broke.how == "out_of_memory")]
    if len(tried) >= remedy.most or (remedy is IN_HALVES and spec.batch_size < SMALLEST_HALVED):
        raise remedy.failure(given_up(broke, spec, tried), param=PARAMS.get(remedy.field, remedy.field))
    was = figure(remedy.field, spec, changes)
    return Change(
        reason=broke.how,
        field=remedy.field,
        was=was,
        now=was * remedy.factor,
        from_images=images,
        to_images=0,
    )


PARAMS = {IN_HALVES.field: "batch_size"}
"""What a changed figure is called in a request, where that is not its own name."""
ADVICE: dict[Breakage, str] = {
    "not_finite": "try a learning_rate ten times lower, or a stronger penalty (r1, r2, gradient_penalty)",
    "exploded": "try a lower learning_rate, a narrower clip, or recipe wgan-gp or r3gan, which bound the gradient",
    "out_of_memory": "try a smaller batch_size or network.width, or images of fewer pixels",
}


def given_up(broke: Broken, spec: TrainingSpec, tried: Sequence[Change]) -> str:
    """Why a job ends: what happened, what was tried and from where, and what a new job may do better."""
    told = [f"{c.field} {c.was:g} → {c.now:g} from {c.to_images} images on" for c in tried]
    attempts = f"; tried before: {', then '.join(told)}" if told else ""
    if broke.how == "out_of_memory" and not tried:
        attempts = f"; a batch of {spec.batch_size} cannot be cut in half"
    return f"{broke.message}{attempts}; {ADVICE[broke.how]}"


def too_late(broke: Broken, spec: TrainingSpec) -> JobFailure:
    """How a job ends that broke before anything was stored and whose time is over: there is nothing to serve."""
    remedy = remedy_for(broke, spec)
    message = f"{broke.message}; no time is left to begin anew; {ADVICE[broke.how]}"
    return remedy.failure(message, param=PARAMS.get(remedy.field, remedy.field))


# ---- noticing ----


class Exploded(Diverged):
    """Figures beyond all bounds, though still numbers."""


def refuse_broken(means: dict[str, float], images: int) -> None:
    """Raises Diverged where a mean since the last report is no number, Exploded where it is absurd."""
    none = sorted(name for name, mean in means.items() if not isfinite(mean))
    if none:
        raise Diverged(f"{', '.join(none)} became NaN or infinite at {images} images", param="learning_rate")
    absurd = [f"{name} is {means[name]:.3g}" for name in BOUNDED if abs(means.get(name, 0.0)) > ABSURD]
    if absurd:
        raise Exploded(f"training exploded: {', '.join(absurd)} at {images} images", param="learning_rate")


def broken(error: Exception) -> Broken | None:
    """How a training broke by this error; None for an error of another kind."""
    if isinstance(error, Diverged):
        return Broken("exploded" if isinstance(error, Exploded) else "not_finite", error.message)
    if ran_out_of_memory(error):
        said = str(error).strip().partition("\n")[0][:LONGEST_WORDS]
        return Broken("out_of_memory", f"memory ran out: {said}" if said else "memory ran out")
    return None


def ran_out_of_memory(error: Exception) -> bool:
    """Whether it is a device's or the machine's allocator that failed."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def free_memory() -> None:
    """Give back what nothing refers to any more, a GPU's cached blocks too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
