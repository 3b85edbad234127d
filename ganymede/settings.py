"""The client's settings: the two environment variables that it reads, in the one place that reads them."""

import os
from dataclasses import dataclass

DEFAULT_URL = "http://127.0.0.1:8000"
"""Where `ganymede up` serves when nothing else is said."""


@dataclass(frozen=True)
class ClientSettings:
    """`GANYMEDE_URL` (the server's address) and `GANYMEDE_API_KEY` (sent as a bearer token; None where unset)."""

    url: str = DEFAULT_URL
    api_key: str | None = None

    @classmethod
    def from_environment(cls) -> "ClientSettings":
        """What the environment says; empty variables count as unset."""
        return cls(os.environ.get("GANYMEDE_URL") or DEFAULT_URL, os.environ.get("GANYMEDE_API_KEY") or None)
