"""Requests that go on from a checkpoint: what it decides, with the reason, and what it rules out, by the field."""

from dataclasses import replace
from typing import Any

import pytest

from gan.choosing import resolve
from gan.errors import InvalidRequest
from gan.spec import Conditioning, DatasetFacts, ImageShape, Origin, PointShape, TrainingSpec, TrainRequest
from gan.starting import Start, resolve_from

ORIGIN = Origin(model="faces", checkpoint="ckpt_1", images=1000, sha256="a" * 64, before=1000, split_seed=7)
GREY = ImageShape(channels=1, height=8, width=8)
PETS = DatasetFacts(count=1000, shape=GREY, classes=("cat", "dog"))
PLAIN = DatasetFacts(count=1000, shape=GREY)
POINTS = DatasetFacts(count=1000, shape=PointShape(dims=2))
TABLE = DatasetFacts(count=1000, shape=PointShape(dims=2), condition_dims=3)
PAIRS = DatasetFacts(count=1000, shape=GREY, input_channels=3)


def ask(model: str = "faces", **more: Any) -> TrainRequest:
    return TrainRequest.model_validate({"type": "train", "dataset": "d", "model": model, "resume_from": "faces"} | more)


def start(facts: DatasetFacts = PETS, recipe: str = "r3gan", **more: Any) -> Start:
    """A checkpoint of a model that was trained on such data, by the same rules as any."""
    network = more.pop("network", {"width": 16, "latent_dim": 12})
    first = TrainRequest.model_validate(
        {"type": "train", "dataset": "d", "model": "faces", "recipe": recipe, "network": network}
    )
    known = {
        "origin": ORIGIN, "network": resolve(first, facts, "cpu").network, "classes": facts.classes,
        "recipe": recipe, "metric": "fid" if facts.shape.kind == "images" else "wasserstein_exact",
        "same_model": True, "same_data": True, "held_out": 0.1,
    }  # fmt: skip
    return Start(**(known | more))


def going_on(facts: DatasetFacts = PETS, begin: Start | None = None, **request: Any) -> TrainingSpec:
    return resolve_from(ask(**request), facts, "cpu", begin or start(facts))


@pytest.mark.parametrize(
    "facts", [PETS, PLAIN, POINTS, TABLE, PAIRS], ids=["pets", "plain", "points", "table", "pairs"]
)
def test_the_network_is_the_checkpoints_and_the_reasons_say_so(facts: DatasetFacts) -> None:
    begin = start(facts)
    spec = going_on(facts, begin)
    assert spec.network == begin.network
    assert spec.resume_from == ORIGIN
    decided = {name for name, reason in spec.chosen.items() if reason == "resume_from: as in faces@1000"}
    assert decided == {
        "network.architecture", "network.width", "network.latent_dim", "network.latent_distribution",
        "conditional", "recipe", "metric", "holdout",
    }  # fmt: skip
    assert set(resolve(ask(), facts, "cpu").chosen) <= set(spec.chosen)


def test_what_is_asked_for_stays_and_what_is_left_open_is_chosen_as_ever() -> None:
    spec = going_on(recipe="r3gan", learning_rate=1e-4, images=5000, seed=3, holdout=0.05, metric="fid")
    assert (spec.learning_rate, spec.images, spec.seed, spec.holdout) == (1e-4, 5000, 3, 0.05)
    assert {"recipe", "learning_rate", "images", "holdout", "metric"}.isdisjoint(spec.chosen)
    own = resolve(ask(), PETS, "cpu")
    assert (spec.batch_size, spec.r1, spec.betas) == (own.batch_size, own.r1, own.betas)


def test_a_recipe_left_out_is_the_models() -> None:
    for recipe in ("dcgan", "wgan-gp", "sngan"):
        spec = going_on(begin=start(recipe=recipe))
        assert (spec.recipe, spec.lipschitz) == (recipe, resolve(ask(recipe=recipe), PETS, "cpu").lipschitz)


def test_a_discriminator_that_is_normalised_spectrally_stays_so_under_a_recipe_that_is_left_out() -> None:
    begin = start(recipe="sngan")
    spec = going_on(begin=replace(begin, recipe="r3gan"))
    assert (spec.recipe, spec.lipschitz, spec.network.spectral_norm) == ("r3gan", "spectral_norm", True)
    assert spec.chosen["lipschitz"] == "resume_from: as in faces@1000"


