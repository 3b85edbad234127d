"""Jobs that go on from another job's checkpoint: what they begin with, how they count, draw, resume and end."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from seeded import write_seeded
from training_kit import RecordingLine, Workshop, blobs, noise

from gan.checkpoint import load_discriminator, load_generator, read_model
from gan.errors import CheckpointCorrupt, Diverged
from gan.recipes import RECIPES
from gan.spec import Origin, TrainingSpec, TrainRequest
from gan.starting import Start, resolve_from
from worker.protocol import Done, Metrics, Note, Preview, Progress, SavedCheckpoint, StateFile, Stopped
from worker.training.data import TrainingData, open_packed
from worker.training.loop import Trainer
from worker.training.schedules import ema_decay
from worker.training.starting import begin_from
from worker.training.state import Counters, state_tensors

CPU = torch.device("cpu")
SMALL = {"width": 8, "latent_dim": 6}
KINDS = [("images", "sngan"), ("images", "dcgan"), ("images", "r3gan"), ("points", "wgan-gp"), ("branches", "r3gan")]
"""Spectral normalisation, batch norm, averages, units of points, units of conditions."""


def trained(stocked: Workshop, dataset: str, recipe: str, **request: object) -> tuple[TrainingSpec, SavedCheckpoint]:
    """A first job of twelve rounds, and its last checkpoint."""
    rounds = {"images": 12 * 16 * RECIPES[recipe].critic_steps, "batch_size": 16, "network": SMALL, "recipe": recipe}
    spec = stocked.spec(dataset, **(rounds | request))
    return spec, stocked.train(dataset, spec, job="first").of(SavedCheckpoint)[-1]


def going_on(
    stocked: Workshop, dataset: str, first: tuple[TrainingSpec, SavedCheckpoint], *,
    same_model: bool = True, same_data: bool | None = True, **request: object,
) -> TrainingSpec:  # fmt: skip
    """The spec of a job that goes on from there, as long as the first unless it is told otherwise."""
    before, saved = first
    origin = Origin(
        model="m",
        checkpoint=saved.id,
        images=saved.images,
        sha256=saved.sha256,
        before=saved.images if same_model else 0,
        split_seed=before.split.seed if same_data else None,
    )
    header, _ = read_model(stocked.root / saved.path, wanted=lambda _: ())
    start = Start(
        origin=origin, network=before.network, classes=header.classes, recipe=before.recipe, metric=before.metric,
        same_model=same_model, same_data=same_data, held_out=before.split.share if same_data else None,
    )  # fmt: skip
    asked = {"type": "train", "dataset": dataset, "model": "m", "images": before.images, "batch_size": 16} | request
    return resolve_from(TrainRequest.model_validate(asked), stocked.facts[dataset], "cpu", start)


@pytest.mark.parametrize(("dataset", "recipe"), KINDS)
def test_it_begins_with_the_very_networks_buffers_and_averages_and_with_nothing_else(
    stocked: Workshop, dataset: str, recipe: str
) -> None:
    halflives = {"ema_halflives": [20.0, 50.0], "ema_halflife": 50.0}
    first = trained(stocked, dataset, recipe, **halflives)
    spec = going_on(stocked, dataset, first, **halflives)
    begun = begin_from(stocked.root / first[1].path, first[1].sha256, spec, CPU)
    was, tensors = load_file(stocked.root / first[1].state_path), state_tensors(begun.state)
    networks = {n for n in tensors if n.split(".")[0] in ("generator", "discriminator", "average", "averages")}
    assert {"averages.20", "average", "discriminator"} <= {n.rsplit(".", n.count(".") - n.startswith("averages"))[0]
                                                           for n in networks}  # fmt: skip
    assert [name for name in networks if not torch.equal(tensors[name], was[name])] == []
    assert (begun.raw, begun.averages) == (True, [20.0, 50.0])
    assert not begun.state.players.generator_optimizer.state
    assert not begun.state.players.discriminator_optimizer.state
    assert begun.state.counters == Counters(before=first[1].images)


def test_an_average_that_the_file_has_not_begins_at_the_one_that_draws_by_default(stocked: Workshop) -> None:
    first = trained(stocked, "images", "r3gan", ema_halflives=[50.0], ema_halflife=50.0)
    spec = going_on(stocked, "images", first, ema_halflives=[30.0, 70.0], ema_halflife=70.0)
    begun = begin_from(stocked.root / first[1].path, first[1].sha256, spec, CPU)
    default = load_generator(stocked.root / first[1].path).module.state_dict()
    for module in (begun.state.players.average, begun.state.players.averages["30"]):
        assert all(torch.equal(tensor, default[name]) for name, tensor in module.state_dict().items())
    assert begun.averages == []


@pytest.mark.parametrize("same_model", [True, False])
def test_in_its_model_it_counts_on_and_in_a_new_one_from_zero_over_a_budget_of_its_own(
    stocked: Workshop, same_model: bool
) -> None:
    first = trained(stocked, "images", "r3gan")
    spec = going_on(stocked, "images", first, same_model=same_model, images=128, checkpoint_every=64, preview_every=64)
    line = stocked.train("images", spec, job="second", start=first[1])
    before = 192 if same_model else 0
    saved = line.of(SavedCheckpoint)
    assert [c.images for c in saved] == [before + 64, before + 128]
    assert [p.images for p in line.of(Preview)] == [before, before + 64, before + 128, before + 128]
    assert [m.images for m in line.of(Metrics)][-1] == before + 128
    assert load_generator(stocked.root / saved[-1].path).header.images == before + 128
    assert line.of(Done) == [Done(ended_by="images")]
    last = line.of(Progress)[-1]
    assert (last.images, last.total_images, last.percent) == (128, 128, 100.0)
    rates = [m.values["learning_rate"] for m in line.of(Metrics)]
    assert rates[0] > rates[-1], "the schedule begins anew"
    assert rates[-1] == pytest.approx(spec.schedules["learning_rate"].to, rel=1e-6)
    told = next(n.data for n in line.of(Note) if n.type == "job.began_from")
    assert told == {"checkpoint": first[1].id, "images": 192, "generator": "raw", "averages": told["averages"]}


@pytest.mark.parametrize(("dataset", "recipe"), KINDS)
def test_killed_and_resumed_it_ends_as_if_it_had_not_been(stocked: Workshop, dataset: str, recipe: str) -> None:
    first = trained(stocked, dataset, recipe)
    rounds = 3 * 16 * RECIPES[recipe].critic_steps
    spec = going_on(stocked, dataset, first).model_copy(update={"report_every": rounds})
    whole = stocked.train(dataset, spec, job="whole", start=first[1])
    line = RecordingLine(until=lambda report: isinstance(report, Metrics))
    parts = stocked.train(dataset, spec, job="parts", line=line, start=first[1])
    assert parts.of(Stopped)
    saved = parts.of(SavedCheckpoint)
    assert first[1].images < saved[-1].images < first[1].images + spec.images
    rest = stocked.train(dataset, spec, job="parts", epoch=2, resume=saved[::-1])
    assert [n.type for n in rest.of(Note)][:1] == ["job.resumed"]
    expected, found = (load_file(stocked.root / x.of(SavedCheckpoint)[-1].state_path) for x in (whole, rest))
    assert expected.keys() == found.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert whole.series() == parts.series() | rest.series()
    ends = [read_model(stocked.root / x.of(SavedCheckpoint)[-1].path)[1] for x in (whole, rest)]
    assert [name for name in ends[0] if not torch.equal(ends[0][name], ends[1][name])] == []


def test_without_a_state_of_its_own_it_begins_again_from_the_checkpoint_and_ends_the_same(stocked: Workshop) -> None:
    first = trained(stocked, "points", "r3gan")
    spec = going_on(stocked, "points", first)
    ends = [stocked.train("points", spec, job=f"try{n}", start=first[1]).of(SavedCheckpoint)[-1] for n in (1, 2)]
    one, other = (load_file(stocked.root / saved.state_path) for saved in ends)
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_pairs_go_on_as_they_were_and_end_the_same_when_killed(workshop: Workshop) -> None:
    targets = noise(200, 8, 8, channels=1)
    workshop.pack("pairs", targets, inputs=255 - targets)
    first = trained(workshop, "pairs", "r3gan", network={"width": 4, "latent_dim": 6}, l1=1.0)
    spec = going_on(workshop, "pairs", first, l1=1.0)
    assert spec.network.architecture == "unet"
    begun = begin_from(workshop.root / first[1].path, first[1].sha256, spec, CPU)
    was, now = load_file(workshop.root / first[1].state_path), state_tensors(begun.state)
    assert [name for name in now if name.startswith("generator.") and not torch.equal(now[name], was[name])] == []
    whole = workshop.train("pairs", spec, job="whole", start=first[1])
    line = RecordingLine(until=lambda report: isinstance(report, Metrics))
    saved = workshop.train("pairs", spec, job="parts", line=line, start=first[1]).of(SavedCheckpoint)
    rest = workshop.train("pairs", spec, job="parts", epoch=2, resume=saved[::-1])
    ends = [load_file(workshop.root / x.of(SavedCheckpoint)[-1].state_path) for x in (whole, rest)]
    assert [name for name in ends[0] if not torch.equal(ends[0][name], ends[1][name])] == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: going on upon one is not tested")
@pytest.mark.parametrize(("dataset", "recipe"), KINDS)
def test_on_a_gpu_it_begins_with_the_same_weights_and_goes_on(stocked: Workshop, dataset: str, recipe: str) -> None:
    first = trained(stocked, dataset, recipe)
    spec = going_on(stocked, dataset, first)
    begun = begin_from(stocked.root / first[1].path, first[1].sha256, spec, torch.device("cuda:0"))
    was = load_generator(stocked.root / first[1].path, ema=0.0 if spec.ema_halflife else None).module.state_dict()
    now = begun.state.players.generator.state_dict()
    assert all(torch.equal(tensor.cpu(), was[name]) for name, tensor in now.items())
    line = RecordingLine(until=lambda report: isinstance(report, Metrics))
    saved = stocked.train(dataset, spec, job="gpu", line=line, start=first[1], device="cuda:0").of(SavedCheckpoint)
    rest = stocked.train(dataset, spec, job="gpu", epoch=2, resume=saved[::-1], device="cuda:0")
    assert rest.of(SavedCheckpoint)[-1].images == 2 * first[1].images
    assert rest.of(Done) == [Done(ended_by="images")]


# ---- units ----


@pytest.mark.parametrize("dataset", ["points", "moved"])
def test_points_stay_in_the_units_that_the_generator_learned_by(stocked: Workshop, dataset: str) -> None:
    """The same rows with fewer held out have another mean, and other data another still: what is drawn stays."""
    stocked.pack("moved", blobs(700) * 3 + 10)
    first = trained(stocked, "points", "r3gan")
    spec = going_on(stocked, dataset, first, same_model=False, same_data=dataset == "points", holdout=0.0, images=64)
    start = load_generator(stocked.root / first[1].path)
    own = TrainingData(open_packed(stocked.root / "datasets" / dataset), spec, CPU)
    assert not torch.equal(own.mean, start.mean), "there is something to take over"
    line = stocked.train(dataset, spec, job="second", start=first[1], line=RecordingLine(is_metrics))
    saved = line.of(SavedCheckpoint)
    line = stocked.train(dataset, spec, job="second", epoch=2, resume=saved[::-1])
    for made in (saved[-1], line.of(SavedCheckpoint)[-1]):
        loaded = load_generator(stocked.root / made.path)
        assert torch.equal(loaded.mean, start.mean)
        assert torch.equal(loaded.std, start.std)


def is_metrics(report: object) -> bool:
    return isinstance(report, Metrics)


def test_points_are_trained_on_in_those_units(stocked: Workshop) -> None:
    stocked.pack("moved", blobs(700) * 3 + 10)
    first = trained(stocked, "points", "r3gan")
    spec = going_on(stocked, "moved", first, same_model=False, same_data=False)
    begun = begin_from(stocked.root / first[1].path, first[1].sha256, spec, CPU)
    data = TrainingData(open_packed(stocked.root / "datasets" / "moved"), spec, CPU)
    data.standardise_by(begun.state.units.mean, begun.state.units.std)
    start = load_generator(stocked.root / first[1].path)
    x, _ = data.batch(np.arange(5))
    rows = torch.from_numpy((blobs(700) * 3 + 10)[:5])
    assert torch.allclose(x * start.std + start.mean, rows, atol=1e-4)


def test_conditions_keep_the_mean_and_spread_that_the_networks_learned_by(stocked: Workshop) -> None:
    rng = np.random.default_rng(3)
    stocked.pack("wider", rng.normal(size=(700, 1)).astype(np.float32), 5 + rng.normal(size=(700, 1)).astype("f4"))
    first = trained(stocked, "branches", "r3gan")
    spec = going_on(stocked, "wider", first, same_model=False, same_data=False, images=64)
    saved = stocked.train("wider", spec, job="second", start=first[1]).of(SavedCheckpoint)[-1]
    was, now = (read_model(stocked.root / one.path)[1] for one in (first[1], saved))
    units = [name for name in was if name.endswith(("embed.mean", "embed.std"))]
    assert len(units) >= 4, "both networks embed the condition"
    assert all(torch.equal(was[name], now[name]) for name in units)
    assert now["conditions"].mean() > 4, "what a request draws from is of the data that it learned last"


# ---- draws, rows and averages ----


def test_no_batch_latent_or_augmentation_of_the_first_job_comes_again(stocked: Workshop) -> None:
    """With the same seed, and the same data: its steps begin at 0 once more, and are other draws."""
    first = trained(stocked, "images", "r3gan", augment="diffaugment")
    again = going_on(stocked, "images", first, augment="diffaugment")
    new = going_on(stocked, "images", first, augment="diffaugment", same_model=False)
    data = TrainingData(open_packed(stocked.root / "datasets" / "images"), first[0], CPU)
    begun = begin_from(stocked.root / first[1].path, first[1].sha256, again, CPU).state
    one, other, third = (Trainer(spec, data, begun) for spec in (first[0], again, new))
    latents = [{float(t._critic_batch(step).z[0, 0]) for step in range(50)} for t in (one, other, third)]
    assert len(latents[0] | latents[1]) == 100
    assert latents[1] == latents[2], "the same start and seed are the same draws, under any name"
    rows = [[tuple(t.critic_deck.hand(step, 16)) for step in range(12)] for t in (one, other)]
    assert not set(rows[0]) & set(rows[1])


def test_another_checkpoint_or_another_seed_gives_other_draws(stocked: Workshop) -> None:
    first = trained(stocked, "points", "dcgan", checkpoint_every=96)
    older = SavedCheckpoint.model_validate(first[1].model_dump() | {"sha256": "0" * 64})
    specs = [going_on(stocked, "points", first), going_on(stocked, "points", first, seed=1),
             going_on(stocked, "points", (first[0], older))]  # fmt: skip
    data = TrainingData(open_packed(stocked.root / "datasets" / "points"), first[0], CPU)
    begun = begin_from(stocked.root / first[1].path, first[1].sha256, specs[0], CPU).state
    assert len({float(Trainer(spec, data, begun)._critic_batch(0).z[0, 0]) for spec in specs}) == 3


def test_rows_that_were_held_out_stay_so_whatever_its_seed(stocked: Workshop) -> None:
    first = trained(stocked, "images", "r3gan")
    packed = open_packed(stocked.root / "datasets" / "images")
    held = TrainingData(packed, first[0], CPU).held_rows
    same = TrainingData(packed, going_on(stocked, "images", first, seed=5), CPU).held_rows
    fewer = TrainingData(packed, going_on(stocked, "images", first, seed=5, holdout=0.05), CPU).held_rows
    assert np.array_equal(same, held)
    assert 0 < len(fewer) < len(held)
    assert set(fewer) <= set(held)


@pytest.mark.parametrize("same_model", [True, False])
def test_the_average_is_as_long_as_what_its_model_has_seen_allows(stocked: Workshop, same_model: bool) -> None:
    """After 192 images it is not thrown away for the first steps; in a new model the old one's is soon forgotten."""
    first = trained(stocked, "images", "r3gan")
    spec = going_on(stocked, "images", first, same_model=same_model, images=32)
    saved = stocked.train("images", spec, job="second", start=first[1]).of(SavedCheckpoint)[-1]
    was, now = (load_file(stocked.root / one.state_path) for one in (first[1], saved))
    # the budget of two critic updates has one of the generator, in between
    decay = ema_decay(spec.ema_halflife, (192 if same_model else 0) + 16, 16)
    names = [name for name in was if name.startswith("average.")]
    for name in names:
        raw = now[name.replace("average", "generator", 1)]
        assert torch.allclose(now[name], decay * was[name] + (1 - decay) * raw, atol=1e-6), name


