"""Training on pairs of images: every recipe, the L1 term, what D sees of the inputs, and what a checkpoint carries."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from training_kit import RecordingLine, Workshop

from gan.checkpoint import MOST_KEPT_INPUTS, load_discriminator, load_generator, read_model
from gan.errors import DatasetMissing
from gan.images import from_uint8
from gan.recipes import RECIPES
from worker.protocol import Metrics, Preview, SavedCheckpoint
from worker.training import augment
from worker.training.data import TrainingData, open_packed
from worker.training.draws import numbers
from worker.training.loop import CRITIC, GENERATOR, Streams, Trainer
from worker.training.state import new_state

CPU = torch.device("cpu")
SIDE = 8


def halves(count: int, side: int = SIDE, input_channels: int = 3, channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (count, side, side, Ci) of noise, and targets of which each is its input's first channel, inverted."""
    inputs = np.random.default_rng(0).integers(0, 256, (count, side, side, input_channels), dtype=np.uint8)
    return inputs, (255 - inputs[..., :1]).repeat(channels, axis=3)


@pytest.fixture
def paired(workshop: Workshop) -> Workshop:
    inputs, targets = halves(96)
    workshop.pack("pairs", targets, inputs=inputs)
    workshop.pack("plain", targets)
    return workshop


TINY = {"images": 128, "batch_size": 16, "network": {"width": 4, "latent_dim": 3}, "preview_every": 10_000}


def trained(workshop: Workshop, **request: object) -> RecordingLine:
    return workshop.train("pairs", workshop.spec("pairs", **TINY | request))


def trainer(workshop: Workshop, **request: object) -> Trainer:
    spec = workshop.spec("pairs", **TINY | request)
    data = TrainingData(open_packed(workshop.root / "datasets" / "pairs"), spec, CPU)
    return Trainer(spec, data, new_state(spec, CPU))


# ---- data ----


def test_a_batch_has_each_target_with_its_own_input(paired: Workshop) -> None:
    data = trainer(paired).data
    x, c = data.batch(np.array([3, 90, 3]))
    inputs, targets = halves(96)
    assert torch.allclose(x, torch.from_numpy(from_uint8(targets[[3, 90, 3]])), atol=1e-6)
    assert torch.allclose(c, torch.from_numpy(from_uint8(inputs[[3, 90, 3]])), atol=1e-6)


