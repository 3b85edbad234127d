"""Warnings: on trainings made to fail they come, with a remedy, once; on healthy ones none does.

Short real trainings here, and reports recorded from longer ones (recorded_reports.json: up to a minute each, as the
trainer made them), on which the rules are pure functions.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from training_kit import RecordingLine, Workshop

from gan.spec import NetworkRequest, TrainRequest
from worker.protocol import Metrics, Note, SavedCheckpoint
from worker.training.diagnosis import features
from worker.training.estimates import LOG_2
from worker.training.variety import diversity, variety
from worker.training.watch import KEPT, QUIET, RULES, Facts, Told, Watch

RECORDED = json.loads((Path(__file__).parent / "recorded_reports.json").read_text())
FAILING = {"35 digits dcgan, 15 held out": "overfitting", "40 digits r3gan, 10 held out": "overfitting"}
CLASSES = tuple("0123456789")
POINTS = Facts("relativistic", images=False, rows=1000, augmented=False)


def ring(count: int = 2000, spread: float = 0.01) -> NDArray[np.float32]:
    """Eight modes on the unit circle."""
    rng = np.random.default_rng(0)
    angle = 2 * np.pi * rng.integers(0, 8, count) / 8
    return (np.stack([np.cos(angle), np.sin(angle)], 1) + spread * rng.normal(size=(count, 2))).astype(np.float32)


def digits(count: int = 1797) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Handwritten digits, 8×8."""
    found = load_digits()
    order = np.random.default_rng(0).permutation(1797)[:count]
    return (found.images[order] * 15.9).astype(np.uint8)[..., None], found.target[order]


def warnings(line: RecordingLine) -> list[str]:
    return [note.data["code"] for note in line.of(Note) if note.type == "warning"]


# ---- trainings made to fail ----

MLP = {"architecture": "mlp", "width": 64}
FAILURES = {
    "saturated_gradients": (
        "digits",
        {"recipe": "minimax", "critic_steps": 5, "images": 40_000, "network": MLP, "batch_size": 32},
    ),
    "exploding": ("ring", {"recipe": "wgan", "clip": 1.0, "images": 200_000, "network": {"width": 128}}),
    "overfitting": ("few-digits", {"recipe": "dcgan", "augment": "none", "images": 20_000, "network": MLP}),
    "mode_collapse": (
        "wide-ring",
        {
            "recipe": "dcgan",
            "learning_rate": 2e-3,
            "betas": (0.5, 0.9),
            "images": 60_000,
            "network": {"width": 128, "latent_dim": 1},
        },
    ),
}
"""Code → what is trained how, until that warning comes."""


@pytest.fixture
def failing(workshop: Workshop) -> Workshop:
    workshop.pack("ring", ring())
    workshop.pack("wide-ring", ring(spread=0.05))
    workshop.pack("digits", *digits(), CLASSES)
    workshop.pack("few-digits", *digits(50), CLASSES)
    return workshop


@pytest.mark.parametrize("code", FAILURES)
def test_a_training_made_to_fail_warns_of_it_and_names_a_remedy(failing: Workshop, code: str) -> None:
    """`minimax` with a strong critic saturates; `wgan` with c = 1 explodes; 50 unaugmented images are known by heart;
    a generator with one latent number and a high rate makes a single mode of the ring.
    """
    dataset, request = FAILURES[code]
    line = RecordingLine(lambda report: isinstance(report, Note) and report.data.get("code") == code)
    failing.train(dataset, failing.spec(dataset, **request), line=line)
    (note,) = [note for note in line.of(Note) if note.type == "warning" and note.data["code"] == code]
    assert note.data["message"] == RULES[code].message
    assert note.data["remedy"] == RULES[code].remedy
    newest = line.of(Metrics)[-1]
    assert note.data["images"] == newest.images
    for name in set(RULES[code].figures) & {k for k, v in newest.values.items() if v is not None}:
        assert note.data[name] == pytest.approx(newest.values[name], rel=1e-3)


# ---- healthy trainings ----


