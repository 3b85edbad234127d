"""Scores: the discriminator as what it was trained to be, a judge of what is real."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends

from gan.spec import ScoreSpec
from service.forms import bodies, form_reader
from service.house import House, Inside
from service.openapi import problems
from service.sampling import check_most
from service.schemas import Calibration, Scores
from service.scoring import plan_scores, scored

router = APIRouter(prefix="/v1/scores", tags=["samples"])

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


@router.post(
    "",
    summary="How real the discriminator thinks images are",
    openapi_extra=bodies(ScoreSpec, EXAMPLES),
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
    house.charge(count)
    return await judged(house, spec)


async def judged(house: House, spec: ScoreSpec) -> Scores:
    """The answer. Raises what the ledger, planning and the engine raise."""
    model, checkpoint, _ = await house.resolve(spec.model)
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
