"""The formulas that the API shows are the losses that are trained by, and what the README says of them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import softplus

from gan.formulas import KEPT, PLAYERS, formula_of
from gan.recipes import RECIPES
from gan.spec import Loss
from worker.training.losses import LOSSES
from worker.training.penalties import BEFORE_CRITIC_STEP

README = (Path(__file__).parents[2] / "README.md").read_text()
SPELT = {"σ⁺": "softplus", "½": "0.5*", "²": "**2", "−": "-"}


def value(formula: str, r: torch.Tensor, f: torch.Tensor) -> Any:
    """What a formula comes to."""
    for written, spelt in SPELT.items():
        formula = formula.replace(written, spelt)
    known = {"softplus": softplus, "max": lambda least, x: x.clamp(min=least), "r": r, "f": f}
    return eval(formula, {"__builtins__": {}}, known).mean()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_formula_comes_to_what_is_minimised(loss: Loss) -> None:
    r, f = torch.randn(2, 64, generator=torch.Generator().manual_seed(0))
    players = LOSSES[loss]
    for formula, minimised in zip(PLAYERS[loss], (players.discriminator, players.generator), strict=True):
        torch.testing.assert_close(value(formula, r, f), minimised(r, f))


def test_every_loss_and_every_lipschitz_control_has_a_formula() -> None:
    assert PLAYERS.keys() == LOSSES.keys()
    assert KEPT.keys() == BEFORE_CRITIC_STEP.keys()


@pytest.mark.parametrize("recipe", RECIPES.items(), ids=RECIPES)
def test_the_readme_has_the_same_formulas(recipe: Any) -> None:
    name, row = recipe
    [line] = [line for line in README.splitlines() if line.startswith(f"| `{name}` |")]
    formula = formula_of(row)
    assert [cell.strip() for cell in line.split("|")[2:5]] == [
        formula.discriminator,
        formula.generator,
        formula.kept_lipschitz_by or "–",
    ]
