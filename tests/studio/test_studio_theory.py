"""The Theory room: clouds that are moved and measured, recipes that learn a ring, all by jobs of the service."""

import json
from contextlib import closing

import numpy as np
import pytest
from browsing import PATIENCE, Look, Shown
from playwright.sync_api import Locator, Page, Request, Route, expect
from running import Stack

from ganymede import Client
from ganymede.records import Job
from ledger.database import Ledger
from ledger.datasets import Datasets

expect.set_options(timeout=PATIENCE)
JOB = 180_000
"""Milliseconds that a short job may take where the machine is busy."""
LOG_2 = float(np.log(2))
RECIPES = ("dcgan", "lsgan", "minimax", "r3gan", "sngan", "wgan", "wgan-gp")
POINTS = 1280


def cloud(page: Page) -> Locator:
    return page.get_by_role("slider", name="Moving cloud, distance")


def at_rest(page: Page, distance: str) -> None:
    """The cloud is there, and what it was measured to be is shown."""
    expect(cloud(page)).to_have_attribute("aria-valuenow", distance)
    expect(page.get_by_text(f"At a distance of {distance}: measured.")).to_be_visible(timeout=JOB)


def dragged(page: Page, distance: float) -> None:
    """The cloud taken by the pointer and let go that far to the right; negative: to the left."""
    plane, grip = page.locator("svg.theory-plane").bounding_box(), cloud(page).locator("rect").bounding_box()
    assert plane is not None
    assert grip is not None
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + distance * plane["width"] / 4.2, y, steps=6)
    page.mouse.up()


def measured(page: Page) -> dict[float, list[float]]:
    """Distance → divergence, distance by a critic, exact distance, as the page's table has them."""
    page.get_by_text("The measured values as a table").click()
    rows = page.locator("table.theory-measured tbody tr").all()
    cells = [[cell.inner_text() for cell in row.get_by_role("cell").all()] for row in rows]
    return {float(first): [float(value) for value in rest[:3]] for first, *rest in cells}


def test_a_cloud_is_moved_by_keyboard_and_pointer_and_what_jobs_find_is_drawn(
    look: Look, width: str, client: Client
) -> None:
    shown = look("#/theory?at=apart", width)
    cloud(shown.page).press("Home")
    cloud(shown.page).press("ArrowRight")
    expect(cloud(shown.page)).to_have_attribute("aria-valuenow", "0.125")
    cloud(shown.page).press("ArrowLeft")
    at_rest(shown.page, "0")
    dragged(shown.page, 2.0)
    expect(shown.page.get_by_label("Distance: 2")).to_have_value("2")
    at_rest(shown.page, "2")

    found = measured(shown.page)
    assert 0.68 < found[2.0][0] <= LOG_2 + 0.001
    assert found[2.0][1:] == pytest.approx([2.0, 2.0], rel=0.15)
    assert found[0.0][0] < 0.2
    assert max(found[0.0][1:]) < 0.15
    assert {(job.spec or {})["against"] for job in evaluations(client)} == {
        f"studio-theory-discs-at-{distance}" for distance in ("0_000", "2_000")
    }
    assert [one.name for one in client.datasets.list().data if "discs-at" in one.name] == []
    shown.accessible()
    shown.keep("theory")


def evaluations(client: Client) -> list[Job]:
    return [
        job for job in client.jobs.list(type="evaluate").data if (job.metadata or {}).get("studio") == "theory-clouds"
    ]


def start_rings(page: Page) -> None:
    """Trainings of all recipes, a few steps each, begun as a reader would."""
    form = page.locator("form")
    form.get_by_label("Equal for all").select_option("Points seen")
    form.get_by_label("Points seen by each").fill(str(POINTS))
    form.get_by_role("button", name=f"Start {len(RECIPES)} trainings").click()


def pictures(page: Page) -> list[str]:
    """The addresses of the previews that are shown and have come."""
    shown = page.locator(".theory-rings img[src*='/v1/jobs/']")
    loaded = shown.evaluate_all("all => all.filter(one => one.complete && one.naturalWidth).map(one => one.src)")
    return [str(address) for address in loaded]


