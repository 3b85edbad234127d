"""The studio in a real browser against a running stack: pages wide and narrow, and what they show kept as pictures."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import LAUNCH, WIDTHS, Look, Shown
from playwright.sync_api import Browser, sync_playwright
from running import Stack

from ganymede import Client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without its window where that can be had, which opens a page for a seventh of the work.

    Where there is none, the test is skipped and says so. One a module: while Playwright stands, an event loop runs in
    this thread, and other tests have loops of their own.
    """
    found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium here: the studio is not looked at (apt-get install chromium-headless-shell)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=LAUNCH)
        yield browser
        browser.close()


@pytest.fixture(params=WIDTHS)
def width(request: pytest.FixtureRequest) -> str:
    """`desktop` and `phone`: a test that takes it runs at both."""
    return str(request.param)


@pytest.fixture
def look(browser: Browser, stack: Stack) -> Iterator[Look]:
    """`look("#/data", "phone")`: a page of the studio, in a browser context of its own, closed afterwards.

    A page that threw, or wrote an error to its console, fails the test at its end, unless that was `expected`.
    """
    shown: list[Shown] = []

    def look(address: str = "", width: str = "desktop", url: str | None = None, **options: object) -> Shown:
        shown.append(Shown(browser, url or stack.url, width, **options))
        shown[-1].go(address)
        return shown[-1]

    yield look
    for one in shown:
        one.close()


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[Client]:
    with stack.client() as client:
        yield client


@pytest.fixture(scope="session", autouse=True)
def pictures() -> Path:
    """Where screenshots are kept: `build/studio/`."""
    folder = Path("build/studio")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
