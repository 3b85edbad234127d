"""A sampling request from its spec to its response: resolve, negotiate, plan, compute, draw, name."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from os import SEEK_END
from tempfile import SpooledTemporaryFile
from time import perf_counter
from typing import IO, Final
from urllib.parse import quote

import numpy as np
from fastapi import Response
from fastapi.responses import StreamingResponse

from gan.errors import CheckpointCorrupt, InvalidRequest, LimitExceeded
from gan.images import scaled
from gan.plots import SIDE
from gan.spec import ImageShape, InterpolationSpec, NetworkSpec, Returns, SampleSpec
from ledger.records import Checkpoint
from ledger.settings import Settings
from service.averages import NONE, averages_of, selected
from service.engine.batcher import Timing
from service.engine.runtime import Floats, Loaded
from service.house import House
from service.meaning import Found
from service.negotiation import negotiate
from service.planning import Inputs, count_of, plan_samples, plan_walk, settled
from service.rendering import JSON_TYPE, Answer, Archive, Asked, Offer, Request, Subject, naming, offers

JSON_NUMBERS: Final = 4_000_000
"""Numbers of one JSON answer at most; an array holds more in less."""
HEADER_CHARACTERS: Final = 2_000
"""A header that lists seeds or labels is cut after this many characters, and then ends in `...`."""

COUNTING: Final = ("seeds", "latents", "count", "labels", "condition", "inputs")
"""The fields that say how many samples there are, as `count_of` reads them."""

AT_ONCE: Final = 4
"""Samples whose latents are drawn in the event loop: a few dozen microseconds each."""

FEW_LEVELS: Final = 2**14
"""Levels of pictures that are encoded in the event loop: a tenth of a millisecond's work."""

ARCHIVE_PIXELS: Final = 2**20
"""Pixels of an archive's images that are held at a time."""
IN_MEMORY: Final = 2**22
"""Bytes of an archive that need no file on disk."""
PIECE: Final = 2**18
"""Bytes of an archive that are read and sent at a time."""

Choose = Callable[[NetworkSpec], Offer]
"""How a request is answered, once the model is known."""

PLANNERS: Final[dict[type, Callable[..., Inputs]]] = {SampleSpec: plan_samples, InterpolationSpec: plan_walk}


async def sampled(house: House, spec: Request, choose: Choose, found: Found | None = None) -> Response:
    """The answer to a request. A checkpoint that retention has just deleted is looked up once more.

    `found` is what the request's model means, where that was asked already. Raises what the ledger, planning and the
    engine raise, LimitExceeded and QuotaExceeded before anything is computed, NotAcceptable.
    """
    check_count(spec, house.settings)
    house.charge(images_of(spec))
    request = settled(spec) if isinstance(spec, SampleSpec) else spec
    first = found or await house.resolve(request.model)
    try:
        return await served(house, request, choose, first)
    except CheckpointCorrupt:
        second = await house.resolve(request.model)
        if second.checkpoint.id == first.checkpoint.id:
            raise
        return await served(house, request, choose, second)


async def served(house: House, spec: Request, choose: Choose, found: Found) -> Response:
    """The answer from one checkpoint."""
    model, checkpoint, network = found
    offer = choose(network)
    returns = asked(spec) or offer.default
    check_size(spec, network, offer, returns, house.settings)
    ema = await average(house, checkpoint, spec.ema)
    async with house.engine.generator(checkpoint, ema) as loaded:
        inputs = await edited(house, spec, checkpoint, loaded, await planned(house, spec, loaded))
        answer = Answer(spec, model, checkpoint, loaded, inputs, None, returns)
        if offer.render is None:
            return await archived(house, answer, offer)
        answer, timing = await computed(house, answer)
        began = perf_counter()
        body, headers = await drawn(house, offer.render, answer, offer)
    encoding = perf_counter() - began
    house.engine.meters.encode.observe(encoding)
    return Response(body, media_type=offer.media_type, headers=headers | timed(timing, encoding))


async def planned(house: House, spec: Request, loaded: Loaded) -> Inputs:
    """The rows of a request: at once where that is less work than asking a thread for it."""
    plan = PLANNERS[type(spec)]
    if isinstance(spec, SampleSpec) and count_of(spec) <= AT_ONCE and not spec.inputs:
        return plan(spec, loaded)
    return await house.engine.work(plan, spec, loaded)


async def drawn(
    house: House, render: Callable[[Answer], bytes], answer: Answer, offer: Offer
) -> tuple[bytes, dict[str, str]]:
    """Body and headers: at once where that is less work than asking a thread for it."""
    if quick(answer, offer):
        return rendered(render, answer, offer)
    return await house.engine.work(rendered, render, answer, offer)


