"""Answers as bytes: a table of what can be offered for samples and interpolations, and the functions that draw it."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from typing import IO, Any, Final, Literal
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from gan.averages import number_of
from gan.images import ANIMATIONS, STILLS, Animation, Format, Pixels, grid, resize, strip, to_uint8
from gan.latents import walk
from gan.plots import moving, scatter, trail
from gan.spec import InterpolationSpec, Returns, SampleSpec
from ledger.records import Checkpoint, Model
from service.engine.runtime import Loaded, Values
from service.planning import Inputs, class_names

JSON_TYPE: Final = "application/json"
ZIP_TYPE: Final = "application/zip"
NPY_TYPE: Final = "application/x-npy"

RECORDED_NUMBERS: Final = 65_536
"""A picture's own record lists latents and conditions only up to this many numbers."""

Subject = Literal["samples", "interpolation"]
Kind = Literal["images", "points"]
Request = SampleSpec | InterpolationSpec
Asked = frozenset[Returns]
IMAGE: Final[Asked] = frozenset({"image"})
LATENT: Final[Asked] = frozenset({"latent"})


@dataclass(frozen=True)
class Answer:
    """All that an answer is made of. `values` is None where only latents were asked for."""

    spec: Request
    model: Model
    checkpoint: Checkpoint
    loaded: Loaded
    inputs: Inputs
    values: Values | None
    returns: Asked

    @property
    def subject(self) -> Subject:
        """Samples, or the frames of an interpolation."""
        return "samples" if isinstance(self.spec, SampleSpec) else "interpolation"

    @property
    def kind(self) -> Kind:
        """Images or points."""
        return self.loaded.header.network.shape.kind

    @property
    def count(self) -> int:
        """Rows, which are samples or frames."""
        return len(self.inputs.z)

    @property
    def pixels(self) -> Pixels:
        """The images (N, H, W, C) in the size asked for."""
        assert self.values is not None
        return resize(self.values, self.spec.size)

    @property
    def ema(self) -> float | int | None:
        """The half-life of the average that drew, in images; 0 is the raw generator, None a file that does not say."""
        return None if self.loaded.ema is None else number_of(self.loaded.ema)

    @cached_property
    def head(self) -> dict[str, Any]:
        """What is said of the whole: model, checkpoint, average, truncation, and how an interpolation went."""
        way = {} if isinstance(self.spec, SampleSpec) else way_of(self, self.spec)
        return {
            "model": self.model.name,
            "checkpoint": self.checkpoint.id,
            "images": self.checkpoint.images,
            "truncation": self.spec.truncation,
            "ema": self.ema,
            **way,
        }


def way_of(answer: Answer, spec: InterpolationSpec) -> dict[str, Any]:
    """An interpolation's request, its keyframes with the labels that were drawn for them."""
    steps = walk(len(spec.keyframes), spec.frames, spec.easing, spec.loop)
    stops = [index for index, (_, _, share) in enumerate(steps) if share == 0]
    keyframes = [
        frame.model_dump(exclude_none=True, exclude={"input"}) | named(answer, stop)
        for frame, stop in zip(spec.keyframes, stops, strict=True)
    ]
    return {"keyframes": keyframes, **spec.model_dump(include={"frames", "method", "easing", "loop", "fps"})}


# ---- what a row is called ----


def naming(answer: Answer, index: int) -> dict[str, Any]:
    """A row's seed and label; between two labels their mixture, for vector models the vector."""
    return {"seed": answer.inputs.seeds[index], "label": None} | named(answer, index)


def named(answer: Answer, index: int) -> dict[str, Any]:
    """A row's condition in words; empty for a model that takes none."""
    kind = answer.loaded.header.network.conditioning.kind
    return {} if answer.inputs.c is None else CONDITION_NAMES[kind](answer, answer.inputs.c[index])


def class_naming(answer: Answer, row: Values) -> dict[str, Any]:
    """`label` where the row is one class's, else `mixture`: class → share."""
    names = class_names(answer.loaded)
    present = np.flatnonzero(row)
    if len(present) == 1:
        return {"label": names[present[0]]}
    return {"mixture": {names[index]: float(row[index]) for index in present}}


def vector_naming(answer: Answer, row: Values) -> dict[str, Any]:
    """`condition`: the numbers."""
    del answer
    return {"condition": row.tolist()}


def image_naming(answer: Answer, row: Values) -> dict[str, Any]:
    """`input`: sha256 of the levels that the network was given, so that rows of one input are known for it."""
    del answer
    return {"input": sha256(to_uint8(row[None]).tobytes()).hexdigest()}


CONDITION_NAMES: Final[dict[str, Callable[[Answer, Values], dict[str, Any]]]] = {
    "class": class_naming,
    "vector": vector_naming,
    "image": image_naming,
}


