"""Bodies with pictures: JSON with base64, or a form with files `images`. One way for scores and for projections."""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from gan.errors import InvalidRequest, MalformedRequest, UnsupportedMedia
from service.openapi import json_body
from service.parsing import FORM, JSON, media_type, read, validated

M = TypeVar("M", bound=BaseModel)

MOST_FILES: Final = 1_000
"""Files and fields of a form; more go as JSON, or in several requests."""
INTEGERS: Final = ("steps", "starts", "candidates", "seed")
"""Fields of forms that are numbers: a form has words alone."""


async def from_form(model: type[M], request: Request) -> M:
    """The request of a form: files `images`, fields `labels` as often as need be, others once."""
    try:
        async with request.form(max_files=MOST_FILES, max_fields=MOST_FILES) as form:
            images = [await file.read() for file in form.getlist("images") if isinstance(file, UploadFile)]
            fields = {name: value for name, value in form.items() if isinstance(value, str) and name != "labels"}
            labels = [label for label in form.getlist("labels") if isinstance(label, str)]
            strange = {name for name, value in form.multi_items() if isinstance(value, UploadFile)} - {"images"}
    except HTTPException as error:  # how starlette tells of a form that it cannot read
        raise MalformedRequest(f"the form cannot be read: {error.detail}") from error
    if strange:
        raise InvalidRequest("a form's files are its images", param=min(strange))
    numbers = {name: int(fields[name]) for name in INTEGERS if fields.get(name, "").isdecimal()}
    body: dict[str, Any] = fields | numbers | {"images": [b64encode(image).decode() for image in images] or None}
    return validated(model, body | ({"labels": labels} if labels else {}))


def form_reader(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """The dependency that reads a body of JSON, or a form with files `images`."""

    async def body(request: Request) -> M:
        kind = media_type(request)
        if kind == JSON:
            return await read(model, request)
        if kind == FORM:
            return await from_form(model, request)
        raise UnsupportedMedia(f"the body must be {JSON} or {FORM}, said in Content-Type")

    return body


def bodies(model: type[BaseModel], examples: Mapping[str, Any]) -> dict[str, Any]:
    """The `openapi_extra=` of a route whose body is a model as JSON, or a form with its files, labels and numbers."""
    properties: dict[str, Any] = {
        "model": {"type": "string"},
        "labels": {"type": "array", "items": {"type": "string"}},
        "images": {"type": "array", "items": {"type": "string", "format": "binary"}},
    }
    properties |= {name: {"type": "integer"} for name in INTEGERS if name in model.model_fields}
    form = {"type": "object", "required": ["model", "images"], "properties": properties}
    extra = json_body(model, examples)
    extra["requestBody"]["content"][FORM] = {"schema": form}
    return extra
