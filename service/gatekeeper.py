"""Who may come in: asked of every request before anything of its body is read, on the short way and on the long one.

In this order: is this a page of another site, whose key is it, is the key for this, has it any of its quota left. Where
no keys are required, only the first is asked. What a request makes is then the key's (`ledger.acting`), and a write
leaves a row in the audit record.
"""

from time import time
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gan.errors import Forbidden, GanymedeError, QuotaExceeded, Unauthenticated
from ledger.acting import ACTOR, Actor
from ledger.records import Key, Pass, Write
from ledger.settings import Settings
from service import errors
from service.callers import NEEDED, Headers, address_of, bearer_of, headers_of, session_of
from service.headers import COMPUTED
from service.house import House
from service.origins import check_host, check_origin, names_of
from service.scopes import READING, permits, scope_of
from service.scopes import Scope as Needed

SESSION: Final = "/v1/session"
"""Where a key is traded for a session, and where anyone may ask who they are."""
LONGEST_PATH: Final = 2_000
"""Characters of a path in the audit record."""
BY_DEFAULT: Final = (b"cache-control", b"private, no-cache")
"""How an answer to a key may be kept where its route does not say: by the caller alone."""


class Gatekeeper:
    """`host` is where the service listens."""

    def __init__(self, app: ASGIApp, settings: Settings, host: str) -> None:
        self.app = app
        self.required = settings.api_keys_required
        self.allowed = settings.hosts
        self.names = names_of(host, settings.hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        house: House = scope["app"].state.house
        headers = headers_of(scope)
        caller = None
        try:
            self.check_page(scope, headers)
            if self.required:
                needed = scope_of(scope["method"], scope["path"])
                caller = await identified(house, scope, headers, needed)
                send = marked(send, house, caller)
                if caller is not None and needed is not None:
                    check_scope(caller.key, needed)
                    house.trail.used(caller.key.id)
                    house.quotas.admit(caller.key)
        except GanymedeError as error:
            note(house, scope, errors.status_of(type(error)))
            await errors.refusal(Request(scope), error)(scope, receive, send)
            return
        await self.serve(scope, receive, send, house, caller)

    def check_page(self, scope: Scope, headers: Headers) -> None:
        """Raises Forbidden for a page of another site. Who shows a key in a header is no page's victim."""
        if not self.required:
            check_host(headers, self.names)
        if scope["method"] not in READING and not (self.required and bearer_of(headers)):
            check_origin(headers, self.allowed)

    async def serve(self, scope: Scope, receive: Receive, send: Send, house: House, caller: Pass | None) -> None:
        """Have the request answered, in the key's name, whoever acted before on its connection: requests that come
        behind one another begin in one context."""
        acting = ACTOR.set(Actor(caller.key.id if caller else None))
        try:
            if scope["method"] in READING:
                await self.app(scope, receive, send)
            else:
                await self.written(scope, receive, send, house)
        finally:
            ACTOR.reset(acting)

    async def written(self, scope: Scope, receive: Receive, send: Send, house: House) -> None:
        """Have a write answered, and put down how: a defect is answered further out, with 500."""
        status = 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, observed)
        finally:
            note(house, scope, status)


async def identified(house: House, scope: Scope, headers: Headers, needed: Needed | None) -> Pass | None:
    """Whose request this is, which the route finds in `state.caller`.

    Raises Unauthenticated where a key is needed and none holds, QuotaExceeded where too many did not, Unavailable. At
    `SESSION`, one that does not hold is as none; other paths that need none are not asked at all.
    """
    if needed is None and scope["path"] != SESSION:
        return None
    try:
        caller = await shown(house, scope, headers)
    except (Unauthenticated, QuotaExceeded):
        if needed:
            raise
        caller = None
    if needed and caller is None:
        raise Unauthenticated(NEEDED)
    scope["state"]["caller"] = caller
    return caller


async def shown(house: House, scope: Scope, headers: Headers) -> Pass | None:
    """What the key in `Authorization`, or else the session in the cookie, stands for; None where there is neither."""
    if (secret := bearer_of(headers)) is not None:
        return await house.callers.by_key(secret, address_of(scope))
    if (token := session_of(headers)) is not None:
        return await house.callers.by_session(token, address_of(scope))
    return None


def check_scope(key: Key, needed: Needed) -> None:
    """Raises Forbidden where the key is not for such a call."""
    if not permits(key.scopes, needed):
        has = ", ".join(key.scopes)
        raise Forbidden(f"this needs a key with the scope {needed}; {key.name} has {has}")


def note(house: House, scope: Scope, status: int) -> None:
    """Put a write into the audit record; what was refused for lack of a key, or of quota, is none."""
    caller: Pass | None = scope["state"].get("caller")
    unasked = status in (401, 429) or (status in (403, 503) and caller is None)
    if scope["method"] in READING or scope["path"] in COMPUTED or unasked:
        return
    write = Write(
        created_at=time(),
        key_id=caller.key.id if caller else None,
        address=address_of(scope)[:64],
        method=scope["method"][:8],
        path=scope["raw_path"].decode("latin-1")[:LONGEST_PATH],
        status=status,
        request_id=scope["state"]["request_id"],
    )
    house.trail.note(write)


def marked(send: Send, house: House, caller: Pass | None) -> Send:
    """`send`, with what the caller's quotas are at, and for whose eyes the answer is."""

    async def marking(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            if not any(name == BY_DEFAULT[0] for name, _ in headers):
                headers.append(BY_DEFAULT)
            message["headers"] = headers + (house.quotas.headers(caller.key.id) if caller else [])
        await send(message)

    return marking