def record(answer: Answer, rows: list[int]) -> dict[str, Any]:
    """What makes these rows again: the head and their seeds and labels, or latents; of a walk's single frame which.

    Inputs are named, not held: by `image_naming`.
    """
    whole = answer.head | answer.spec.model_dump(include={"size", "columns", "edits"}, exclude_none=True)
    if isinstance(answer.spec, InterpolationSpec):
        return whole | ({"frame": rows[0]} if len(rows) == 1 else {})
    names = [naming(answer, index) for index in rows]
    made_from = whole | {"seeds": [name["seed"] for name in names], "labels": [name["label"] for name in names]}
    if "condition" in names[0] and len(rows) * len(names[0]["condition"]) <= RECORDED_NUMBERS:
        made_from["conditions"] = [name["condition"] for name in names]
    if "input" in names[0]:
        made_from["inputs"] = [name["input"] for name in names]
    if names[0]["seed"] is None and len(rows) * answer.inputs.z.shape[1] <= RECORDED_NUMBERS:
        made_from["latents"] = answer.inputs.z[rows].tolist()
    return made_from


def text(answer: Answer, rows: list[int] | None = None) -> dict[str, str]:
    """The text chunks of a picture of these rows (of all, by default); `ganymede` is the record as JSON, in ASCII."""
    made_from = record(answer, rows or list(range(answer.count)))
    return {
        "Software": "Ganymede",
        "Title": answer.model.name,
        "Source": answer.checkpoint.id,
        "ganymede": json.dumps(made_from, separators=(",", ":")),
    }


# ---- one picture ----


def sample_sheet(answer: Answer) -> Pixels:
    """A grid of all images; a single image is itself."""
    return grid(answer.pixels, answer.spec.columns if isinstance(answer.spec, SampleSpec) else None)


def film_strip(answer: Answer) -> Pixels:
    """All frames side by side."""
    return strip(answer.pixels)


def scatter_plot(answer: Answer) -> Pixels:
    """Points over their coordinates, classes in colours, numbers over their condition."""
    assert answer.values is not None
    c = answer.inputs.c
    classes = answer.loaded.header.network.conditioning.kind == "class"
    labels = c.argmax(axis=1) if classes and c is not None else None
    return scatter(answer.values, answer.spec.size, labels=labels, conditions=None if classes else c)


def trail_plot(answer: Answer) -> Pixels:
    """A walk through points."""
    assert answer.values is not None
    return trail(answer.values, answer.spec.size, conditions=vector_conditions(answer))


def vector_conditions(answer: Answer) -> Values | None:
    """The condition vectors, of a model that takes some."""
    return answer.inputs.c if answer.loaded.header.network.conditioning.kind == "vector" else None


def film(answer: Answer) -> Pixels:
    """The frames of an animation, (N, H, W, C)."""
    if answer.kind == "images":
        return answer.pixels
    assert answer.values is not None
    return moving(answer.values, answer.spec.size, conditions=vector_conditions(answer))


PICTURES: Final[dict[tuple[Subject, Kind], Callable[[Answer], Pixels]]] = {
    ("samples", "images"): sample_sheet,
    ("samples", "points"): scatter_plot,
    ("interpolation", "images"): film_strip,
    ("interpolation", "points"): trail_plot,
}


# ---- bytes ----


def still(form: Format) -> Callable[[Answer], bytes]:
    """Renders one picture in a still format."""
    return lambda answer: form.encode(PICTURES[answer.subject, answer.kind](answer), text(answer))


def animation(form: Animation) -> Callable[[Answer], bytes]:
    """Renders a moving picture."""

    def render(answer: Answer) -> bytes:
        assert isinstance(answer.spec, InterpolationSpec)
        return form.encode(film(answer), answer.spec.fps, text(answer))

    return render


class Archive:
    """A zip that is written image by image, as they are computed: a PNG each, and at the end `manifest.json`.

    The manifest has the record, and what each file is. The same answer has the same bytes. `answer` has no values.
    """

    def __init__(self, answer: Answer, file: IO[bytes]) -> None:
        self._answer = answer
        self._zip = ZipFile(file, "w", ZIP_STORED)
        self._entries: list[str] = []

    def add(self, values: Values) -> None:
        """The next images, uint8 (N, H, W, C)."""
        answer = self._answer
        for picture in resize(values, answer.spec.size):
            index = len(self._entries)
            name = file_name(answer, index)
            self._zip.writestr(ZipInfo(name), STILLS["png"].encode(picture, text(answer, [index])))
            entry = {"index": index, "file": name} | row(answer, index)
            self._entries.append(json.dumps(entry, ensure_ascii=False))

    def finish(self) -> None:
        """After the last image."""
        head = json.dumps(document(self._answer), ensure_ascii=False, indent=1).removesuffix("\n}")
        data = ",\n  ".join(self._entries)
        self._zip.writestr(ZipInfo("manifest.json"), f'{head},\n "data": [\n  {data}\n ]\n}}')
        self._zip.close()


