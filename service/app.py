"""The HTTP application: routes, errors, limits, and the house that they all stand in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from anyio import to_thread
from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Scope

from gan.errors import Unavailable
from ledger.settings import Settings
from service import errors, reference, studio
from service.front import HeadLimit
from service.gatekeeper import Gatekeeper
from service.house import FIRST_SECONDS, opened
from service.idempotency import Idempotency
from service.lane import Lane
from service.meters import Meters
from service.middleware import BodyLimit, Envelope, Gate, HangUp, HeadAsGet, Limit
from service.openapi import Application, known_query
from service.routes import (
    dataset_images,
    datasets,
    directions,
    estimates,
    events,
    images,
    interpolations,
    jobs,
    memory,
    models,
    neighbours,
    probes,
    projections,
    recipes,
    samples,
    scores,
    sessions,
)

TITLE = "Ganymede"
DESCRIPTION = """Trains generative adversarial networks on your own data, and serves what they learned.

Errors are `application/problem+json` (RFC 9457). A model is named `faces` (its newest checkpoint), `faces@best` (the
best by its metric), `faces@120000` (the checkpoint at that many images) or by a `ckpt_` id; wherever an id goes, a name
goes too.

Where the server requires keys, send one as `Authorization: Bearer …`, or trade it for a browser's session; what a call
needs the key to be for stands with it. Answers to a key with quotas say in `RateLimit` what is left of them.
"""

ROOMS = (
    samples,
    images,
    jobs,
    events,
    interpolations,
    models,
    datasets,
    dataset_images,
    neighbours,
    directions,
    memory,
    scores,
    projections,
    recipes,
    estimates,
    sessions,
    probes,
)
"""A path is looked for in this order: those that are asked for most come first."""
ROUTERS = tuple(room.router for room in ROOMS)

UPLOADS = (("POST", "/v1/datasets"), ("POST", "/v1/models"))
"""The calls whose bodies may be as large as an upload."""


def create_app(settings: Settings, host: str = "127.0.0.1") -> FastAPI:
    """The application of a service that listens at `host`.

    Entering its lifespan opens the ledger, which must be of this program's version.
    """
    meters = Meters()
    app = Application(
        title=TITLE,
        description=DESCRIPTION,
        version=program_version(),
        lifespan=lambda app: lifespan(app, settings, meters),
        dependencies=[Depends(known_query)],
        generate_unique_id_function=operation_id,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.keys_required = settings.api_keys_required
    for router in ROUTERS:
        app.include_router(router)
    reference.install(app)
    studio.install(app)
    errors.install(app)
    app.add_middleware(Lane)
    app.add_middleware(HangUp)
    app.add_middleware(Idempotency, routes=[route for router in ROUTERS for route in router.routes])
    app.add_middleware(BodyLimit, limit_of=lambda scope: body_limit(settings, scope))
    app.add_middleware(HeadAsGet)
    app.add_middleware(Gate, refused=overloaded)
    app.add_middleware(Gatekeeper, settings=settings, host=host)
    app.add_middleware(HeadLimit)
    app.add_middleware(Envelope, meters=meters)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI, settings: Settings, meters: Meters) -> AsyncIterator[None]:
    """The house stands while the application runs."""
    async with opened(settings, meters) as house:
        app.state.house = house
        documenting = asyncio.create_task(documented(app))
        yield
        documenting.cancel()


async def documented(app: FastAPI) -> None:
    """Makes the document once the first probes are answered: the first query would wait for it otherwise."""
    await asyncio.sleep(FIRST_SECONDS)
    await to_thread.run_sync(app.openapi)


def overloaded(scope: Scope) -> Response | None:
    """The refusal of a request that would have to wait behind too many; None where it may come in."""
    try:
        scope["app"].state.house.engine.refuse_overload()
    except Unavailable as error:
        return errors.refusal(Request(scope), error)
    return None


def body_limit(settings: Settings, scope: Scope) -> Limit:
    """How large the body of a call may be."""
    content_type = dict(scope["headers"]).get(b"content-type", b"").lower()
    if (scope["method"], scope["path"]) in UPLOADS and content_type.startswith(b"multipart/"):
        return Limit(settings.max_upload_bytes, "GANYMEDE_MAX_UPLOAD_BYTES")
    return Limit(settings.max_json_bytes, "GANYMEDE_MAX_JSON_BYTES")


def operation_id(route: APIRoute) -> str:
    """A call's name in the document: its function's."""
    return route.name


def program_version() -> str:
    """Ganymede's version; `0` in a tree that is not installed."""
    try:
        return version("ganymede")
    except PackageNotFoundError:
        return "0"
