"""The studio's frame: it comes up, is quick, and says what to do where something is missing."""

from collections.abc import Iterator

import pytest
from browsing import Look
from playwright.sync_api import Route, expect
from running import Stack, running_stack

SOON_MS = 1000
"""Milliseconds within which something is painted."""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that asks for keys, with nothing in it."""
    with running_stack(tmp_path_factory.mktemp("guarded"), GANYMEDE_API_KEYS_REQUIRED="true") as running:
        yield running


def test_the_page_comes_up_and_is_accessible(look: Look, width: str) -> None:
    shown = look("", width)
    shown.page.get_by_role("navigation", name="Rooms").wait_for()
    shown.accessible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_legible_in_light_and_dark(look: Look, scheme: str) -> None:
    shown = look("", color_scheme=scheme)
    shown.page.get_by_role("navigation", name="Rooms").wait_for()
    shown.accessible()


def test_the_colours_can_be_chosen_and_stay(look: Look) -> None:
    shown = look()
    shown.page.get_by_role("button", name="Colours: auto").click()
    shown.page.get_by_role("button", name="Colours: light").click()
    shown.page.reload()
    shown.page.get_by_role("button", name="Colours: dark").wait_for()
    assert shown.page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.alone
def test_something_is_painted_within_a_second(look: Look) -> None:
    look()  # the browser is warm, as a person's is
    shown = look()
    shown.page.get_by_role("navigation", name="Rooms").wait_for()
    painted = shown.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert 0 < painted < SOON_MS


def test_every_room_has_an_address_and_can_be_reached_by_keyboard(look: Look) -> None:
    page = look().page
    for name in ("Data", "Train", "Watch", "Explore", "Theory"):
        page.get_by_role("navigation", name="Rooms").get_by_role("link", name=name).focus()
        page.keyboard.press("Enter")
        expect(page).to_have_title(f"{name} – Ganymede")
    page.reload()
    expect(page).to_have_title("Theory – Ganymede")
    page.go_back()
    expect(page).to_have_title("Explore – Ganymede")


@pytest.mark.parametrize("room", ["data", "watch", "explore", "train"])
def test_a_broken_api_is_told_in_words_and_can_be_asked_again(look: Look, room: str) -> None:
    shown = look()
    shown.expected = True
    broken = {"on": True}

    def answer(route: Route) -> None:
        if broken["on"] and "/v1/session" not in route.request.url:
            route.fulfill(status=500, content_type="text/html", body="<h1>Bad gateway</h1>")
        else:
            route.continue_()

    shown.page.route("**/v1/**", answer)
    shown.go(f"#/{room}")
    told = shown.page.get_by_role("alert").first
    expect(told).to_contain_text("The server answered 500")
    shown.accessible()
    broken["on"] = False
    told.get_by_role("button", name="Try again").click()
    expect(told).not_to_be_visible()


def test_a_lost_connection_is_told_and_ends_by_itself(look: Look) -> None:
    shown = look()
    shown.expected = True
    shown.page.get_by_role("navigation", name="Rooms").wait_for()
    shown.context.set_offline(True)
    shown.page.get_by_role("link", name="Explore", exact=True).click()
    lost = shown.page.get_by_text("The server does not answer.").first
    expect(lost).to_be_visible()
    shown.keep("lost")
    shown.context.set_offline(False)
    expect(shown.page.locator(".banner")).not_to_be_visible()


def test_a_key_is_asked_for_traded_and_asked_for_again_once_revoked(look: Look, guarded: Stack, width: str) -> None:
    key = guarded.key(f"reader-{width}", "--scope", "admin")
    shown = look("#/watch", width, guarded.url)
    shown.expected = True
    page = shown.page
    expect(page.get_by_role("heading", name="This server asks for a key")).to_be_visible()
    shown.accessible()
    shown.keep("key")
    page.get_by_label("API key").fill("gnm_wrong")
    page.get_by_role("button", name="Come in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Come in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_attached()
    revoked = guarded.run("keys", "revoke", f"reader-{width}", "--data", str(guarded.data))
    assert revoked.returncode == 0, revoked.stderr
    page.get_by_role("link", name="Explore", exact=True).click()
    expect(page.get_by_role("heading", name="This server asks for a key")).to_be_visible()


@pytest.mark.parametrize("room", ["data", "watch", "explore", "train"])
def test_an_empty_server_says_what_to_do_first(look: Look, guarded: Stack, room: str) -> None:
    key = guarded.key(f"first-{room}", "--scope", "admin")
    shown = look(f"#/{room}", "desktop", guarded.url)
    shown.expected = True
    shown.page.get_by_label("API key").fill(key)
    shown.page.get_by_role("button", name="Come in").click()
    empty = shown.page.locator(".empty").first
    expect(empty).to_be_visible()
    expect(empty.locator("a, button").first).to_be_visible()
    shown.accessible()
    shown.keep(f"empty-{room}")
