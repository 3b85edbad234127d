"""`augment` over HTTP."""

from collections.abc import Callable
from typing import Any

from service_kit import Running

Check = Callable[..., dict[str, Any]]


def test_auto_comes_back_as_what_was_chosen_with_its_reason(service: Running) -> None:
    service.images("augmented")
    spec = service.train("augmented", "auto", augment="auto").json()["spec"]
    assert spec["augment"] in ("none", "diffaugment", "ada")
    assert spec["chosen"]["augment"]
    spec = service.train("augmented", "asked", augment="ada").json()["spec"]
    assert spec["augment"] == "ada"
    assert "augment" not in spec["chosen"]


def test_augmentation_of_points_is_422_and_names_the_field(service: Running, is_problem: Check) -> None:
    service.points("plain", None)
    problem = is_problem(service.train("plain", "p", augment="diffaugment"), 422, "invalid_request", "augment")
    assert "points" in problem["detail"]
    assert service.train("plain", "p", augment="auto").json()["spec"]["augment"] == "none"