def file_name(answer: Answer, index: int) -> str:
    """`000000_seed42.png`; without a seed `000000.png`."""
    seed = answer.inputs.seeds[index]
    return f"{index:06d}.png" if seed is None else f"{index:06d}_seed{seed}.png"


def as_json(answer: Answer) -> bytes:
    """The contract's `{model, checkpoint, data: [{index, seed, label, latent?, b64_json?, point?}]}`."""
    drawn: Iterator[dict[str, Any]] = iter(pictured(answer)) if "image" in answer.returns else iter(())
    data = [{"index": index} | row(answer, index) | next(drawn, {}) for index in range(answer.count)]
    whole = document(answer) | {"data": data}
    return json.dumps(whole, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def document(answer: Answer) -> dict[str, Any]:
    """The head of a JSON answer."""
    return {"object": answer.subject, **answer.head}


def row(answer: Answer, index: int) -> dict[str, Any]:
    """A row's names, with its latent where that was asked for: as the generator got it, truncation done."""
    latent = {"latent": answer.inputs.z[index].tolist()} if "latent" in answer.returns else {}
    return naming(answer, index) | latent


def pictured(answer: Answer) -> Iterator[dict[str, Any]]:
    """`b64_json` (a PNG) of each image, or `point`, the numbers in the data's units."""
    if answer.kind == "points":
        assert answer.values is not None
        yield from ({"point": point.tolist()} for point in answer.values)
        return
    for index, picture in enumerate(answer.pixels):
        png = STILLS["png"].encode(picture, text(answer, [index]))
        yield {"b64_json": b64encode(png).decode()}


def as_npy(answer: Answer) -> bytes:
    """One array: latents float32 (N, latent_dim), images uint8 (N, H, W, C), or points float32 (N, D)."""
    pictures = answer.pixels if answer.kind == "images" and answer.values is not None else answer.values
    array = answer.inputs.z if answer.returns == LATENT else pictures
    assert array is not None
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


# ---- offers ----


@dataclass(frozen=True)
class Offer:
    """One way to answer. `layout` is None where every layout is as good.

    `default` is what it returns when the request does not say; `admits` says which wishes it can fulfil. `render` is
    None for what is written as it is computed, an `Archive`.
    """

    media_type: str
    extension: str
    layout: Literal["grid", "strip", "animation"] | None
    default: Asked
    admits: Callable[[Asked], bool]
    render: Callable[[Answer], bytes] | None


def only_image(asked: Asked) -> bool:
    """A picture holds pictures."""
    return asked == IMAGE


def image_too(asked: Asked) -> bool:
    """A zip holds pictures, and latents in its manifest."""
    return "image" in asked


def anything(asked: Asked) -> bool:
    """JSON holds whatever is asked for."""
    return bool(asked)


def one_thing(asked: Asked) -> bool:
    """An array is one thing."""
    return len(asked) == 1


def stills(layout: Literal["grid", "strip"]) -> tuple[Offer, ...]:
    """All still formats."""
    return tuple(
        Offer(form.media_type, form.extension, layout, IMAGE, only_image, still(form)) for form in STILLS.values()
    )


def numbers(default: Asked) -> tuple[Offer, ...]:
    """JSON and the NumPy array."""
    return (
        Offer(JSON_TYPE, "json", None, default, anything, as_json),
        Offer(NPY_TYPE, "npy", None, default, one_thing, as_npy),
    )


MOVING: Final = tuple(
    Offer(form.media_type, form.extension, "animation", IMAGE, only_image, animation(form))
    for form in ANIMATIONS.values()
)
ZIP: Final = (Offer(ZIP_TYPE, "zip", None, IMAGE, only_image, None),)
ZIP_WITH_LATENTS: Final = (Offer(ZIP_TYPE, "zip", None, IMAGE, image_too, None),)
"""Behind JSON, which is the better choice where latents are asked for as well."""

OFFERS: Final[dict[tuple[Subject, Kind], tuple[Offer, ...]]] = {
    ("samples", "images"): (*stills("grid"), *ZIP, *numbers(LATENT), *ZIP_WITH_LATENTS),
    ("samples", "points"): (*numbers(IMAGE), *stills("grid")),
    ("interpolation", "images"): (*stills("strip"), *MOVING, *ZIP, *numbers(LATENT), *ZIP_WITH_LATENTS),
    ("interpolation", "points"): (*numbers(IMAGE), *stills("strip"), *MOVING),
}
"""What can be offered, the server's own choice first."""


def offers(subject: Subject, kind: Kind, layout: str | None, returns: Asked | None) -> list[Offer]:
    """The offers that fit the layout and the returns of a request, where it said any."""
    return [
        offer
        for offer in OFFERS[subject, kind]
        if layout in (None, offer.layout) or offer.layout is None
        if returns is None or offer.admits(returns)
    ]
