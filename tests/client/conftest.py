from collections.abc import Iterator

import pytest
from fake_server import Fake, fake_server


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    monkeypatch.delenv("GANYMEDE_API_KEY", raising=False)
    with fake_server() as server:
        monkeypatch.setenv("GANYMEDE_URL", server.url)
        yield server
