"""Generators in memory: had there before the first request, kept there, let go."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from gan.spec import MemoryRequest
from service.house import House, Inside
from service.meaning import Found
from service.openapi import json_body, problems
from service.parsing import body_of
from service.routes.images import Reference
from service.schemas import Memory

router = APIRouter(prefix="/v1/models", tags=["models"])

KEEP: dict[str, Any] = {
    "warm": {"summary": "Load it now; it leaves when others need the room", "value": {}},
    "keep": {"summary": "Load it now, and keep it", "value": {"kept": True}},
}
Wish = Annotated[MemoryRequest, Depends(body_of(MemoryRequest))]


@router.get("/{model}/memory", summary="What of a model is in memory", responses=problems(404, 409))
async def get_memory(model: Reference, house: Inside) -> Memory:
    """Whether the generator of a checkpoint lies in this service's memory, and what it takes."""
    return said(house, await house.resolve(model))


@router.put(
    "/{model}/memory",
    summary="Have a model in memory",
    openapi_extra=json_body(MemoryRequest, KEEP),
    responses=problems(400, 404, 409, 413, 415),
)
async def put_memory(model: Reference, wish: Wish, house: Inside) -> Memory:
    """Load the generator of a checkpoint, so that its first picture waits for nothing. `kept`: it never makes room for
    others, until it is asked for without, is let go, or the service ends.

    It is this checkpoint that is loaded: a newer one of the model is another. 413 where more than half of
    `GANYMEDE_MAX_LOADED_BYTES` would be kept.
    """
    found = await house.resolve(model)
    await house.engine.keep(found.checkpoint, kept=wish.kept)
    return said(house, found)


@router.delete("/{model}/memory", status_code=204, summary="Let a model leave memory", responses=problems(404, 409))
async def delete_memory(model: Reference, house: Inside) -> Response:
    """Let all networks of a checkpoint leave memory: now, or with the last request that uses them. The next request
    loads them again. One that was retired meanwhile is named by its id."""
    id = model if model.startswith("ckpt_") else (await house.resolve(model)).checkpoint.id
    house.engine.drop([id])
    return Response(status_code=204)


def said(house: House, found: Found) -> Memory:
    """The resource."""
    held = house.engine.held(found.checkpoint)
    return Memory(
        model=found.model.name,
        checkpoint=found.checkpoint.id,
        loaded=held.bytes > 0,
        bytes=held.bytes,
        kept=held.kept,
    )
