"""Several averages of the generator in one training: what each becomes, that none disturbs, that all are resumed."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from training_kit import RecordingLine, Workshop, pictures

from gan.averages import EMA_SHARE
from gan.checkpoint import load_generator
from gan.spec import TrainingSpec
from worker.protocol import Done, Metrics, SavedCheckpoint
from worker.training.averages import selectable
from worker.training.data import TrainingData, open_packed
from worker.training.loop import Trainer
from worker.training.state import load_state, new_state, save_state, state_tensors

CPU = torch.device("cpu")
SMALL = {"width": 8, "latent_dim": 6}


@pytest.fixture
def stocked(tmp_path: Path) -> Workshop:
    workshop = Workshop(tmp_path)
    images, labels = pictures(200)
    workshop.pack("images", images, labels, ("dark", "bright"))
    return workshop


def small(stocked: Workshop, recipe: str = "r3gan", **request: object) -> TrainingSpec:
    asked = {"recipe": recipe, "batch_size": 16, "images": 320, "network": SMALL, "ema_halflife": 200}
    spec = stocked.spec("images", **(asked | {"ema_halflives": [20, 200, 1000]} | request))
    return spec.model_copy(update={"report_every": 160})


def generators(path: Path) -> dict[float, dict[str, torch.Tensor]]:
    halflives = load_generator(path).header.ema_halflives
    return {halflife: load_generator(path, ema=halflife).module.state_dict() for halflife in halflives}


def test_each_average_moves_by_its_own_half_life(stocked: Workshop) -> None:
    spec = small(stocked, learning_rate=0.02)
    data = TrainingData(open_packed(stocked.root / "datasets" / "images"), spec, CPU)
    trainer = Trainer(spec, data, new_state(spec, CPU))
    players = trainer.state.players
    expected = {h: {k: t.clone() for k, t in players.average.named_parameters()} for h in (20.0, 200.0, 1000.0)}
    while trainer.state.counters.generator_steps < 12:
        before = trainer.state.counters.generator_steps
        trainer.update()
        if trainer.state.counters.generator_steps > before:
            for halflife, average in expected.items():
                decay = 0.5 ** (16 / min(halflife, EMA_SHARE * trainer.state.counters.images))
                for name, now in players.generator.named_parameters():
                    average[name] = decay * average[name] + (1 - decay) * now.detach()
    found = {200.0: players.average} | {float(h): module for h, module in players.averages.items()}
    for halflife, average in expected.items():
        for name, parameter in found[halflife].named_parameters():
            torch.testing.assert_close(parameter, average[name], rtol=1e-4, atol=1e-6)
    assert players.averages.keys() == {"20", "1000"}


def test_a_model_file_holds_them_all_and_says_which_draws(stocked: Workshop) -> None:
    for recipe, default, others in [("r3gan", 200, {20, 1000}), ("dcgan", 0, {20, 200, 1000})]:
        spec = small(stocked, recipe, ema_halflife=default)
        saved = stocked.train("images", spec, job=recipe).of(SavedCheckpoint)[-1]
        loaded = load_generator(stocked.root / saved.path, saved.sha256)
        assert loaded.header.ema_halflife == default
        assert loaded.header.ema_halflives == selectable(spec) == (0.0, *sorted({default, *others} - {0}))
        kept = generators(stocked.root / saved.path)
        state = load_file(stocked.root / saved.state_path)
        for name, tensor in kept[0.0].items():
            assert torch.equal(tensor, state[f"{'average' if default == 0 else 'generator'}.{name}"]), name
        for halflife in others:
            assert any(not torch.equal(kept[halflife][name], kept[0.0][name]) for name in kept[0.0])
        with safe_open(stocked.root / saved.path, "pt") as file:
            raw = [name for name in file.keys() if name.startswith("ema.0.")]  # noqa: SIM118  # not a dict
        assert bool(raw) == (default != 0), "the raw generator is written once"


def test_averages_do_not_change_what_is_learned(stocked: Workshop) -> None:
    ends = [
        load_file(stocked.root / stocked.train("images", spec, job=job).of(SavedCheckpoint)[-1].state_path)
        for job, spec in {"many": small(stocked), "one": small(stocked, ema_halflives=[200])}.items()
    ]
    many, one = ends
    assert many.keys() - one.keys() == {name for name in many if name.startswith("averages.")}
    assert all(torch.equal(many[name], one[name]) for name in one)


@pytest.mark.parametrize("recipe", ["r3gan", "dcgan"])
def test_a_job_that_was_stopped_goes_on_with_every_average(stocked: Workshop, recipe: str) -> None:
    spec = small(stocked, recipe)
    whole = stocked.train("images", spec, job="whole").of(SavedCheckpoint)[-1]
    line = RecordingLine(until=lambda report: isinstance(report, Metrics) and report.images >= 160)
    first = stocked.train("images", spec, job="parts", line=line).of(SavedCheckpoint)
    second = stocked.train("images", spec, job="parts", epoch=2, resume=first[::-1])
    assert second.of(Done)
    expected, found = (load_file(stocked.root / one.state_path) for one in (whole, second.of(SavedCheckpoint)[-1]))
    assert {name.split(".")[1] for name in expected if name.startswith("averages.")} == {"20", "1000"}
    assert expected.keys() == found.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


def test_a_state_of_before_there_were_averages_still_reads(stocked: Workshop, tmp_path: Path) -> None:
    old = small(stocked).model_copy(update={"ema_halflives": ()})
    state = new_state(old, CPU)
    assert not [name for name in state_tensors(state) if name.startswith("averages")]
    written = save_state(tmp_path / "state", old, state)
    loaded = load_state(tmp_path / "state", old, CPU, written.sha256)
    assert state_tensors(loaded).keys() == state_tensors(state).keys()
    assert selectable(old) == (0.0, 200.0)
