"""What the OpenAPI document says beyond the routes' own models: errors as problem documents, everywhere alike.

The document is also what is believed about query parameters: one that it does not name is refused.
"""

from collections import Counter
from collections.abc import Mapping
from threading import Lock
from typing import Any, Final, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gan.spec import (
    CheckpointRequest,
    DatasetRequest,
    EvaluateRequest,
    InterpolationSpec,
    MemoryRequest,
    ProjectRequest,
    SampleSpec,
    ScoreSpec,
    SessionRequest,
    TrainRequest,
)
from service.callers import COOKIE
from service.errors import LATER, PROBLEM_TYPE
from service.headers import COMPUTED, IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, IDEMPOTENT, answers_are_kept
from service.links import link
from service.parsing import JSON
from service.schemas import FieldError, Problem
from service.scopes import scope_of

COMPONENTS: Final = "#/components/schemas/{model}"

CAUSES: Final[dict[int, str]] = {
    400: "The body cannot be read.",
    401: "No key, or one that is unknown, revoked or expired.",
    403: "A key that is not for this, or a page of another site.",
    404: "There is no such thing, or no longer.",
    406: "None of the types in `Accept` can be served; the detail lists those that can.",
    409: "It exists, but in the wrong state, or the name is taken, or it is in use; with `Retry-After`: not yet.",
    413: "Beyond a limit of this server, which is named.",
    414: "The address is too long.",
    415: "The body's type is not read here; the detail lists those that are.",
    422: "Understood, but invalid: `param` and `errors` name the fields.",
    429: "The key's own quota is used up, or too many unknown keys came from this address. `Retry-After` says when.",
    431: "The headers are too many, or too large.",
    503: "Not now: the queue is full, the server is ending, or its database is away. `Retry-After` says when.",
    507: "The disk is full.",
}
"""What a status means here."""


BODIES = (
    DatasetRequest,
    TrainRequest,
    EvaluateRequest,
    SampleSpec,
    InterpolationSpec,
    ScoreSpec,
    ProjectRequest,
    CheckpointRequest,
    MemoryRequest,
    SessionRequest,
)
"""What bodies are read as."""

UNROUTED: Final[list[tuple[type[BaseModel], Literal["validation", "serialization"]]]] = [
    (Problem, "serialization"),
    (FieldError, "serialization"),
    *((body, "validation") for body in BODIES),
]
"""Models that errors answer with, or that bodies are read as."""


HELD: Final[dict[int | str, dict[str, Any]]] = {304: {"description": "As held."}}
"""Part of the `responses=` of a route that knows `If-None-Match`."""


EVERYWHERE: Final = (414, 422, 431, 503)
"""Statuses that any call may have."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route: these errors, those of all, and that whatever else goes wrong looks the same."""
    documented: dict[int | str, dict[str, Any]] = {"default": answer(500, "Any other error.")}
    for status in sorted({*statuses, *EVERYWHERE}):
        documented[status] = answer(status, CAUSES[status])
    return documented


RETRY_AFTER: Final = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}


def answer(status: int, description: str) -> dict[str, Any]:
    """One error answer: a problem document, with `Retry-After` where that is sent."""
    schema = {"$ref": COMPONENTS.format(model="Problem")}
    headers = RETRY_AFTER if status in LATER else {}
    return {"description": description, "content": {PROBLEM_TYPE: {"schema": schema}}, "headers": headers}


def json_body(model: type[BaseModel], examples: Mapping[str, Any]) -> dict[str, Any]:
    """The `openapi_extra=` of a route whose JSON body is read as a model (which `UNROUTED` lists)."""
    schema = {"$ref": COMPONENTS.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema, "examples": dict(examples)}}}}


def bodies_by_type(models: Mapping[str, type[BaseModel]], examples: Mapping[str, Any]) -> dict[str, Any]:
    """The `openapi_extra=` of a route whose JSON body is of the model that its field `type` names."""
    places = {kind: COMPONENTS.format(model=model.__name__) for kind, model in models.items()}
    several = {"oneOf": [{"$ref": place} for place in places.values()]}
    schema = several | {"discriminator": {"propertyName": "type", "mapping": places}}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema, "examples": dict(examples)}}}}


