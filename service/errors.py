"""The one place where errors become HTTP: a table from error class to status, and RFC 9457 problem documents.

Every answer that is not a success is `application/problem+json`, whoever raised it: the ledger, a spec, the router
(404, 405), a limit, or a defect (500, without a trace; the trace goes to the log under the same request id).
"""

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from gan import errors as meanings
from service.schemas import FieldError, Problem
from service.seals import SEALS

logger = logging.getLogger("service")

PROBLEM_TYPE: Final = "application/problem+json"
"""Media type of every error answer (RFC 9457)."""

STATUS: Final[dict[type[meanings.GanymedeError], HTTPStatus]] = {
    meanings.GanymedeError: HTTPStatus.INTERNAL_SERVER_ERROR,
    meanings.InvalidRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
    meanings.MalformedRequest: HTTPStatus.BAD_REQUEST,
    meanings.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    meanings.Forbidden: HTTPStatus.FORBIDDEN,
    meanings.QuotaExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    meanings.NotFound: HTTPStatus.NOT_FOUND,
    meanings.Conflict: HTTPStatus.CONFLICT,
    meanings.NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    meanings.UnsupportedMedia: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    meanings.LimitExceeded: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    meanings.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    meanings.ChecksumMismatch: HTTPStatus.CONFLICT,
    meanings.LedgerMismatch: HTTPStatus.SERVICE_UNAVAILABLE,
    meanings.LostClaim: HTTPStatus.CONFLICT,
    meanings.JobFailure: HTTPStatus.INTERNAL_SERVER_ERROR,
    meanings.OutOfMemory: HTTPStatus.SERVICE_UNAVAILABLE,
    meanings.Diverged: HTTPStatus.CONFLICT,
    meanings.WorkerLost: HTTPStatus.SERVICE_UNAVAILABLE,
    meanings.DatasetMissing: HTTPStatus.CONFLICT,
    meanings.DatasetUnusable: HTTPStatus.UNPROCESSABLE_ENTITY,
    meanings.CheckpointCorrupt: HTTPStatus.CONFLICT,
    meanings.StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    meanings.ExtractorUnusable: HTTPStatus.INTERNAL_SERVER_ERROR,
    meanings.InternalFailure: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Error class → status. A class that is not here is a failing test, not a surprise."""

CODES: Final[dict[int, str]] = {
    400: meanings.MalformedRequest.code,
    404: meanings.NotFound.code,
    405: "method_not_allowed",
    408: "request_timeout",
    413: meanings.LimitExceeded.code,
    414: "uri_too_long",
    415: meanings.UnsupportedMedia.code,
    422: meanings.InvalidRequest.code,
    431: "headers_too_large",
    503: meanings.Unavailable.code,
}
"""Codes of the errors that the framework itself raises, by status."""

INTERNAL: Final = "something went wrong inside; the log has it under this request id"
MOST_ERRORS: Final = 20
"""Errors that one answer lists; of more, it says how many."""
LONGEST_NAME: Final = 100
"""Characters that are repeated of what a caller may call anything: an unknown field, a path, a media type."""
RETRY_AFTER: Final = 2
"""Seconds after which a 503 without a figure of its own may be tried again."""


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    param: str | None = None,
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem document as a response, carrying the request's id."""
    request_id = getattr(request.state, "request_id", None)
    return document(status, code, detail, request_id, param=param, errors=errors, headers=headers)


def document(
    status: int,
    code: str,
    detail: str,
    request_id: str | None,
    *,
    param: str | None = None,
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem document as a response."""
    said = Problem(
        type=f"urn:ganymede:error:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        param=param,
        errors=list(errors),
        request_id=request_id,
    )
    return ProblemResponse(said.model_dump(), status_code=status, headers=dict(headers or {}))


class ProblemResponse(JSONResponse):
    """JSON in ASCII: a field name quoted back may hold lone surrogates, which UTF-8 cannot carry."""

    media_type = PROBLEM_TYPE

    def render(self, content: Any) -> bytes:
        """The document's bytes."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


async def meaning_to_problem(request: Request, error: Exception) -> JSONResponse:
    """A `GanymedeError` by the table; a 503 says when to come back."""
    assert isinstance(error, meanings.GanymedeError)
    if status_of(type(error)) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s: %s", type(error).__name__, error)
    return refusal(request, error)


def refusal(request: Request, error: meanings.GanymedeError) -> JSONResponse:
    """The problem document of an error, by the table."""
    status = status_of(type(error))
    errors = [FieldError(pointer=_pointer(error.param.split(".")), message=error.message)] if error.param else []
    headers = advice(status, getattr(error, "retry_after", RETRY_AFTER))
    return problem(request, status, error.code, error.message, param=error.param, errors=errors, headers=headers)


def status_of(kind: type[meanings.GanymedeError]) -> HTTPStatus:
    """The status of an error class: its own row, or that of its nearest ancestor."""
    return next(STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in STATUS)


LATER: Final = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS})
"""Statuses that say when to come back."""


