"""Choosing: what a short request becomes, with reasons, and what is refused by the name of its field."""

import pytest

from gan.choosing import resolve
from gan.errors import InvalidRequest
from gan.recipes import RECIPES
from gan.spec import DatasetFacts, ImageShape, NetworkRequest, PointShape, TrainingSpec, TrainRequest

DIGITS = DatasetFacts(count=1797, shape=ImageShape(channels=1, height=8, width=8), classes=tuple("0123456789"))
FACES = DatasetFacts(count=5000, shape=ImageShape(channels=3, height=64, width=64))
POINTS = DatasetFacts(count=2500, shape=PointShape(dims=2))
BRANCHES = DatasetFacts(count=2500, shape=PointShape(dims=1), condition_dims=1)

# every row of the published table, as the request's field → figure
PUBLISHED = {
    "minimax": {"loss": "minimax", "optimizer": "adam", "learning_rate": 2e-4, "betas": (0.5, 0.999)},
    "dcgan": {"loss": "non_saturating", "learning_rate": 2e-4, "betas": (0.5, 0.999), "batch_size": 64},
    "lsgan": {"loss": "least_squares", "learning_rate": 2e-4, "betas": (0.5, 0.999)},
    "wgan": {"loss": "wasserstein", "lipschitz": "weight_clipping", "clip": 0.01, "optimizer": "rmsprop",
             "learning_rate": 5e-5, "critic_steps": 5, "batch_size": 64},
    "wgan-gp": {"loss": "wasserstein", "lipschitz": "gradient_penalty", "gradient_penalty": 10.0,
                "learning_rate": 1e-4, "betas": (0.0, 0.9), "critic_steps": 5},
    "sngan": {"loss": "hinge", "lipschitz": "spectral_norm", "learning_rate": 2e-4, "betas": (0.0, 0.9),
              "critic_steps": 5},
    "r3gan": {"loss": "relativistic", "lipschitz": "none", "learning_rate": 2e-4, "betas": (0.0, 0.9),
              "critic_steps": 1, "r1": 2.0, "r2": 2.0},
}  # fmt: skip


def ask(facts: DatasetFacts = FACES, device: str = "cpu", **fields: object) -> TrainingSpec:
    return resolve(TrainRequest.model_validate({"type": "train", "dataset": "d", "model": "m"} | fields), facts, device)


def test_every_recipe_has_its_published_figures() -> None:
    assert PUBLISHED.keys() == RECIPES.keys()
    for recipe, figures in PUBLISHED.items():
        spec = ask(FACES, "cuda:0", recipe=recipe)
        assert {name: getattr(spec, name) for name in figures} == figures, recipe


def test_r3gan_moves_rate_momentum_and_penalty_by_cosine() -> None:
    schedules = ask(FACES, "cuda:0", recipe="r3gan").schedules
    assert {name: (s.to, s.shape) for name, s in schedules.items()} == {
        "learning_rate": (pytest.approx(5e-5), "cosine"),
        "beta2": (0.99, "cosine"),
        "r1": (pytest.approx(0.2), "cosine"),
        "r2": (pytest.approx(0.2), "cosine"),
    }


@pytest.mark.parametrize(
    ("side", "device", "gamma", "rate"),
    [
        (16, "cpu", 1.0, 2e-3),
        (16, "cuda:0", 1.0, 2e-3),
        (32, "cpu", 20.0, 2e-3),
        (32, "cuda:0", 0.5, 2e-4),
        (64, "cpu", 50.0, 1e-3),
        (64, "cuda:0", 2.0, 2e-4),
        (256, "cpu", 150.0, 2e-4),
    ],
)
def test_the_penalty_and_the_rate_go_by_size_and_by_what_a_device_bears(
    side: int, device: str, gamma: float, rate: float
) -> None:
    facts = DatasetFacts(count=5000, shape=ImageShape(channels=3, height=side, width=side))
    spec = ask(facts, device)
    assert (spec.r1, spec.r2, spec.learning_rate) == (gamma, gamma, rate)
    measured = device == "cpu" and side in (32, 64)
    assert (
        ("measured on a CPU" in spec.chosen["r1"]) == ("measured on a CPU" in spec.chosen["learning_rate"]) == measured
    )


