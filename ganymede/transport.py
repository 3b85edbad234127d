"""HTTP as the client needs it: problem documents become errors, and GETs are tried again while a server comes back."""

import itertools
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import httpx

from ganymede.errors import (
    Conflict,
    GanymedeError,
    InProgress,
    NotGanymede,
    ServerUnreachable,
    TooManyRequests,
    Unavailable,
    UsageError,
    problem_class,
)

PATIENCE: Final[dict[type[GanymedeError], float]] = {
    ServerUnreachable: 2.0,
    Unavailable: 20.0,
    TooManyRequests: 20.0,
    InProgress: 30.0,
}
"""Seconds for which what changes nothing is tried again, by what goes wrong; a refused connection rarely passes."""

LOST_PATIENCE: Final = 30.0
"""Seconds for which a write is sent again whose answer was lost: longer than a server takes to free its key."""

IDEMPOTENCY_KEY: Final = "Idempotency-Key"

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""Hosts that are reached directly, whatever proxy the environment names."""

CONNECT_SECONDS: Final = 5.0

T = TypeVar("T")
Away = Callable[[GanymedeError], None]
"""Told why a server is waited for."""


class Transport:
    """One server, one key, one pool of connections. Raises the errors of `ganymede.errors` and no others.

    `timeout` is how long an answer may take to begin or to go on, in seconds.
    """

    def __init__(
        self, url: str, api_key: str | None, timeout: float, transport: httpx.BaseTransport | None = None
    ) -> None:
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise UsageError("the API key holds characters that no key has: look at GANYMEDE_API_KEY")
        self.url = url.rstrip("/")
        self.timeout = timeout
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout)),
            transport=transport,
            trust_env=httpx.URL(self.url).host not in LOOPBACK,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float | None = None,
        wait: float = 0.0,
        away: Away | None = None,
    ) -> httpx.Response:
        """A GET, tried again on broken connections, 503 and 429 for `patience` seconds (default: `PATIENCE`).

        `wait` is how many seconds the server was asked to hold its answer back; `away` is told once that it is waited
        for.
        """
        asked = {key: value for key, value in (params or {}).items() if value is not None}
        timeout = httpx.Timeout(self.timeout + wait, connect=min(CONNECT_SECONDS, self.timeout))
        return patiently(lambda: self.send("GET", path, params=asked, headers=headers, timeout=timeout), patience, away)

    def compute(self, path: str, **arguments: Any) -> httpx.Response:
        """A POST that changes nothing on the server, tried again as a GET is: where too many wait, it comes again."""
        return patiently(lambda: self.send("POST", path, **arguments), None)

    def create(self, path: str, *, key: str | None = None, **arguments: Any) -> httpx.Response:
        """A POST under an `Idempotency-Key`, sent again where its answer is lost: the server makes nothing twice.

        `key` is one of the caller's own, for a wish that may outlive this process; else it is drawn. What the server
        refuses is raised at once.
        """
        headers = {IDEMPOTENCY_KEY: key or secrets.token_hex(16)}
        try:
            return self.send("POST", path, headers=headers, **arguments)
        except InProgress:
            patience = None
        except ServerUnreachable as error:
            patience = None if error.refused else LOST_PATIENCE
        return patiently(lambda: self.send("POST", path, headers=headers, **arguments), patience)

    def send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """One request, once; the whole answer is read. Arguments are httpx's."""
        with self.stream(method, path, **arguments) as response:
            response.read()
            return response

    @contextmanager
    def stream(self, method: str, path: str, **arguments: Any) -> Iterator[httpx.Response]:
        """One request, once; a success is handed on before its body is read."""
        try:
            with self._http.stream(method, path, **arguments) as response:
                if not response.is_success and response.status_code != httpx.codes.NOT_MODIFIED:
                    response.read()
                    raise refusal(response)
                yield response
        except httpx.TimeoutException as error:
            refused = isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout)
            raise ServerUnreachable(f"{self.url} does not answer ({_words(error)})", refused=refused) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            refused = isinstance(error, httpx.ConnectError | httpx.InvalidURL | httpx.UnsupportedProtocol)
            raise ServerUnreachable(f"cannot reach {self.url} ({_words(error)})", refused=refused) from error


def patiently(attempt: Callable[[], T], patience: float | None, away: Away | None = None) -> T:
    """The result of `attempt`, made again while it raises what passes (`PATIENCE`) and patience lasts.

    `away` is told the first of these errors, where it is not the last.
    """
    started = time.monotonic()
    for number in itertools.count():
        try:
            return attempt()
        except tuple(PATIENCE) as error:
            left = (PATIENCE[type(error)] if patience is None else patience) - (time.monotonic() - started)
            delay = delay_after(error, number)
            if delay > left:
                raise
            if away is not None and number == 0:
                away(error)
            time.sleep(delay)
    raise AssertionError("count() does not end")


def delay_after(error: GanymedeError, number: int) -> float:
    """Seconds to wait: what the server says, else doubling from 0.1 to 5."""
    said = error.retry_after if isinstance(error, Unavailable | TooManyRequests | InProgress) else None
    return float(said if said is not None else min(0.1 * 2**number, 5.0))


def refusal(response: httpx.Response) -> GanymedeError:
    """The error that a response stands for; one that is no problem document keeps its status and first line.

    A 404 that is none comes from something else than Ganymede.
    """
    try:
        document = json.loads(response.content)
    except ValueError:
        document = None
    if not isinstance(document, dict) and response.status_code == httpx.codes.NOT_FOUND:
        return NotGanymede(f"{response.url} is unknown to what answers there")
    if not isinstance(document, dict):
        document = {"detail": f"the server answered {response.status_code} {response.reason_phrase}"}
    document.setdefault("request_id", response.headers.get("X-Request-Id"))
    later = _retry_after(response)
    kind = problem_class(response.status_code)
    return (InProgress if kind is Conflict and later is not None else kind)(response.status_code, document, later)


def _retry_after(response: httpx.Response) -> float | None:
    said = response.headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else None


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
