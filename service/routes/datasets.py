"""Datasets: uploaded or imported, prepared by a worker, looked at."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool

from gan import images, plots
from gan.errors import Conflict, DatasetMissing, InvalidRequest, LostClaim, QuotaExceeded, UnsupportedMedia
from gan.spacing import evenly
from gan.spec import IMAGE_SIDES, DatasetRequest, Name, Side, Words
from ledger import records
from service.headers import Cursor, IfNoneMatch, Limit, Named, Order, Wait, applied, matches, tagged
from service.house import House, Inside
from service.openapi import COMPONENTS, HELD, problems
from service.parsing import FORM, JSON, as_json, declared, media_type, read, validated
from service.schemas import Dataset, List
from service.uploads import DATASETS, POINTS, receive

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])


class UploadForm(Words):
    """The text fields of an upload. `width` and `height` ask for a resolution of images; left out, the data decides."""

    name: Name
    width: Side | None = None
    height: Side | None = None


# ---- making ----

UPLOADABLE = (
    "A zip of images (first folder level = class; or labels.csv at the root: file, then a label or numbers; or pairs: "
    "folders input and target with equal file names), or .npy or .csv points."
)

SIDE = {"type": "integer", "minimum": IMAGE_SIDES[0], "maximum": IMAGE_SIDES[1], "description": "Of images."}

BODIES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["name", "file"],
                    "properties": {
                        "name": {"type": "string", "description": "A new name."},
                        "width": SIDE,
                        "height": SIDE,
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": UPLOADABLE,
                        },
                    },
                },
            },
            JSON: {
                "schema": {"$ref": COMPONENTS.format(model="DatasetRequest")},
                "example": {"name": "faces", "source": {"path": "faces/2026"}},
            },
        },
    }
}


@router.post(
    "",
    status_code=202,
    summary="Upload or import a dataset",
    openapi_extra=BODIES,
    responses=problems(400, 409, 413, 415, 507),
)
async def create_dataset(request: Request, house: Inside, response: Response) -> Dataset:
    """Take a dataset in; a worker prepares it. The upload goes to disk as it comes."""
    await house.read(house.admit, "light", declared(request))
    kind = media_type(request)
    if kind not in READERS:
        raise UnsupportedMedia(f"the body must be {' or '.join(READERS)}, said in Content-Type")
    row = await READERS[kind](house, request)
    house.doorbell.ring("light", row.job_id)
    response.headers.update({"Location": f"/v1/datasets/{row.id}", "Retry-After": "1"})
    return Dataset.of(row)


async def from_upload(house: House, request: Request) -> records.Dataset:
    """A dataset of a multipart upload. Nothing of it stays if it does not come whole."""
    id = house.datasets.new_id()
    where = f"uploads/{id}"
    async with contextmanager_in_threadpool(house.storage.building(where)) as folder:
        upload = await receive(request, folder, UploadForm.model_fields, DATASETS)
        form = validated(UploadForm, upload.fields)
        check_size(form, upload.path.suffix)
    source = {"kind": "upload", "path": f"{where}/{upload.path.name}"}
    try:
        return await house.read(house.datasets.create, form.name, source, form.width, form.height, id=id)
    except (Conflict, LostClaim, QuotaExceeded):
        await house.read(house.storage.remove, where)
        raise


def check_size(form: UploadForm, suffix: str) -> None:
    """Raises InvalidRequest where a resolution is asked for by the name of a file that holds points."""
    for name in ("width", "height"):
        if suffix in POINTS and getattr(form, name) is not None:
            raise InvalidRequest(f"points have no {name}: leave it out", param=name)


async def from_folder(house: House, request: Request) -> records.Dataset:
    """A dataset of a folder below the import directory."""
    body = await read(DatasetRequest, request)
    path = await house.read(import_folder, house.settings.import_dir, body.source.path)
    source = {"kind": "folder", "path": path}
    return await house.read(house.datasets.create, body.name, source, body.width, body.height)


READERS: dict[str, Callable[[House, Request], Awaitable[records.Dataset]]] = {FORM: from_upload, JSON: from_folder}
"""Media type → what makes a dataset of such a body."""


def import_folder(root: Path | None, path: str) -> str:
    """A folder below the import directory, relative to it, links resolved.

    Raises InvalidRequest where import is off, or where there is no such folder *below* the directory: what lies
    outside is not told apart from what does not exist.
    """
    if root is None:
        raise InvalidRequest("this server imports no folders: GANYMEDE_IMPORT_DIR is not set", param="source.path")
    base = root.resolve()
    try:
        folder = (base / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        folder = base.parent
    if not folder.is_relative_to(base) or not folder.is_dir():
        raise InvalidRequest(f"there is no folder {path!r} below the import directory", param="source.path")
    return folder.relative_to(base).as_posix()


# ---- finding ----


@router.get("", response_model=List[Dataset], summary="List datasets", responses=problems())
def list_datasets(house: Inside, after: Cursor = None, limit: Limit = 20, order: Order = "desc") -> Response:
    """A page of datasets, newest first."""
    return as_json(List.of(house.datasets.list(after=after, limit=limit, order=order), Dataset.of))


@router.get("/{dataset}", response_model=Dataset, summary="A dataset", responses=problems(404) | HELD)
async def get_dataset(dataset: Named, house: Inside, wait: Wait, if_none_match: IfNoneMatch = None) -> Response:
    """A dataset by name or id. `Prefer: wait=N` answers when its preparation ends, or after N seconds."""
    row = await house.read(house.datasets.get, dataset)
    if wait and row.status == "preparing" and row.job_id is not None:
        row = await prepared(house, row.id, row.job_id, wait)
    return tagged(Dataset.of(row).model_dump_json().encode(), JSON, if_none_match, **applied(wait))


async def prepared(house: House, id: str, job: str, wait: int) -> records.Dataset:
    """The dataset once it is no longer `preparing`, or as it is after `wait` seconds."""
    return await house.watcher.until(
        job, lambda: house.read(house.datasets.get, id), lambda row: row.status != "preparing", wait
    )


@router.delete("/{dataset}", status_code=204, summary="Delete a dataset", responses=problems(404, 409))
def delete_dataset(dataset: Named, house: Inside) -> Response:
    """Delete a dataset; models trained on it stay. 409 while a job needs it."""
    house.storage.remove(*house.datasets.delete(dataset))
    return Response(status_code=204)


# ---- looking ----

PREVIEW_IMAGES = 100
"""Images of a preview, ten a row."""

PREVIEW_SIDES = (48, 128)
"""Smaller images are enlarged towards this many pixels, by whole factors; larger ones are reduced to so many."""

PREVIEW_POINTS = 5_000
"""Points of a preview."""


@router.get(
    "/{dataset}/preview",
    summary="What is in a dataset",
    response_class=Response,
    responses=problems(404, 409)
    | HELD
    | {200: {"content": {"image/png": {}}, "description": "Real images, or points."}},
)
def get_dataset_preview(dataset: Named, house: Inside, if_none_match: IfNoneMatch = None) -> Response:
    """A grid of real images, evenly spread over the data; of pairs each input beside its target; points as a scatter
    plot. PNG."""
    row = ready(house, dataset)
    assert row.path is not None, "what is ready lies somewhere"
    assert row.kind is not None, "what is ready is of a kind"
    headers = {"ETag": f'"{row.digest}"', "Cache-Control": "no-cache"}
    if matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    picture = PICTURES[row.kind](house.storage.path(row.path))
    return Response(images.STILLS["png"].encode(picture), media_type="image/png", headers=headers)


def ready(house: House, dataset: str) -> records.Dataset:
    """A dataset that can be looked at. Raises NotFound, or Conflict where it is not prepared."""
    row = house.datasets.get(dataset)
    if row.status != "ready":
        raise Conflict(f"dataset {row.name} is {row.status}: there is nothing to look at")
    return row


def picture_of_images(folder: Path) -> images.Pixels:
    """(H, W, C): a grid of images spread evenly over the packed ones; of pairs, the halves are side by side."""
    pixels = spread(folder / "data.npy", PREVIEW_IMAGES)
    if (folder / "inputs.npy").is_file():
        pixels = pairs_of(
            spread(folder / "inputs.npy", PREVIEW_IMAGES // 2), spread(folder / "data.npy", PREVIEW_IMAGES // 2)
        )
    longer, (least, most) = max(pixels.shape[1:3]), PREVIEW_SIDES
    return images.grid(images.resize(pixels, min(most, longer * max(1, least // longer))), columns=10)


def pairs_of(inputs: images.Pixels, targets: images.Pixels) -> images.Pixels:
    """(N, H, W, Ci) and (N, H, W, C) → (2N, H, W, …): an input, its target, the next input …"""
    both = np.stack(images.alike(inputs, targets), axis=1)
    return both.reshape(-1, *both.shape[2:])


def picture_of_points(folder: Path) -> images.Pixels:
    """(H, W, 3): points spread evenly over the packed ones, coloured by class or over their condition."""
    points, labels = spread(folder / "data.npy", PREVIEW_POINTS), folder / "labels.npy"
    given = spread(labels, PREVIEW_POINTS) if labels.is_file() else None
    if given is None:
        return plots.scatter(points)
    return plots.scatter(points, labels=given) if given.ndim == 1 else plots.scatter(points, conditions=given)


PICTURES: dict[str, Callable[[Path], images.Pixels]] = {"images": picture_of_images, "points": picture_of_points}
"""Kind of data → its preview."""


def spread(path: Path, most: int) -> Any:
    """At most `most` rows of a packed array, evenly spread, read through a memory map.

    Raises DatasetMissing where the file is gone or is not an array.
    """
    try:
        packed = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise DatasetMissing("the prepared data is gone from storage: upload it again") from error
    return np.asarray(packed[evenly(len(packed), most)])