# ---- files ----


def test_a_start_whose_bytes_are_others_is_a_typed_failure(stocked: Workshop) -> None:
    first = trained(stocked, "points", "dcgan")
    spec, path = going_on(stocked, "points", first), stocked.root / first[1].path
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CheckpointCorrupt, match="sha256"):
        stocked.train("points", spec, job="second", start=first[1])
    path.unlink()
    with pytest.raises(CheckpointCorrupt, match="gone"):
        stocked.train("points", spec, job="second", start=first[1])


def test_a_start_with_another_network_is_a_typed_failure(stocked: Workshop) -> None:
    first = trained(stocked, "points", "dcgan")
    spec = going_on(stocked, "points", first)
    wider = spec.model_copy(update={"network": spec.network.model_copy(update={"width": 12})})
    with pytest.raises(CheckpointCorrupt, match="another network"):
        stocked.train("points", wider, job="second", start=first[1])


@pytest.mark.parametrize("dataset", ["images", "points"])
def test_a_file_from_elsewhere_with_one_generator_alone_is_gone_on_from_and_that_is_told(
    stocked: Workshop, dataset: str
) -> None:
    like = stocked.spec(dataset, recipe="r3gan", network=SMALL)
    path = stocked.root / "foreign.safetensors"
    written = write_seeded(path, like.network, seed=3, classes=stocked.facts[dataset].classes)
    start = StateFile(checkpoint="ckpt_foreign", path="foreign.safetensors", sha256=written.sha256, images=1000)
    saved = SavedCheckpoint(id="ckpt_foreign", images=1000, path=start.path, bytes=1, sha256=written.sha256,
                            state_path="", state_bytes=0, state_sha256="")  # fmt: skip
    spec = going_on(stocked, dataset, (like, saved), same_data=None, images=64)
    begun = begin_from(path, written.sha256, spec, CPU)
    foreign = load_generator(path)
    assert all(torch.equal(tensor, foreign.module.state_dict()[name])
               for name, tensor in begun.state.players.generator.state_dict().items())  # fmt: skip
    judge = load_discriminator(path).module.state_dict()
    assert all(torch.equal(tensor, judge[name])
               for name, tensor in begun.state.players.discriminator.state_dict().items())  # fmt: skip
    line = stocked.train(dataset, spec, job="second", start=start)
    told = next(n.data for n in line.of(Note) if n.type == "job.began_from")
    assert (told["generator"], told["averages"]) == ("average", [])
    assert line.of(SavedCheckpoint)[-1].images == 1064


