"""What all tests share: this folder is importable (`seeded`, `running`, `servers` …); `stack` is a running Ganymede."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Stack, running_stack
from servers import PostgreSQL, Redis


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One embedded stack for the whole session: real HTTP, real files, real processes. Tests use names of their own."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / "import").mkdir()
    with running_stack(folder / "data", GANYMEDE_IMPORT_DIR=str(folder / "import")) as running:
        yield running


@pytest.fixture(scope="session")
def digits_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scikit-learn's 1,797 handwritten digits as PNGs in class folders, zipped."""
    from ganymede.demo import digits, pack_digits

    return pack_digits(tmp_path_factory.mktemp("digits") / "digits.zip", *digits())


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server for the whole session."""
    server = PostgreSQL()
    yield server
    server.stop()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    """A server of the Redis protocol, running, which tests may stop and start."""
    server = Redis(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test that used running processes (a fixture with `logs()`) shows the end of their logs."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if callable(logs := getattr(value, "logs", None)):
                report.sections.append(("the processes' logs", logs()))
    return report
