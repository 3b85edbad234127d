"""However a step is executed, it computes the same: one forward or two, memory formats, precision, replayed steps."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training_kit import Workshop, pictures

from gan.recipes import RECIPES
from gan.spec import TrainingSpec
from worker.training import loop, players
from worker.training.augment import INTERVAL
from worker.training.capture import Captured, Places
from worker.training.data import TrainingData, open_packed
from worker.training.execution import Execution, execution, judged_together
from worker.training.loop import Trainer
from worker.training.optimizers import DEVICE_OPTIMIZERS
from worker.training.players import OPTIMIZERS, Figures, Players, figures
from worker.training.state import load_state, new_state, save_state, state_tensors
from worker.training.step import Batch, discriminator_step, generator_step

CPU, META = torch.device("cpu"), torch.device("meta")
SMALL = {"width": 8, "latent_dim": 6}
KINDS = [(recipe, "images") for recipe in RECIPES] + [("r3gan", "points"), ("wgan-gp", "branches")]
"""Every recipe on images with classes; points, and points given numbers."""
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: replayed steps are not tested")


def spec_of(workshop: Workshop, dataset: str, recipe: str, **request: object) -> TrainingSpec:
    rounds = {"images": 16 * 20 * RECIPES[recipe].critic_steps, "batch_size": 16, "network": SMALL}
    return workshop.spec(dataset, **(rounds | {"recipe": recipe} | request))


def data_of(workshop: Workshop, dataset: str, spec: TrainingSpec, device: torch.device = CPU) -> TrainingData:
    return TrainingData(open_packed(Path(workshop.root) / "datasets" / dataset), spec, device)


def trained(workshop: Workshop, dataset: str, spec: TrainingSpec, how: Execution, updates: int) -> Trainer:
    trainer = Trainer(spec, data_of(workshop, dataset, spec), new_state(spec, CPU, how))
    for _ in range(updates):
        trainer.update()
    return trainer


def parameters(trainer: Trainer) -> dict[str, Tensor]:
    return {name: t for name, t in state_tensors(trainer.state).items() if name.startswith(("gen", "disc", "average"))}


# ---- nothing waits for the device between reports ----


@pytest.fixture
def on_meta(monkeypatch: pytest.MonkeyPatch) -> None:
    """The meta device has shapes and no numbers: whoever wants a number from it, or a copy on the CPU, gets an error.

    torch's fused optimisers refuse it; ours for captured steps run there.
    """
    monkeypatch.setattr(players, "OPTIMIZERS", DEVICE_OPTIMIZERS)


@pytest.mark.parametrize(("recipe", "dataset"), KINDS)
def test_no_update_of_any_recipe_waits_for_the_device(
    stocked: Workshop, on_meta: None, recipe: str, dataset: str
) -> None:
    augment = {"augment": "ada"} if dataset == "images" else {}
    spec = spec_of(stocked, dataset, recipe, critic_steps=1, **augment)
    trainer = Trainer(spec, moved_to_meta(data_of(stocked, dataset, spec)), new_state(spec, META))
    for _ in range(2 * INTERVAL):
        trainer.update()
    assert trainer.state.counters.critic_steps == trainer.state.counters.generator_steps == INTERVAL


@pytest.mark.parametrize("peek", [Tensor.item, Tensor.cpu, Tensor.tolist, bool, float, lambda t: t.to("cpu")])
@pytest.mark.parametrize("step", ["discriminator_step", "generator_step"])
def test_a_step_that_looked_at_a_number_would_be_found_out(
    stocked: Workshop, on_meta: None, monkeypatch: pytest.MonkeyPatch, step: str, peek
) -> None:
    true_step = getattr(loop, step)

    def peeking(*given: object) -> dict[str, Tensor]:
        said = true_step(*given)
        peek(next(iter(said.values())))
        return said

    monkeypatch.setattr(loop, step, peeking)
    spec = spec_of(stocked, "points", "r3gan")
    trainer = Trainer(spec, moved_to_meta(data_of(stocked, "points", spec)), new_state(spec, META))
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        _ = [trainer.update() for _ in range(2)]


def moved_to_meta(data: TrainingData) -> TrainingData:
    """The data's shapes; statistics are made where the numbers are."""
    data.device = META
    for name, value in vars(data).items():
        if isinstance(value, Tensor):
            setattr(data, name, value.to(META))
    return data


