"""The studio's frame: it comes up, is quick and small, and says what to do where something is missing."""

from browsing import Look


def test_the_page_comes_up_and_is_accessible(look: Look, width: str) -> None:
    shown = look("", width)
    shown.page.get_by_role("navigation", name="Rooms").wait_for()
    shown.accessible()
    shown.keep("start")
