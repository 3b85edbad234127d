"""A page of the studio as a test sees it: opened, judged for accessibility, kept as a picture."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize

LAUNCH: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS: Final[dict[str, ViewportSize]] = {
    "desktop": {"width": 1280, "height": 800},
    "phone": {"width": 390, "height": 844},
}
PATIENCE: Final = 30_000
"""Milliseconds: the machine may be busy with other tests."""
LONG_TASK: Final = 50.0
"""Milliseconds after which a task is felt as a stall."""
STANDARDS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
TOO_WIDE: Final = """() => {
  const {scrollWidth, clientWidth} = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  const all = [...document.querySelectorAll("body *")];
  const out = all.filter(one => one.getBoundingClientRect().right > clientWidth + 1);
  return [`${scrollWidth - clientWidth} pixels`, ...out.slice(0, 20).map(
    one => `${one.tagName} ${one.getAttribute("class") ?? ""} ${one.textContent.slice(0, 60)}`)];
}"""


class Shown:
    """One page in a browser context of its own. `page` is Playwright's, for all that a person would do with it."""

    def __init__(self, browser: Browser, url: str, width: str, **options: object) -> None:
        self.url, self.width = url, width
        self.context = browser.new_context(viewport=WIDTHS[width], **options)  # type: ignore[arg-type]
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.expected = False
        """Whether errors in the console are what the test is about."""
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def go(self, address: str) -> None:
        """To an address of the studio: `#/watch/job_…`."""
        self.page.goto(f"{self.url}/{address}")

    def accessible(self) -> None:
        """No violation by axe, and nothing that makes the page scroll sideways."""
        found = Axe().run(self.page, options={"runOnly": STANDARDS})
        assert found.violations_count == 0, found.generate_report()
        self.fits()

    def fits(self) -> None:
        """Nothing makes the page scroll sideways; what does is named."""
        wide = self.page.evaluate(TOO_WIDE)
        assert not wide, f"wider than the screen: {wide}"

    def keep(self, name: str, whole: bool = True) -> Path:
        """A picture of the page as it is: build/studio/NAME-WIDTH.png."""
        path = Path("build/studio") / f"{name}-{self.width}.png"
        self.page.screenshot(path=path, full_page=whole, animations="disabled")
        return path

    def close(self) -> None:
        self.context.close()
        assert self.expected or not self.errors, self.errors


Look = Callable[..., Shown]
"""`look("#/data", "phone")`: what the fixture of that name does."""


def longest_task(trace: bytes) -> float:
    """The longest task of a page's main thread, in milliseconds of its own processor time."""
    told = json.loads(trace)["traceEvents"]
    mains = {(one["pid"], one["tid"]) for one in told if one.get("args", {}).get("name") == "CrRendererMain"}
    tasks = [one for one in told if (one["pid"], one["tid"]) in mains and one["name"].endswith("RunTask")]
    assert len(tasks) > 10
    return max(float(one.get("tdur", 0)) / 1000 for one in tasks)


def longest_tasks(browser: Browser, look: Look, visit: Callable[[Shown], object]) -> list[float]:
    """The longest task of each of three visits: other work on the machine makes tasks longer, and none shorter."""
    longest: list[float] = []
    for _ in range(3):
        shown = look("")
        browser.start_tracing(page=shown.page, categories=["toplevel"])
        visit(shown)
        longest.append(longest_task(browser.stop_tracing()))
    sys.stdout.write(f"\nlongest tasks: {', '.join(f'{one:.1f}' for one in longest)} ms\n")
    return longest
