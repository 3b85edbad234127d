"""The short way for the calls that are made most: what they need of a framework, and no more.

Finding a route, gathering what a function depends on and wrapping both takes FastAPI longer than some pictures take to
be drawn. The calls of `CALLS`, in the plain form in which nearly all are made (without a query), are answered here by
the functions that their routes call as well; any other form goes the long way, and is answered the same.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gan.spec import REFERENCE_PATTERN, SampleSpec
from service import errors
from service.headers import wait_seconds
from service.house import House
from service.parsing import json_of
from service.routes.images import Address, shown_picture
from service.routes.jobs import shown_job
from service.sampling import accepting, sampled

Path = re.Match[str]
Answer = Callable[[House, Request, Path], Awaitable[Response]]


async def samples(house: House, request: Request, _: Path) -> Response:
    """`create_samples`."""
    spec = await json_of(SampleSpec, request)
    return await sampled(house, spec, accepting(spec, request.headers.getlist("accept")))


async def picture(house: House, request: Request, path: Path) -> Response:
    """`get_image`."""
    address = Address(path["model"], int(path["seed"]), path["extension"])
    head = getattr(request.state, "head", False)
    return await shown_picture(house, address, head=head, if_none_match=request.headers.get("if-none-match"))


async def job(house: House, request: Request, path: Path) -> Response:
    """`get_job`."""
    wait = await wait_seconds(request.headers.get("prefer"))
    return await shown_job(house, path["job"], wait, request.headers.get("if-none-match"))


class Call(NamedTuple):
    """A method and the paths that are answered here; `path` is what their route calls them."""

    method: str
    path: str
    paths: re.Pattern[str]
    answer: Answer


REFERENCE: Final = REFERENCE_PATTERN.strip("^$")
CALLS: Final = (
    Call("POST", "/v1/samples", re.compile("/v1/samples"), samples),
    Call("GET", "/v1/jobs/{job}", re.compile("/v1/jobs/(?P<job>job_[0-9a-f]{24})"), job),
    Call(
        "GET",
        "/v1/models/{model}/images/{seed}.{extension}",
        re.compile(
            rf"/v1/models/(?P<model>{REFERENCE})/images/(?P<seed>0|[1-9][0-9]{{0,17}})\.(?P<extension>png|webp|jpg)"
        ),
        picture,
    ),
)


class Lane:
    """Answers the calls of `CALLS`; all else is the application's."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        call, path = called(scope)
        if call is None or path is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = call  # by which requests are counted
        request = Request(scope, receive)
        try:
            response = await call.answer(scope["app"].state.house, request, path)
        except errors.FORESEEN as error:
            response = await errors.answer_to(request, error)
        await response(scope, receive, send)


def called(scope: Scope) -> tuple[Call, Path] | tuple[None, None]:
    """The call that a request makes, if it is one of these."""
    if scope["type"] != "http" or scope["query_string"]:
        return None, None
    for call in CALLS:
        if scope["method"] == call.method and (path := call.paths.fullmatch(scope["path"])):
            return call, path
    return None, None
