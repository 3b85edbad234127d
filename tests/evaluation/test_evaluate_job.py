"""The evaluate job: what it measures, of which rows, what it says of that, and how it ends."""

import numpy as np
import pytest
import torch
from evaluation_kit import Line, Workshop, cluster, stripes

from gan.errors import CheckpointCorrupt, DatasetMissing, DatasetUnusable, ExtractorUnusable, InvalidRequest
from gan.metrics import METRICS, measurable
from gan.spec import ImageShape, PointShape, Split
from worker.evaluation import inception
from worker.evaluation.inception import Inception
from worker.evaluation.measures import MEASURES
from worker.protocol import Evaluated, Progress, Started, Stopped

CHEAP = ["precision", "recall", "density", "coverage"]


def test_every_measure_of_the_table_is_computed() -> None:
    assert set(MEASURES) == set(METRICS)


def test_two_samples_of_one_distribution_and_of_two(workshop: Workshop) -> None:
    workshop.pack("a", cluster(600))
    workshop.pack("same", cluster(600, seed=1))
    workshop.pack("far", cluster(600, 3.0, seed=2))
    same, far = (workshop.result(dataset="a", against=name, steps=100) for name in ("same", "far"))
    assert tuple(same["metrics"]) == measurable(PointShape(dims=2))
    assert far["metrics"]["wasserstein_exact"] == pytest.approx(3, abs=0.05)
    assert far["metrics"]["wasserstein2_exact"] >= far["metrics"]["wasserstein_exact"]
    assert same["metrics"]["wasserstein_exact"] < 0.05
    assert far["metrics"]["js_estimate"] > 0.68
    assert same["metrics"]["js_estimate"] < 0.05
    assert [far["metrics"][name] for name in CHEAP] == [0, 0, 0, 0]
    assert min(same["metrics"][name] for name in CHEAP) > 0.9
    assert same["reference"] == {"dataset": "a", "rows": 600, "part": "all"}
    assert same["sample"] == {"dataset": "same", "rows": 600}
    assert same["theory"]["rows"] == {"real": 150, "fake": 150}
    assert same["extractor"] is None


def test_images_have_measures_of_features_and_the_extractor_is_named(workshop: Workshop) -> None:
    workshop.pack("a", stripes(400))
    workshop.pack("same", stripes(400, seed=1))
    workshop.pack("noisy", stripes(400, seed=2, noise=150))
    same, noisy = (workshop.result(dataset="a", against=name, steps=30) for name in ("same", "noisy"))
    assert tuple(same["metrics"]) == measurable(ImageShape(channels=1, height=8, width=8))
    for name in ("fid", "kid", "sliced_wasserstein", "js_estimate", "wasserstein_estimate"):
        assert noisy["metrics"][name] > same["metrics"][name], name
    assert same["metrics"]["near_copies"] < 0.05
    assert same["extractor"]["name"] == "random-conv-1"
    assert same["extractor"]["comparable"] is False
    assert "GANYMEDE_INCEPTION_WEIGHTS" in same["extractor"]["reason"]


@pytest.mark.parametrize(
    ("architecture", "kind", "size"), [("r3", "none", 0), ("r3", "class", 2), ("unet", "image", 3)]
)
def test_a_model_is_measured_by_the_rows_held_out_of_its_training(
    workshop: Workshop, architecture: str, kind: str, size: int
) -> None:
    workshop.pack("a", stripes(1000))
    workshop.model("m", architecture, kind=kind, size=size)
    spec = workshop.spec(model="m", dataset="a", split=Split(share=0.1, seed=5), samples=300, steps=20)
    line = workshop.evaluate(spec)
    result = line.result
    assert result["reference"] == {"dataset": "a", "rows": 100, "part": "held_out"}
    assert result["sample"] == {"model": "m", "checkpoint": "ckpt_m", "images": 1000, "rows": 300}
    assert result["baseline"]["near_copies"] < 0.1
    assert result["theory"]["rows"] == {"real": 100, "fake": 75}
    done, last = line.sent[-2:]
    assert isinstance(done, Progress)
    assert done.percent == 100
    assert isinstance(last, Evaluated)
    assert last.checkpoint == "ckpt_m"
    assert last.metrics == {f"evaluated_{name}": value for name, value in result["metrics"].items()}


