"""A seed as an address: what an `<img src>` can point to."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import isfinite
from typing import Annotated, Final, Literal, NamedTuple

from fastapi import APIRouter, Path, Query, Response
from pydantic import BeforeValidator

from gan.averages import RAW
from gan.errors import InvalidRequest
from gan.spec import MAX_SEED, REFERENCE_PATTERN, SampleSpec
from ledger.records import Checkpoint
from service.headers import HeadOnly, IfNoneMatch, Plain, matches
from service.house import House, Inside
from service.kept import Picture
from service.meaning import Found
from service.openapi import problems
from service.rendering import LATENT, Offer, offers
from service.sampling import sampled
from service.sampling_docs import IMAGE_ANSWERS

router = APIRouter(prefix="/v1/models", tags=["samples"])

Reference = Annotated[
    str,
    Path(
        pattern=REFERENCE_PATTERN,
        description="`faces` (its newest checkpoint), `faces@best`, `faces@120000`, or a `ckpt_` id.",
        examples=["digits"],
    ),
]
Seed = Annotated[int, Plain, Path(ge=0, le=MAX_SEED, examples=[42])]
Extension = Literal["png", "webp", "jpg"]
Label = Annotated[str | None, Query(description="A class by name or index; left out, it is drawn from the seed.")]
Truncation = Annotated[float, Query(ge=0, le=1, allow_inf_nan=False, description="ψ: scales the latent.")]
Ema = Annotated[
    float | None,
    BeforeValidator(lambda value: RAW if value == "raw" else value),
    Query(ge=0, allow_inf_nan=False, description="Which average draws: its half-life in images, or `raw`."),
]
Condition = Annotated[
    str | None,
    Query(max_length=50_000, description="Numbers with commas between, for a model that was trained on such."),
]
Size = Annotated[int | None, Plain, Query(ge=1, le=4096, description="Pixels of the longer side.")]

FOR_EVER: Final = "max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"
NAMING: Final = ("x-ganymede-", "content-disposition")
"""How the headers begin that a picture has whenever it is asked for."""
DRAWING: Final = 3
"""Raised when the same request would be drawn as other bytes, so that cached pictures are asked for anew."""


@router.get(
    "/{model}/images/{seed}.{extension}",
    summary="A seed as a picture",
    response_class=Response,
    responses=problems(404, 409, 413) | IMAGE_ANSWERS,
)
async def get_image(
    model: Reference,
    seed: Seed,
    extension: Extension,
    house: Inside,
    head: HeadOnly,
    label: Label = None,
    truncation: Truncation = 1.0,
    size: Size = None,
    ema: Ema = None,
    condition: Condition = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The image that a seed makes. `immutable` where the model is named by a checkpoint's id; 304 costs no forward."""
    address = Address(model, seed, extension, label, truncation, size, ema, numbers(condition))
    return await shown_picture(house, address, head=head, if_none_match=if_none_match)


class Address(NamedTuple):
    """What an address says: the model, perhaps with a checkpoint, the seed, the format, and what is in the query."""

    model: str
    seed: int
    extension: str
    label: str | None = None
    truncation: float = 1.0
    size: int | None = None
    ema: float | None = None
    condition: list[float] | None = None


async def shown_picture(house: House, address: Address, *, head: bool, if_none_match: str | None) -> Response:
    """The answer to `get_image`. Raises what sampling raises."""
    found = await house.resolve(address.model)
    headers = caching(address, found.checkpoint, whose="private" if house.settings.api_keys_required else "public")
    if matches(if_none_match, headers["ETag"].removeprefix("W/")):
        return Response(status_code=304, headers=headers)
    kept = None if head else house.kept.get(headers["ETag"])
    if kept is not None:
        return Response(kept.body, media_type=kept.media_type, headers=kept.headers | headers)
    response = await drawn(house, spec_of(address, found.checkpoint), address.extension, head, found)
    if not head:
        house.kept.put(headers["ETag"], Picture(bytes(response.body), str(response.media_type), named(response)))
    response.headers.update(headers)
    for name in ("Vary", *["Content-Length"] * head):  # the address alone decides; what is not drawn has no length
        del response.headers[name]
    return response


def spec_of(address: Address, checkpoint: Checkpoint) -> SampleSpec:
    """The request for samples that an address makes of a checkpoint."""
    labels: list[str | int] | None = None if address.label is None else [address.label]
    said = {name: getattr(address, name) for name in ("seed", "truncation", "size", "ema", "condition")}
    return SampleSpec(model=checkpoint.id, labels=labels, **said)


def named(response: Response) -> dict[str, str]:
    """The headers that say what a picture shows and how it may be held, as long as it is kept."""
    return {name: value for name, value in response.headers.items() if name.startswith(NAMING)}


def numbers(condition: str | None) -> list[float] | None:
    """`0.5,1` as a condition vector. Raises InvalidRequest where it is no list of finite numbers."""
    if condition is None:
        return None
    try:
        vector = [float(word) for word in condition.split(",")]
    except ValueError as error:
        raise InvalidRequest("a condition is numbers with commas between, such as 0.5,1", param="condition") from error
    if not all(map(isfinite, vector)):
        raise InvalidRequest("the numbers of a condition are finite", param="condition")
    return vector


def caching(address: Address, checkpoint: Checkpoint, whose: str) -> dict[str, str]:
    """A weak ETag of all that the picture depends on, by whom it may be kept, and how long without asking."""
    model, *rest = address
    digest = hashlib.sha256(f"{DRAWING} {checkpoint.id} {rest}".encode()).hexdigest()[:32]
    fixed = model.rpartition("@")[2].startswith("ckpt_")
    return {"ETag": f'W/"{digest}"', "Cache-Control": f"{whose}, {FOR_EVER if fixed else ASK_AGAIN}"}


async def drawn(house: House, spec: SampleSpec, extension: str, head: bool, found: Found) -> Response:
    """The picture, in the format that its address ends in; where only its headers count, they are all that is made."""

    def choose(kind: Literal["images", "points"]) -> Offer:
        offer = next(offer for offer in offers("samples", kind, "grid", None) if offer.extension == extension)
        return replace(offer, default=LATENT, render=lambda _: b"") if head else offer

    with query_named():
        return await sampled(house, spec, lambda network: choose(network.shape.kind), found)


@contextmanager
def query_named() -> Iterator[None]:
    """An error in `labels` is one in the query's `label`."""
    try:
        yield
    except InvalidRequest as error:
        raise InvalidRequest(error.message, param="label" if error.param == "labels" else error.param) from error
