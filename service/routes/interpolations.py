"""Interpolations: a walk from keyframe to keyframe, as a film strip or moving."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from gan.spec import InterpolationSpec
from service.house import Inside
from service.openapi import json_body, problems
from service.parsing import body_of
from service.projecting import with_latents
from service.sampling import accepting, sampled
from service.sampling_docs import INTERPOLATION_EXAMPLES, answers

router = APIRouter(prefix="/v1/interpolations", tags=["samples"])

Spec = Annotated[InterpolationSpec, Depends(body_of(InterpolationSpec))]


@router.post(
    "",
    summary="Walk between samples",
    response_class=Response,
    openapi_extra=json_body(InterpolationSpec, INTERPOLATION_EXAMPLES),
    responses=problems(400, 404, 406, 409, 413, 415) | answers("interpolation"),
)
async def create_interpolation(spec: Spec, request: Request, house: Inside) -> Response:
    """Walk through two keyframes or more; `Accept` says as what.

    A film strip as PNG (the default), WebP or JPEG; moving as GIF, APNG or, with `layout: "animation"`, WebP; a zip of
    frames; latents or pixels as JSON or NumPy array. Every keyframe is a frame; `loop` goes back to the first and
    leaves the repeat out. Between two labels the generator is given their mixture, between two inputs too; `input` is
    that of the whole walk. An `image` as a keyframe is projected first, which takes some seconds and a worker.
    """
    choose = accepting(spec, request.headers.getlist("accept"))
    return await sampled(house, await with_latents(house, spec), choose)