@pytest.mark.parametrize(("dataset", "request_"), [
    ("ring", {"recipe": "r3gan", "images": 16_000, "network": {"width": 64}}),
    ("ring", {"recipe": "r3gan", "images": 16_000, "network": {"width": 64}, "seed": 1}),
    ("ring", {"recipe": "wgan-gp", "images": 40_000, "network": {"width": 64}}),
    ("digits", {"recipe": "r3gan", "images": 2_000, "network": {"width": 4}}),
    ("digits", {"recipe": "dcgan", "images": 6_000, "network": {"width": 8}}),
    ("digits", {"recipe": "dcgan", "images": 6_000, "network": {"width": 8}, "seed": 1}),
], ids=lambda value: value if isinstance(value, str) else f"{value['recipe']}{value.get('seed', 0)}")  # fmt: skip
def test_a_healthy_training_is_silent_from_its_first_step(
    failing: Workshop, dataset: str, request_: dict[str, object]
) -> None:
    line = failing.train(dataset, failing.spec(dataset, **request_))
    assert len(line.of(Metrics)) >= 20
    assert warnings(line) == []


@pytest.mark.parametrize("name", RECORDED)
def test_longer_trainings_warn_where_they_fail_and_nowhere_else(name: str) -> None:
    told = watched(RECORDED[name])
    codes = {one.data["code"] for one in told if one.type == "warning"}
    assert codes == ({FAILING[name]} if name in FAILING else set())


def watched(recorded: dict) -> list[Told]:
    """What is told over a recorded training."""
    facts = Facts(recorded["loss"], recorded["images"], recorded["rows"], recorded["augmented"])
    watch, told = Watch(), []
    for images, spent, *figures in recorded["reports"]:
        report = dict(zip(recorded["columns"][2:], figures, strict=True))
        told += watch.look(report, images, spent, facts)
    return told


# ---- once, and again ----


def collapsed(diversity: float) -> dict[str, float | None]:
    return {"diversity": diversity, "precision": 0.9, "recall": 0.9, "js_estimate_train": 0.1}


def test_a_warning_comes_once_until_it_has_recovered_and_then_again() -> None:
    watch, told = Watch(), []
    series = [0.9] * 3 + [0.1] * 20 + [0.9, 0.1] * 5 + [0.9] * QUIET + [0.1] * 10
    for number, figure in enumerate(series):
        told += [(number, one.type) for one in watch.look(collapsed(figure), 100 * number, 0.1, POINTS)]
    assert told == [(6, "warning"), (27, "warning.cleared"), (41, "warning")]


def test_one_bad_report_trips_nothing() -> None:
    watch = Watch()
    for number in range(30):
        assert watch.look(collapsed(0.05 if number % 3 == 0 else 0.9), 100 * number, 0.1, POINTS) == []


@pytest.mark.parametrize("code", RULES)
def test_figures_that_could_not_be_estimated_trip_nothing(code: str) -> None:
    empty = [{"spent": k / 20, "passes": 1.0, "images": 100.0 * k} for k in range(KEPT)]
    for facts in (POINTS, Facts("wasserstein", images=True, rows=50, augmented=False)):
        assert not RULES[code].trips(empty, facts)
        assert not RULES[code].trips([], facts)


@pytest.mark.parametrize(("images", "precision", "warned"), [
    (False, 0.9, ["low_recall"]), (False, 0.1, []), (True, 0.9, []),
])  # fmt: skip
def test_points_that_look_like_the_data_and_reach_little_of_it_are_told_of(
    images: bool, precision: float, warned: list[str]
) -> None:
    """Not those that do not look like it yet; and images have low recall for long, however healthy."""
    watch, told = Watch(), []
    for number in range(KEPT):
        report = {"recall": 0.2, "precision": precision, "diversity": 0.9}
        told += watch.look(report, number, 0.01 * number, POINTS._replace(images=images))
    assert [one.data["code"] for one in told] == warned


def test_recall_that_was_there_and_is_lost_is_told_of_images_too() -> None:
    watch, told = Watch(), []
    facts = POINTS._replace(images=True)
    for recall in [0.8] * 2 + [0.1] * 6:
        told += watch.look({"recall": recall, "precision": 0.9, "diversity": 0.9}, 100, 0.1, facts)
    assert [one.data["code"] for one in told] == ["low_recall"]


