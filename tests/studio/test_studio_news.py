"""What others begin is seen at once in every room that lists things, and nothing is asked while nothing happens."""

from pathlib import Path
from typing import Final

import httpx
import numpy as np
import pytest
from browsing import Look, Shown
from playwright.sync_api import Page, expect
from running import Stack

from ganymede import Client

PATIENCE: Final = 120_000
"""Milliseconds: a training has to begin, on a machine that is busy with others."""
STILL: Final = 3_000
"""Milliseconds in which nothing happens."""
LISTENED_TO: Final = {"job.queued", "job.succeeded", "job.failed", "job.cancelled", "checkpoint.published"}
SEEN: Final = "seen => Object.defineProperty(document, 'visibilityState', {configurable: true, get: () => seen})"
TURNED: Final = "document.dispatchEvent(new Event('visibilitychange'))"


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("news") / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32))
    return path


def asked(shown: Shown) -> list[str]:
    """The addresses that the page asks for from now on."""
    found: list[str] = []
    shown.page.on("request", lambda request: found.append(request.url))
    return found


def settle(shown: Shown) -> None:
    """Until the page has what it asks for at first: in a while it has asked for nothing more."""
    requests, before = asked(shown), -1
    while before != len(requests):
        before = len(requests)
        shown.page.wait_for_timeout(STILL)


def turn(page: Page, seen: str) -> None:
    """The page becomes `hidden`, or `visible` again."""
    page.evaluate(SEEN, seen)
    page.evaluate(TURNED)


def test_what_others_begin_is_seen_and_nothing_is_asked_while_nothing_happens(
    look: Look, client: Client, stack: Stack, points: Path
) -> None:
    data, watch, explore = (look(f"#/{room}") for room in ("data", "watch", "explore"))
    for shown in (data, watch, explore):
        shown.page.get_by_role("heading", level=1).wait_for()

    client.datasets.upload(points, name="news-points")
    expect(data.page.get_by_role("link", name="news-points")).to_be_visible(timeout=PATIENCE)
    expect(data.page.locator("li, tr", has_text="news-points").first).to_contain_text("300", timeout=PATIENCE)
    client.datasets.wait("news-points")
    job = client.jobs.create({"type": "train", "dataset": "news-points", "model": "news-model", "images": 640})
    row = watch.page.locator("li", has_text="news-model")
    expect(row).to_be_visible(timeout=PATIENCE)
    expect(row).to_contain_text("Succeeded", timeout=PATIENCE, ignore_case=True)
    expect(explore.page.get_by_role("link", name="news-model")).to_be_visible(timeout=PATIENCE)
    assert client.jobs.wait(job.id).status == "succeeded"

    quiet_windows(stack, [data, watch, explore])


def quiet_windows(stack: Stack, pages: list[Shown]) -> None:
    """In a while in which nothing begins or ends on the server, nothing is asked of it. Others may be at work there."""
    known = 0
    for _ in range(10):
        known, _ = told_beyond(stack, known)
        pages[0].page.wait_for_timeout(STILL)  # what was told last has been looked at
        requests = [asked(shown) for shown in pages]
        pages[0].page.wait_for_timeout(STILL)
        known, news = told_beyond(stack, known)
        if not news:
            assert requests == [[] for _ in pages]
            return
    raise AssertionError("the server was never still")


def told_beyond(stack: Stack, known: int) -> tuple[int, list[str]]:
    """The newest event's number, and the types of those beyond `known` that the lists listen to."""
    types: list[str] = []
    while page := httpx.get(f"{stack.url}/v1/events", params={"after": known, "limit": 100}).json()["data"]:
        types += [one["type"] for one in page if one["type"] in LISTENED_TO]
        known = page[-1]["id"]
    return known, types


def test_a_page_that_nobody_sees_lets_go_of_its_connection_and_is_up_to_date_when_it_is_seen_again(
    look: Look, client: Client, points: Path
) -> None:
    client.datasets.wait(client.datasets.upload(points, name="news-before").id)
    shown = look("#/data")
    expect(shown.page.get_by_role("link", name="news-before")).to_be_visible(timeout=PATIENCE)
    settle(shown)
    turn(shown.page, "hidden")
    requests = asked(shown)
    client.datasets.upload(points, name="news-hidden")
    client.datasets.wait("news-hidden")
    shown.page.wait_for_timeout(STILL)
    assert requests == []
    turn(shown.page, "visible")
    expect(shown.page.get_by_role("link", name="news-hidden")).to_be_visible(timeout=PATIENCE)
    assert any(url.endswith("/v1/events") for url in requests)