def test_rows_are_divided_as_they_were_and_by_its_own_seed_where_that_is_not_known() -> None:
    spec = going_on(seed=3, holdout=0.05)
    assert (spec.split.share, spec.split.seed) == (0.05, 7)
    unknown = replace(start(), origin=ORIGIN.model_copy(update={"split_seed": None}), same_data=None, held_out=None)
    spec = going_on(begin=unknown, seed=3, holdout=0.3)
    assert (spec.split.share, spec.split.seed) == (0.3, 3)
    assert resolve(ask(seed=4), PETS, "cpu").split.seed == 4


OTHER_SIZE = DatasetFacts(count=1000, shape=ImageShape(channels=1, height=16, width=8), classes=("cat", "dog"))
OTHER_NAMES = DatasetFacts(count=1000, shape=GREY, classes=("cat", "horse"))
OTHER_ORDER = DatasetFacts(count=1000, shape=GREY, classes=("dog", "cat"))


@pytest.mark.parametrize(("facts", "begin", "param", "says"), [
    (OTHER_SIZE, start(), "dataset", "8×8 pixels in 1 channels, and the dataset has images of 8×16"),
    (POINTS, start(), "dataset", "the dataset has points of 2 numbers"),
    (OTHER_NAMES, start(), "dataset", "the classes cat, dog, in this order"),
    (OTHER_ORDER, start(), "dataset", "the classes cat, dog, in this order"),
    (PLAIN, start(), "dataset", "the classes cat, dog"),
    (POINTS, start(TABLE), "dataset", "conditions of 3 numbers"),
    (PLAIN, start(PAIRS), "dataset", "an image out of one of 3 channels"),
    (PETS, start(same_data=False), "dataset", "another name"),
], ids=str)  # fmt: skip
def test_data_unlike_what_it_learned_are_refused(facts: DatasetFacts, begin: Start, param: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as refused:
        going_on(facts, begin)
    assert refused.value.param == param


@pytest.mark.parametrize(("request_", "begin", "param"), [
    ({"network": {"width": 32}}, start(), "network.width"),
    ({"network": {"latent_dim": 5}}, start(), "network.latent_dim"),
    ({"network": {"architecture": "dcgan"}}, start(), "network.architecture"),
    ({"network": {"latent_distribution": "uniform"}}, start(), "network.latent_distribution"),
    ({"conditional": False}, start(), "conditional"),
    ({"conditional": True}, start(PLAIN), "conditional"),
    ({"holdout": 0.2}, start(), "holdout"),
    ({"metric": "recall"}, start(), "metric"),
    ({"recipe": "sngan"}, start(), "recipe"),
    ({"lipschitz": "spectral_norm"}, start(), "lipschitz"),
    ({"recipe": "wgan-gp"}, start(recipe="sngan"), "recipe"),
    ({"lipschitz": "gradient_penalty"}, start(recipe="sngan"), "lipschitz"),
    ({"recipe": "r3gan"}, start(recipe="dcgan"), "recipe"),
    ({"recipe": "wgan-gp"}, start(recipe="dcgan"), "recipe"),
    ({"r1": 1.0}, start(recipe="dcgan"), "r1"),
    ({"lipschitz": "gradient_penalty"}, start(recipe="dcgan"), "lipschitz"),
    ({"batch_size": 2000}, start(), "batch_size"),
], ids=str)  # fmt: skip
def test_what_the_checkpoint_rules_out_is_refused_by_its_name(
    request_: dict[str, Any], begin: Start, param: str
) -> None:
    facts = PETS if begin.classes else PLAIN
    with pytest.raises(InvalidRequest) as refused:
        going_on(facts, begin, **request_)
    assert refused.value.param == param


def test_what_it_has_may_be_said_again() -> None:
    begin = start()
    said = {name: getattr(begin.network, name) for name in ("architecture", "width", "latent_dim")}
    spec = going_on(begin=begin, network=said, conditional=True, holdout=0.1, metric="fid")
    assert spec.network == begin.network
    assert "network.width" not in spec.chosen


def test_a_new_model_may_learn_other_data_and_follow_another_metric() -> None:
    new = replace(start(), same_model=False, same_data=False, held_out=None)
    spec = going_on(begin=new, model="new", metric="recall", holdout=0.4)
    assert (spec.metric, spec.holdout) == ("recall", 0.4)


def test_a_file_that_names_no_classes_goes_on_with_as_many() -> None:
    nameless = replace(start(), classes=())
    assert going_on(begin=nameless).network.conditioning == Conditioning(kind="class", size=2)
    three = DatasetFacts(count=1000, shape=GREY, classes=("a", "b", "c"))
    with pytest.raises(InvalidRequest, match="the classes 2"):
        going_on(three, nameless)


def test_an_unconditional_model_takes_labelled_data_without_their_labels() -> None:
    spec = going_on(PETS, start(PLAIN))
    assert not spec.conditional
    assert spec.network.conditioning == Conditioning()
