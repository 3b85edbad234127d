"""Projections: images brought to a model's size and put where a worker finds them, a job, and what it found."""

from io import BytesIO
from secrets import token_hex
from typing import Any, Final

import numpy as np

from gan.errors import Conflict, InvalidRequest, QuotaExceeded, Unavailable, failure_codes
from gan.spec import ImageShape, InterpolationSpec, ProjectionSpec, ProjectRequest
from ledger import records
from ledger.states import TERMINAL
from service.engine.runtime import Floats, Loaded
from service.house import House
from service.inputs import Allowance, opened_image
from service.planning import conditions_of
from service.sampling import average
from service.scoring import asked_of


async def queued(house: House, body: ProjectRequest) -> records.Job:
    """The job that looks for the latents of a request's images.

    Raises what the ledger and the engine raise, InvalidRequest, which names the field, and LimitExceeded.
    """
    await house.read(house.admit, "light")
    model, checkpoint, _ = await house.resolve(body.model)
    ema = await average(house, checkpoint, body.ema)
    async with house.engine.generator(checkpoint, ema) as loaded:
        content = await house.engine.work(packed, body, loaded)
    path = f"projections/{token_hex(12)}.npz"
    await house.read(house.storage.write_bytes, path, content)
    spec = ProjectionSpec(
        model=model.name,
        checkpoint=checkpoint.id,
        ema=ema,
        images=path,
        count=len(body.images),
        **body.model_dump(include={"steps", "starts", "candidates", "seed"}),
    )
    try:
        job = await house.read(
            house.jobs.create,
            "project",
            spec.model_dump(mode="json"),
            model_id=model.id,
            model=model.name,
            seed=body.seed,
            priority=body.priority,
            metadata=dict(body.metadata),
        )
    except QuotaExceeded:
        await house.read(house.storage.remove, path)
        raise
    house.doorbell.ring("light", job.id)
    return job


def packed(body: ProjectRequest, loaded: Loaded) -> bytes:
    """The images as the model's networks see them, with their conditions where they are given: a file of two arrays."""
    network = loaded.header.network
    if not isinstance(network.shape, ImageShape):
        raise InvalidRequest("this model makes points: only images are projected", param="model")
    allowance = Allowance()
    images = np.stack(
        [
            opened_image(text, network.shape, network.shape.channels, f"images.{i}", allowance)
            for i, text in enumerate(body.images)
        ]
    )
    buffer, conditions = BytesIO(), conditions_for(body, loaded)
    if conditions is None:
        np.savez(buffer, images=images)
    else:
        np.savez(buffer, images=images, conditions=conditions)
    return buffer.getvalue()


def conditions_for(body: ProjectRequest, loaded: Loaded) -> Floats | None:
    """What the images are looked for under; None where there is nothing, or the best class is to be found."""
    kind = loaded.header.network.conditioning.kind
    if kind == "class" and body.labels is None:
        return None
    return conditions_of(asked_of(body, len(body.images), kind), loaded)


async def awaited(house: House, job: records.Job, seconds: float) -> records.Job:
    """The job once it has ended, or as it is after so many seconds."""
    return await house.watcher.until(
        job.id, lambda: house.read(house.jobs.get, job.id), lambda row: row.status in TERMINAL, seconds
    )


def found(job: records.Job) -> dict[str, Any]:
    """The result of a projection that has ended. Raises what ended it otherwise."""
    if job.status == "succeeded" and job.result is not None:
        return job.result
    if job.status == "cancelled":
        raise Conflict(f"job {job.id} was cancelled")
    if job.status not in TERMINAL:
        raise Unavailable(f"job {job.id} takes longer than that: ask for it as a job")
    error = job.error or {"code": "internal", "message": "it failed without a reason"}
    raise failure_codes()[error["code"]](error["message"])


# ---- images as keyframes ----

PATIENCE: Final = 60.0
"""Seconds that a walk waits for its images to be projected."""


async def with_latents(house: House, spec: InterpolationSpec) -> InterpolationSpec:
    """A walk whose images are latents: those whose pictures, of the same checkpoint, come nearest to them.

    Raises what a projection raises, with the keyframe's field named, and Unavailable where it takes too long.
    """
    places = [i for i, frame in enumerate(spec.keyframes) if frame.image is not None]
    if not places:
        return spec
    checkpoint = (await house.resolve(spec.model)).checkpoint
    keyframes = list(spec.keyframes)
    for labelled in (True, False):  # a request labels all of its images, or none
        group = [i for i in places if (keyframes[i].label is not None) == labelled]
        if group:
            for i, row in zip(group, await latents_of(house, spec, checkpoint.id, group), strict=True):
                update = {"image": None, "latent": row["latent"], "label": row["label"]}
                keyframes[i] = keyframes[i].model_copy(update=update)
    return spec.model_copy(update={"model": checkpoint.id, "keyframes": keyframes})


async def latents_of(house: House, spec: InterpolationSpec, checkpoint: str, group: list[int]) -> list[dict[str, Any]]:
    """What was found of some keyframes, all with labels or all without."""
    frames = [spec.keyframes[i] for i in group]
    fields: dict[str, list[Any]] = {
        "images": [frame.image for frame in frames],
        "labels": [frame.label for frame in frames],
        "condition": [frame.condition for frame in frames],
        "inputs": [frame.input or spec.input for frame in frames],
    }
    given = {name: values for name, values in fields.items() if None not in values}
    body = ProjectRequest.model_validate({"model": checkpoint, "ema": spec.ema, **given})
    try:
        job = await awaited(house, await queued(house, body), PATIENCE)
    except InvalidRequest as error:
        raise InvalidRequest(error.message, param=keyframe_param(error.param, group)) from error
    result: list[dict[str, Any]] = found(job)["data"]
    return result


def keyframe_param(param: str | None, group: list[int]) -> str | None:
    """`images.1` of a projection as the keyframe's own field."""
    name, _, place = (param or "").partition(".")
    fields = {"images": "image", "labels": "label", "inputs": "input", "condition": "condition"}
    if name not in fields:
        return param
    return f"keyframes.{group[int(place)] if place.isdecimal() else group[0]}.{fields[name]}"
