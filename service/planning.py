"""From what was asked to what a generator is given: latents and conditions, row by row, with their seeds and labels.

Everything here is decided by the request and the model alone; nothing is computed on a device.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from secrets import randbelow
from typing import Final, NamedTuple, TypeVar

import numpy as np

from gan.errors import InvalidRequest
from gan.latents import draw_condition, draw_label, latent, latents, path, truncate, walk
from gan.spec import MAX_SEED, ImageShape, InterpolationSpec, Label, NetworkSpec, SampleSpec
from service.engine.runtime import Floats, Loaded
from service.inputs import Allowance, opened_input

T = TypeVar("T")

FURTHEST: Final = 1000.0
"""No number of a latent or condition may lie further from zero, in standard deviations of the prior or in data units
scaled by the training conditions; far beyond it a network's arithmetic overflows."""
NAMED: Final = 12
"""How many classes an error message lists."""
DRAWN: Final = 2**32
"""A seed that the server draws is below this: short enough to be copied, and exact in any JSON reader."""


@dataclass(frozen=True)
class Inputs:
    """What a generator is given for N rows.

    z (N, latent_dim) is truncated already; c (N, K) are one-hot rows, mixtures of them, or vectors, or c (N, C, H, W)
    images in [-1, 1]. `seeds` has None where a row came from a latent or lies between keyframes.
    """

    z: Floats
    c: Floats | None
    seeds: tuple[int | None, ...]


class Asked(NamedTuple):
    """What one row asked for as its condition, where the request said so, and the seed to draw from if it did not."""

    label: Label | None
    condition: list[float] | None
    input: str | None
    seed: int
    input_param: str
    label_param: str = "labels"
    condition_param: str = "condition"


# ---- samples ----


def settled(spec: SampleSpec) -> SampleSpec:
    """The same request with a seed of the server's own where it named none; the answer names it."""
    if spec.seeds or spec.latents or spec.seed is not None:
        return spec
    return spec.model_copy(update={"seed": randbelow(DRAWN)})


def count_of(spec: SampleSpec) -> int:
    """How many samples were asked for: as many as seeds, latents, `count`, or the conditions say, else 1."""
    listed = spec.seeds or spec.latents
    conditions = (spec.labels or (), vectors_of(spec.condition) or (), spec.inputs or ())
    return len(listed) if listed else spec.count or max(map(len, conditions)) or 1


def plan_samples(spec: SampleSpec, loaded: Loaded) -> Inputs:
    """Latents and conditions of a settled request. Raises InvalidRequest, which names the field, LimitExceeded."""
    network, count = loaded.header.network, count_of(spec)
    seeds = seeds_of(spec, count)
    if spec.latents:
        z = np.stack([given_latent(row, network, f"latents.{i}") for i, row in enumerate(spec.latents)])
    else:
        z = latents([seed for seed in seeds if seed is not None], network.latent_dim, network.latent_distribution)
    labels = spread(spec.labels, count, "labels")
    conditions = spread(vectors_of(spec.condition), count, "condition")
    pictures = spread(spec.inputs, count, "inputs")
    alone = pictures is not spec.inputs  # one for all, or none
    asked = [
        Asked(label, condition, picture, i if seed is None else seed, f"inputs.{0 if alone else i}")
        for i, (seed, label, condition, picture) in enumerate(zip(seeds, labels, conditions, pictures, strict=True))
    ]
    return Inputs(truncated(z, spec.truncation, network), conditions_of(asked, loaded), seeds)


def seeds_of(spec: SampleSpec, count: int) -> tuple[int | None, ...]:
    """The seed of each sample: those given, or `seed + i`; None for a latent."""
    if spec.latents:
        return (None,) * count
    if spec.seeds:
        return tuple(spec.seeds)
    assert spec.seed is not None, "the request is settled"
    if spec.seed + count - 1 > MAX_SEED:
        raise InvalidRequest(f"{count} seeds from {spec.seed} go beyond 2^63 - 1", param="seed")
    return tuple(range(spec.seed, spec.seed + count))


def vectors_of(condition: Sequence[float | list[float]] | None) -> list[list[float]] | None:
    """The condition vectors of a request: one, for all samples, may be written without the outer list."""
    if condition is None:
        return None
    rows = [row for row in condition if isinstance(row, list)]
    return rows or [[number for number in condition if not isinstance(number, list)]]


def spread(given: Sequence[T] | None, count: int, param: str) -> Sequence[T | None]:
    """One entry a sample: those given, or the only one for all, or None. Raises InvalidRequest for another number."""
    if given is None:
        return [None] * count
    if len(given) not in (1, count):
        raise InvalidRequest(
            f"{len(given)} entries for {count} samples: give one for all, or one a sample", param=param
        )
    return given if len(given) == count else list(given) * count