def quick(answer: Answer, offer: Offer) -> bool:
    """Whether an answer is a PNG of few pixels, as they were made."""
    few = answer.values is not None and answer.values.dtype == np.uint8 and answer.values.size <= FEW_LEVELS
    return few and offer.media_type == "image/png" and answer.spec.size is None


async def edited(house: House, spec: Request, checkpoint: Checkpoint, loaded: Loaded, inputs: Inputs) -> Inputs:
    """The inputs, moved along the directions that the request names. Raises InvalidRequest where there is none such."""
    if not isinstance(spec, SampleSpec) or spec.edits is None:
        return inputs
    z = inputs.z.astype(np.float64)
    for i, edit in enumerate(spec.edits):
        there = (await house.engine.directions(checkpoint, loaded, edit.method)).vectors
        if edit.direction >= len(there):
            raise InvalidRequest(
                f"edits.{i}: this model has {len(there)} directions, numbered from 0", param=f"edits.{i}.direction"
            )
        z = z + edit.amount * there[edit.direction]
    return replace(inputs, z=z.astype(np.float32))


async def average(house: House, checkpoint: Checkpoint, ema: float | None) -> float | None:
    """Which average to load: another than the default, or None.

    Raises InvalidRequest, which lists what there is, or CheckpointCorrupt.
    """
    there = NONE if ema is None else await house.read(averages_of, house.storage, checkpoint)
    return selected(ema, there)


async def computed(house: House, answer: Answer) -> tuple[Answer, Timing]:
    """The answer with its images or points, if any were asked for, and where the time went."""
    if "image" not in answer.returns:
        return answer, Timing()
    values, timing = await house.engine.sample(answer.loaded, answer.inputs.z, answer.inputs.c)
    if values.dtype != np.uint8 and not np.isfinite(values).all():
        raise InvalidRequest("the model's arithmetic overflows on these latents or conditions")
    return replace(answer, values=values), timing


# ---- archives ----


async def archived(house: House, answer: Answer, offer: Offer) -> Response:
    """Images as files of a zip, some at a time, so that ten thousand take no more memory than a few.

    They go to disk first: only then is the length known, which the answer says before its first byte.
    """
    timing, encoding = Timing(), 0.0
    file = await house.engine.work(partial(SpooledTemporaryFile, IN_MEMORY))
    try:
        archive = Archive(answer, file)
        for part in slices(answer):
            values, spent = await house.engine.sample(answer.loaded, *rows_of(answer, part))
            began = perf_counter()
            await house.engine.work(archive.add, values)
            timing, encoding = timing + spent, encoding + perf_counter() - began
        await house.engine.work(archive.finish)
        length = file.seek(0, SEEK_END)
        headers = await house.engine.work(described, answer, offer)
    except BaseException:
        file.close()
        raise
    house.engine.meters.encode.observe(encoding)
    headers |= {"Content-Length": str(length)} | timed(timing, encoding)
    return StreamingResponse(pieces(file), media_type=offer.media_type, headers=headers)


