"""Which pages may call. A browser says which page a call comes from; what is no browser says nothing, and is no threat.

Without keys, whatever reaches the port may do everything, and a browser on the same machine reaches it for every page
that is open in it. So no page of another origin may write, and the service answers to its own names alone: a page whose
name was rebound to 127.0.0.1 still calls it by its own.
"""

from typing import Final
from urllib.parse import urlsplit

from gan.errors import Forbidden
from service.callers import Headers

LOCAL: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Names of this machine that no page of another can have."""

OWN: Final = frozenset({b"same-origin", b"none"})
"""What `Sec-Fetch-Site` says of a page of this service, and of what a person typed."""

PORTS: Final = {"http": 80, "https": 443}


def names_of(host: str, allowed: frozenset[str]) -> frozenset[str]:
    """The names by which a service that listens at `host` may be called."""
    return LOCAL | allowed | {f"[{host}]" if ":" in host else host.lower()}


def check_host(headers: Headers, names: frozenset[str]) -> None:
    """Raises Forbidden for a call by another name. One without any is of no browser."""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    if host and name_of(host) not in names:
        raise Forbidden(f"this service is not called {name_of(host)[:100]} (GANYMEDE_ALLOWED_HOSTS names others)")


def check_origin(headers: Headers, allowed: frozenset[str]) -> None:
    """Raises Forbidden where a browser says that a page of another origin calls."""
    site = headers.get(b"sec-fetch-site")
    origin = headers.get(b"origin")
    if site is not None and site not in OWN and not (origin and named(origin, allowed)):
        raise Forbidden("a page of another site may not change anything here")
    if origin is not None and not same(origin, headers) and not named(origin, allowed):
        raise Forbidden("a page of another origin may not change anything here")


def same(origin: bytes, headers: Headers) -> bool:
    """Whether an origin's host and port are those that were called; a proxy may have taken TLS away."""
    scheme, authority = parted(origin)
    host = headers.get(b"host", b"").decode("latin-1").lower()
    return authority != "" and with_port(authority, scheme) == with_port(host, scheme)


def named(origin: bytes, allowed: frozenset[str]) -> bool:
    """Whether an origin is one of the names that were allowed."""
    return name_of(parted(origin)[1]) in allowed


def parted(origin: bytes) -> tuple[str, str]:
    """Scheme and authority of an origin, in lower case; an empty authority for `null` and whatever is no origin."""
    try:
        parts = urlsplit(origin.decode("latin-1").lower())
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc


def name_of(authority: str) -> str:
    """`localhost:8000` without its port."""
    name, colon, port = authority.rpartition(":")
    return name if colon and (port.isdecimal() or not port) else authority


def with_port(authority: str, scheme: str) -> tuple[str, str]:
    """Name and port, which need not be said where it is the scheme's own."""
    name = name_of(authority)
    return name, authority[len(name) :].strip(":") or str(PORTS.get(scheme, ""))
