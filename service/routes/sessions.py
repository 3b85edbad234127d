"""Sessions of browsers: a key traded for a cookie that no script can read."""

from math import ceil
from time import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from gan.errors import Unauthenticated
from gan.spec import SessionRequest
from ledger.keys import SESSION_SECONDS
from ledger.records import Pass
from service.callers import COOKIE, NEEDED, address_of, bearer_of, headers_of, session_of
from service.house import House, Inside
from service.openapi import json_body, problems
from service.parsing import as_json, json_of
from service.schemas import Session, moment_or_none
from service.scopes import EVERY

router = APIRouter(prefix="/v1/session", tags=["session"])

EXAMPLES: Final[dict[str, Any]] = {"key": {"summary": "Trade a key", "value": {"key": "gnm_…"}}}
COOKIES: Final = {
    "Set-Cookie": {"schema": {"type": "string"}, "description": "The session: HttpOnly, SameSite=Strict."}
}


async def key_shown(request: Request) -> str | None:
    """A dependency: the key in the body, or else in `Authorization`."""
    if await request.body():
        return (await json_of(SessionRequest, request)).key
    return bearer_of(headers_of(request.scope))


KeyShown = Annotated[str | None, Depends(key_shown)]
BODY: Final = json_body(SessionRequest, EXAMPLES)
BODY["requestBody"]["required"] = False


@router.post(
    "",
    response_model=Session,
    summary="Trade a key for a session",
    openapi_extra=BODY,
    responses=problems(400, 401, 413, 415, 429) | {200: {"headers": COOKIES}},
)
async def create_session(key: KeyShown, request: Request, house: Inside) -> Response:
    """Give a browser a cookie that stands for the key: for twelve hours, and no longer than the key holds.

    The key is in the body, or in `Authorization`. Where no keys are required there is nothing to trade, and no cookie.
    """
    if not house.settings.api_keys_required:
        return as_json(standing(house, None))
    if key is None:
        raise Unauthenticated(NEEDED)
    caller = await house.callers.by_key(key, address_of(request.scope))
    house.quotas.admit(caller.key)
    request.state.caller = caller  # for the audit record
    token, until = await house.read(house.keys.open_session, caller.key.id)
    response = as_json(standing(house, Pass(caller.key, until)))
    put_cookie(response, request, token, min(SESSION_SECONDS, until - time()))
    return response


@router.get("", summary="Who calls", responses=problems(429))
async def get_session(request: Request, house: Inside) -> Session:
    """Whose key or session this is, and whether keys are required at all. Needs none."""
    return standing(house, getattr(request.state, "caller", None))


@router.delete("", status_code=204, summary="End a session", responses=problems())
async def delete_session(request: Request, house: Inside) -> Response:
    """End the session of the cookie, if there is one."""
    token = session_of(headers_of(request.scope))
    if token is not None and house.settings.api_keys_required:
        await house.read(house.keys.end_session, token)
    response = Response(status_code=204)
    put_cookie(response, request, "", 0)
    return response


def standing(house: House, caller: Pass | None) -> Session:
    """Who calls, as the resource."""
    required = house.settings.api_keys_required
    nobody: list[str] = [] if required else list(EVERY)
    return Session(
        keys_required=required,
        key=caller.key.name if caller else None,
        scopes=caller.key.scopes if caller else nobody,
        expires_at=moment_or_none(caller.expires_at if caller else None),
    )


def put_cookie(response: Response, request: Request, token: str, seconds: float) -> None:
    """Set the cookie, or clear it; over TLS it is never sent without."""
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, token, max_age=ceil(seconds), path="/", httponly=True, samesite="strict", secure=secure)
