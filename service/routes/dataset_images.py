"""The images of a dataset, to be looked at: pages of them, a page as one picture, and each by its address."""

from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Response

from gan import images
from gan.errors import InvalidRequest, NotFound
from ledger import records
from service.headers import IfNoneMatch, Named, Plain, matches
from service.house import House, Inside
from service.openapi import HELD, problems
from service.routes.datasets import ready
from service.schemas import DatasetImage, DatasetImages, ImageSheet
from service.walls import Asked, Page, Wall, columns, opened, page, sheet

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])

FOR_EVER: Final = "max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"
DRAWING: Final = 1
"""Raised when the same image would be drawn as other bytes, so that cached pictures are asked for anew."""
CELL: Final = 96
"""Pixels that an image has on a sheet unless another size is asked for; smaller ones stay as they are."""

PNG_ANSWER: Final = HELD | {200: {"content": {"image/png": {}}, "description": "A picture."}}

Index = Annotated[int, Plain, Path(ge=0, le=2**53, description="Which image, counted from 0.", examples=[0])]
After = Annotated[
    int | None, Plain, Query(ge=0, le=2**53, description="The index after which the page begins: `last_id`.")
]
PageLength = Annotated[int, Plain, Query(ge=1, le=200, description="The length of a page.")]
Label = Annotated[str | None, Query(max_length=1000, description="Of one class alone, by name or index.")]
Order = Annotated[
    str,
    Query(
        pattern="^(stored|spread)$",
        description="`stored`: as they are packed, by name; `spread`: each page evenly spread over all of them.",
    ),
]
CellSize = Annotated[int, Plain, Query(ge=8, le=128, description="Most pixels of an image's longer side.")]
Size = Annotated[int | None, Plain, Query(ge=1, le=1024, description="Pixels of the longer side.")]


async def asked_page(
    after: After = None, limit: PageLength = 100, label: Label = None, order: Order = "stored"
) -> Asked:
    """A dependency: which page of the images."""
    return Asked(after, limit, label, order)


AskedPage = Annotated[Asked, Depends(asked_page)]


@router.get("/{dataset}/images", summary="The images of a dataset", responses=problems(404, 409))
def list_dataset_images(dataset: Named, house: Inside, asked: AskedPage) -> DatasetImages:
    """A page of the images with their classes or conditions, each by its own address, and all of them on one sheet."""
    row = with_images(house, dataset)
    wall = wall_of(house, row)
    found = page(wall, asked)
    return DatasetImages(
        dataset=row.name,
        data=[image_of(row, wall, index) for index in found.indices],
        first_id=found.indices[0] if found.indices else None,
        last_id=found.indices[-1] if found.indices else None,
        has_more=found.has_more,
        total=found.total,
        sheet=sheet_of(row, wall, asked, found) if found.indices else None,
    )


@router.get(
    "/{dataset}/images.png",
    summary="A page of a dataset's images as one picture",
    response_class=Response,
    responses=problems(404, 409) | PNG_ANSWER,
)
def get_dataset_sheet(
    dataset: Named, house: Inside, asked: AskedPage, size: CellSize = CELL, if_none_match: IfNoneMatch = None
) -> Response:
    """The images of a page row by row without gaps, of pairs each input at the left of its target. PNG."""
    row = with_images(house, dataset)
    headers = caching(house, row, dataset, f"{asked} {size}")
    return drawn(lambda: sheet(wall_of(house, row), asked, size), headers, if_none_match)


@router.get(
    "/{dataset}/images/{index}.png",
    summary="An image of a dataset",
    response_class=Response,
    responses=problems(404, 409) | PNG_ANSWER,
)
def get_dataset_image(
    dataset: Named, index: Index, house: Inside, size: Size = None, if_none_match: IfNoneMatch = None
) -> Response:
    """An image as it is trained on, of a pair the input at the left of its target. PNG; `immutable` by the dataset's
    id."""
    row = with_images(house, dataset)
    if index >= (row.count or 0):
        raise NotFound(f"dataset {row.name} has no image {index}: there are {row.count}")
    headers = caching(house, row, dataset, f"{index} {size}")
    return drawn(lambda: wall_of(house, row).picture(index, size), headers, if_none_match)


def with_images(house: House, dataset: str) -> records.Dataset:
    """A dataset whose images can be looked at. Raises NotFound, Conflict, InvalidRequest for one of points."""
    row = ready(house, dataset)
    if row.kind != "images":
        raise InvalidRequest(f"dataset {row.name} holds points, not images: see its preview", param="dataset")
    return row


def wall_of(house: House, row: records.Dataset) -> Wall:
    """The images of a dataset that is ready. Raises DatasetMissing."""
    assert row.path is not None, "what is ready lies somewhere"
    return opened(house.storage.path(row.path), row.facts())


def image_of(row: records.Dataset, wall: Wall, index: int) -> DatasetImage:
    """An image as a list has it."""
    url = f"/v1/datasets/{row.id}/images/{index}.png"
    return DatasetImage(index=index, label=wall.label(index), condition=wall.condition(index), url=url)


def sheet_of(row: records.Dataset, wall: Wall, asked: Asked, found: Page) -> ImageSheet:
    """The sheet of a page, and how its pictures lie on it."""
    given = {name: value for name, value in asked._asdict().items() if value is not None}
    (height, width), across = wall.cell(CELL), columns(len(found.indices))
    return ImageSheet(
        url=f"/v1/datasets/{row.id}/images.png?{urlencode(given)}",
        columns=across,
        rows=-(-len(found.indices) // across),
        width=width,
        height=height,
    )


def caching(house: House, row: records.Dataset, named: str, what: str) -> dict[str, str]:
    """An ETag of all that a picture depends on, by whom it may be kept, and for how long without asking: for ever by
    the dataset's id, whose data never change."""
    whose = "private" if house.settings.api_keys_required else "public"
    tag = sha256(f"{DRAWING} {row.digest} {what}".encode()).hexdigest()[:32]
    return {"ETag": f'"{tag}"', "Cache-Control": f"{whose}, {FOR_EVER if named == row.id else ASK_AGAIN}"}


def drawn(picture: Callable[[], images.Pixels], headers: dict[str, str], if_none_match: str | None) -> Response:
    """A picture (H, W, C) as it is sent; 304, and nothing drawn, where the caller holds it."""
    if matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(images.STILLS["png"].encode(picture()), media_type="image/png", headers=headers)
