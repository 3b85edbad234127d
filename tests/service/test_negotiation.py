"""`Accept`, as callers write it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.errors import NotAcceptable
from service.negotiation import negotiate

OFFERS = ["image/png", "image/webp", "application/json"]
BROWSER = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "image/png"),
        ("", "image/png"),
        ("*/*", "image/png"),
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        ("image/*", "image/png"),
        ("image/webp, image/png", "image/png"),
        ("image/webp, image/png;q=0.9", "image/webp"),
        ("image/*;q=0.5, application/json;q=0.6", "application/json"),
        ("image/png;q=0, image/*", "image/webp"),
        ("text/html, */*;q=0.1", "image/png"),
        ("image/png;q=0, */*;q=0.2, application/json;q=0.1", "image/webp"),
        ("nonsense, application/json", "application/json"),
        ("application/json;q=often", "application/json"),
        (BROWSER, "image/png"),
    ],
)
def test_the_best_liked_offer_is_chosen_and_of_equals_the_servers_own_choice(accept, chosen):
    assert OFFERS[negotiate(accept, OFFERS)] == chosen


@pytest.mark.parametrize("accept", ["text/html", "image/png;q=0, text/*", "*/*;q=0", "nonsense", "image", "/"])
def test_what_cannot_be_served_is_refused_with_what_can(accept):
    with pytest.raises(NotAcceptable, match="for pets; what can: image/png, image/webp, application/json"):
        negotiate(accept, OFFERS, "pets")


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_header_whatever_breaks_it(accept):
    with suppress(NotAcceptable):
        assert negotiate(accept, OFFERS) in range(len(OFFERS))
