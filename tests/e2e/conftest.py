"""A client of the session's stack, one a module."""

from collections.abc import Iterator

import pytest
from running import Stack

from ganymede import Client


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[Client]:
    with stack.client() as client:
        yield client