# ---- one forward or two ----


class Quadratic(nn.Module):
    """D(x) = a·|x|² + b·|x|·c, in doubles; counts its forwards."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = (nn.Parameter(torch.tensor(value, dtype=torch.float64)) for value in (0.4, 0.3))
        self.forwards = 0

    def forward(self, x: Tensor, c: Tensor | None) -> Tensor:
        assert c is not None
        self.forwards += 1
        return self.a * x.square().sum(dim=1) + self.b * x.norm(dim=1) * c[:, 0]


class Scale(nn.Module):
    """G(z) = v·z."""

    def __init__(self) -> None:
        super().__init__()
        self.v = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))

    def forward(self, z: Tensor, c: Tensor | None) -> Tensor:
        return self.v * z


@pytest.mark.parametrize(("r1", "r2"), [(0.0, 0.0), (0.7, 0.0), (0.0, 0.3), (0.7, 0.3)])
def test_one_forward_over_both_computes_what_two_do(stocked: Workshop, r1: float, r2: float) -> None:
    rng = torch.Generator().manual_seed(0)
    x, c, z, alpha = (torch.rand(s, generator=rng, dtype=torch.float64) for s in [(8, 2), (8, 1), (8, 2), (8,)])
    spec = stocked.spec("points", recipe="r3gan").model_copy(update={"r1": r1, "r2": r2})
    found = []
    for together in (False, True):
        critic, generator = Quadratic(), Scale()
        descents = [torch.optim.SGD(module.parameters(), lr=0.1) for module in (generator, critic)]
        game = Players(generator, critic, Scale(), *descents, execution=Execution(together=together))
        said = discriminator_step(game, Batch(x, c, z, alpha), spec, Figures(0.1, 0.9, r1, r2))
        assert critic.forwards == (1 if together else 2)
        found.append([*said.values(), critic.a.detach(), critic.b.detach()])
        assert (said["penalty"].item() > 0) is (r1 + r2 > 0)
    for two, one in zip(*found, strict=True):
        assert one.item() == pytest.approx(two.item(), rel=1e-12, abs=1e-15)


def test_both_are_judged_in_one_forward_where_samples_are_small_and_each_stands_for_itself(stocked: Workshop) -> None:
    def together(dataset: str, recipe: str) -> bool:
        return judged_together(spec_of(stocked, dataset, recipe).network, CPU)

    assert together("points", "r3gan")
    assert together("images", "r3gan")
    assert not together("images", "dcgan"), "batch norm would mix the statistics of real and generated images"
    stocked.pack("large", pictures(200, side=32)[0])
    assert not together("large", "r3gan")
    assert judged_together(spec_of(stocked, "large", "r3gan").network, torch.device("cuda"))
    assert not judged_together(spec_of(stocked, "large", "dcgan").network, torch.device("cuda"))


# ---- memory formats ----


@pytest.mark.parametrize("architecture", ["dcgan", "plain", "resnet", "r3"])
def test_convolutions_are_trained_with_channels_last_and_saved_in_order(stocked: Workshop, architecture: str) -> None:
    stocked.pack("colour", pictures(200, channels=3)[0])
    network = SMALL | {"architecture": architecture}
    spec = spec_of(stocked, "colour", "r3gan", network=network, augment="none")
    how = execution(spec, CPU)
    plain = replace(how, memory_format=torch.contiguous_format)
    trainer = trained(stocked, "colour", spec, how, updates=2)
    kernels = [t for t in state_tensors(trainer.state).values() if t.dim() == 4 and t.shape[1] > 1 and t.shape[2] > 1]
    assert len(kernels) >= 3 * 4
    assert all(t.is_contiguous(memory_format=torch.channels_last) for t in kernels)
    x, _ = trainer.data.batch(np.arange(4))
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert x.data_ptr() == x.permute(0, 2, 3, 1).contiguous().data_ptr(), "packed images lie like that: nothing moves"
    losses = [trained(stocked, "colour", spec, one, updates=1).state.meters.means() for one in (how, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    path = stocked.root / "state.safetensors"
    save_state(path, spec, trainer.state)
    loaded = state_tensors(load_state(path, spec, CPU, how=how))
    for name, tensor in state_tensors(trainer.state).items():
        assert torch.equal(loaded[name], tensor)
        assert loaded[name].stride() == tensor.stride(), name


def test_a_state_of_another_memory_format_goes_on_as_it_would_have(stocked: Workshop) -> None:
    """Fused optimisers walk weights and moments side by side, so these must lie alike."""
    spec = spec_of(stocked, "images", "dcgan", augment="none")
    last = execution(spec, CPU)
    plain = replace(last, memory_format=torch.contiguous_format)
    path = stocked.root / "state.safetensors"
    for before, after in [(plain, last), (last, plain)]:
        trainer = trained(stocked, "images", spec, before, updates=20)
        save_state(path, spec, trainer.state)
        resumed = Trainer(spec, data_of(stocked, "images", spec), load_state(path, spec, CPU, how=after))
        for one in (trainer, resumed):
            one.update()
        assert resumed.state.players.execution == after
        for name, expected in parameters(trainer).items():
            assert torch.allclose(parameters(resumed)[name], expected, atol=1e-5), name


# ---- precision ----


class Watch:
    """Dtypes that a network puts out, forward by forward."""

    def __init__(self, network: nn.Module) -> None:
        self.seen: list[torch.dtype] = []
        network.register_forward_hook(lambda _m, _i, out: self.seen.append(out.dtype))


@pytest.mark.parametrize(
    ("recipe", "critic", "generator"),
    [
        ("dcgan", ["bfloat16"] * 2, ["bfloat16"]),
        ("wgan-gp", ["bfloat16"] * 2 + ["float32"], ["bfloat16"]),  # the third is differentiated twice
        ("r3gan", ["float32"] * 2, ["bfloat16"] * 2),
        ("sngan", ["float32"] * 2, ["float32"]),  # a power iteration
    ],
)
def test_what_is_safe_is_computed_in_bfloat16_and_nothing_else(
    stocked: Workshop, recipe: str, critic: list[str], generator: list[str]
) -> None:
    spec = spec_of(stocked, "images", recipe, critic_steps=1)
    low = Execution(bfloat16=True)
    trainer = Trainer(spec, data_of(stocked, "images", spec), new_state(spec, CPU, low))
    watch = Watch(trainer.state.players.discriminator)
    for expected in (critic, generator):
        watch.seen.clear()
        trainer.update()
        assert watch.seen == [getattr(torch, name) for name in expected]
    assert all(total.dtype == torch.float64 for total in trainer.state.meters._sums.values())
    assert all(t.dtype == torch.float32 for name, t in parameters(trainer).items() if "num_batches" not in name)


def test_losses_and_weights_stay_in_float32_beside_bfloat16(stocked: Workshop) -> None:
    spec = spec_of(stocked, "images", "dcgan")
    game = new_state(spec, CPU, Execution(bfloat16=True)).players
    x, c = data_of(stocked, "images", spec).batch(np.arange(16))
    batch = Batch(x, c, torch.randn(16, 6, generator=torch.Generator().manual_seed(0)), torch.zeros(16))
    for step in (discriminator_step, generator_step):
        said = step(game, batch, spec, figures(spec, 0.0))
        assert {scalar.dtype for scalar in said.values()} == {torch.float32}
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in game.generator.parameters())


def test_training_in_bfloat16_learns_as_in_float32(workshop: Workshop) -> None:
    """The class that is asked for decides how bright the picture is, in either precision."""
    images, labels = pictures(300)
    workshop.pack("images", images, labels, ("dark", "bright"))
    spec = workshop.spec("images", recipe="dcgan", images=150 * 16, batch_size=16, network={"width": 16})
    trainer = trained(workshop, "images", spec, replace(execution(spec, CPU), bfloat16=True), updates=300)
    z = torch.randn(64, spec.network.latent_dim, generator=torch.Generator().manual_seed(0))
    dark, bright = (trainer.state.players.average(z, torch.eye(2)[[k] * 64]).mean().item() for k in (0, 1))
    real = [images[labels == label].mean() / 127.5 - 1 for label in (0, 1)]
    assert bright - dark > 0.6 * (real[1] - real[0])


@pytest.mark.parametrize(("capability", "low"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_precision_and_capture_mean_something_on_a_gpu_alone(
    stocked: Workshop, monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], low: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    spec, gpu = spec_of(stocked, "images", "dcgan"), torch.device("cuda:0")
    chosen = execution(spec, gpu, "auto", capture=True)
    assert (chosen.bfloat16, chosen.captured) == (low, True)
    assert not execution(spec, gpu, "float32").bfloat16
    assert not execution(spec, gpu).captured
    on_cpu = execution(spec, CPU, "auto", capture=True)
    assert not on_cpu.bfloat16
    assert not on_cpu.captured
    assert execution(spec, CPU, "bfloat16").bfloat16
    assert chosen.words()["steps"] == "CUDA graphs"


# ---- optimisers whose figures are on the device ----


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimiser_for_the_device_moves_as_the_usual_one_and_keeps_the_same_state(
    stocked: Workshop, name: str
) -> None:
    spec = spec_of(stocked, "points", "r3gan", optimizer=name)
    networks, optimizers = [], []
    for row in (OPTIMIZERS, DEVICE_OPTIMIZERS):
        torch.manual_seed(0)
        networks.append(nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)))
        optimizers.append(row[name](networks[-1].parameters(), spec))
    x = torch.randn(20, 4, 3, generator=torch.Generator().manual_seed(1))
    rate, beta2 = torch.zeros(()), torch.zeros(())
    for step, rows in enumerate(x):
        now = Figures(1e-2 * 0.9**step, 0.9 + 0.004 * step, 0.0, 0.0)
        rate.fill_(now.learning_rate)
        beta2.fill_(now.beta2)
        for network, optimizer, given in zip(networks, optimizers, [now, Figures(rate, beta2, 0.0, 0.0)], strict=True):
            players.tune(optimizer, given)
            optimizer.zero_grad()
            network(rows).square().mean().backward()
            optimizer.step()
    for usual, ours in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.allclose(usual, ours, rtol=1e-4, atol=1e-6)
        expected, found = optimizers[0].state[usual], optimizers[1].state[ours]
        assert expected.keys() == found.keys()
        assert all(torch.allclose(expected[key], found[key], rtol=1e-4, atol=1e-7) for key in expected)


# ---- steps that are replayed ----


class Rehearsed(Captured):
    """Replays by taking the step anew from the same places: all of a captured step but the graph itself."""

    def _record(self, players: Players, places: Places, spec: TrainingSpec) -> None:
        self._said: dict[str, Tensor] = {}

        def replay() -> None:
            self._said.update(self._step(players, places.batch, spec, places.now))

        self._graph = SimpleNamespace(replay=replay)  # type: ignore[assignment]


@pytest.fixture
def rehearsed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Execution]:
    monkeypatch.setattr(loop, "Captured", Rehearsed)
    return Execution(captured=True)


@pytest.mark.parametrize(("recipe", "dataset"), KINDS)
def test_replaying_from_fixed_places_is_training(
    stocked: Workshop, rehearsed: Execution, monkeypatch: pytest.MonkeyPatch, recipe: str, dataset: str
) -> None:
    augment = {"augment": "ada"} if dataset == "images" else {}
    spec = spec_of(stocked, dataset, recipe, critic_steps=2, **augment)
    monkeypatch.setattr("worker.training.augment.SPEED", 500)  # so that the augmentation's probability moves,
    monkeypatch.setattr("worker.training.augment.TARGET", -1.5)  # and does so from the start
    replayed = trained(stocked, dataset, spec, rehearsed, updates=18)
    monkeypatch.setattr(players, "OPTIMIZERS", DEVICE_OPTIMIZERS)
    monkeypatch.setattr(loop, "figures", lambda spec, share: on_device(figures(spec, share)))
    monkeypatch.setattr(Trainer, "_run", lambda self, step: step)
    eager = trained(stocked, dataset, spec, Execution(), updates=18)
    assert dataset != "images" or eager.state.strength.probability > 0.2
    for name, expected in parameters(eager).items():
        assert torch.equal(parameters(replayed)[name], expected), name
    assert replayed.state.meters.dump() == eager.state.meters.dump()


def on_device(now: Figures) -> Figures:
    """The figures as scalars, new ones for each step."""
    return Figures(*(torch.tensor(value) for value in (now.learning_rate, now.beta2, now.r1, now.r2)))


def test_schedules_move_under_replay(stocked: Workshop, rehearsed: Execution) -> None:
    """At the end of its budget sngan's rate is nothing, and so is what a replayed step moves."""
    spec = spec_of(stocked, "points", "sngan", critic_steps=1)
    trainer = trained(stocked, "points", spec, rehearsed, updates=2)
    moved = []
    for images in (0, spec.images // 2, spec.images):
        trainer.state.counters.images = images
        before = {name: t.clone() for name, t in parameters(trainer).items() if name.endswith("original")}
        for _ in range(2):
            trainer.update()
        moved.append(max((old - parameters(trainer)[name]).abs().max().item() for name, old in before.items()))
    assert moved[0] > 1.3 * moved[1] > 0
    assert moved[2] < 1e-6


def test_places_hold_a_batch_and_figures_and_are_filled_in_place(stocked: Workshop) -> None:
    spec = spec_of(stocked, "images", "r3gan", augment="diffaugment")
    trainer = Trainer(spec, data_of(stocked, "images", spec), new_state(spec, CPU))
    first, second = (trainer._critic_batch(step) for step in (0, 1))
    places = Places(first, figures(spec, 0.0))
    held = [places.batch.x, places.batch.c, places.batch.z, places.batch.alpha, places.batch.augmented.u]
    where = [t.data_ptr() for t in held]
    places.fill(second, figures(spec, 1.0))
    for tensor, expected in zip(held, [second.x, second.c, second.z, second.alpha, second.augmented.u], strict=True):
        assert torch.equal(tensor, expected)
    assert [t.data_ptr() for t in held] == where
    assert places.batch.augmented.p is trainer.state.strength.probability
    end = figures(spec, 1.0)
    assert [f.item() for f in (places.now.learning_rate, places.now.beta2, places.now.r1, places.now.r2)] == (
        pytest.approx([end.learning_rate, end.beta2, end.r1, end.r2])
    )


@pytest.mark.parametrize("recipe", ["dcgan", "wgan", "r3gan"])
def test_a_state_goes_on_in_the_other_execution(stocked: Workshop, rehearsed: Execution, recipe: str) -> None:
    """A job that began eager may be resumed by a worker that replays, and the other way round."""
    spec = spec_of(stocked, "points", recipe, critic_steps=1)
    path = stocked.root / "state.safetensors"
    ends = []
    for begun, resumed in [(Execution(), rehearsed), (rehearsed, Execution()), (Execution(), Execution())]:
        trainer = trained(stocked, "points", spec, begun, updates=10)
        save_state(path, spec, trainer.state)
        again = Trainer(spec, data_of(stocked, "points", spec), load_state(path, spec, CPU, how=resumed))
        for _ in range(10):
            again.update()
        ends.append(parameters(again))
    for end in ends[:2]:
        for name, expected in ends[2].items():
            assert torch.allclose(end[name], expected, rtol=1e-2, atol=1e-4), name


@CUDA
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_captured_step_is_the_eager_one(stocked: Workshop, monkeypatch: pytest.MonkeyPatch, recipe: str) -> None:
    gpu = torch.device("cuda:0")
    spec = spec_of(stocked, "images", recipe, critic_steps=2, augment="ada")
    monkeypatch.setattr(players, "OPTIMIZERS", DEVICE_OPTIMIZERS)
    ends = []
    for captured in (False, True):
        how = replace(execution(spec, gpu), captured=captured)
        trainer = Trainer(spec, data_of(stocked, "images", spec, gpu), new_state(spec, gpu, how))
        for _ in range(9):
            trainer.update()
        ends.append(parameters(trainer))
    for name, expected in ends[0].items():
        assert torch.allclose(ends[1][name], expected, rtol=1e-2, atol=5e-3), name


@CUDA
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_gpu_trains_in_every_execution(stocked: Workshop, recipe: str) -> None:
    gpu = torch.device("cuda:0")
    spec = spec_of(stocked, "images", recipe, augment="diffaugment")
    for low, captured in [(False, False), (True, False), (False, True), (True, True)]:
        how = replace(execution(spec, gpu), bfloat16=low, captured=captured)
        trainer = Trainer(spec, data_of(stocked, "images", spec, gpu), new_state(spec, gpu, how))
        for _ in range(12):
            trainer.update()
        assert all(t.isfinite().all() for t in parameters(trainer).values())
