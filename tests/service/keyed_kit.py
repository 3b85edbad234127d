"""A service that requires keys, and callers with keys for this or that."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from service_kit import Running, serving, settings_in

from ledger.audit import Audit
from ledger.keys import Keys
from ledger.records import Key, KeyQuotas, Write
from service.scopes import EVERY

NUMBERS = count(1)


class Keyed:
    """The service, its keys, and its application."""

    def __init__(self, running: Running, app: Any) -> None:
        self.running, self.app, self.url = running, app, running.url
        self.keys, self.audit = Keys(running.ledger), Audit(running.ledger)
        self.http = httpx.Client(base_url=self.url, timeout=30)

    def key(self, *scopes: str, expires_in: float | None = None, **quotas: Any) -> tuple[Key, str]:
        return self.keys.create(f"key{next(NUMBERS)}", scopes or EVERY, KeyQuotas(**quotas), expires_in)

    def caller(self, *scopes: str, **quotas: Any) -> httpx.Client:
        """Someone with a key of these scopes (all, if none are named)."""
        return self.with_secret(self.key(*scopes, **quotas)[1])

    def with_secret(self, secret: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, headers={"Authorization": f"Bearer {secret}"})

    def recorded(self, key_id: str, many: int) -> list[Write]:
        """The key's rows of the audit record, once there are as many; newest first."""
        deadline = time.monotonic() + 20
        while len(found := list(self.audit.list(key_id))) < many:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found


@contextmanager
def keyed_service(folder: Path, **settings: Any) -> Iterator[Keyed]:
    apps: list[Any] = []
    chosen = settings_in(folder, service_threads=1, api_keys_required=True, **settings)
    with serving(chosen, apps.append) as running:
        keyed = Keyed(running, apps[0])
        running.http.headers["Authorization"] = f"Bearer {keyed.key()[1]}"
        yield keyed
        keyed.http.close()
