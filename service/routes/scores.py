"""Scores: the discriminator as what it was trained to be, a judge of what is real."""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from gan.errors import InvalidRequest, MalformedRequest, UnsupportedMedia
from gan.spec import ScoreSpec
from service.house import House, Inside
from service.openapi import COMPONENTS, problems
from service.parsing import FORM, JSON, media_type, read, validated
from service.sampling import check_most
from service.schemas import Calibration, Scores
from service.scoring import plan_scores, scored

M = TypeVar("M", bound=BaseModel)

router = APIRouter(prefix="/v1/scores", tags=["samples"])

MOST_FILES: Final = 1_000
"""Files and fields of a form; more go as JSON, or in several requests."""

EXAMPLES: Final = {
    "one": {"summary": "An image (a PNG, JPEG or WebP in base64)", "value": {"model": "digits", "images": ["iVBORw…"]}},
    "label": {
        "summary": "Two images as a three",
        "value": {"model": "digits@best", "images": ["iVBORw…", "iVBORw…"], "labels": ["3"]},
    },
    "points": {
        "summary": "Points, in the data's own units",
        "value": {"model": "ring", "points": [[0.7, 0.7], [0, 0]]},
    },
}
BODIES: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": COMPONENTS.format(model="ScoreSpec")}, "examples": EXAMPLES},
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["model", "images"],
                    "properties": {
                        "model": {"type": "string"},
                        "labels": {"type": "array", "items": {"type": "string"}},
                        "images": {"type": "array", "items": {"type": "string", "format": "binary"}},
                    },
                }
            },
        },
    }
}


INTEGERS: Final = ("steps", "starts", "candidates", "seed")
"""Fields of forms that are numbers: a form has words alone."""


async def from_form(model: type[M], request: Request) -> M:
    """The request of a form: files `images`, fields `labels` as often as need be, others once."""
    try:
        async with request.form(max_files=MOST_FILES, max_fields=MOST_FILES) as form:
            images = [await file.read() for file in form.getlist("images") if isinstance(file, UploadFile)]
            fields = {name: value for name, value in form.items() if isinstance(value, str) and name != "labels"}
            labels = [label for label in form.getlist("labels") if isinstance(label, str)]
            strange = {name for name, value in form.multi_items() if isinstance(value, UploadFile)} - {"images"}
    except HTTPException as error:  # how starlette tells of a form that it cannot read
        raise MalformedRequest(f"the form cannot be read: {error.detail}") from error
    if strange:
        raise InvalidRequest("a form's files are its images", param=min(strange))
    numbers = {name: int(fields[name]) for name in INTEGERS if fields.get(name, "").isdecimal()}
    body: dict[str, Any] = fields | numbers | {"images": [b64encode(image).decode() for image in images] or None}
    return validated(model, body | ({"labels": labels} if labels else {}))


def form_reader(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """The dependency that reads a body of JSON, or a form with files `images`."""

    async def body(request: Request) -> M:
        kind = media_type(request)
        if kind == JSON:
            return await read(model, request)
        if kind == FORM:
            return await from_form(model, request)
        raise UnsupportedMedia(f"the body must be {JSON} or {FORM}, said in Content-Type")

    return body


@router.post(
    "",
    summary="How real the discriminator thinks images are",
    openapi_extra=BODIES,
    responses=problems(400, 404, 409, 413, 415),
)
async def create_scores(spec: Annotated[ScoreSpec, Depends(form_reader(ScoreSpec))], house: Inside) -> Scores:
    """Give images (or points) to the model's discriminator: a logit, and a probability in [0, 1] that they are real.

    The probability says how often such a logit was that of the data rather than of a sample, where both are equally
    frequent: it is calibrated at each checkpoint, for every loss, so that a critic's answers can be read as well. An
    image is brought to the model's size and channels as training data are. Of a model of classes, `labels` (one, or one
    an image) say as what it is judged; without, it is judged as each, and the answer names the label it fits best.
    """
    count = len(spec.images or spec.points or ())
    check_most(count, house.settings.max_samples, "GANYMEDE_MAX_SAMPLES", "images" if spec.images else "points")
    return await judged(house, spec)


async def judged(house: House, spec: ScoreSpec) -> Scores:
    """The answer. Raises what the ledger, planning and the engine raise."""
    model, checkpoint = await house.resolve(spec.model)
    async with house.engine.discriminator(checkpoint) as loaded:
        rows = await house.engine.work(plan_scores, spec, loaded)
        logits, _ = await house.engine.sample(loaded, rows.x, rows.c)
    fitted = loaded.header.calibration
    return Scores(
        model=model.name,
        checkpoint=checkpoint.id,
        calibration=None if fitted is None else Calibration(**fitted.model_dump()),
        data=scored(rows, logits, loaded),
    )
