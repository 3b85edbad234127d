"""One step of either player, worked out by hand: a critic ½·a·|x|² and a generator v·z, each with one weight."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from training_kit import Workshop, blobs

from gan.spec import TrainingSpec
from worker.training import loop
from worker.training.data import TrainingData, open_packed
from worker.training.loop import Trainer
from worker.training.players import Figures, Players, update_average
from worker.training.schedules import ema_decay
from worker.training.state import new_state
from worker.training.step import Batch, discriminator_step, generator_step

A, V = 0.8, 0.5
RATE = 0.1


class Quadratic(nn.Module):
    """D(x) = ½·a·|x|², whose input gradient is a·x; notes the conditions that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(A, dtype=torch.float64))
        self.given: list[Tensor | None] = []

    def forward(self, x: Tensor, c: Tensor | None) -> Tensor:
        self.given.append(c)
        return 0.5 * self.a * x.square().sum(dim=1)


class Scale(nn.Module):
    """G(z) = v·z; notes the conditions that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.v = nn.Parameter(torch.tensor(V, dtype=torch.float64))
        self.given: list[Tensor | None] = []

    def forward(self, z: Tensor, c: Tensor | None) -> Tensor:
        self.given.append(c)
        return self.v * z


BATCH = Batch(
    x=torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=torch.float64),
    c=torch.tensor([[1.0], [2.0]], dtype=torch.float64),
    z=torch.tensor([[2.0, 0.0], [-2.0, 4.0]], dtype=torch.float64),
    alpha=torch.tensor([0.25, 1.0], dtype=torch.float64),
)
X = (5 + 10) / 2
"""The mean of |x|²."""
Z = (4 + 20) / 2
"""The mean of |z|²; of what is generated it is V²·Z."""
Y = V**2 * Z
BETWEEN = [math.hypot(0.25 * 1 + 0.75 * 1, 0.25 * 2 + 0.75 * 0), math.hypot(3, -1)]
"""|x̂| = |α·x + (1 - α)·G(z)| of either row."""

NOW = Figures(learning_rate=RATE, beta2=0.9, r1=0.0, r2=0.0)


@pytest.fixture
def players() -> Players:
    """With plain gradient descent, whose rate is set by each step."""
    generator, critic = Scale(), Quadratic()
    descents = [torch.optim.SGD(module.parameters(), lr=1e9) for module in (generator, critic)]
    return Players(generator, critic, Scale(), *descents)


@pytest.fixture
def spec(workshop: Workshop) -> TrainingSpec:
    """Wasserstein's linear loss and no control; its own rate and penalties differ from those of the moment."""
    workshop.pack("points", blobs(100))
    asked = workshop.spec("points", recipe="wgan", lipschitz="none", learning_rate=1e-3)
    return asked.model_copy(update={"r1": 1e6, "r2": 1e6})


def step_of_a(players: Players) -> float:
    """How far the critic's weight went against its rate: the gradient that it was moved by."""
    return (A - players.discriminator.a.item()) / RATE


def one_centred_by_hand(a: float) -> tuple[float, float]:
    """mean (a·|x̂| - 1)² and its derivative by a."""
    value = sum((a * norm - 1) ** 2 for norm in BETWEEN) / 2
    return value, sum(2 * (a * norm - 1) * norm for norm in BETWEEN) / 2


@pytest.mark.parametrize(
    ("change", "now", "penalty", "gradient"),
    [
        ({}, NOW, 0.0, 0.0),
        ({}, replace(NOW, r1=0.3), 0.3 / 2 * A**2 * X, 0.3 * A * X),
        ({}, replace(NOW, r2=0.7), 0.7 / 2 * A**2 * Y, 0.7 * A * Y),
        ({}, replace(NOW, r1=0.3, r2=0.7), A**2 / 2 * (0.3 * X + 0.7 * Y), A * (0.3 * X + 0.7 * Y)),
        (
            {"lipschitz": "gradient_penalty", "gradient_penalty": 10.0},
            NOW,
            10 * one_centred_by_hand(A)[0],
            10 * one_centred_by_hand(A)[1],
        ),
    ],
    ids=["no penalty", "R1", "R2", "both", "gradient penalty"],
)
def test_a_critic_step_descends_its_loss_and_its_penalties(
    players: Players, spec: TrainingSpec, change: dict[str, object], now: Figures, penalty: float, gradient: float
) -> None:
    said = discriminator_step(players, BATCH, spec.model_copy(update=change), now)
    assert said["loss_discriminator"].item() == pytest.approx(A / 2 * (Y - X))
    assert said["logit_real"].item() == pytest.approx(A / 2 * X)
    assert said["logit_fake"].item() == pytest.approx(A / 2 * Y)
    assert said["penalty"].item() == pytest.approx(penalty)
    assert step_of_a(players) == pytest.approx((Y - X) / 2 + gradient)


def test_a_critic_step_clips_first_and_descends_from_there(players: Players, spec: TrainingSpec) -> None:
    clipping = spec.model_copy(update={"lipschitz": "weight_clipping", "clip": 0.1})
    said = discriminator_step(players, BATCH, clipping, NOW)
    assert said["loss_discriminator"].item() == pytest.approx(0.1 / 2 * (Y - X))
    assert players.discriminator.a.item() == pytest.approx(0.1 - RATE * (Y - X) / 2)
    assert players.discriminator.a.item() > 0.1, "what was learned beyond the bound stays until the next step"