# ---- interpolations ----


def plan_walk(spec: InterpolationSpec, loaded: Loaded) -> Inputs:
    """Latents and conditions of every frame: latents by the method asked for, conditions on straight lines."""
    network = loaded.header.network
    z, c = keyframes_of(spec, loaded)
    steps = walk(len(z), spec.frames, spec.easing, spec.loop)
    frames = path(z, spec.frames, spec.method, spec.easing, spec.loop)
    mixtures = None if c is None else path(c, spec.frames, "lerp", spec.easing, spec.loop)
    seeds = tuple(spec.keyframes[start].seed if share == 0 else None for start, _, share in steps)
    return Inputs(truncated(frames, spec.truncation, network), mixtures, seeds)


def keyframes_of(spec: InterpolationSpec, loaded: Loaded) -> tuple[Floats, Floats | None]:
    """Latents (K, latent_dim) and conditions of the keyframes. A latent without a label draws one by its position."""
    network = loaded.header.network
    z = np.stack(
        [
            given_latent(frame.latent, network, f"keyframes.{i}.latent")
            if frame.latent is not None
            else latent(frame.seed or 0, network.latent_dim, network.latent_distribution)
            for i, frame in enumerate(spec.keyframes)
        ]
    )
    return z, conditions_of([asked_of(spec, i, loaded) for i in range(len(spec.keyframes))], loaded)


def asked_of(spec: InterpolationSpec, i: int, loaded: Loaded) -> Asked:
    """What a keyframe asks for as its condition. Inputs are drawn for the whole walk, by its first keyframe."""
    frame = spec.keyframes[i]
    drawn_by = 0 if loaded.header.network.conditioning.kind == "image" else i
    seed = spec.keyframes[drawn_by].seed
    return Asked(
        frame.label,
        frame.condition,
        frame.input or spec.input,
        drawn_by if seed is None else seed,
        "input" if frame.input is None else f"keyframes.{i}.input",
        f"keyframes.{i}.label",
        f"keyframes.{i}.condition",
    )


# ---- latents ----


def given_latent(row: list[float], network: NetworkSpec, param: str) -> Floats:
    """A latent out of a request, float32 (latent_dim,). Raises InvalidRequest if it is of another length or absurd."""
    if len(row) != network.latent_dim:
        raise InvalidRequest(
            f"{param} has {len(row)} numbers; the latents of this model have {network.latent_dim}", param=param
        )
    if max(map(abs, row)) > FURTHEST:
        raise InvalidRequest(f"{param} has a number beyond ±{FURTHEST:g}", param=param)
    return np.array(row, dtype=np.float32)


def truncated(z: Floats, psi: float, network: NetworkSpec) -> Floats:
    """`z ← ψ z` for images; points ignore ψ."""
    return truncate(z, psi) if isinstance(network.shape, ImageShape) else z


# ---- conditions ----


def conditions_of(asked: Sequence[Asked], loaded: Loaded) -> Floats | None:
    """The conditions (N, K) or (N, C, H, W) of the rows; None for a model that takes none.

    Raises InvalidRequest, LimitExceeded.
    """
    return CONDITIONS[loaded.header.network.conditioning.kind](asked, loaded)


def no_condition(asked: Sequence[Asked], loaded: Loaded) -> None:
    """A model without conditions refuses labels, vectors and inputs alike."""
    del loaded
    for row in asked:
        refuse_label(row, "this model is unconditional: it takes no labels")
        refuse_condition(row, "this model is unconditional: it takes no condition")
        refuse_input(row, "this model is unconditional: it takes no inputs")


def one_hot(asked: Sequence[Asked], loaded: Loaded) -> Floats:
    """Rows of the identity: the classes asked for, or drawn by the frequencies of the training data."""
    size = loaded.header.network.conditioning.size
    classes = class_names(loaded)
    counts = loaded.header.class_counts if any(loaded.header.class_counts) else (1,) * size
    for row in asked:
        refuse_condition(row, "this model is conditioned on a class: give a label")
        refuse_input(row, "this model is conditioned on a class, and takes no inputs: give a label")
    drawn = [
        draw_label(row.seed, counts) if row.label is None else class_index(row.label, classes, row.label_param)
        for row in asked
    ]
    return np.eye(size, dtype=np.float32)[drawn]


