"""Bodies that the routes read: their type, their JSON, their validation. One way for all, and off the event loop."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from math import inf
from typing import Any, Final, TypeVar

from anyio import to_thread
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from gan.errors import InvalidRequest, LimitExceeded, MalformedRequest, UnsupportedMedia
from gan.spec import MOST_LISTED

M = TypeVar("M", bound=BaseModel)

JSON: Final = "application/json"
FORM: Final = "multipart/form-data"

MOST_PARTS: Final = 2 * MOST_LISTED
"""Lists, objects and fields of a JSON body: more than any request has, and read in a fraction of a second.

Reading JSON holds the interpreter, so that no thread keeps a body of millions of tiny lists from stopping all else.
"""
DEEPEST: Final = 32
"""Lists and objects within one another: several times as many as any request has."""
SMALL: Final = 2**12
"""Bytes of a body that is read in less time than it takes to ask a thread for it."""
TOO_DEEP: Final = f"the body is nested too deep to be read: more than {DEEPEST} lists and objects within one another"
LONGEST_NUMBER: Final = 1000
"""Digits of a whole number that are read; no field takes one of more than twenty."""


def media_type(request: Request) -> str:
    """The body's media type without its parameters, in lower case; empty if none is given."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def declared(request: Request) -> int:
    """The body's length as the caller says it; 0 where that is not said."""
    said = request.headers.get("content-length", "")
    return int(said) if said.isascii() and said.isdecimal() else 0


def body_of(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """A dependency: the JSON body as `model`.

    Raises UnsupportedMedia (415) for another kind of body, and whatever `parsed` and `validated` raise.
    """

    async def body(request: Request) -> M:
        return await json_of(model, request)

    return body


async def json_of(model: type[M], request: Request) -> M:
    """The JSON body as `model`. Raises as `body_of`."""
    if media_type(request) != JSON:
        raise UnsupportedMedia(f"the body must be {JSON}, said in Content-Type")
    return await read(model, request)


def body_by_type(models: Mapping[str, type[BaseModel]]) -> Callable[[Request], Awaitable[Any]]:
    """A dependency: the JSON body as the model that its field `type` names. Raises as `body_of`."""

    async def body(request: Request) -> BaseModel:
        if media_type(request) != JSON:
            raise UnsupportedMedia(f"the body must be {JSON}, said in Content-Type")
        whole = await request.body()
        return await to_thread.run_sync(lambda: validated_by_type(models, parsed(whole)))

    return body


def validated_by_type(models: Mapping[str, type[BaseModel]], value: Any) -> BaseModel:
    """The value as the model of its `type`; raises RequestValidationError, which names the fields that are wrong."""
    kind = value.get("type") if isinstance(value, Mapping) else None
    if kind is not None and (not isinstance(kind, str) or kind not in models):
        wrong = {"loc": ("body", "type"), "msg": f"must be {' or '.join(models)}", "type": "literal_error"}
        raise RequestValidationError([wrong], body=value)
    return validated(models.get(kind or "", next(iter(models.values()))), value)


async def read(model: type[M], request: Request) -> M:
    """The body as `model`, parsed and validated in a thread unless it is small."""
    whole = await request.body()
    if len(whole) <= SMALL:
        return validated(model, parsed(whole))
    return await to_thread.run_sync(lambda: validated(model, parsed(whole)))


def parsed(body: bytes) -> Any:
    """A JSON body's value. Raises MalformedRequest for what is not JSON, or is nested too deep to be read;
    InvalidRequest where there is no body, LimitExceeded for one of more than `MOST_PARTS` parts."""
    if not body:
        raise InvalidRequest("a JSON body is needed")
    if sum(map(body.count, (b"[", b"{", b":"))) > MOST_PARTS:
        raise LimitExceeded(f"the body has more lists, objects and fields than any request needs: over {MOST_PARTS}")
    try:
        value = decoded(body)
        if body.count(b"[") + body.count(b"{") > DEEPEST and deeper_than(DEEPEST, value):
            raise MalformedRequest(TOO_DEEP)
        return value
    except RecursionError as error:
        raise MalformedRequest(TOO_DEEP) from error
    except ValueError as error:
        raise MalformedRequest(f"the body is not valid JSON: {error}") from error


def deeper_than(most: int, value: Any) -> bool:
    """Whether a value has more lists and objects within one another."""
    level = [value]
    for _ in range(most):
        level = [inner for one in level for inner in parts_of(one) if isinstance(inner, (list, dict))]
    return bool(level)


def parts_of(value: Any) -> Iterable[Any]:
    """What is in a list or an object."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def decoded(body: bytes) -> Any:
    """The value of JSON, where a number too long for Python is infinite: the field that has it then says so."""
    try:
        return json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        return json.loads(body, parse_int=lambda digits: int(digits) if len(digits) <= LONGEST_NUMBER else inf)


def validated(model: type[M], value: Any) -> M:
    """The value as `model`; raises RequestValidationError, which names the fields that are wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = [
            {**item, "loc": ("body", *item["loc"])} for item in error.errors(include_url=False, include_input=False)
        ]
        raise RequestValidationError(found, body=value if isinstance(value, Mapping) else None) from error


def as_json(said: BaseModel, **headers: str) -> Response:
    """A model of the document as the answer. FastAPI would look at every part of it again, for longer than it took to
    make."""
    return Response(said.model_dump_json(), media_type=JSON, headers=headers)
