"""Models and their checkpoints."""

from itertools import chain
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import FileResponse

from gan.errors import NotFound
from gan.spec import CheckpointRequest
from service.averages import averages_by_id, shown
from service.headers import Cursor, IfNoneMatch, Limit, Named, Order, matches
from service.house import Inside, Loaded
from service.openapi import HELD, json_body, problems
from service.parsing import body_of
from service.schemas import Checkpoint, List, Model

router = APIRouter(prefix="/v1/models", tags=["models"])

SAFETENSORS = "application/x-safetensors"
"""Media type of a checkpoint; none is registered for the format."""


@router.get("", summary="List models", responses=problems())
def list_models(
    house: Inside, loaded: Loaded, after: Cursor = None, limit: Limit = 20, order: Order = "desc"
) -> List[Model]:
    """A page of models, newest first."""
    page = house.models.list(after=after, limit=limit, order=order)
    checkpoints = house.models.checkpoints_of(row.id for row in page.data)
    averages = averages_by_id(house.storage, chain.from_iterable(checkpoints.values()))
    return List.of(page, lambda row: Model.of(row, checkpoints[row.id], averages, loaded))


@router.get("/{model}", summary="A model and its checkpoints", responses=problems(404))
def get_model(model: Named, house: Inside, loaded: Loaded) -> Model:
    """A model by name or id; its checkpoints, newest first."""
    row = house.models.get(model)
    checkpoints = house.models.checkpoints(row.id)
    return Model.of(row, checkpoints, averages_by_id(house.storage, checkpoints), loaded)


@router.delete("/{model}", status_code=204, summary="Delete a model", responses=problems(404, 409))
def delete_model(model: Named, house: Inside) -> Response:
    """Delete a model with its checkpoints. 409 while a job works on it."""
    house.storage.remove(*house.models.delete(model))
    return Response(status_code=204)


PIN: dict[str, Any] = {"pin": {"summary": "Keep it for good", "value": {"pinned": True}}}
Change = Annotated[CheckpointRequest, Depends(body_of(CheckpointRequest))]


@router.patch(
    "/{model}/checkpoints/{checkpoint}",
    summary="Pin a checkpoint, or let it go",
    openapi_extra=json_body(CheckpointRequest, PIN),
    responses=problems(400, 404, 409, 413, 415),
)
def change_checkpoint(model: Named, checkpoint: Named, body: Change, house: Inside) -> Checkpoint:
    """Have a checkpoint (named by its id, its count of images, or `best`) never be retired, or let it go.

    One that is let go stays until its model's next checkpoint is published.
    """
    row = house.models.pin(model, checkpoint, body.pinned)
    return Checkpoint.of(row, shown(house.storage, row))


@router.get(
    "/{model}/checkpoints/{checkpoint}/download",
    summary="Download a checkpoint",
    response_class=FileResponse,
    responses=problems(404, 409) | HELD | {200: {"content": {SAFETENSORS: {}}, "description": "A safetensors file."}},
)
def download_checkpoint(model: Named, checkpoint: Named, house: Inside, if_none_match: IfNoneMatch = None) -> Response:
    """The model part of a checkpoint (named by its id, its count of images, or `best`), as a safetensors file."""
    row, found = house.models.resolve(f"{model}@{checkpoint}")
    path = house.storage.path(found.path)
    if not path.is_file():
        raise NotFound(f"the file of checkpoint {found.id} is gone from storage")
    headers = {"ETag": f'"{found.sha256}"'}
    if matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return FileResponse(
        path, media_type=SAFETENSORS, filename=f"{row.name}-{found.images}.safetensors", headers=headers
    )
