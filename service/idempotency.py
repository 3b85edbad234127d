"""`Idempotency-Key`: a write that is asked for again is answered as it was the first time, and makes nothing twice.

The row in the ledger is there before the request is served (`ledger.idempotency`), so that it holds whatever dies
meanwhile. Answers are held back until they are kept: whoever got one gets the same one again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final

from fastapi.concurrency import run_in_threadpool
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gan.errors import Conflict, InvalidRequest, Unavailable
from ledger.acting import ACTOR, Claim
from ledger.idempotency import RENEW_SECONDS, Keyed
from ledger.states import QUEUES
from service import errors
from service.headers import IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, IDEMPOTENT, answers_are_kept
from service.house import House
from service.parsing import FORM, JSON
from service.routes.models import resource
from service.schemas import Dataset

logger = logging.getLogger("service")

KEPT_HEADERS: Final = ("content-type", "location", "retry-after", "preference-applied", "etag")
MOST_KEPT: Final = 2**20
"""Bytes of an answer that are kept; of a larger one the resource is told as it stands."""
BUSY_SECONDS: Final = 1
"""After which a request whose first is still being served may come again."""
MARK: Final = b"\0boundary\0"


class Idempotency:
    """Serves each write under a key once. Knows the requests that this process serves now.

    `routes` are those that would serve what is answered as before.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self.app, self.routes = app, routes
        self._serving: set[int] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        keyed = scope["type"] == "http" and answers_are_kept(scope["method"], scope["path"])
        keys = Headers(scope=scope).getlist(IDEMPOTENCY_KEY) if keyed else []
        if not keys:
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self._served(request, key_of(keys), send)
        except Busy as error:
            response = errors.refusal(request, error)
            response.headers["Retry-After"] = str(BUSY_SECONDS)
        except errors.FORESEEN as error:
            response = await errors.answer_to(request, error)
        if response is not None:
            await response(scope, receive, send)

    async def _served(self, request: Request, key: str, send: Send) -> Response | None:
        """The answer to a request that came before; None where it was served and answered now."""
        house: House = request.app.state.house
        call = " ".join([request.method, request.url.path, *filter(None, [request.url.query])])
        row, mine = await run_in_threadpool(house.idempotency.claim, ACTOR.get().key or "", key, call)
        if mine:
            await self._serve(house, row, request, send)
            return None
        if row.call != call:
            raise misused("of another call")
        if row.status is None and (row.resource is None or row.number in self._serving):
            raise Busy("the first request with this Idempotency-Key is still being served")
        body = Body(request)
        await body.drain()
        if row.digest not in (None, body.digest):
            raise misused("with another body")
        matching = (route for route in self.routes if route.matches(request.scope)[0] is Match.FULL)
        request.scope["route"] = next(matching, None)  # for those around, who count by it
        return await replayed(house, request.method, row, body.digest)

    async def _serve(self, house: House, row: Keyed, request: Request, send: Send) -> None:
        """Serve a request under its claim, keep its answer if it is a success, and send it."""
        claim, answer = Claim(row.number), Gathered()
        body = Body(request, claim)
        acting = ACTOR.set(replace(ACTOR.get(), claim=claim))
        self._serving.add(row.number)
        try:
            async with renewing(house, row.number):
                await self.app(request.scope, body.receive, answer.send)
                if answer.succeeded:
                    await body.drain()
                    await kept(house, row.number, body.digest, answer)
        finally:
            ACTOR.reset(acting)
            if not answer.succeeded:
                await freed(house, row.number)
            self._serving.discard(row.number)
        for message in answer.messages:
            await send(message)


class Busy(Conflict):
    """The first request under this key has not been answered yet."""


def key_of(given: list[str]) -> str:
    """The key; raises InvalidRequest for what is none."""
    if len(given) > 1 or not IDEMPOTENT.fullmatch(given[0]):
        raise InvalidRequest("must be one word of 1 to 255 visible ASCII characters", param=IDEMPOTENCY_KEY)
    return given[0]


def misused(how: str) -> InvalidRequest:
    """The refusal of a key that was first used otherwise."""
    return InvalidRequest(
        f"this key was used before {how}: take a new one for each thing to be done", param=IDEMPOTENCY_KEY
    )


# ---- what was asked ----


class Body:
    """A body as it streams: `receive` passes it on, `digest` is the sha256 of what has come.

    Of a form the digest leaves out the boundary, which a client chooses anew each time it sends the same thing.
    """

    def __init__(self, request: Request, claim: Claim | None = None) -> None:
        self._receive, self._claim = request.receive, claim
        self._boundary = boundary_of(request.headers.get("content-type", ""))
        self._sha256, self._tail, self._ended = sha256(), b"", False

    async def receive(self) -> Message:
        """The next part; with the last one the claim knows the digest."""
        message = await self._receive()
        if message["type"] == "http.request" and not self._ended:
            self._count(message.get("body", b""))
            self._ended = not message.get("more_body", False)
            if self._ended and self._claim is not None:
                self._claim.digest = self.digest
        self._ended = self._ended or message["type"] == "http.disconnect"
        return message

    async def drain(self) -> None:
        """Read what nobody has read."""
        while not self._ended:
            await self.receive()

    @property
    def digest(self) -> str:
        """The sha256 of what has come so far."""
        whole = self._sha256.copy()
        whole.update(self._tail)
        return whole.hexdigest()

    def _count(self, part: bytes) -> None:
        """The end of a part may be the beginning of a boundary: it is counted with the next."""
        if not self._boundary:
            self._sha256.update(part)
            return
        *whole, rest = (self._tail + part).split(self._boundary)
        for one in whole:
            self._sha256.update(one + MARK)
        settled = max(0, len(rest) - len(self._boundary) + 1)
        self._sha256.update(rest[:settled])
        self._tail = rest[settled:]