KEY_PARAMETER: Final[dict[str, Any]] = {
    "name": IDEMPOTENCY_KEY,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": f"^{IDEMPOTENT.pattern}$"},
    "description": "A word of the caller's own choice for this one wish. The same call and body under the same key are "
    f"answered as they were the first time, with `{IDEMPOTENCY_REPLAYED}: true`, and make nothing twice, for a day; "
    "another call or body is 422, and 409 with `Retry-After` says that the first is still being served. Only successes "
    "are kept.",
}
IGNORED_KEY: Final = KEY_PARAMETER | {
    "description": "Taken and not needed: nothing is written, and what is asked again is computed again."
}
REPLAYED_HEADER: Final = {
    IDEMPOTENCY_REPLAYED: {"schema": {"type": "string", "enum": ["true"]}, "description": "Answered before."}
}


def say_keys(document: dict[str, Any]) -> None:
    """Say of every write that it takes an `Idempotency-Key`, what for, and how it may be answered."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if path in COMPUTED:
                say_key(operation, IGNORED_KEY)
            elif answers_are_kept(method.upper(), path):
                say_key(operation, KEY_PARAMETER)
                operation["responses"]["409"] = answer(409, CAUSES[409]) | {"headers": RETRY_AFTER}
                for status in (status for status in operation["responses"] if status.startswith("2")):
                    operation["responses"][status].setdefault("headers", {}).update(REPLAYED_HEADER)


def say_key(operation: dict[str, Any], parameter: dict[str, Any]) -> None:
    """Name the header among a call's parameters."""
    operation["parameters"] = [*operation.get("parameters", []), parameter]


SCHEMES: Final[dict[str, Any]] = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key. Each call names the scope that it needs."},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "What `POST /v1/session` gives."},
}
"""How a caller says who it is."""


def guard(document: dict[str, Any], required: bool) -> None:
    """Has the document say of every call what it needs a key to be for, and how it is refused."""
    document["components"]["securitySchemes"] = SCHEMES
    for path, item in document["paths"].items():
        for method, operation in item.items():
            scope = scope_of(method.upper(), path)
            operation["security"] = security_of(scope, required)
            for status in (403,) if scope is None else (401, 403, 429):
                operation["responses"].setdefault(str(status), answer(status, CAUSES[status]))


def security_of(scope: str | None, required: bool) -> list[dict[str, list[str]]]:
    """A call's requirements, of which one is to be met; the empty one is met by everybody."""
    if scope is None:
        return []
    return [{"key": [scope]}, {"session": []}, *([] if required else [{}])]


class Application(FastAPI):
    """FastAPI, whose document also holds the models that no route's signature names, and who may call."""

    keys_required = False

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._making = Lock()
        self._document: dict[str, Any] | None = None

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document; made once, by whichever thread needs it first, and shown to none before it is whole."""
        with self._making:
            self._document = self._document or self._made()
            return self._document

    def _made(self) -> dict[str, Any]:
        document = super().openapi()
        _, definitions = models_json_schema(UNROUTED, ref_template=COMPONENTS)
        document.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
        say_keys(document)
        link(document)
        guard(document, self.keys_required)
        return document


async def known_query(request: Request) -> None:
    """A dependency of every route: raises RequestValidationError (422) for query parameters that do not exist, or that
    are given more than once and are no lists."""
    if not request.query_params:
        return
    operation = request.app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
    known = {one["name"]: one["schema"] for one in operation.get("parameters", []) if one["in"] == "query"}
    given = Counter(name for name, _ in request.query_params.multi_items())
    message = f"unknown parameter; known are {', '.join(sorted(known))}" if known else "this takes no parameters"
    once = {name for name in given if known.get(name, {}).get("type") != "array"}
    wrong = {name: "given more than once" for name in once if given[name] > 1}
    wrong |= {name: message for name in given if name not in known}
    if wrong:
        found = [{"loc": ("query", name), "msg": why, "type": "extra"} for name, why in wrong.items()]
        raise RequestValidationError(found)
