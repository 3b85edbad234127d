"""Models and their checkpoints."""

from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool
from fastapi.responses import FileResponse

from gan.errors import (
    CheckpointCorrupt,
    Conflict,
    InvalidRequest,
    LostClaim,
    NotFound,
    QuotaExceeded,
    UnsupportedMedia,
)
from gan.spec import CheckpointRequest, Name, Words
from ledger import records
from ledger.records import StoredModel
from ledger.storage import sha256_of
from service.averages import averages_by_id, shown
from service.headers import Cursor, IfNoneMatch, Limit, Named, Order, matches, tagged
from service.house import House, Inside, Loaded
from service.openapi import HELD, json_body, problems
from service.parsing import FORM, JSON, as_json, body_of, declared, media_type, validated
from service.schemas import Checkpoint, List, Model
from service.uploads import MODELS, receive

router = APIRouter(prefix="/v1/models", tags=["models"])

SAFETENSORS = "application/x-safetensors"
"""Media type of a checkpoint; none is registered for the format."""


@router.get("", response_model=List[Model], summary="List models", responses=problems())
def list_models(
    house: Inside, loaded: Loaded, after: Cursor = None, limit: Limit = 20, order: Order = "desc"
) -> Response:
    """A page of models, newest first."""
    page = house.models.list(after=after, limit=limit, order=order)
    checkpoints = house.models.checkpoints_of(row.id for row in page.data)
    averages = averages_by_id(house.storage, chain.from_iterable(checkpoints.values()))
    return as_json(List.of(page, lambda row: Model.of(row, checkpoints[row.id], averages, loaded)))


class ModelForm(Words):
    """The text fields of an upload."""

    name: Name


BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["name", "file"],
                    "properties": {
                        "name": {"type": "string", "description": "A new name."},
                        "file": {"type": "string", "format": "binary", "description": "A downloaded checkpoint."},
                    },
                }
            }
        },
    }
}


@router.post(
    "",
    status_code=201,
    summary="Upload a checkpoint as a model",
    openapi_extra=BODY,
    responses=problems(400, 409, 413, 415, 507),
)
async def create_model(request: Request, house: Inside, loaded: Loaded, response: Response) -> Model:
    """Take in what was downloaded from this or another server. Safetensors alone: nothing in the file is executed.

    Every tensor is looked at before the model is there: its name, shape, type, and that its numbers are numbers.
    """
    if media_type(request) != FORM:
        raise UnsupportedMedia(f"the body must be {FORM}, said in Content-Type")
    await house.read(house.keys.check_quotas, declared(request), jobs=False)
    model_id, checkpoint_id = house.models.new_ids()
    where = f"checkpoints/{model_id}"
    async with contextmanager_in_threadpool(house.storage.building(where)) as folder:
        upload = await receive(request, folder, ModelForm.model_fields, MODELS)
        name = validated(ModelForm, upload.fields).name
        stored = await described(house, upload.path, name, model_id, checkpoint_id)
        upload.path.rename(folder / Path(stored.path).name)
    try:
        row = await house.read(house.models.add, stored)
    except (Conflict, LostClaim, QuotaExceeded):
        await house.read(house.storage.remove, where)
        raise
    response.headers["Location"] = f"/v1/models/{row.id}"
    return await house.read(resource, house, row, loaded)


async def described(house: House, path: Path, name: str, model_id: str, checkpoint_id: str) -> StoredModel:
    """What the ledger is to know of an uploaded file. Raises InvalidRequest where it is no model."""
    if await house.read(house.models.exists, name):
        raise Conflict(f"a model named {name} exists already: choose another name", param="name")
    try:
        header = await house.engine.inspect(path)
    except CheckpointCorrupt as error:
        raise InvalidRequest(error.message, param="file") from error
    said = header.model_dump(mode="json")
    return StoredModel(
        id=model_id,
        name=name,
        recipe=said["recipe"],
        network=said["network"],
        classes=said["classes"],
        checkpoint=checkpoint_id,
        images=said["images"],
        path=f"checkpoints/{model_id}/{checkpoint_id}.model.safetensors",
        bytes=path.stat().st_size,
        sha256=await house.read(sha256_of, path),
    )


def resource(house: House, row: records.Model, loaded: frozenset[str]) -> Model:
    """A model with its checkpoints."""
    checkpoints = house.models.checkpoints(row.id)
    return Model.of(row, checkpoints, averages_by_id(house.storage, checkpoints), loaded)


@router.get("/{model}", response_model=Model, summary="A model and its checkpoints", responses=problems(404) | HELD)
def get_model(model: Named, house: Inside, loaded: Loaded, if_none_match: IfNoneMatch = None) -> Response:
    """A model by name or id; its checkpoints, newest first."""
    return tagged(resource(house, house.models.get(model), loaded).model_dump_json().encode(), JSON, if_none_match)


@router.delete("/{model}", status_code=204, summary="Delete a model", responses=problems(404, 409))
async def delete_model(model: Named, house: Inside) -> Response:
    """Delete a model with its checkpoints. 409 while a job works on it."""
    house.engine.drop(await house.read(deleted, house, model))
    return Response(status_code=204)


def deleted(house: House, model: str) -> list[str]:
    """Deletes a model; the ids of its checkpoints. Raises NotFound, Conflict."""
    checkpoints = house.models.checkpoints(house.models.get(model).id)
    house.storage.remove(*house.models.delete(model))
    return [checkpoint.id for checkpoint in checkpoints]


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