def test_figures_that_were_measured_belong_to_an_architecture() -> None:
    facts = DatasetFacts(count=5000, shape=ImageShape(channels=3, height=32, width=32))
    plain, published = ask(facts), ask(facts, network={"architecture": "r3"})
    assert (plain.r1, plain.learning_rate, plain.batch_size) == (20.0, 2e-3, 32)
    assert "more steps" in plain.chosen["batch_size"]
    assert (published.r1, published.learning_rate, published.batch_size) == (5.0, 1e-3, 64)
    assert ask(facts, recipe="dcgan").batch_size == 64
    assert ask(facts, batch_size=16).batch_size == 16


def test_a_cpu_gets_a_network_that_it_can_train_often_and_a_gpu_the_published_one() -> None:
    cpu, gpu = ask(FACES), ask(FACES, "cuda:0")
    assert (cpu.network.architecture, gpu.network.architecture) == ("plain", "r3")
    assert "a CPU learns more" in cpu.chosen["network.architecture"]
    assert ask(FACES, network={"architecture": "r3"}).network.architecture == "r3"
    others = {recipe: ask(FACES, recipe=recipe).network.architecture for recipe in RECIPES if recipe != "r3gan"}
    assert others == {recipe: ask(FACES, "cuda:0", recipe=recipe).network.architecture for recipe in others}


def test_another_recipe_keeps_its_published_rate_at_any_size() -> None:
    small = DatasetFacts(count=5000, shape=ImageShape(channels=3, height=32, width=32))
    assert {recipe: ask(small, recipe=recipe).learning_rate for recipe in RECIPES if recipe != "r3gan"} == {
        recipe: figures["learning_rate"] for recipe, figures in PUBLISHED.items() if recipe != "r3gan"
    }


def test_sngan_decays_its_rate_linearly_to_nothing() -> None:
    (name, schedule), = ask(recipe="sngan").schedules.items()  # fmt: skip
    assert (name, schedule.to, schedule.shape) == ("learning_rate", 0.0, "linear")


def test_everything_left_out_is_chosen_with_a_reason() -> None:
    spec = ask(DIGITS)
    assert spec.conditional
    assert spec.network.conditioning.size == 10
    asked_for = {"type", "dataset", "model", "recipe", "seed", "max_seconds", "network", "priority", "metadata"}
    asked_for |= {"resume_from"}
    whole = {name for name in spec.chosen if "." not in name}
    assert whole == TrainRequest.model_fields.keys() - asked_for
    assert spec.chosen.keys() - whole == {f"network.{name}" for name in NetworkRequest.model_fields}
    assert all(spec.chosen.values())


def test_what_was_asked_for_stays_and_needs_no_reason() -> None:
    asked = {"learning_rate": 3e-3, "batch_size": 32, "images": 999, "ema_halflife": 10.0, "holdout": 0.2, "r1": 0.5}
    spec = ask(DIGITS, **asked, network={"width": 12, "latent_distribution": "uniform"})
    assert {name: getattr(spec, name) for name in asked} == asked
    assert (spec.network.width, spec.network.latent_distribution) == (12, "uniform")
    assert not (asked.keys() | {"network.width", "network.latent_distribution"}) & spec.chosen.keys()


def test_an_overridden_start_keeps_the_shape_of_its_schedule() -> None:
    assert ask(learning_rate=1e-3).schedules["learning_rate"].to == pytest.approx(2.5e-4)


def test_a_zero_penalty_has_no_schedule() -> None:
    assert ask(r1=0.0).schedules.keys() == {"learning_rate", "beta2", "r2"}


