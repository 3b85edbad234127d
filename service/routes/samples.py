"""Samples: seeds or latents in, pictures, points or latents out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from gan.spec import SampleSpec
from service.house import Inside
from service.openapi import json_body, problems
from service.parsing import body_of
from service.sampling import accepting, sampled
from service.sampling_docs import SAMPLE_EXAMPLES, answers

router = APIRouter(prefix="/v1/samples", tags=["samples"])

Spec = Annotated[SampleSpec, Depends(body_of(SampleSpec))]


@router.post(
    "",
    summary="Draw samples from a model",
    response_class=Response,
    openapi_extra=json_body(SampleSpec, SAMPLE_EXAMPLES),
    responses=problems(400, 404, 406, 409, 413, 415) | answers("samples"),
)
async def create_samples(spec: Spec, request: Request, house: Inside) -> Response:
    """Draw samples; `Accept` says as what.

    One image, or a grid of several, as PNG (the default), WebP or JPEG; `application/zip` for one file an image;
    `application/json` or `application/x-npy` for latents, points or pixels. Image *i* is made from `seed + i` alone.
    Without seeds and latents the server draws a seed. Every answer names model, checkpoint, seeds and labels.

    `labels` are names or indices (a word that names a class is that class); left out, they are drawn from the seed by
    the frequencies of the training data, for latents from their position. `size` is the longer side of each picture in
    pixels: pictures of up to 32 are enlarged by whole factors as squares, all else is resampled.

    `inputs`, for models of pairs, are images in base64, one for all samples or one a sample, brought to the model's
    size and channels as training data are; left out, each is drawn from the seed among those that the checkpoint has.
    """
    return await sampled(house, spec, accepting(spec, request.headers.getlist("accept")))
