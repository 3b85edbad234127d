"""What is chosen for pairs of images, and what is refused by the name of its field."""

import pytest

from gan.choosing import resolve
from gan.errors import InvalidRequest
from gan.recipes import RECIPES
from gan.spec import Conditioning, DatasetFacts, ImageShape, PointShape, TrainingSpec, TrainRequest

PAIRS = DatasetFacts(count=500, shape=ImageShape(channels=3, height=64, width=64), input_channels=1)
FACES = DatasetFacts(count=500, shape=ImageShape(channels=3, height=64, width=64))
POINTS = DatasetFacts(count=500, shape=PointShape(dims=2))


def ask(facts: DatasetFacts = PAIRS, **fields: object) -> TrainingSpec:
    return resolve(TrainRequest.model_validate({"type": "train", "dataset": "d", "model": "m"} | fields), facts, "cpu")


@pytest.mark.parametrize("recipe", RECIPES)
def test_pairs_have_an_image_as_their_condition_and_a_unet_whatever_the_recipe(recipe: str) -> None:
    spec = ask(recipe=recipe)
    assert spec.network.architecture == "unet"
    assert spec.network.conditioning == Conditioning(kind="image", size=1)
    assert (spec.conditional, spec.l1, spec.network.batch_norm) == (True, 0.0, False)
    assert spec.network.spectral_norm is (recipe == "sngan")
    assert spec.chosen["conditional"] == "the dataset has pairs: an input for each target"
    assert spec.chosen["network.architecture"] == "pairs: an image is made out of an image"
    assert "l1" in spec.chosen


def test_the_targets_alone_are_images_like_any_others() -> None:
    spec, plain = ask(conditional=False), ask(FACES)
    assert spec.network == plain.network
    assert spec.network.conditioning == Conditioning()


def test_the_weight_of_the_distance_to_the_target_is_the_requests() -> None:
    spec = ask(l1=100.0)
    assert spec.l1 == 100.0
    assert "l1" not in spec.chosen


@pytest.mark.parametrize(
    ("facts", "fields", "param", "why"),
    [
        (FACES, {"l1": 10.0}, "l1", "folders input and target"),
        (POINTS, {"l1": 10.0}, "l1", "no such pairs"),
        (PAIRS, {"l1": 10.0, "conditional": False}, "l1", "leave conditional out"),
        (PAIRS, {"network": {"architecture": "r3"}}, "network.architecture", "pairs use unet, or conditional false"),
        (PAIRS, {"network": {"architecture": "mlp"}}, "network.architecture", "takes no image as its condition"),
        (FACES, {"network": {"architecture": "unet"}}, "network.architecture", "needs pairs"),
        (PAIRS, {"network": {"architecture": "unet"}, "conditional": False}, "network.architecture", "needs pairs"),
        (POINTS, {"network": {"architecture": "unet"}}, "network.architecture", "points use mlp"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(
    facts: DatasetFacts, fields: dict[str, object], param: str, why: str
) -> None:
    with pytest.raises(InvalidRequest, match=why) as caught:
        ask(facts, **fields)
    assert caught.value.param == param


def test_a_weight_of_nothing_is_no_contradiction_and_a_negative_one_is_refused_as_it_stands() -> None:
    assert ask(FACES, l1=0.0).l1 == 0.0
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        ask(l1=-1.0)
