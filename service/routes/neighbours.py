"""The nearest of the data to what a seed makes."""

from base64 import b64encode
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query

from gan.errors import Conflict, NotFound
from gan.images import STILLS
from gan.spec import MAX_SEED, SampleSpec
from ledger import records
from service.engine.runtime import Loaded
from service.headers import Plain
from service.house import House, Inside
from service.neighbours import Packed, nearest, opened
from service.openapi import problems
from service.planning import Inputs, class_names, plan_samples
from service.routes.images import Condition, Ema, Label, Reference, Truncation, numbers, query_named
from service.sampling import average
from service.schemas import Neighbour, Neighbours

router = APIRouter(prefix="/v1/models", tags=["models"])

Seed = Annotated[int, Plain, Query(ge=0, le=MAX_SEED, description="Which sample.")]
Count = Annotated[int, Plain, Query(ge=1, le=16, description="How many neighbours.")]


@router.get("/{model}/neighbours", summary="The data nearest to a sample", responses=problems(404, 409, 413))
async def list_neighbours(
    model: Reference,
    house: Inside,
    seed: Seed,
    label: Label = None,
    truncation: Truncation = 1.0,
    condition: Condition = None,
    ema: Ema = None,
    count: Count = 8,
) -> Neighbours:
    """The images (or points) of the training data that lie nearest to what a seed makes, nearest first.

    A sample that lies nearer to its neighbour than half of `typical`, that neighbour's distance to its own nearest
    image, is nearly a copy. The held-out tenth is looked at as well.
    """
    row, checkpoint, _ = await house.resolve(model)
    data = await house.read(data_of, house, row)
    labels: list[str | int] | None = None if label is None else [label]
    spec = SampleSpec(
        model=checkpoint.id, seed=seed, labels=labels, truncation=truncation, condition=numbers(condition)
    )
    async with house.engine.generator(checkpoint, await average(house, checkpoint, ema)) as loaded:
        with query_named():
            inputs: Inputs = await house.engine.work(plan_samples, spec, loaded)
        made, _ = await house.engine.sample(loaded, inputs.z, inputs.c)
    typical, found = await house.scan(looked, data, made[0], count)
    return Neighbours(
        model=row.name,
        checkpoint=checkpoint.id,
        dataset=row.dataset,
        seed=seed,
        label=label_of(loaded, inputs),
        ema=loaded.ema,
        typical=typical,
        data=found,
    )


def data_of(house: House, model: records.Model) -> Packed:
    """What the model was trained on. Raises Conflict where the dataset was deleted, DatasetMissing."""
    try:
        dataset = house.datasets.get(model.dataset_id or "")
    except NotFound as error:
        raise Conflict(f"the dataset of model {model.name} was deleted: there is nothing to compare with") from error
    assert dataset.path is not None, "a model is trained on a dataset that is ready"
    return opened(house.storage.path(dataset.path), dataset.facts())


def looked(data: Packed, sample: Any, count: int) -> tuple[float | None, list[Neighbour]]:
    """The `typical` distance, and the neighbours, nearest first."""
    found = nearest(data, sample, count)
    rows = zip(found.indices, found.distances, strict=True)
    return found.typical, [neighbour(data, index, distance) for index, distance in rows]


def label_of(loaded: Loaded, inputs: Inputs) -> str | None:
    """The class of the only sample, of a model that has classes."""
    if inputs.c is None or loaded.header.network.conditioning.kind != "class":
        return None
    return class_names(loaded)[int(inputs.c[0].argmax())]


def neighbour(data: Packed, index: int, distance: float) -> Neighbour:
    """A row of the data, as an answer has it."""
    row = data.rows[index]
    classed = data.labels is not None and data.labels.ndim == 1
    label = data.facts.classes[int(data.labels[index])] if classed and data.labels is not None else None
    if row.ndim == 1:
        return Neighbour(index=index, distance=distance, label=label, point=row.tolist())
    picture = b64encode(STILLS["png"].encode(np.asarray(row))).decode()
    return Neighbour(index=index, distance=distance, label=label, b64_json=picture)
