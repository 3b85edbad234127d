"""The training job, run in this process on small data: every recipe, exact resume, reports, files, failures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training_kit import RecordingLine, Workshop, blobs, noise

from gan.checkpoint import load_discriminator, load_generator
from gan.errors import DatasetMissing, Diverged
from gan.recipes import RECIPES
from gan.spec import TrainingSpec
from worker.jobs import train
from worker.protocol import Done, Metrics, Note, Preview, Progress, SavedCheckpoint, Started, Stop, Stopped
from worker.training.data import TrainingData, open_packed
from worker.training.preview import Preview as Painter
from worker.training.state import new_state, state_tensors

CPU = torch.device("cpu")
SMALL = {"width": 8, "latent_dim": 6}
EVERY_REPORT = {
    "loss_discriminator", "loss_generator", "penalty", "logit_real", "logit_fake", "value", "value_train",
    "js_estimate", "js_estimate_train", "critic_gap", "critic_gap_train", "wasserstein_estimate",
    "wasserstein_estimate_train", "lipschitz_estimate", "lipschitz_estimate_train", "gradient_norm_discriminator",
    "gradient_norm_generator", "learning_rate", "images_per_second", "diversity", "precision", "recall",
    "copy_distance", "generator_slope", "overfit",
}  # fmt: skip


def short(stocked: Workshop, dataset: str, recipe: str, **request: object) -> TrainingSpec:
    """Twelve rounds of a small network."""
    rounds = {"images": 12 * 16 * RECIPES[recipe].critic_steps, "batch_size": 16, "network": SMALL}
    return stocked.spec(dataset, **(rounds | {"recipe": recipe} | request))


@pytest.mark.parametrize("dataset", ["images", "points", "branches"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_job_stopped_between_reports_ends_with_the_same_tensors_and_the_same_series(
    stocked: Workshop, recipe: str, dataset: str
) -> None:
    spec = short(stocked, dataset, recipe).model_copy(update={"report_every": 3 * 16 * RECIPES[recipe].critic_steps})
    whole = stocked.train(dataset, spec, job="whole")
    # a stop in the middle of a round and of a report's means: five critic updates after the second report
    updates = Updates(spec, after=5)
    first = stocked.train(dataset, spec, job="parts", line=updates)
    saved = first.of(SavedCheckpoint)
    assert first.of(Stopped)
    assert 0 < saved[-1].images < spec.images
    second = stocked.train(dataset, spec, job="parts", epoch=2, resume=saved[::-1])
    assert [n.type for n in second.of(Note)][:1] == ["job.resumed"]
    expected, found = (load_file(stocked.root / x.of(SavedCheckpoint)[-1].state_path) for x in (whole, second))
    assert expected.keys() == found.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert whole.series() == first.series() | second.series()


class Updates(RecordingLine):
    """Orders a stop when it has been looked at `after` times since the first report: at any update, not at a report."""

    def __init__(self, spec: TrainingSpec, after: int) -> None:
        super().__init__()
        self._left = after

    @property
    def stop(self) -> Stop | None:  # type: ignore[override]
        if self.of(Metrics):
            self._left -= 1
        return Stop(save=True) if self._left < 0 else None

    @stop.setter
    def stop(self, value: Stop | None) -> None:
        assert value is None


@pytest.mark.parametrize("dataset", ["images", "points"])
def test_a_job_tells_its_device_progress_series_preview_checkpoint_and_end(stocked: Workshop, dataset: str) -> None:
    line = stocked.train(dataset, short(stocked, dataset, "r3gan"))
    assert line.of(Started) == [Started(device="cpu")]
    assert line.of(Done) == [Done(ended_by="images")]
    last = line.of(Progress)[-1]
    assert (last.images, last.total_images, last.percent) == (192, 192, 100.0)
    exact = {"wasserstein_exact", "wasserstein_exact_train"} if dataset == "points" else set()
    assert all(set(m.values) == EVERY_REPORT | exact for m in line.of(Metrics)[1:])
    (preview, *_), (checkpoint, *_) = line.of(Preview), line.of(SavedCheckpoint)
    assert (stocked.root / preview.path).read_bytes().startswith(b"\x89PNG")
    for path, size in [(checkpoint.path, checkpoint.bytes), (checkpoint.state_path, checkpoint.state_bytes)]:
        assert (stocked.root / path).stat().st_size == size


def test_a_checkpoint_holds_what_serving_needs(stocked: Workshop) -> None:
    for dataset, recipe in [("images", "sngan"), ("points", "dcgan"), ("branches", "r3gan")]:
        spec = short(stocked, dataset, recipe)
        saved = stocked.train(dataset, spec, job=dataset).of(SavedCheckpoint)[-1]
        loaded = load_generator(stocked.root / saved.path, saved.sha256)
        assert loaded.header.network == spec.network
        assert loaded.header.images == saved.images
        assert (loaded.mean is None) == (dataset == "images")
        assert (loaded.conditions is not None) == (dataset == "branches")
        if dataset == "images":
            assert loaded.header.classes == ("dark", "bright")
            assert sum(loaded.header.class_counts) == 630
        assert load_discriminator(stocked.root / saved.path).module


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_trains_points_of_several_classes(workshop: Workshop, recipe: str) -> None:
    points, classes = blobs(400), np.arange(400) % 3
    workshop.pack("classed", points + classes[:, None].astype(np.float32), classes, ("a", "b", "c"))
    line = workshop.train("classed", short(workshop, "classed", recipe))
    assert line.of(Done)
    loaded = load_generator(workshop.root / line.of(SavedCheckpoint)[-1].path)
    assert (loaded.header.network.conditioning.kind, loaded.header.classes) == ("class", ("a", "b", "c"))
    z = torch.randn(1, 6, generator=torch.Generator().manual_seed(0)).expand(3, -1)
    drawn = loaded.module(z, torch.eye(3))
    assert drawn.shape == (3, 2)
    assert drawn.isfinite().all()
    assert not torch.allclose(drawn[0], drawn[1])


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_trains_images_without_classes(workshop: Workshop, recipe: str) -> None:
    workshop.pack("plain", noise(400, 8, 8, channels=1))
    line = workshop.train("plain", short(workshop, "plain", recipe))
    assert line.of(Done)
    loaded = load_generator(workshop.root / line.of(SavedCheckpoint)[-1].path)
    assert (loaded.header.network.conditioning.kind, loaded.header.classes) == ("none", ())
    drawn = loaded.module(torch.randn(2, 6, generator=torch.Generator().manual_seed(0)), None)
    assert drawn.shape == (2, 1, 8, 8)
    assert drawn.isfinite().all()


@pytest.mark.parametrize("architecture", ["dcgan", "r3"])
@pytest.mark.parametrize(("height", "width"), [(24, 16), (128, 128)])
def test_images_of_other_sizes_train_in_colour(workshop: Workshop, architecture: str, height: int, width: int) -> None:
    workshop.pack("colour", noise(12, height, width))
    network = {"architecture": architecture, "width": 4, "latent_dim": 6}
    recipe = {"dcgan": "dcgan", "r3": "r3gan"}[architecture]
    spec = workshop.spec("colour", recipe=recipe, images=8, batch_size=4, network=network)
    line = workshop.train("colour", spec)
    assert line.of(Done) == [Done(ended_by="images")]
    saved = line.of(SavedCheckpoint)[-1]
    loaded = load_generator(workshop.root / saved.path)
    assert loaded.module(torch.zeros(2, 6), None).shape == (2, 3, height, width)
    trained, fresh = load_file(workshop.root / saved.state_path), state_tensors(new_state(spec, torch.device("cpu")))
    for player in ("generator", "discriminator"):
        weights = [name for name in fresh if name.startswith(f"{player}.") and name.endswith("weight")]
        assert all(trained[name].isfinite().all() for name in weights)
        assert any(not torch.equal(trained[name], fresh[name]) for name in weights), player


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: training on one is not tested")
@pytest.mark.parametrize("recipe", ["dcgan", "r3gan", "wgan-gp"])
def test_a_gpu_trains_stops_and_goes_on(stocked: Workshop, recipe: str) -> None:
    spec = short(stocked, "images", recipe)
    first = stocked.train("images", spec, line=Updates(spec, after=5), device="cuda:0")
    assert first.of(Started)[0].device.startswith("cuda:0 ")
    saved = first.of(SavedCheckpoint)
    assert 0 < saved[-1].images < spec.images
    second = stocked.train("images", spec, epoch=2, resume=saved[::-1], device="cuda:0")
    assert [n.type for n in second.of(Note)][:1] == ["job.resumed"]
    assert second.of(Done) == [Done(ended_by="images")]
    served = load_generator(stocked.root / second.of(SavedCheckpoint)[-1].path)
    assert served.module(torch.zeros(2, 6), torch.eye(2)).isfinite().all()


def test_checkpoints_and_previews_come_at_the_intervals_asked_for(stocked: Workshop) -> None:
    line = stocked.train("points", short(stocked, "points", "dcgan", checkpoint_every=64, preview_every=48))
    assert [c.images for c in line.of(SavedCheckpoint)] == [64, 128, 192]
    assert [p.images for p in line.of(Preview)] == [0, 48, 96, 144, 192, 192]


def test_the_first_preview_is_what_the_generator_makes_before_it_has_learned(stocked: Workshop) -> None:
    """It is there before the first step, however far the next; whoever goes on from a checkpoint paints none again."""
    spec = short(stocked, "points", "dcgan", checkpoint_every=64, preview_every=1000)
    line = stocked.train("points", spec, job="early")
    assert next(type(told) for told in line.reports if isinstance(told, Preview | Progress | Metrics)) is Preview
    assert [p.images for p in line.of(Preview)] == [0, 192]
    first, last = ((stocked.root / p.path).read_bytes() for p in line.of(Preview))
    assert first != last
    data = TrainingData(open_packed(stocked.root / "datasets" / "points"), spec, CPU)
    assert first == Painter(data, spec).draw(new_state(spec, CPU).players)
    second = stocked.train("points", spec, job="early", epoch=2, resume=line.of(SavedCheckpoint)[:1])
    assert [p.images for p in second.of(Preview)] == [192]


def test_a_time_budget_ends_the_job_by_time(stocked: Workshop) -> None:
    line = stocked.train("points", stocked.spec("points", max_seconds=0.5, network=SMALL))
    assert line.of(Done) == [Done(ended_by="time")]
    assert line.of(Progress)[-1].percent == 100.0
    assert line.of(Progress)[-1].total_images is None


def test_a_job_too_short_for_a_report_makes_one_at_its_end(stocked: Workshop) -> None:
    spec = short(stocked, "points", "dcgan", images=48).model_copy(update={"report_every": 1000})
    line = stocked.train("points", spec)
    [report] = line.of(Metrics)
    assert report.images == 48
    assert report.values["loss_discriminator"] is not None
    assert line.of(SavedCheckpoint)[-1].metrics["loss_discriminator"] == report.values["loss_discriminator"]


def test_a_cancelled_job_saves_nothing_and_says_so(stocked: Workshop) -> None:
    line = RecordingLine()
    line.halt(Stop(save=False))
    stocked.train("points", short(stocked, "points", "dcgan"), line=line)
    assert line.of(Stopped)
    assert not line.of(SavedCheckpoint)


def test_a_damaged_state_is_passed_over_for_the_one_before_and_told(stocked: Workshop) -> None:
    spec = short(stocked, "points", "dcgan", checkpoint_every=64)
    first = stocked.train("points", spec).of(SavedCheckpoint)
    older, newer = first[0], first[1]
    path = stocked.root / newer.state_path
    path.write_bytes(path.read_bytes()[:-1])
    line = stocked.train("points", spec, job="again", resume=[newer, older])
    notes = [(n.type, n.data["checkpoint"]) for n in line.of(Note)]
    assert notes[:2] == [("checkpoint.skipped", newer.id), ("job.resumed", older.id)]
    final, again = (load_file(stocked.root / c.state_path) for c in (first[-1], line.of(SavedCheckpoint)[-1]))
    assert all(torch.equal(final[name], again[name]) for name in final)


def test_a_rate_that_explodes_ends_as_diverged_and_the_last_good_checkpoint_stays(stocked: Workshop) -> None:
    calm = short(stocked, "points", "wgan-gp", images=16 * 5 * 4)
    good = stocked.train("points", calm).of(SavedCheckpoint)
    wild = calm.model_copy(update={"learning_rate": 1e18, "images": 16 * 5 * 40})
    line = RecordingLine()
    with pytest.raises(Diverged) as ended:
        stocked.train("points", wild, line=line, epoch=2, resume=good)
    assert ended.value.param == "learning_rate"
    assert not line.of(SavedCheckpoint)
    generator = load_generator(stocked.root / good[-1].path, good[-1].sha256)
    assert all(t.isfinite().all() for t in generator.module.state_dict().values())


def test_weights_that_are_no_numbers_are_never_saved(stocked: Workshop) -> None:
    job = train.TrainingJob(assignment_of(stocked), RecordingLine())  # type: ignore[arg-type]
    next(job.state.players.generator.parameters()).data[0] = float("nan")
    with pytest.raises(Diverged):
        job._checkpoint()
    assert not list(stocked.root.glob("checkpoints/**/*"))


def assignment_of(stocked: Workshop):
    from worker.protocol import Assignment

    spec = short(stocked, "points", "dcgan")
    return Assignment(
        job="job_1", epoch=1, type="train", spec=spec.model_dump(mode="json"), storage=str(stocked.root), device="cpu",
        threads=1, deadline=1e18, model="mdl_1", dataset={"id": "ds", "digest": "points", "path": "datasets/points"},
    )  # fmt: skip


def test_data_that_is_gone_ends_as_dataset_missing(stocked: Workshop) -> None:
    spec = short(stocked, "points", "dcgan")
    Path(stocked.root / "datasets" / "points" / "data.npy").unlink()
    with pytest.raises(DatasetMissing):
        stocked.train("points", spec)


def test_too_few_held_out_rows_give_no_estimate_and_a_reason(workshop: Workshop) -> None:
    workshop.pack("few", np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32))
    line = workshop.train("few", workshop.spec("few", images=64, batch_size=16, network=SMALL))
    assert "64" in next(n for n in line.of(Note) if n.type == "estimates.missing").data["reason"]
    values = line.of(Metrics)[-1].values
    assert values["js_estimate"] is None
    assert values["js_estimate_train"] is not None


def test_minimax_says_that_it_saturates_and_the_others_say_nothing(stocked: Workshop) -> None:
    """As advice at the start: a warning comes where a run shows it."""
    for recipe, advised in [("minimax", ["saturating_loss"]), ("dcgan", [])]:
        line = stocked.train("points", short(stocked, "points", recipe, images=32), job=recipe)
        assert [n.data["code"] for n in line.of(Note) if n.type == "advice"] == advised
        assert [n for n in line.of(Note) if n.type == "warning"] == []


def test_looking_at_the_players_does_not_change_what_they_become(stocked: Workshop) -> None:
    """Batch norm's and spectral normalisation's buffers move in every forward; a report must not move them."""
    ends = []
    for report_every in (16, 10**6):
        for recipe in ("dcgan", "sngan"):
            spec = short(stocked, "images", recipe).model_copy(update={"report_every": report_every})
            saved = stocked.train("images", spec, job=f"{recipe}{report_every}").of(SavedCheckpoint)[-1]
            ends.append(load_file(stocked.root / saved.path))
    for often, never in zip(ends[:2], ends[2:], strict=True):
        assert all(torch.equal(often[name], never[name]) for name in often)


@pytest.mark.parametrize("override", [
    {"loss": "hinge"}, {"lipschitz": "weight_clipping", "clip": 0.1}, {"lipschitz": "gradient_penalty"},
    {"lipschitz": "spectral_norm"}, {"r1": 0.3, "r2": 0.0}, {"critic_steps": 3}, {"optimizer": "rmsprop"},
    {"betas": (0.1, 0.5)}, {"ema_halflife": 100.0}, {"conditional": False}, {"shared_batch": True}, {"holdout": 0.0},
    {"network": {"architecture": "dcgan", "width": 4, "latent_dim": 3, "latent_distribution": "uniform"}},
], ids=lambda o: next(iter(o)) + str(next(iter(o.values()))))  # fmt: skip
def test_every_override_trains(stocked: Workshop, override: dict[str, object]) -> None:
    spec = short(stocked, "images", "r3gan", images=64, **override)
    line = stocked.train("images", spec)
    assert line.of(Done)
    assert all(np.isfinite(v) for m in line.of(Metrics) for v in m.values.values() if v is not None)


@pytest.mark.parametrize("override", [
    {"loss": "hinge"}, {"lipschitz": "spectral_norm"}, {"r1": 5.0}, {"critic_steps": 2}, {"optimizer": "rmsprop"},
    {"betas": (0.4, 0.9)}, {"learning_rate": 1e-5}, {"shared_batch": True}, {"conditional": False},
    {"ema_halflife": 0.0}, {"seed": 1}, {"batch_size": 8}, {"holdout": 0.3}, {}, {"r2": 5.0},
    {"lipschitz": "weight_clipping", "clip": 0.1}, {"lipschitz": "gradient_penalty", "gradient_penalty": 1.0},
    {"network": {"width": 12}}, {"network": {"latent_dim": 3}}, {"network": {"latent_distribution": "uniform"}},
    {"network": {"architecture": "dcgan"}},
], ids=str)  # fmt: skip
def test_every_override_changes_what_is_learned(stocked: Workshop, override: dict[str, object]) -> None:
    generators = []
    for number, change in enumerate([{}, override]):
        spec = short(stocked, "images", "r3gan", images=128, **change)
        saved = stocked.train("images", spec, job=str(number)).of(SavedCheckpoint)[-1]
        generators.append(load_generator(stocked.root / saved.path).module.state_dict())
    plain, changed = generators
    if not override:
        assert all(torch.equal(plain[name], changed[name]) for name in plain), "two equal jobs learn the same"
        return
    assert plain.keys() != changed.keys() or any(not torch.equal(plain[name], changed[name]) for name in plain)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_losss_logits_are_calibrated_to_how_often_they_are_those_of_data(workshop: Workshop, recipe: str) -> None:
    """Judged by data and samples that nobody has seen: where p is said, a share of p is real."""
    workshop.pack("many", blobs(4000))
    spec = short(workshop, "many", recipe, images=100 * 16 * RECIPES[recipe].critic_steps, learning_rate=1e-3)
    saved = workshop.train("many", spec).of(SavedCheckpoint)[-1]
    judge, made = (load(workshop.root / saved.path) for load in (load_discriminator, load_generator))
    fitted = judge.header.calibration
    assert fitted is not None
    assert (fitted.rows, fitted.held_out) == (256, True)
    rng = torch.Generator().manual_seed(0)
    real = (torch.from_numpy(blobs(2000, seed=9)) - judge.mean) / judge.std
    fake = made.module(torch.randn(2000, spec.network.latent_dim, generator=rng), None)
    logits = torch.cat([judge.module(x, None) for x in (real, fake)]).double()
    odds = np.interp(logits, fitted.logits, fitted.log_odds)
    chances, truth = torch.sigmoid(torch.from_numpy(odds)), torch.arange(4000) < 2000
    assert chances.mean().item() == pytest.approx(0.5, abs=0.06)
    assert (chances - truth.double()).square().mean().item() < 0.25, "worse than saying ½ of everything"
    for part in chances.argsort().split(1000):
        assert truth[part].double().mean().item() == pytest.approx(chances[part].mean().item(), abs=0.15)