def advice(status: int, seconds: int) -> dict[str, str]:
    """The header that goes with a 429 or 503, and with a 401; none with any other status."""
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer realm="ganymede"'}
    return {"Retry-After": str(seconds)} if status in LATER else {}


async def http_to_problem(request: Request, error: Exception) -> JSONResponse:
    """What the framework raises: unknown routes, wrong methods, bodies that are too large or unreadable."""
    assert isinstance(error, HTTPException)
    said = error.detail if error.detail != HTTPStatus(error.status_code).phrase else ""
    detail = said or f"{request.method} {_path_of(request)}: {HTTPStatus(error.status_code).description}"
    code = CODES.get(error.status_code, "http_error")
    headers = dict(error.headers or {}) | (allowed(request) if error.status_code == 405 else {})
    return problem(request, error.status_code, code, detail, headers=headers)


def allowed(request: Request) -> dict[str, str]:
    """All methods of a path: the router only knows those of the first route that matched it."""
    path = getattr(request.scope.get("route"), "path", "")
    methods = set(request.app.openapi()["paths"].get(path, {}))
    heads = {"head"} if "get" in methods else set()
    return {"Allow": ", ".join(sorted(methods | heads)).upper()} if methods else {}


async def gone_to_problem(request: Request, _: Exception) -> JSONResponse:
    """A caller who hung up in the middle of the body: no defect, and nobody reads the answer."""
    return refusal(request, meanings.MalformedRequest("the caller went away in the middle of the body"))


async def defect_to_problem(request: Request, error: Exception) -> JSONResponse:
    """An exception that nobody foresaw: 500 without its text, sealed here, as it is answered outside all else. The
    server logs the trace, then hangs up."""
    request_id = getattr(request.state, "request_id", "")
    logger.error("%s %s failed (%s): %s", request.method, request.url.path, request_id, type(error).__name__)
    headers = {**SEALS, "X-Request-Id": request_id, "Connection": "close"}
    return problem(request, 500, meanings.GanymedeError.code, INTERNAL, headers=headers)


async def invalid_to_problem(request: Request, error: Exception) -> JSONResponse:
    """A body, query or path that does not validate: 404 if the path can name nothing, else 422."""
    assert isinstance(error, RequestValidationError)
    found = list(error.errors())
    if any(item["loc"][0] == "path" for item in found):
        return problem(request, 404, meanings.NotFound.code, f"{_path_of(request)} can name nothing here")
    fields = _fields(found[:MOST_ERRORS], error.body)
    more = max(0, len(found) - MOST_ERRORS)
    detail = "; ".join(f"{_dotted(parts) or 'body'}: {message}" for parts, message in fields.items())
    errors = [FieldError(pointer=_pointer(parts), message=message) for parts, message in fields.items()]
    detail += f"; and {more} more" if more else ""
    param = _dotted(next(iter(fields))) or None
    return problem(request, 422, meanings.InvalidRequest.code, detail, param=param, errors=errors)


def _path_of(request: Request) -> str:
    return request.url.path[:LONGEST_NAME]


def _fields(found: Iterable[Mapping[str, Any]], body: Any) -> dict[tuple[str, ...], str]:
    """Field → what is wrong with it. The branches of a union speak of one field, and are joined."""
    fields: dict[tuple[str, ...], list[str]] = {}
    for item in found:
        messages = fields.setdefault(_path(item, body), [])
        message = item["msg"].removeprefix("Value error, ")
        if message not in messages:
            messages.append(message)
    return {parts: ", or ".join(messages) for parts, messages in fields.items()}


def _path(item: Mapping[str, Any], body: Any) -> tuple[str, ...]:
    """Where the caller wrote it: pydantic's location without the names of union branches, which no body contains."""
    place, *parts = item["loc"]
    if place != "body":
        return tuple(str(part)[:LONGEST_NAME] for part in parts)
    path: list[str] = []
    here = body
    for part in parts:
        inside = _within(here, part)
        if inside or item["type"] == "missing":
            path.append(str(part)[:LONGEST_NAME])
        here = here[part] if inside else here
    return tuple(path)


def _within(value: Any, part: Any) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and 0 <= part < len(value)
    return isinstance(value, dict) and part in value


def _dotted(parts: Iterable[str]) -> str:
    return ".".join(parts)


def _pointer(parts: Iterable[str]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


Answered = Callable[[Request, Exception], Awaitable[JSONResponse]]

HANDLERS: Final[dict[type[Exception], Answered]] = {
    meanings.GanymedeError: meaning_to_problem,
    HTTPException: http_to_problem,
    RequestValidationError: invalid_to_problem,
    ClientDisconnect: gone_to_problem,
}
"""What is foreseen, and how it is answered."""
FORESEEN: Final = tuple(HANDLERS)


async def answer_to(request: Request, error: Exception) -> JSONResponse:
    """The answer to an error that was foreseen."""
    return await next(answer for kind, answer in HANDLERS.items() if isinstance(error, kind))(request, error)


def install(app: FastAPI) -> None:
    """Put the handlers into the application."""
    for kind, answer in HANDLERS.items():
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(Exception, defect_to_problem)
