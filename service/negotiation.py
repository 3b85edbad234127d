"""`Accept` → the type to answer with (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from gan.errors import NotAcceptable
from service.errors import LONGEST_NAME

USUAL: Final = 256
"""Characters of a header that is remembered; longer ones are read anew, so that nobody fills memory with them."""


class Range(NamedTuple):
    """One media range of an `Accept` header: `image/*` with its weight q in [0, 1]."""

    kind: str
    subkind: str
    weight: float

    def fit(self, media_type: str) -> int:
        """How closely it describes a type: 3 exactly, 2 by its kind, 1 as anything at all, 0 not."""
        kind, _, subkind = media_type.partition("/")
        if (self.kind, self.subkind) == (kind, subkind):
            return 3
        if (self.kind, self.subkind) == (kind, "*"):
            return 2
        return int((self.kind, self.subkind) == ("*", "*"))


def ranges(accept: str) -> Sequence[Range]:
    """The media ranges of an `Accept` header; what cannot be read is passed over, parameters but q are ignored."""
    return known_ranges(accept) if len(accept) <= USUAL else known_ranges.__wrapped__(accept)


@lru_cache
def known_ranges(accept: str) -> Sequence[Range]:
    """`ranges`, remembered: most callers send one of a few headers."""
    found = (parsed(element) for element in accept.split(","))
    return tuple(one for one in found if one is not None)


def parsed(element: str) -> Range | None:
    """One element of the header, `type/subtype;q=0.5`, or None where it is no such thing."""
    media, *parameters = (piece.strip().lower() for piece in element.split(";"))
    kind, slash, subkind = media.partition("/")
    weights = [value.strip() for name, _, value in (p.partition("=") for p in parameters) if name.strip() == "q"]
    if not (slash and kind and subkind):
        return None
    return Range(kind, subkind, weight(weights[0]) if weights else 1.0)


def weight(value: str) -> float:
    """A q-value; what is none counts as 1, and all are brought within [0, 1]."""
    try:
        q = float(value)
    except ValueError:
        return 1.0
    return min(max(q, 0.0), 1.0) if q == q else 1.0


def negotiate(accept: str | None, offers: Sequence[str], what: str = "this") -> int:
    """Index of the offer that the caller likes best; of equals the first, which is the server's own choice.

    Each offer weighs what the range that describes it most closely says. No `Accept` accepts everything.
    Raises NotAcceptable, which says for `what` it cannot be served, and lists the offers.
    """
    wanted = ranges(accept) if accept and accept.strip() else [Range("*", "*", 1.0)]
    weights = [liking(offer, wanted) for offer in offers]
    best = max(weights, default=0.0)
    if best <= 0:
        offered = ", ".join(dict.fromkeys(offers)) or "nothing"
        raise NotAcceptable(f"{(accept or 'nothing')[:LONGEST_NAME]} cannot be served for {what}; what can: {offered}")
    return weights.index(best)


def liking(offer: str, wanted: Sequence[Range]) -> float:
    """The weight of one offer: that of its closest range, 0 without any."""
    return max(((one.fit(offer), one.weight) for one in wanted if one.fit(offer)), default=(0, 0.0))[1]
