"""The games in symbols: what each player minimises, and what keeps a discriminator from growing steep.

r = D(x) and f = D(G(z)) are logits of real and generated data, σ⁺ is softplus, and all are means over a batch.
The text is the source, which a test holds against the losses of the worker; MathML, for pages, is made of it.
Torch-free.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gan.recipes import Recipe
from gan.spec import Lipschitz, Loss

PLAYERS: Final[dict[Loss, tuple[str, str]]] = {
    "minimax": ("σ⁺(−r) + σ⁺(f)", "−σ⁺(f)"),
    "non_saturating": ("σ⁺(−r) + σ⁺(f)", "σ⁺(−f)"),
    "least_squares": ("½(r−1)² + ½f²", "½(f−1)²"),
    "wasserstein": ("f − r", "−f"),
    "hinge": ("max(0, 1−r) + max(0, 1+f)", "−f"),
    "relativistic": ("σ⁺(f − r)", "σ⁺(r − f)"),
}
"""Loss → what the discriminator minimises, and what the generator."""

KEPT: Final[dict[Lipschitz, Callable[[Recipe], str | None]]] = {
    "none": lambda recipe: "γ/2·‖∇D‖² on real and generated" if recipe.penalised else None,
    "weight_clipping": lambda recipe: f"weights in [−{recipe.clip:g}, {recipe.clip:g}]",
    "gradient_penalty": lambda recipe: f"{recipe.gradient_penalty:g}·(‖∇D(x̂)‖ − 1)²",
    "spectral_norm": lambda _: "weights over their largest singular value",
}
"""Lipschitz control → what it does or adds; None where nothing is done."""


@dataclass(frozen=True)
class Formula:
    """A game as text; None where nothing keeps the discriminator Lipschitz."""

    discriminator: str
    generator: str
    kept_lipschitz_by: str | None


def formula_of(recipe: Recipe) -> Formula:
    """The game that a recipe plays."""
    return Formula(*PLAYERS[recipe.loss], KEPT[recipe.lipschitz](recipe))


# ---- as MathML Core ----

MATH: Final = '<math xmlns="http://www.w3.org/1998/Math/MathML" displaystyle="true">{}</math>'
TOKEN: Final = re.compile(
    r"(?P<hat>\w\u0302)|(?P<half>\w/2|½)|(?P<words>[a-z]{2,}(?: [a-z]{2,})*)|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<name>[^\W\d])|(?P<sign>\S)"
)
RAISED: Final = {"²": "<mn>2</mn>", "⁺": "<mo>+</mo>"}
OPENING: Final = "([,"
"""After these, and at the beginning, a sign stands before its number rather than between two."""


def mathml(text: str) -> str:
    """A formula as an element `math`. Two letters or more are words, but for `max`; what is raised is ² or ⁺."""
    parts: list[str] = []
    before = OPENING
    for found in TOKEN.finditer(text):
        token = found.group()
        if token in RAISED:
            parts.append(f"<msup>{parts.pop()}{RAISED[token]}</msup>")
        else:
            parts.append(SPELT[found.lastgroup or ""](token, before in OPENING))
        before = token
    return MATH.format("".join(parts))


def half(token: str, first: bool) -> str:  # noqa: ARG001
    """½ or γ/2."""
    above = "<mn>1</mn>" if token == "½" else f"<mi>{token[0]}</mi>"
    return f"<mfrac>{above}<mn>2</mn></mfrac>"


def words(token: str, first: bool) -> str:
    """What is said, set off from the signs beside it; or the name of a function."""
    if token == "max":
        return "<mi>max</mi>"
    return f"<mtext>{token}&#160;</mtext>" if first else f"<mtext>&#160;{token}</mtext>"


def sign(token: str, first: bool) -> str:
    """An operator, as high as a letter; a minus before its number is told from one between two."""
    form = ' form="prefix"' if first and token == "−" else ""
    return f'<mo stretchy="false"{form}>{token}</mo>'


SPELT: Final[dict[str, Callable[[str, bool], str]]] = {
    "hat": lambda token, _: f'<mover accent="true"><mi>{token[0]}</mi><mo>^</mo></mover>',
    "half": half,
    "words": words,
    "number": lambda token, _: f"<mn>{token}</mn>",
    "name": lambda token, _: f"<mi>{token}</mi>",
    "sign": sign,
}
"""Kind of token → what spells it."""