@pytest.mark.parametrize(("change", "warned"), [
    ({}, True), ({"augmented": True}, False), ({"rows": 200}, False), ({"images": False}, False),
], ids=str)  # fmt: skip
def test_few_images_seen_a_hundred_times_are_known_by_heart_unless_augmented(
    change: dict[str, object], warned: bool
) -> None:
    watch, told, facts = Watch(), [], Facts("relativistic", True, 50, False)._replace(**change)
    for number in range(100, 106):
        told += watch.look({"js_estimate_train": 0.1}, 50 * number, 0.2, facts)
    assert bool(told) == warned


def test_remedies_name_fields_that_a_request_has() -> None:
    fields = {*TrainRequest.model_fields, *(f"network.{name}" for name in NetworkRequest.model_fields)}
    for code, rule in RULES.items():
        named = {word.strip(",;()") for word in rule.remedy.split()} & fields
        assert len(named) >= 2, code


def test_a_resumed_training_does_not_repeat_its_warning(failing: Workshop) -> None:
    """The watch is part of the training state, its reports and what had tripped."""
    dataset, request = FAILURES["overfitting"]
    spec = failing.spec(dataset, **request)
    line = RecordingLine(lambda report: isinstance(report, Note) and report.type == "warning")
    first = failing.train(dataset, spec, line=line)
    saved = first.of(SavedCheckpoint)[-1:]
    later = RecordingLine(lambda report: isinstance(report, Metrics) and report.images > saved[0].images + 3000)
    second = failing.train(dataset, spec, line=later, epoch=2, resume=saved)
    assert warnings(first) == ["overfitting"]
    assert len(second.of(Metrics)) >= 3
    assert warnings(second) == []


# ---- the figures ----


def test_variety_of_copies_of_one_row_of_mode_droppers_and_of_the_data_itself() -> None:
    data, rng = torch.from_numpy(ring(512)), torch.Generator().manual_seed(0)
    again = torch.from_numpy(ring(1024)[512:])
    other = data[torch.randperm(512, generator=rng)] + 0.01 * torch.randn(512, 2, generator=rng)
    half = data[data[:, 0] > 0.1]
    honest, same, dropped = (variety(data, fake, data) for fake in (again, data, half))
    assert honest["diversity"] == pytest.approx(1.0, abs=0.05)
    assert honest["recall"] > 0.9
    assert 0.4 < honest["copy_distance"] < 2
    assert same["copy_distance"] == pytest.approx(0.0, abs=1e-6)
    assert dropped["recall"] < 0.6
    assert variety(data, other[:1].expand(512, -1) + 1e-4 * other, data)["diversity"] < 0.01


def test_too_few_rows_have_no_variety_and_data_that_are_all_one_no_diversity() -> None:
    five = torch.arange(10.0).view(5, 2)
    assert set(variety(five, five, five).values()) == {None}
    assert diversity(torch.ones(8, 2), torch.arange(16.0).view(8, 2)) is None
    assert variety(five.repeat(4, 1), torch.full((20, 2), float("nan")), None)["recall"] is None


def test_images_are_compared_by_few_pixels_and_points_as_they_are() -> None:
    assert features(torch.zeros(3, 3, 64, 48)).shape == (3, 3 * 8 * 8)
    assert features(torch.zeros(3, 1, 8, 8)).shape == (3, 64)
    points = torch.arange(6.0).view(3, 2)
    assert torch.equal(features(points), points)
    assert torch.equal(features(torch.ones(1, 1, 16, 16)), torch.ones(1, 64))


def test_the_slope_that_reaches_the_generator_is_a_half_where_the_discriminator_cannot_tell(workshop: Workshop) -> None:
    """σ(0) = ½ under minimax at the first step; and 1 under a critic's loss, always."""
    workshop.pack("ring", ring())
    for recipe, slope in (("minimax", 0.5), ("wgan", 1.0)):
        request = {"recipe": recipe, "images": 16, "batch_size": 16, "critic_steps": 1, "network": {"width": 8}}
        values = workshop.train("ring", workshop.spec("ring", **request), job=recipe).of(Metrics)[-1].values
        assert values["generator_slope"] == pytest.approx(slope, abs=0.05)
        assert values["js_estimate_train"] < LOG_2