def vectors(asked: Sequence[Asked], loaded: Loaded) -> Floats:
    """The vectors asked for, or those of training rows drawn by seed."""
    size = loaded.header.network.conditioning.size
    for row in asked:
        refuse_label(row, f"this model is conditioned on {size} numbers, not labels")
        refuse_input(row, f"this model is conditioned on {size} numbers, and takes no inputs: give a condition")
    return np.stack([vector(row, loaded) for row in asked])


def pictures(asked: Sequence[Asked], loaded: Loaded) -> Floats:
    """The inputs asked for, or some of the training data's drawn by seed: (N, C, H, W) in [-1, 1].

    Where all rows have one input, it is held once.
    """
    for row in asked:
        refuse_label(row, "this model is conditioned on an image, and takes no labels: give inputs")
        refuse_condition(row, "this model is conditioned on an image, and takes no condition: give inputs")
    known: dict[str | int, Floats] = {}
    allowance = Allowance()
    rows = [picture(row, loaded, known, allowance) for row in asked]
    if len(known) == 1:
        return np.broadcast_to(rows[0], (len(rows), *rows[0].shape))
    return np.stack(rows)


CONDITIONS: Final[dict[str, Callable[[Sequence[Asked], Loaded], Floats | None]]] = {
    "none": no_condition,
    "class": one_hot,
    "vector": vectors,
    "image": pictures,
}


def picture(row: Asked, loaded: Loaded, known: dict[str | int, Floats], allowance: Allowance) -> Floats:
    """One input, float32 (C, H, W) in [-1, 1]; what is `known` already is not decoded again.

    Raises InvalidRequest where it cannot be read or none can be drawn, LimitExceeded.
    """
    if row.input is None:
        if loaded.conditions is None:
            raise InvalidRequest("this model needs an input, an image in base64", param=row.input_param)
        index = draw_condition(row.seed, len(loaded.conditions))
        drawn: Floats = known.setdefault(index, loaded.conditions[index])
        return drawn
    if row.input not in known:
        known[row.input] = opened_input(row.input, loaded.header.network, row.input_param, allowance)
    return known[row.input]


def vector(row: Asked, loaded: Loaded) -> Floats:
    """One condition vector, float32 (K,). Raises InvalidRequest where the length is another or none can be drawn."""
    size = loaded.header.network.conditioning.size
    if row.condition is None:
        if loaded.conditions is None:
            raise InvalidRequest(f"this model needs a condition of {size} numbers", param=row.condition_param)
        drawn: Floats = loaded.conditions[draw_condition(row.seed, len(loaded.conditions))]
        return drawn
    if len(row.condition) != size:
        raise InvalidRequest(
            f"the condition has {len(row.condition)} numbers; this model takes {size}", param=row.condition_param
        )
    given = np.array(row.condition, dtype=np.float64)
    if (np.abs(given) > reach(loaded)).any():
        raise InvalidRequest("the condition lies far beyond all that was trained on", param=row.condition_param)
    return given.astype(np.float32)


def reach(loaded: Loaded) -> Floats | float:
    """How far from zero each number of a condition may lie: a thousand times as far as any in training."""
    if loaded.conditions is None:
        return FURTHEST
    furthest: Floats = FURTHEST * np.maximum(np.abs(loaded.conditions).max(axis=0), 1e-6)
    return furthest


def class_names(loaded: Loaded) -> tuple[str, ...]:
    """The classes by name; by number where the model carries no names."""
    return loaded.header.classes or tuple(map(str, range(loaded.header.network.conditioning.size)))


def class_index(label: Label, classes: Sequence[str], param: str) -> int:
    """A class by name, or by index: a word that is no class's name but a number counts as an index."""
    if isinstance(label, str) and label in classes:
        return classes.index(label)
    if str(label).isdecimal() and str(label).isascii() and len(str(label)) < 10 and int(label) < len(classes):
        return int(label)
    some = ", ".join(classes[:NAMED]) + (", …" if len(classes) > NAMED else "")
    raise InvalidRequest(f"there is no class {str(label)[:100]!r}; there are {len(classes)}: {some}", param=param)


def refuse_label(row: Asked, reason: str) -> None:
    """Raises InvalidRequest where a label was given."""
    if row.label is not None:
        raise InvalidRequest(reason, param=row.label_param)


def refuse_input(row: Asked, reason: str) -> None:
    """Raises InvalidRequest where an image was given."""
    if row.input is not None:
        raise InvalidRequest(reason, param=row.input_param)


def refuse_condition(row: Asked, reason: str) -> None:
    """Raises InvalidRequest where a vector was given."""
    if row.condition is not None:
        raise InvalidRequest(reason, param=row.condition_param)
