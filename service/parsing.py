"""Bodies that a route reads for itself: their type, their JSON, their validation, with the errors all others have."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from gan.errors import MalformedRequest, UnsupportedMedia

M = TypeVar("M", bound=BaseModel)

JSON = "application/json"


def media_type(request: Request) -> str:
    """The body's media type without its parameters, in lower case; empty if none is given."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def json_only(request: Request) -> None:
    """A dependency of routes with a JSON body: raises UnsupportedMedia (415) for any other kind."""
    if media_type(request) != JSON:
        raise UnsupportedMedia(f"the body must be {JSON}, said in Content-Type")


def parsed(body: bytes) -> Any:
    """A JSON body's value. Raises MalformedRequest for what is not JSON, or is nested too deep to be read."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"the body is not valid JSON: {error}") from error


def validated(model: type[M], value: Any) -> M:
    """The value as `model`; raises RequestValidationError, as if the framework had read the body."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = [
            {**item, "loc": ("body", *item["loc"])} for item in error.errors(include_url=False, include_input=False)
        ]
        raise RequestValidationError(found, body=value if isinstance(value, Mapping) else None) from error