def test_a_time_budget_alone_leaves_the_number_of_images_open() -> None:
    assert ask(max_seconds=10).images is None
    assert ask(max_seconds=10, images=500).images == 500


def test_a_gpu_gets_wider_networks_and_a_larger_budget() -> None:
    cpu, gpu = ask(), ask(device="cuda:0")
    assert gpu.network.width > cpu.network.width
    assert (gpu.images or 0) > (cpu.images or 0)


def test_the_critic_has_batch_norm_only_where_no_gradient_is_penalised() -> None:
    normed = {recipe: ask(recipe=recipe, network={"architecture": "dcgan"}).network.batch_norm for recipe in RECIPES}
    assert [recipe for recipe, norm in normed.items() if norm] == ["minimax", "dcgan", "lsgan", "wgan"]


def test_points_use_an_mlp_and_c_columns_a_vector_condition() -> None:
    assert ask(POINTS).network.architecture == "mlp"
    spec = ask(BRANCHES, recipe="wgan-gp")
    assert (spec.network.conditioning.kind, spec.network.conditioning.size) == ("vector", 1)


def test_images_may_be_made_by_an_mlp() -> None:
    assert ask(FACES, network={"architecture": "mlp"}).network.architecture == "mlp"


def test_betas_that_were_asked_for_stay_and_rmsprop_has_none_to_move() -> None:
    assert ask(FACES).schedules["beta2"].to == 0.99
    assert "beta2" not in ask(FACES, betas=(0.0, 0.999)).schedules
    spec = ask(FACES, optimizer="rmsprop")
    assert "beta2" not in spec.schedules
    assert "not in force" in spec.chosen["betas"]


def test_too_few_rows_for_an_estimate_are_not_withheld_and_it_is_said() -> None:
    few = FACES.model_copy(update={"count": 100})
    spec = ask(few)
    assert spec.holdout == 0.0
    assert "too few" in spec.chosen["holdout"]
    assert ask(few, holdout=0.1).holdout == 0.1


def test_a_small_dataset_bounds_the_batch() -> None:
    assert ask(FACES.model_copy(update={"count": 20})).batch_size == 20


@pytest.mark.parametrize(
    ("facts", "fields", "param"),
    [
        (FACES, {"ema_halflife": 500.0, "ema_halflives": [400, 5000]}, "ema_halflives"),
        (FACES, {"ema_halflife": 500.0, "ema_halflives": []}, "ema_halflives"),
        (FACES, {"metric": "wasserstein_exact"}, "metric"),
        (POINTS, {"metric": "fid"}, "metric"),
        (FACES, {"recipe": "dcgan", "clip": 0.1}, "clip"),
        (FACES, {"recipe": "wgan", "gradient_penalty": 5}, "gradient_penalty"),
        (FACES, {"recipe": "wgan", "betas": (0.5, 0.9)}, "betas"),
        (POINTS, {"network": {"architecture": "r3"}}, "network.architecture"),
        (FACES, {"conditional": True}, "conditional"),
        (FACES, {"batch_size": 5001}, "batch_size"),
        (FACES.model_copy(update={"count": 1}), {}, "dataset"),
        (DatasetFacts(count=99, shape=ImageShape(channels=3, height=4, width=64)), {}, "dataset"),
        (DatasetFacts(count=99, shape=ImageShape(channels=3, height=64, width=257)), {}, "dataset"),
    ],
)
def test_a_contradiction_names_its_field(facts: DatasetFacts, fields: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        ask(facts, **fields)
    assert refused.value.param == param


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("facts", [DIGITS, FACES, POINTS, BRANCHES], ids=["digits", "faces", "points", "branches"])
def test_every_recipe_suits_every_kind_of_data(recipe: str, facts: DatasetFacts) -> None:
    spec = ask(facts, recipe=recipe)
    assert TrainingSpec.model_validate_json(spec.model_dump_json()) == spec