def test_more_rows_than_memory_holds_are_refused_by_number(workshop: Workshop) -> None:
    for name in ("a", "b"):
        workshop.pack(name, np.zeros((64, 256, 256, 3), np.uint8))
    with pytest.raises(InvalidRequest, match=r"of images of 256×256 with 3 channels at most 5461") as refused:
        workshop.spec(dataset="a", against="b", samples=5462, metrics=CHEAP)
    assert refused.value.param == "samples"
    assert workshop.spec(dataset="a", against="b", samples=5461, metrics=CHEAP).samples == 5461


def test_where_few_rows_were_held_out_a_model_is_measured_by_those_it_was_trained_on(workshop: Workshop) -> None:
    workshop.pack("a", stripes(300))
    workshop.model("m")
    spec = workshop.spec(model="m", dataset="a", split=Split(share=0.1, seed=0), samples=100, metrics=CHEAP)
    result = workshop.evaluate(spec).result
    assert result["reference"] == {"dataset": "a", "rows": 100, "part": "training"}
    assert result["theory"] is None


def test_a_model_of_points_is_measured_in_the_datas_units(workshop: Workshop) -> None:
    workshop.pack("a", cluster(300, 1000.0))
    workshop.model("m", "mlp", shape=PointShape(dims=2))
    result = workshop.result(model="m", dataset="a", samples=200, metrics=["wasserstein_exact"])
    assert result["metrics"]["wasserstein_exact"] == pytest.approx(990, abs=20)  # its points lie around (10, 20)


def test_the_same_seed_finds_the_same_and_another_draws_others(workshop: Workshop) -> None:
    workshop.pack("a", cluster(700))
    workshop.model("m", "mlp", shape=PointShape(dims=2))
    asked = {"model": "m", "dataset": "a", "samples": 256, "steps": 20}
    first, again, other = (workshop.result(**asked, seed=seed) for seed in (0, 0, 9))
    assert first == again
    assert first["metrics"] != other["metrics"]


def test_an_evaluation_tells_how_far_it_is_and_ends_at_once_when_told_to(workshop: Workshop) -> None:
    workshop.pack("a", cluster(600))
    workshop.pack("b", cluster(600, 1.0, seed=1))
    spec = workshop.spec(dataset="a", against="b", steps=100_000, metrics=["js_estimate"])
    line = workshop.evaluate(spec, Line(until=lambda report: isinstance(report, Progress) and report.percent > 0))
    assert isinstance(line.sent[0], Started)
    assert isinstance(line.sent[-1], Stopped)
    assert not any(isinstance(report, Evaluated) for report in line.sent)
    told = [report.percent for report in line.sent if isinstance(report, Progress)]
    assert told == sorted(told)
    assert told[-1] < 100


def test_what_is_gone_or_damaged_is_a_typed_failure(workshop: Workshop) -> None:
    workshop.pack("a", cluster(300))
    workshop.pack("b", cluster(300, seed=1))
    workshop.pack("c", stripes(300))
    workshop.model("m", "mlp", shape=PointShape(dims=2))
    both = workshop.spec(dataset="a", against="b", metrics=CHEAP)
    model = workshop.spec(dataset="a", model="m", metrics=CHEAP)
    workshop.datasets["b"] = workshop.datasets["c"]
    with pytest.raises(DatasetUnusable, match="another shape"):
        workshop.evaluate(both)
    (workshop.root / "m.safetensors").write_bytes(b"nonsense")
    with pytest.raises(CheckpointCorrupt):
        workshop.evaluate(model)
    (workshop.root / "datasets/a/data.npy").unlink()
    with pytest.raises(DatasetMissing):
        workshop.evaluate(both)


def test_configured_inception_weights_are_used_and_named(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception, "SIDE", 75)  # the least that it takes, a sixteenth of the work
    workshop.pack("a", stripes(64, channels=3))
    workshop.pack("b", stripes(64, seed=1, channels=3))
    spec = workshop.spec(dataset="a", against="b", metrics=["precision", "kid"], samples=64)
    torch.manual_seed(0)
    torch.save(Inception().state_dict(), workshop.root / "inception.pth")
    result = workshop.evaluate(spec, inception=workshop.root / "inception.pth").result
    assert result["extractor"]["name"] == "inception-v3-2048"
    assert result["extractor"]["comparable"] is True
    assert np.isfinite(list(result["metrics"].values())).all()
    with pytest.raises(ExtractorUnusable, match="cannot be read"):
        workshop.evaluate(spec, inception=workshop.root / "gone.pth")