@pytest.mark.timeout(600)
def test_recipes_learn_a_ring_side_by_side_and_are_found_again(
    look: Look, width: str, client: Client, stack: Stack
) -> None:
    shown = look("#/theory?at=ring", width)
    page = shown.page
    page.get_by_text("equal Gaussians stand on a circle").wait_for()
    page.locator("form, .theory-rings").first.wait_for(state="attached")
    if not rings(client):
        start_rings(page)
        expect(page.get_by_text("Queued").first).to_be_visible()
    expect(page.get_by_text(f"{len(RECIPES)} of {len(RECIPES)} have ended.")).to_be_visible(timeout=2 * JOB)
    page.wait_for_function("() => document.querySelectorAll('.theory-rings img[src*=\"/v1/jobs/\"]').length === 7")
    expect(page.get_by_text("Nearest to the data is")).to_be_visible()

    newest = pictures(page)
    slider = page.get_by_label("Share of the training")
    slider.fill("50")
    expect(page.get_by_label("Share of the training: 50 %")).to_be_visible()
    page.wait_for_function(
        "all => [...document.querySelectorAll('.theory-rings img')].every(one => !all.includes(one.src))",
        arg=newest,
    )
    slider.fill("100")
    shown.accessible()
    shown.keep("theory-ring")

    page.reload()
    expect(page.get_by_text(f"{len(RECIPES)} of {len(RECIPES)} have ended.")).to_be_visible()
    assert sorted((job.spec or {})["recipe"] for job in rings(client)) == sorted(RECIPES)
    assert {job.progress and job.progress.images for job in rings(client)} == {POINTS}
    stands_on_a_circle(client, stack)


def rings(client: Client) -> list[Job]:
    return [job for job in client.jobs.list(type="train").data if (job.metadata or {}).get("studio") == "theory-ring"]


def stands_on_a_circle(client: Client, stack: Stack) -> None:
    """What the page uploaded is eight equal Gaussians, σ 0.05, on a circle of radius 1."""
    [row] = [one for one in client.datasets.list().data if one.name == "studio-theory-ring"]
    assert (row.kind, row.count) == ("points", 2000)
    with closing(Ledger(f"sqlite:///{stack.data / 'ledger.sqlite3'}")) as ledger:
        stored = Datasets(ledger).get(row.id).path
    assert stored is not None
    points = np.load(stack.data / "storage" / stored / "data.npy")
    near = np.round(np.arctan2(points[:, 1], points[:, 0]) / (np.pi / 4)).astype(int) % 8
    centres = np.stack([np.cos(near * np.pi / 4), np.sin(near * np.pi / 4)], axis=1)
    assert np.bincount(near).tolist() == pytest.approx([250] * 8, rel=0.25)
    assert (points - centres).std() == pytest.approx(0.05, rel=0.1)
    assert abs((points - centres).mean()) < 0.005


def may_only_read(route: Route) -> None:
    session = {"object": "session", "keys_required": True, "key": "reader", "scopes": ["read"], "expires_at": None}
    route.fulfill(status=200, content_type="application/json", body=json.dumps(session))


def test_whose_key_is_not_for_training_is_told_so_and_has_no_buttons_that_fail(look: Look) -> None:
    shown = look()
    shown.page.route("**/v1/session", may_only_read)
    shown.go("#/theory")
    shown.page.reload()
    expect(shown.page.get_by_text("needs a key with the scope train")).to_have_count(2)
    expect(shown.page.get_by_role("button", name="Sweep")).to_have_count(0)
    expect(shown.page.get_by_role("button", name="Start")).to_have_count(0)
    shown.accessible()


def full(route: Route, request: Request) -> None:
    problem = {
        "type": "about:blank",
        "title": "The queue is full",
        "status": 503,
        "detail": "try again",
        "code": "full",
    }
    if request.method == "POST":
        route.fulfill(status=503, content_type="application/problem+json", body=json.dumps(problem))
    else:
        route.fallback()


def test_a_refused_measurement_says_why_and_can_be_asked_for_again(look: Look) -> None:
    shown: Shown = look("#/theory")
    shown.expected = True
    shown.page.route("**/v1/jobs", full)
    shown.page.route("**/v1/datasets", full)
    cloud(shown.page).press("End")
    expect(shown.page.get_by_role("alert")).to_contain_text("The queue is full")
    expect(shown.page.get_by_role("button", name="Sweep all distances")).to_be_enabled()
