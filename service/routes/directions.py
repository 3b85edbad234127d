"""Directions: along which a model's pictures change most, found without labels."""

from typing import Annotated

from fastapi import APIRouter, Query

from gan.spec import DirectionMethod
from service.headers import Plain
from service.house import Inside
from service.openapi import problems
from service.routes.images import Ema, Reference
from service.sampling import average
from service.schemas import Direction, DirectionList

router = APIRouter(prefix="/v1/models", tags=["models"])

Count = Annotated[int, Plain, Query(ge=1, le=1024, description="How many, the strongest first.")]


@router.get("/{model}/directions", summary="Along which pictures change most", responses=problems(404, 409))
async def list_directions(
    model: Reference, house: Inside, method: DirectionMethod = "pca", count: Count = 8, ema: Ema = None
) -> DirectionList:
    """Unit vectors of the latent space; `edits` of a request for samples step along them, by their numbers.

    `pca`: the principal components of what the generator's first layer answers to many latents (GANSpace).
    `factorisation`: the directions that its weights stretch most (closed form). Nobody has named them: look what they
    do, a few standard deviations to either side.
    """
    row, checkpoint, _ = await house.resolve(model)
    async with house.engine.generator(checkpoint, await average(house, checkpoint, ema)) as loaded:
        found = await house.engine.directions(checkpoint, loaded, method)
    pairs = zip(found.vectors[:count], found.strengths[:count], strict=True)
    data = [
        Direction(index=index, strength=float(strength), vector=vector.tolist())
        for index, (vector, strength) in enumerate(pairs)
    ]
    return DirectionList(model=row.name, checkpoint=checkpoint.id, ema=loaded.ema, method=method, data=data)
