"""The table of recipes is made through the public API."""

import argparse
from pathlib import Path

import pytest
from running import Stack

from benchmarks.learning import recipes


def test_a_recipe_is_trained_with_the_parameters_of_the_reference_and_scored(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "NAME", "digits-of-recipes")  # the stack is shared, and may have digits already
    asked = argparse.Namespace(recipes=["dcgan"], seeds=[0, 1], seconds=0.5, widths="equal")
    with stack.client() as client:
        head, _, real, row = recipes.rows(client, asked, tmp_path)
    assert len({len(line.split("|")) for line in (head, real, row)}) == 1
    assert row.startswith("| `dcgan` | `dcgan` | 29 | 105,024 |")
    assert row.count(" to ") == len(recipes.COLUMNS)