def slices(answer: Answer) -> Iterator[slice]:
    """The rows of an archive, as many at a time as may be held."""
    shape = answer.loaded.header.network.shape
    assert isinstance(shape, ImageShape)
    height, width = scaled(shape.height, shape.width, answer.spec.size)
    step = max(1, ARCHIVE_PIXELS // max(height * width, answer.loaded.pixels))
    return (slice(start, start + step) for start in range(0, answer.count, step))


def rows_of(answer: Answer, part: slice) -> tuple[Floats, Floats | None]:
    """What the generator is given for some of the rows."""
    z, c = answer.inputs.z, answer.inputs.c
    return z[part], None if c is None else c[part]


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """A file's bytes, after which it is gone."""
    with file:
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece


# ---- what to answer with ----


def accepting(spec: Request, accept: list[str]) -> Choose:
    """The offer that fits the request and that the caller's `Accept` headers like best. Raises NotAcceptable."""
    subject: Subject = "samples" if isinstance(spec, SampleSpec) else "interpolation"
    alone = isinstance(spec, SampleSpec) and count_of(spec) == 1
    layout = None if alone else spec.layout

    def choose(network: NetworkSpec) -> Offer:
        kind = network.shape.kind
        found = offers(subject, kind, layout, asked(spec))
        what = f"{subject} of {kind}" + wishes(layout, spec.returns)
        return found[negotiate(",".join(accept), [offer.media_type for offer in found], what)]

    return choose


def wishes(layout: str | None, returns: list[Returns] | None) -> str:
    """The parts of a request that narrow what can be offered, in words."""
    said = [f'layout "{layout}"'] * (layout is not None) + [f"return {returns}"] * (returns is not None)
    return f" with {' and '.join(said)}" if said else ""


def asked(spec: Request) -> Asked | None:
    """What the request wants returned, if it says."""
    return frozenset(spec.returns) if spec.returns else None


# ---- limits ----


def check_count(spec: Request, settings: Settings) -> None:
    """Raises LimitExceeded for more samples or frames than one request may have."""
    if isinstance(spec, SampleSpec):
        check_most(count_of(spec), settings.max_samples, "GANYMEDE_MAX_SAMPLES", counted_by(spec))
    else:
        check_most(spec.frames, settings.max_frames, "GANYMEDE_MAX_FRAMES", "frames")


def images_of(spec: Request) -> int:
    """How many images or points a request has made; none where it asks for latents alone."""
    if spec.returns == ["latent"]:
        return 0
    return count_of(spec) if isinstance(spec, SampleSpec) else spec.frames


def counted_by(spec: SampleSpec) -> str:
    """The field of the request that says how many samples there are; `count` if none does."""
    return next((name for name in COUNTING if getattr(spec, name)), "count")


def check_most(count: int, most: int, setting: str, param: str) -> None:
    """Raises LimitExceeded, naming the field and the setting, where `count` is more than `most`."""
    if count > most:
        raise LimitExceeded(
            f"{param} asks for {count}; this server makes at most {most} at once ({setting})", param=param
        )


def check_size(spec: Request, network: NetworkSpec, offer: Offer, returns: Asked, settings: Settings) -> None:
    """Raises LimitExceeded for an answer with more pixels, or more numbers in JSON, than one may have."""
    rows = count_of(spec) if isinstance(spec, SampleSpec) else spec.frames
    pixels = pixels_of(spec, network, rows, offer) if "image" in returns else 0
    if pixels > settings.max_pixels_per_request:
        most = f"{settings.max_pixels_per_request} (GANYMEDE_MAX_PIXELS_PER_REQUEST)"
        raise LimitExceeded(f"the answer would have {pixels} pixels; this server makes at most {most}", param="size")
    numbers = rows * numbers_of(network, returns)
    if offer.media_type == JSON_TYPE and numbers > JSON_NUMBERS:
        raise LimitExceeded(f"{numbers} numbers are too many for JSON ({JSON_NUMBERS}); application/x-npy holds them")


def pixels_of(spec: Request, network: NetworkSpec, rows: int, offer: Offer) -> int:
    """Pixels that must be held at once: of the images as made or as enlarged; of a plot, or of each of its frames."""
    shape = network.shape
    if not isinstance(shape, ImageShape):
        side = (spec.size or SIDE) if offer.layout else 0
        return side * side * (rows if offer.layout == "animation" else 1)
    height, width = scaled(shape.height, shape.width, spec.size)
    return rows * max(shape.height * shape.width, height * width)


def numbers_of(network: NetworkSpec, returns: Asked) -> int:
    """Numbers of one row in a JSON answer; pictures are weighed by their pixels."""
    point = 0 if isinstance(network.shape, ImageShape) else network.shape.dims
    return network.latent_dim * ("latent" in returns) + point * ("image" in returns)


# ---- headers ----


def rendered(render: Callable[[Answer], bytes], answer: Answer, offer: Offer) -> tuple[bytes, dict[str, str]]:
    """Body and headers of an answer."""
    return render(answer), described(answer, offer)


def described(answer: Answer, offer: Offer) -> dict[str, str]:
    """Headers that name what is in the body, so that it can be made again."""
    names = [naming(answer, index) for index in range(answer.count)]
    labels = [quote(name["label"], safe="") for name in names if name["label"] is not None]
    return {
        "Vary": "Accept",
        "Content-Disposition": f'inline; filename="{answer.model.name}.{offer.extension}"',
        "X-Ganymede-Model": answer.model.name,
        "X-Ganymede-Checkpoint": answer.checkpoint.id,
        "X-Ganymede-Truncation": f"{answer.spec.truncation:g}",
        **({} if answer.ema is None else {"X-Ganymede-Ema": str(answer.ema)}),
        **listed("X-Ganymede-Seeds", [str(name["seed"]) for name in names if name["seed"] is not None]),
        **listed("X-Ganymede-Labels", labels),
    }


def listed(header: str, values: Iterable[str]) -> dict[str, str]:
    """A header with comma-separated values, cut where it grows too long; none without values."""
    whole = ",".join(values)
    if len(whole) > HEADER_CHARACTERS:
        whole = whole[:HEADER_CHARACTERS].rpartition(",")[0] + ",..."
    return {header: whole} if whole else {}


def timed(timing: Timing, encode: float) -> dict[str, str]:
    """`Server-Timing`, in milliseconds."""
    seconds = {"queue": timing.queue, "batch": timing.batch, "forward": timing.forward, "encode": encode}
    return {"Server-Timing": ", ".join(f"{name};dur={1000 * spent:.2f}" for name, spent in seconds.items())}