def test_inputs_that_do_not_fit_into_memory_are_read_from_the_disk(
    paired: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = trainer(paired).data.batch(np.array([5, 7]))
    monkeypatch.setattr("worker.training.data.FITS", 10)
    mapped = trainer(paired).data.batch(np.array([5, 7]))
    assert all(torch.equal(a, b) for a, b in zip(held, mapped, strict=True))


def test_without_its_inputs_a_dataset_of_pairs_is_missing(paired: Workshop) -> None:
    (paired.root / "datasets" / "pairs" / "inputs.npy").unlink()
    with pytest.raises(DatasetMissing):
        trainer(paired)


def test_the_targets_alone_are_trained_on_where_the_request_says_so(paired: Workshop) -> None:
    line = trained(paired, conditional=False)
    header, tensors = read_model(paired.root / line.of(SavedCheckpoint)[-1].path)
    assert (header.network.architecture, header.network.conditioning.kind) == ("plain", "none")
    assert "inputs" not in tensors


# ---- training ----


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_trains_on_pairs(paired: Workshop, recipe: str) -> None:
    steps = {"critic_steps": 1} if RECIPES[recipe].critic_steps > 1 else {}
    line = trained(paired, recipe=recipe, l1=2.0, augment="diffaugment", **steps)
    last = line.of(Metrics)[-1].values
    assert np.isfinite([last["loss_generator"], last["loss_discriminator"], last["value_train"]]).all()
    assert 0 < last["l1"] < 2
    saved = paired.root / line.of(SavedCheckpoint)[-1].path
    c = load_generator(saved).conditions[:2]
    made = load_generator(saved).module(torch.zeros(2, 3), c)
    assert made.shape == (2, 1, SIDE, SIDE)
    assert load_discriminator(saved).module(made, c).shape == (2,)


def test_a_resumed_training_goes_the_same_way(paired: Workshop) -> None:
    spec = paired.spec("pairs", **TINY | {"checkpoint_every": 64, "augment": "ada", "l1": 1.0, "images": 192})
    whole = paired.train("pairs", spec, job="job_a")
    broken = RecordingLine(until=lambda report: isinstance(report, SavedCheckpoint))
    first = paired.train("pairs", spec, job="job_b", line=broken).of(SavedCheckpoint)[-1]
    assert first.images < 192
    rest = paired.train("pairs", spec, job="job_b", epoch=2, resume=[first])
    ends = [read_model(paired.root / line.of(SavedCheckpoint)[-1].path)[1] for line in (whole, rest)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_the_l1_term_is_the_mean_distance_to_the_target_and_moves_the_generator(paired: Workshop) -> None:
    plain, weighed = trainer(paired, recipe="dcgan"), trainer(paired, recipe="dcgan", l1=3.0)
    batch = weighed._batch(weighed.generator_deck, GENERATOR, 0)
    with torch.no_grad():
        expected = (weighed.state.players.generator(batch.z, batch.c) - batch.x).abs().mean().item()
    for one in (plain, weighed):
        one.state.counters.since_generator = 1
        one.spec = one.spec.model_copy(update={"shared_batch": False})
        one._generator_turn()
    means, without = weighed.state.meters.means(), plain.state.meters.means()
    assert means["l1"] == pytest.approx(expected, rel=1e-5)
    assert means["loss_generator"] == pytest.approx(without["loss_generator"] + 3 * expected, rel=1e-4)
    assert "l1" not in without


def test_with_a_heavy_l1_the_generator_learns_what_the_input_says(paired: Workshop) -> None:
    """The target is a function of the input here: the regression alone can find it."""
    one = trainer(paired, recipe="lsgan", l1=100.0, images=2400, learning_rate=3e-3)
    distances = []
    while one.ended_by is None:
        one.update()
        distances.append(one.state.meters.means().get("l1"))
        one.state.meters.clear()
    seen = [distance for distance in distances if distance is not None]
    assert np.mean(seen[-10:]) < 0.4 * seen[0]


# ---- what D sees ----


@pytest.mark.parametrize("streams", [CRITIC, GENERATOR])
def test_a_pair_shares_the_draw_of_what_moves_and_cuts_and_inputs_keep_their_colours(
    paired: Workshop, streams: Streams
) -> None:
    one = trainer(paired, augment="diffaugment")
    batch = one._batch(one.critic_deck, streams, 0)
    # moved and cut alike: where a pixel of a white pair is zero, it is so in both halves
    white = torch.ones(16, 1, SIDE, SIDE)
    moved = batch.shown(white)
    u = augment.draw(numbers(one.spec.seed, streams.augment, 0), 16)
    geometric = augment.augmentation(u, torch.tensor(1.0), augment.GEOMETRIC)
    assert torch.equal(moved, geometric(white))
    assert set(moved.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(batch.augmented(white) == 0, moved == 0)
    assert torch.equal(batch.seen, batch.shown(batch.c))


def test_the_discriminator_looks_at_the_input_too(paired: Workshop) -> None:
    one = trainer(paired)
    for _ in range(6):
        one.update()
    x, c = one.data.batch(np.arange(16))
    right = one.state.players.discriminator(x, c)
    wrong = one.state.players.discriminator(x, c.roll(1, 0))
    assert (right - wrong).abs().mean() > 1e-4


# ---- what is kept and shown ----


def test_a_checkpoint_carries_inputs_to_draw_from_as_they_are(paired: Workshop) -> None:
    line = trained(paired)
    path = paired.root / line.of(SavedCheckpoint)[-1].path
    stored = read_model(path)[1]["inputs"]
    assert (stored.dtype, tuple(stored.shape)) == (torch.uint8, (96, SIDE, SIDE, 3))
    assert np.array_equal(stored.numpy(), halves(96)[0])
    assert torch.allclose(load_generator(path).conditions, torch.from_numpy(from_uint8(halves(96)[0])), atol=1e-6)


@pytest.mark.parametrize(("count", "kept"), [(96, 40), (MOST_KEPT_INPUTS + 100, MOST_KEPT_INPUTS)])
def test_only_so_many_inputs_and_bytes_are_carried(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, count: int, kept: int
) -> None:
    if count == 96:
        monkeypatch.setattr("worker.training.data.MOST_KEPT_BYTES", 40 * SIDE * SIDE * 3)
    inputs, targets = halves(count)
    workshop.pack("pairs", targets, inputs=inputs)
    found = trainer(workshop, holdout=0.0).data.kept_conditions()
    assert len(found) == kept
    assert torch.equal(found[[0, -1]], trainer(workshop, holdout=0.0).data.batch(np.array([0, count - 1]))[1])


@pytest.mark.parametrize(("input_channels", "channels", "mode"), [(1, 1, "L"), (3, 1, "RGB"), (1, 4, "RGBA")])
def test_the_preview_shows_each_input_beside_what_is_made_of_it(
    workshop: Workshop, input_channels: int, channels: int, mode: str
) -> None:
    inputs, targets = halves(30, input_channels=input_channels, channels=channels)
    workshop.pack("pairs", targets, inputs=inputs)
    line = trained(workshop)
    picture = Image.open(io.BytesIO(Path(workshop.root / line.of(Preview)[-1].path).read_bytes()))
    assert picture.mode == mode
    tile, gap = 32, 2
    assert picture.size == (9 * (tile + gap) - gap, 8 * (tile + gap) - gap)
    first = np.asarray(picture)[:tile:4, :tile:4]
    shown = first.reshape(SIDE, SIDE, -1)[..., :1]
    assert any(np.array_equal(shown, one[..., :1]) for one in inputs)
