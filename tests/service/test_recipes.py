"""Recipes as the API tells them: in words, in symbols, in figures."""

from typing import Any
from xml.etree import ElementTree

import pytest
from service_kit import Running

from gan.recipes import RECIPES

MATHML = "{http://www.w3.org/1998/Math/MathML}"


@pytest.fixture(scope="module")
def recipes(house: Running) -> dict[str, dict[str, Any]]:
    found = house.http.get("/v1/recipes").json()
    assert found["object"] == "list"
    assert (found["first_id"], found["last_id"], found["has_more"]) == ("r3gan", "minimax", False), "newest first"
    return {recipe["id"]: recipe for recipe in found["data"]}


def test_every_recipe_says_what_it_does_in_a_line_and_in_a_paragraph_and_where_it_is_from(
    recipes: dict[str, dict[str, Any]],
) -> None:
    assert set(recipes) == set(RECIPES)
    for name, recipe in recipes.items():
        assert (recipe["object"], recipe["name"]) == ("recipe", name)
        assert len(recipe["summary"]) < 100 < 400 < len(recipe["about"]), name
        assert set(recipe["source"]) == {"authors", "title", "year", "url"}
        assert 2014 <= recipe["source"]["year"] <= 2024
    assert [name for name, recipe in recipes.items() if recipe["default"]] == ["r3gan"]


def test_every_figure_of_a_recipe_is_told(recipes: dict[str, dict[str, Any]]) -> None:
    for name, recipe in recipes.items():
        row = RECIPES[name]  # type: ignore[index]
        told = recipe["settings"]
        assert (told["loss"], told["lipschitz"], told["critic_steps"]) == (row.loss, row.lipschitz, row.critic_steps)
        assert (told["learning_rate"], told["betas"]) == (row.learning_rate, list(row.betas))
        assert not {"about", "summary", "source"} & set(told)
    assert recipes["r3gan"]["settings"]["fades"]["beta2"] == {"shape": "cosine", "ratio": 1.0, "to": 0.99}
    assert recipes["wgan"]["settings"]["critic_boost"]["steps"] == 100


def test_formulas_are_text_and_the_same_signs_as_mathml(recipes: dict[str, dict[str, Any]]) -> None:
    for recipe in recipes.values():
        formula = recipe["formula"]
        for player in ("discriminator", "generator", "kept_lipschitz_by"):
            text, drawn = formula[player], formula["mathml"][player]
            if text is None:
                assert drawn is None
                continue
            root = ElementTree.fromstring(drawn)
            assert root.tag == MATHML + "math"
            assert signs("".join(root.itertext())) == signs(text)
    assert recipes["dcgan"]["formula"]["kept_lipschitz_by"] is None
    assert recipes["wgan"]["formula"]["kept_lipschitz_by"] == "weights in [−0.01, 0.01]"


def signs(text: str) -> str:
    """Without blanks, what is raised as what raises it, a hat as a sign, and fractions by their parts."""
    for written, spelt in (("²", "2"), ("⁺", "+"), ("\u0302", "^"), ("½", "12"), ("/", ""), (" ", ""), ("\xa0", "")):
        text = text.replace(written, spelt)
    return text


def test_pages_of_recipes_follow_one_another(service: Running, is_problem: Any) -> None:
    first = service.http.get("/v1/recipes", params={"limit": 3, "order": "asc"}).json()
    assert [one["id"] for one in first["data"]] == ["minimax", "dcgan", "lsgan"]
    assert first["has_more"]
    rest = service.http.get("/v1/recipes", params={"order": "asc", "after": first["last_id"]}).json()
    assert [one["id"] for one in rest["data"]] == ["wgan", "wgan-gp", "sngan", "r3gan"]
    assert not rest["has_more"]
    is_problem(service.http.get("/v1/recipes", params={"after": "nobody"}), 422, "invalid_request", "after")
