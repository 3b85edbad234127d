"""Probes: is the process alive, can it do its work, and what has it been doing?"""

from anyio import fail_after, to_thread
from fastapi import APIRouter, Response

from gan.errors import Unavailable
from ledger.census import census
from service.errors import RETRY_AFTER
from service.house import House, Inside
from service.meters import CONTENT_TYPE
from service.openapi import problems
from service.schemas import Alive, Ready

router = APIRouter(tags=["probes"])

PATIENCE = 2.0
"""Seconds after which a database that says nothing counts as away."""


@router.get("/livez", summary="Is the process alive?", responses=problems())
async def livez() -> Alive:
    """200 as long as the process answers."""
    return Alive()


@router.get("/readyz", summary="Can the service do its work?", responses=problems() | {503: {"model": Ready}})
async def readyz(house: Inside, response: Response) -> Ready:
    """200 when database and storage answer. A missing broker, or an engine that loads or failed, does not hinder."""
    database, storage = await database_answers(house), house.storage_answers()
    ready = database and storage
    if not ready:
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return Ready(
        status="ready" if ready else "unavailable",
        database="ok" if database else "away",
        storage="ok" if storage else "away",
        broker=await to_thread.run_sync(house.broker_state, limiter=house.probing),
        engine=house.engine.state,
    )


@router.get(
    "/metrics",
    summary="What the service has been doing, for Prometheus",
    response_class=Response,
    responses=problems() | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(house: Inside) -> Response:
    """Requests by route and status, batches, seconds in line, in forwards and in encoding, networks in memory; of the
    ledger jobs, workers, datasets, models and events.

    Text in Prometheus' format. What the database would say is left out while it is away.
    """
    told = None
    try:
        with fail_after(PATIENCE):
            told = await to_thread.run_sync(census, house.ledger, abandon_on_cancel=True, limiter=house.probing)
    except (TimeoutError, Unavailable):
        pass
    return Response(house.engine.meters.text(told), media_type=CONTENT_TYPE)


async def database_answers(house: House) -> bool:
    """Whether the database tells the time within `PATIENCE`."""
    try:
        with fail_after(PATIENCE):
            await to_thread.run_sync(house.ledger.time, abandon_on_cancel=True, limiter=house.probing)
    except (TimeoutError, Unavailable):
        return False
    return True