def boundary_of(content_type: str) -> bytes:
    """What stands between the parts of a form; empty of any other body."""
    kind, options = parse_options_header(content_type)
    return options.get(b"boundary", b"") if kind == FORM.encode() else b""


# ---- how it was answered ----


@dataclass
class Gathered:
    """An answer, held back."""

    messages: list[Message] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        """Take a part of it."""
        self.messages.append(message)

    @property
    def status(self) -> int:
        """0 where there is none."""
        return int(self.messages[0]["status"]) if self.messages else 0

    @property
    def succeeded(self) -> bool:
        """Whether the answer is a success, and whole."""
        return 200 <= self.status < 300 and not self.messages[-1].get("more_body", False)

    @property
    def headers(self) -> dict[str, str]:
        """Those that are kept."""
        given = Headers(raw=self.messages[0]["headers"])
        return {name: given[name] for name in KEPT_HEADERS if name in given}

    @property
    def text(self) -> str | None:
        """The body; None where it is too large to keep."""
        body = b"".join(message.get("body", b"") for message in self.messages[1:])
        return body.decode() if len(body) <= MOST_KEPT else None


async def kept(house: House, number: int, digest: str, answer: Gathered) -> None:
    """Keep an answer. Where the database is away, what was made is told as it stands to who asks again."""
    try:
        await run_in_threadpool(house.idempotency.answer, number, digest, answer.status, answer.headers, answer.text)
    except Unavailable as error:
        logger.warning("an answer under an %s is not kept: %s", IDEMPOTENCY_KEY, error.message)


async def freed(house: House, number: int) -> None:
    """Let the key of a failed request be used again; where the database is away, it will be after a while."""
    with suppress(Unavailable):
        await run_in_threadpool(house.idempotency.free, number)


@asynccontextmanager
async def renewing(house: House, number: int) -> AsyncIterator[None]:
    """Say of a row now and then that its request is being served."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with suppress(Unavailable):
                await run_in_threadpool(house.idempotency.renew, number)

    task = asyncio.create_task(renew(), name="renewing")
    try:
        yield
    finally:
        task.cancel()


# ---- answered again ----


async def replayed(house: House, method: str, row: Keyed, digest: str) -> Response:
    """The answer that was kept; else what the request made, as it stands now, which is kept from now on."""
    if row.status is not None and row.body is not None:
        return Response(row.body, row.status, row.headers | {IDEMPOTENCY_REPLAYED: "true"})
    assert row.resource is not None
    answer = Response(status_code=204) if method == "DELETE" else await standing(house, row.resource)
    if row.status is None:
        gathered = Gathered([{"status": answer.status_code, "headers": answer.raw_headers}, {"body": answer.body}])
        await kept(house, row.number, digest, gathered)
    answer.headers[IDEMPOTENCY_REPLAYED] = "true"
    return answer


async def standing(house: House, id: str) -> Response:
    """A thing that was made, as it stands now, answered as its making is. Raises NotFound where it was deleted."""
    return await MADE[id.partition("_")[0]](house, id)


async def made_job(house: House, id: str) -> Response:
    """A job; the bell that may not have been rung is."""
    job = await house.read(house.jobs.get, id)
    if job.status == "queued":
        house.doorbell.ring(job.queue, id)
    headers = {"Location": f"/v1/jobs/{id}", "Retry-After": "1"}
    return Response((await house.standing(id)).body, 202, headers, JSON)


async def made_dataset(house: House, id: str) -> Response:
    """A dataset; likewise."""
    row = await house.read(house.datasets.get, id)
    if row.status == "preparing" and row.job_id is not None:
        house.doorbell.ring(QUEUES["prepare"], row.job_id)
    headers = {"Location": f"/v1/datasets/{id}", "Retry-After": "1"}
    return Response(Dataset.of(row).model_dump_json(), 202, headers, JSON)


async def made_model(house: House, id: str) -> Response:
    """A model."""
    row = await house.read(house.models.get, id)
    said = await house.read(resource, house, row, house.engine.loaded())
    return Response(said.model_dump_json(), 201, {"Location": f"/v1/models/{id}"}, JSON)


MADE: Final[dict[str, Callable[[House, str], Awaitable[Response]]]] = {
    "job": made_job,
    "ds": made_dataset,
    "mdl": made_model,
}
"""The prefix of an id → how it is told."""
