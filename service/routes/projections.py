"""Projections: from an image back to the latent that makes it, as a job, or at once under `Prefer: wait`."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response

from gan.spec import ProjectRequest
from ledger.states import TERMINAL
from service.forms import bodies, form_reader
from service.headers import Wait, applied
from service.house import Inside
from service.openapi import problems
from service.parsing import JSON
from service.projecting import awaited, found, queued
from service.schemas import Job, Projection

router = APIRouter(prefix="/v1/projections", tags=["samples"])

EXAMPLES: Final = {
    "one": {"summary": "An image (a PNG, JPEG or WebP in base64)", "value": {"model": "digits", "images": ["iVBORw…"]}},
    "label": {
        "summary": "Two images, as a three, for longer",
        "value": {"model": "digits@best", "images": ["iVBORw…", "iVBORw…"], "labels": ["3"], "steps": 500},
    },
}


@router.post(
    "",
    status_code=202,
    response_model=Job,
    summary="Find the latents of images",
    openapi_extra=bodies(ProjectRequest, EXAMPLES),
    responses=problems(400, 404, 409, 413, 415, 507) | {200: {"model": Projection, "description": "What was found."}},
)
async def create_projection(
    body: Annotated[ProjectRequest, Depends(form_reader(ProjectRequest))],
    house: Inside,
    wait: Wait,
) -> Response:
    """Look for the latents whose pictures come nearest to images. 202 with a job, whose `result` has what was found.

    With `Prefer: wait=N` the answer is what was found, if that takes no longer than N seconds. What is made small is
    the distance of pixels and that of what the model's own discriminator sees in them; `distance` in the answer is the
    root mean square of pixels, as a share of their range. A latent that was found is a keyframe like any other.
    """
    job = await queued(house, body)
    if wait:
        job = await awaited(house, job, wait)
    if wait and job.status in TERMINAL:
        return Response(Projection.model_validate(found(job)).model_dump_json(), media_type=JSON, headers=applied(wait))
    headers = {"Location": f"/v1/jobs/{job.id}", "Retry-After": "1", **applied(wait)}
    return Response((await house.standing(job.id)).body, 202, headers, JSON)
