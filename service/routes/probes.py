"""Probes: is the process alive, and can it do its work?"""

from anyio import fail_after, to_thread
from fastapi import APIRouter, Response

from gan.errors import Unavailable
from service.errors import RETRY_AFTER
from service.house import House, Inside
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


async def database_answers(house: House) -> bool:
    """Whether the database tells the time within `PATIENCE`."""
    try:
        with fail_after(PATIENCE):
            await to_thread.run_sync(house.ledger.time, abandon_on_cancel=True, limiter=house.probing)
    except (TimeoutError, Unavailable):
        return False
    return True
