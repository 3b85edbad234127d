"""Recipes: the published settings that a training may name, with their game in symbols and in words."""

from collections.abc import Sequence

from fastapi import APIRouter, Response

from gan.errors import InvalidRequest
from gan.recipes import RECIPES
from gan.spec import RecipeName
from ledger.records import Page
from service.headers import Cursor, Limit, Order
from service.openapi import problems
from service.parsing import as_json
from service.schemas import List, Recipe

router = APIRouter(prefix="/v1/recipes", tags=["jobs"])


@router.get("", response_model=List[Recipe], summary="List recipes", responses=problems())
def list_recipes(after: Cursor = None, limit: Limit = 20, order: Order = "desc") -> Response:
    """The published settings that `recipe` of a training names, newest first: what each does, when to choose it and how
    it fails; its game in symbols; its source; and every figure, which a request may override one by one.
    """
    names = sorted(RECIPES, key=list(RECIPES).index, reverse=order == "desc")
    page = page_of(names, after, limit)
    return as_json(List.of(page, lambda name: Recipe.of(name, RECIPES[name])))


def page_of(names: Sequence[RecipeName], after: str | None, limit: int) -> Page[RecipeName]:
    """So many names beyond one. Raises InvalidRequest where there is no such name."""
    if after is not None and after not in names:
        raise InvalidRequest(f"there is no recipe {after}: begin without after", param="after")
    begin = 0 if after is None else [*names].index(after) + 1  # type: ignore[arg-type]  # one of them
    return Page([*names[begin : begin + limit]], len(names) > begin + limit)
