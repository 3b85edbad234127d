"""Which averages of the generator a training keeps, and by which metric its best checkpoint is judged."""

import doctest

import pytest
from pydantic import ValidationError

from gan import averages
from gan.averages import BESIDE, MOST_AVERAGES, listed, number_of
from gan.choosing import resolve
from gan.metrics import FOLLOWED
from gan.spec import DatasetFacts, ImageShape, InterpolationSpec, PointShape, SampleSpec, TrainingSpec, TrainRequest

FACES = DatasetFacts(count=5000, shape=ImageShape(channels=3, height=64, width=64))
POINTS = DatasetFacts(count=2500, shape=PointShape(dims=2))


def ask(facts: DatasetFacts = FACES, device: str = "cpu", **fields: object) -> TrainingSpec:
    return resolve(TrainRequest.model_validate({"type": "train", "dataset": "d", "model": "m"} | fields), facts, device)


def test_where_the_budget_bounds_the_default_the_others_are_shorter_than_what_it_reaches() -> None:
    spec = ask(images=100_000)
    assert (spec.ema_halflife, spec.ema_halflives) == (500_000.0, (200.0, 1000.0, 500_000.0))
    assert "5 % of the images seen" in spec.chosen["ema_halflives"]


def test_where_the_budget_is_long_there_is_a_shorter_and_a_longer_one() -> None:
    assert ask(images=10**8).ema_halflives == (100_000.0, 500_000.0, 2_500_000.0)


@pytest.mark.parametrize("recipe", ["dcgan", "sngan"])
def test_a_recipe_without_an_average_draws_raw_and_keeps_averages_beside(recipe: str) -> None:
    spec = ask(recipe=recipe, images=100_000)
    assert (spec.ema_halflife, spec.ema_halflives) == (0.0, (1000.0, 5000.0))


def test_an_average_shorter_than_a_batch_is_not_kept() -> None:
    assert ask(images=1000, batch_size=64).ema_halflives == (500_000.0,)


@pytest.mark.parametrize(("side", "count"), [(64, 3), (128, 2), (256, 2)])
def test_larger_networks_keep_fewer(side: int, count: int) -> None:
    facts = FACES.model_copy(update={"shape": ImageShape(channels=3, height=side, width=side)})
    assert len(ask(facts, device="cuda:0").ema_halflives) == count
    assert len(ask(facts, network={"width": 512}).ema_halflives) == 1
    assert max(rule.others for rule in BESIDE) < MOST_AVERAGES


def test_a_time_budget_is_taken_for_the_usual_number_of_images() -> None:
    assert ask(max_seconds=60).ema_halflives == ask().ema_halflives


def test_what_was_asked_for_is_kept_in_order() -> None:
    spec = ask(ema_halflives=[9000, 70], ema_halflife=70)
    assert (spec.ema_halflife, spec.ema_halflives) == (70.0, (70.0, 9000.0))
    assert not {"ema_halflife", "ema_halflives"} & spec.chosen.keys()


@pytest.mark.parametrize(
    ("asked", "default", "reason"),
    [([400, 500_000], 500_000.0, "published"), ([400, 7000], 7000.0, "longest"), ([], 0.0, "empty")],
)
def test_the_default_is_one_of_those_asked_for(asked: list[float], default: float, reason: str) -> None:
    spec = ask(ema_halflives=asked)
    assert spec.ema_halflife == default
    assert reason in spec.chosen["ema_halflife"]


def test_the_raw_generator_may_be_the_default_beside_averages() -> None:
    spec = ask(ema_halflife=0, ema_halflives=[400])
    assert (spec.ema_halflife, spec.ema_halflives) == (0.0, (400.0,))


@pytest.mark.parametrize("asked", [[7, 7], [7.5], [0], [-1], [1, 2, 3, 4, 5], ["raw"], [float("inf")], [2 * 10**12], 7])
def test_half_lives_are_few_whole_and_distinct(asked: object) -> None:
    with pytest.raises(ValidationError) as refused:
        ask(ema_halflives=asked)
    assert refused.value.errors()[0]["loc"][0] == "ema_halflives"


def test_the_metric_is_what_is_usual_for_the_data_or_what_was_asked_for() -> None:
    for facts in (FACES, POINTS):
        spec = ask(facts)
        assert spec.metric == FOLLOWED[facts.shape.kind]
        assert facts.shape.kind in spec.chosen["metric"]
    assert ask(metric="coverage").metric == "coverage"


def test_a_spec_of_before_there_were_averages_still_reads() -> None:
    new = {"ema_halflives", "keep_best", "metric"}
    old = ask().model_dump(mode="json", exclude=new)
    spec = TrainingSpec.model_validate(old)
    assert (spec.ema_halflives, spec.keep_best, spec.metric) == ((), 1, None)


@pytest.mark.parametrize(("ema", "read"), [("raw", 0.0), (0, 0.0), (400, 400.0), (10.5, 10.5), (None, None)])
def test_an_average_is_asked_for_by_its_half_life_or_as_raw(ema: object, read: float | None) -> None:
    frames = [{"seed": 1}, {"seed": 2}]
    assert SampleSpec.model_validate({"model": "m", "ema": ema}).ema == read
    assert InterpolationSpec.model_validate({"model": "m", "keyframes": frames, "ema": ema}).ema == read


@pytest.mark.parametrize("ema", ["400", "Raw", -1, True, [400], float("nan")])
def test_what_is_no_half_life_is_refused(ema: object) -> None:
    with pytest.raises(ValidationError) as refused:
        SampleSpec.model_validate({"model": "m", "ema": ema})
    assert refused.value.errors()[0]["loc"] == ("ema",)


def test_half_lives_are_written_as_they_are_asked_for() -> None:
    assert [number_of(value) for value in (0.0, 5_000_000.0, 10.5)] == [0, 5_000_000, 10.5]
    assert listed([0.0, 400.0, 10.5]) == "raw, 400, 10.5"


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(averages) == (0, 3)  # failed, tried