def test_a_generator_step_descends_its_loss(players: Players, spec: TrainingSpec) -> None:
    said = generator_step(players, BATCH, spec, NOW)
    assert said["loss_generator"].item() == pytest.approx(-A / 2 * Y)
    assert players.generator.v.item() == pytest.approx(V + RATE * A * V * Z)


def test_a_relativistic_generator_step_compares_each_real_with_its_generated(
    players: Players, spec: TrainingSpec
) -> None:
    ahead = [A / 2 * (5 - V**2 * 4), A / 2 * (10 - V**2 * 20)]
    said = generator_step(players, BATCH, spec.model_copy(update={"loss": "relativistic"}), NOW)
    assert said["loss_generator"].item() == pytest.approx(sum(math.log1p(math.exp(d)) for d in ahead) / 2)
    pushes = [A * V * z / (1 + math.exp(-d)) for d, z in zip(ahead, (4, 20), strict=True)]
    assert players.generator.v.item() == pytest.approx(V + RATE * sum(pushes) / 2)


def test_a_step_moves_one_player_only_and_gives_the_conditions_to_both(players: Players, spec: TrainingSpec) -> None:
    generator, critic = players.generator, players.discriminator
    discriminator_step(players, BATCH, spec, NOW)
    assert generator.v.item() == V
    assert generator.v.grad is None
    moved = critic.a.item()
    generator_step(players, BATCH, spec.model_copy(update={"loss": "relativistic"}), NOW)
    assert critic.a.item() == moved
    assert len(critic.given) == 4
    assert len(generator.given) == 2
    assert all(given is BATCH.c for given in critic.given + generator.given)


# ---- whose turn, on which batch, and the average ----


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Batch]]:
    """The batches that either player has had its steps on."""
    seen: dict[str, list[Batch]] = {"critic": [], "generator": []}

    def watch(name: str, step: Callable[..., dict[str, Tensor]]) -> Callable[..., dict[str, Tensor]]:
        def watched(players: Players, batch: Batch, spec: TrainingSpec, now: Figures) -> dict[str, Tensor]:
            seen[name].append(batch)
            return step(players, batch, spec, now)

        return watched

    monkeypatch.setattr(loop, "discriminator_step", watch("critic", discriminator_step))
    monkeypatch.setattr(loop, "generator_step", watch("generator", generator_step))
    return seen


def trainer(workshop: Workshop, **request: object) -> Trainer:
    workshop.pack("points", blobs(200))
    asked = {"images": 10**6, "batch_size": 16, "network": {"width": 8}, "critic_steps": 3}
    spec = workshop.spec("points", **(asked | request))
    device = torch.device("cpu")
    data = TrainingData(open_packed(Path(workshop.root) / "datasets" / "points"), spec, device)
    return Trainer(spec, data, new_state(spec, device))


@pytest.mark.parametrize("shared", [True, False])
def test_a_shared_batch_is_the_one_that_the_critic_saw_last(
    workshop: Workshop, batches: dict[str, list[Batch]], shared: bool
) -> None:
    training = trainer(workshop, shared_batch=shared)
    for _ in range(8):
        training.update()
    assert [len(batches[name]) for name in ("critic", "generator")] == [6, 2]
    for last, own in zip(batches["critic"][2::3], batches["generator"], strict=True):
        assert torch.equal(last.x, own.x) is shared
        assert torch.equal(last.z, own.z) is shared
    first, second = batches["critic"][:2]
    assert not torch.equal(first.x, second.x)
    assert not torch.equal(first.z, second.z)


def test_the_average_moves_by_its_weight_and_takes_the_statistics_as_they_are() -> None:
    average, generator = (nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)) for _ in range(2))
    generator[1].running_mean.fill_(7.0)
    generator[1].num_batches_tracked.fill_(5)
    before = [parameter.detach().clone() for parameter in average.parameters()]
    current = [parameter.detach().clone() for parameter in generator.parameters()]
    update_average(average, generator, 0.75)
    for kept, old, new in zip(average.parameters(), before, current, strict=True):
        assert torch.allclose(kept, 0.75 * old + 0.25 * new)
    assert all(torch.equal(kept, new) for kept, new in zip(average.buffers(), generator.buffers(), strict=True))
    assert all(torch.equal(kept, new) for kept, new in zip(generator.parameters(), current, strict=True))


@pytest.mark.parametrize("halflife", [0.0, 500_000.0])
def test_after_a_round_the_average_has_moved_towards_the_generator(workshop: Workshop, halflife: float) -> None:
    training = trainer(workshop, ema_halflife=halflife, learning_rate=0.05)
    players = training.state.players
    before = {name: tensor.clone() for name, tensor in players.average.named_parameters()}
    for _ in range(4):  # three steps of the critic, one of the generator
        training.update()
    decay = ema_decay(halflife, images=48, batch=48)
    assert (decay == 0) is (halflife == 0)
    for name, now in players.generator.named_parameters():
        assert torch.allclose(dict(players.average.named_parameters())[name], decay * before[name] + (1 - decay) * now)
    assert any(not torch.equal(before[name], now) for name, now in players.generator.named_parameters())