def test_a_break_before_its_first_checkpoint_takes_it_back_to_the_start(stocked: Workshop) -> None:
    first = trained(stocked, "points", "wgan-gp", images=16 * 5 * 4)
    wild = going_on(stocked, "points", first, learning_rate=10).model_copy(update={"learning_rate": 1e18})
    line = RecordingLine()
    with pytest.raises(Diverged):
        stocked.train("points", wild, job="second", start=first[1], line=line)
    notes = [n for n in line.of(Note) if n.type in ("job.began_from", "job.recovered")]
    assert [n.type for n in notes] == ["job.began_from", *2 * ["job.began_from", "job.recovered"]]
    assert {n.data["to_images"] for n in notes if n.type == "job.recovered"} == {first[1].images}
    assert not line.of(SavedCheckpoint)


def test_a_state_of_before_counts_went_on_still_says_how_much_was_seen() -> None:
    assert Counters.model_validate({"images": 5}).seen == 5


def test_where_files_go_does_not_depend_on_where_a_job_began(stocked: Workshop) -> None:
    first = trained(stocked, "points", "dcgan")
    line = stocked.train("points", going_on(stocked, "points", first), job="second", start=first[1])
    folders = {Path(saved.path).parent.as_posix() for saved in line.of(SavedCheckpoint)}
    assert folders == {"checkpoints/mdl_second"}
