"""Which augmentation a dataset gets, why, and what is refused."""

import pytest
from pydantic import ValidationError

from gan.choosing import AUGMENTING, resolve
from gan.errors import InvalidRequest
from gan.spec import DatasetFacts, ImageShape, PointShape, TrainingSpec, TrainRequest

POINTS = DatasetFacts(count=2500, shape=PointShape(dims=2))


def faces(count: int, side: int = 64, other: int | None = None) -> DatasetFacts:
    return DatasetFacts(count=count, shape=ImageShape(channels=3, height=side, width=other or side))


def ask(facts: DatasetFacts, **fields: object) -> TrainingSpec:
    return resolve(TrainRequest.model_validate({"type": "train", "dataset": "d", "model": "m"} | fields), facts, "cpu")


@pytest.mark.parametrize("asked", [{}, {"augment": "auto"}], ids=["left out", "auto"])
@pytest.mark.parametrize(("facts", "augment"), [
    (faces(100), "diffaugment"), (faces(10_000), "diffaugment"), (faces(10_001), "ada"), (faces(70_001), "none"),
    (faces(5000, 32, 16), "diffaugment"), (faces(1797, 8), "none"), (faces(100, 16), "none"),
    (faces(100, 16, 17), "diffaugment"), (POINTS, "none"),
], ids=str)  # fmt: skip
def test_what_is_left_open_goes_by_the_number_of_images_and_their_size(
    facts: DatasetFacts, augment: str, asked: dict[str, object]
) -> None:
    spec = ask(facts, **asked)
    assert spec.augment == augment
    assert spec.chosen["augment"]


@pytest.mark.parametrize("augment", ["none", "diffaugment", "ada"])
def test_what_was_asked_for_stays_and_needs_no_reason(augment: str) -> None:
    spec = ask(faces(100), augment=augment)
    assert spec.augment == augment
    assert "augment" not in spec.chosen


@pytest.mark.parametrize("augment", ["diffaugment", "ada"])
def test_points_are_not_augmented_and_asking_for_it_names_the_field(augment: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        ask(POINTS, augment=augment)
    assert refused.value.param == "augment"
    assert augment in refused.value.message
    assert ask(POINTS, augment="none").augment == "none"


def test_another_word_is_refused() -> None:
    with pytest.raises(ValidationError):
        ask(faces(100), augment="flip")


def test_every_image_falls_under_a_row() -> None:
    assert AUGMENTING[-1].count == AUGMENTING[-1].side == float("inf")
    assert all(row.reason for row in AUGMENTING)
