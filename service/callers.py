"""Who calls: the key or the session that a request shows, looked up in the ledger at most once a second.

A key that is revoked is therefore let in for up to `HOLDS` seconds more; one that was just made holds at once.
"""

from collections.abc import Awaitable, Callable, Sequence
from math import ceil
from time import monotonic
from typing import Final

from starlette.types import Scope

from gan.errors import QuotaExceeded, Unauthenticated
from ledger.keys import KEY_PREFIX, SESSION_PREFIX, Keys, digest_of
from ledger.records import Pass
from service.quotas import Bucket
from service.readings import Readings

COOKIE: Final = "ganymede_session"
BEARER: Final = "bearer "
LONGEST: Final = 200
"""Characters of what is looked up at all."""

HOLDS: Final = 1.0
"""Seconds that what the ledger said of a key is believed."""

FAILURES: Final = 20
FAILURES_PER_SECOND: Final = 0.5
"""How often one address may show what no key is: so many at once, then one every two seconds."""
MOST_ADDRESSES: Final = 10_000
"""Addresses that are remembered to have failed."""

NEEDED: Final = "this needs an API key: send it as `Authorization: Bearer …`, or trade it for a session"
UNKNOWN: Final = "the API key or session is unknown, was revoked, or has expired"

Headers = dict[bytes, bytes]


class Callers:
    """Belongs to the event loop. `read` asks the ledger about hashes, in a thread."""

    def __init__(self, read: Callable[[Sequence[str]], Awaitable[dict[str, Pass | Exception]]]) -> None:
        self._known = Readings[Pass](read, lambda: int(monotonic() / HOLDS))
        self._failures: dict[str, Bucket] = {}
        self._let_in: dict[str, float] = {}

    async def by_key(self, secret: str, address: str) -> Pass:
        """Whose a key is. Raises Unauthenticated, QuotaExceeded where the address failed too often, Unavailable."""
        return await self._found(secret, KEY_PREFIX, address)

    async def by_session(self, token: str, address: str) -> Pass:
        """Whose a session is. Raises as `by_key`."""
        return await self._found(token, SESSION_PREFIX, address)

    async def _found(self, secret: str, prefix: str, address: str) -> Pass:
        digest = digest_of(secret)
        if self._tired_of(address) and digest not in self._let_in:
            raise too_often(self._failures[address])
        try:
            if not secret.startswith(prefix) or len(secret) > LONGEST:
                raise Unauthenticated(UNKNOWN)
            found = await self._known(digest)
        except Unauthenticated:
            self._failed(address, digest)
            raise Unauthenticated(UNKNOWN) from None
        if digest not in self._let_in:
            self._remember(digest)
        return found

    def _tired_of(self, address: str) -> bool:
        bucket = self._failures.get(address)
        return bucket is not None and bucket.wait(1) > 0

    def _failed(self, address: str, digest: str) -> None:
        self._let_in.pop(digest, None)
        if len(self._failures) >= MOST_ADDRESSES:
            self._failures = {name: one for name, one in self._failures.items() if not one.full()}
        if len(self._failures) < MOST_ADDRESSES:
            self._failures.setdefault(address, Bucket(FAILURES_PER_SECOND, FAILURES)).take(1)

    def _remember(self, digest: str) -> None:
        """A key that holds is let in from an address whatever others show there, as behind one proxy."""
        if len(self._let_in) >= MOST_ADDRESSES:
            self._let_in.clear()
        self._let_in[digest] = monotonic()


def too_often(bucket: Bucket) -> QuotaExceeded:
    """The 429 of an address that showed too many keys that are none."""
    seconds = max(1, ceil(bucket.wait(1)))
    return QuotaExceeded("too many unknown keys came from this address: wait a little", retry_after=seconds)


def passes_by(keys: Keys, digests: Sequence[str]) -> dict[str, Pass | Exception]:
    """Of each hash whose it is, or that it is nobody's."""
    found = keys.passes(digests)
    return {digest: found.get(digest) or Unauthenticated(UNKNOWN) for digest in digests}


# ---- what a request shows ----


def headers_of(scope: Scope) -> Headers:
    """A request's headers; of one that is given twice the last."""
    return dict(scope["headers"])


def bearer_of(headers: Headers) -> str | None:
    """What `Authorization: Bearer` holds, if anything."""
    shown = headers.get(b"authorization", b"").decode("latin-1")
    return shown[len(BEARER) :].strip() or None if shown.lower().startswith(BEARER) else None


def session_of(headers: Headers) -> str | None:
    """What the session's cookie holds, if there is one."""
    for cookie in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == COOKIE and value:
            return value
    return None


def address_of(scope: Scope) -> str:
    """Where a request comes from; behind a proxy on this machine, what that says."""
    client = scope.get("client")
    return client[0] if client else "unknown"
