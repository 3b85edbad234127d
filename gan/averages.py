"""Averages of the generator: which half-lives a training keeps, and what they are called in files. Torch-free."""

from collections.abc import Iterable, Sequence
from math import floor, inf, log10
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gan.spec import NetworkSpec

RAW = 0.0
"""The half-life of no average: the generator as training left it."""
MOST_AVERAGES = 4
"""Averages that a training keeps at most; each is another generator in memory and in every file."""
EMA_SHARE = 0.05
"""An average's half-life is at most this share of the images seen: a short job is not averaged with its beginning."""
STEP = 5
"""How many times as long as the next shorter one an average is, where nothing is asked for."""


class Beside(NamedTuple):
    """How many averages are kept beside the default for networks of up to `size` = width × longer side."""

    size: float
    others: int
    reason: str


BESIDE = (
    Beside(64 * 64, 2, "small beside the optimiser's state"),
    Beside(64 * 256, 1, "one alone: a network of this size has up to 200 MB"),
    Beside(inf, 0, "none at this size: each would take hundreds of MB"),
)


def whole(halflife: float) -> float:
    """A half-life of whole images, which can be part of a tensor's name; ValueError for another."""
    if halflife != int(halflife):
        raise ValueError("a half-life is a whole number of images")
    return halflife


def distinct(halflives: list[float]) -> list[float]:
    """Half-lives that all differ; ValueError where one stands twice."""
    if len(set(halflives)) < len(halflives):
        raise ValueError("every half-life may stand once")
    return halflives


def number_of(halflife: float) -> float | int:
    """A half-life as it is written: without `.0` where it is whole.

    >>> number_of(10000.0), number_of(0.0), number_of(10.5)
    (10000, 0, 10.5)
    """
    return int(halflife) if halflife == int(halflife) else halflife


def listed(halflives: Iterable[float]) -> str:
    """Half-lives for a message.

    >>> listed([0.0, 400.0, 10.5])
    'raw, 400, 10.5'
    """
    return ", ".join("raw" if halflife == RAW else str(number_of(halflife)) for halflife in halflives)


def chosen_halflives(default: float, budget: float, batch_size: int, network: "NetworkSpec") -> tuple[list[float], str]:
    """The half-lives to keep with the default one (0: no average draws by default), and why these.

    `budget` is in images. No average gets longer than `EMA_SHARE` of it, so that a longer one than the default is kept
    only where it would be another; one shorter than a batch would be the raw generator.
    """
    rule = next(rule for rule in BESIDE if network.width * _side(network) <= rule.size)
    longest = EMA_SHARE * budget
    reached = min(default or inf, longest)
    if default == RAW:
        others, what = [longest, longest / STEP], f"{100 * EMA_SHARE:g} % of the budget, and a fifth of that"
    elif STEP * default <= longest:
        others, what = [default / STEP, default * STEP], "a fifth of the default, and five times as long"
    else:
        others = [reached / STEP, reached / STEP**2]
        what = f"shorter ones: a longer one would reach no more than {100 * EMA_SHARE:g} % of the images seen either"
    kept = [half for half in map(_rounded, others[: rule.others]) if half >= batch_size and half != default]
    return _with(default, kept), f"{what}; {rule.reason}"


def asked_default(published: float, halflives: Sequence[float]) -> tuple[float, str]:
    """The default among half-lives that a request asks for, and why: the published one if it is there."""
    if published in halflives:
        return published, "published, and among ema_halflives"
    return max(halflives, default=RAW), "the longest of ema_halflives" if halflives else "ema_halflives is empty"


def _with(default: float, others: list[float]) -> list[float]:
    """Ascending, with the default unless it is no average."""
    return sorted({*others, *([default] if default != RAW else [])})


def _rounded(halflife: float) -> float:
    """To two significant figures, and whole.

    >>> _rounded(12_345.6), _rounded(83.3)
    (12000.0, 83.0)
    """
    return float(round(halflife, 1 - floor(log10(halflife))) // 1) if halflife > 0 else 0.0


def _side(network: "NetworkSpec") -> int:
    shape = network.shape
    return max(shape.height, shape.width) if shape.kind == "images" else 1
