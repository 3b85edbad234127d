"""Training with augmentation: exact resume, what the players see, what penalties differentiate, what is reported."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from training_kit import RecordingLine, Workshop, pictures

from gan.recipes import RECIPES
from gan.spec import TrainingSpec
from worker.protocol import Metrics, Report, SavedCheckpoint, Stop, Stopped
from worker.training import loop
from worker.training.augment import DRAWS, POLICIES, TRANSFORMS, augmentation
from worker.training.data import TrainingData, open_packed
from worker.training.draws import Stream
from worker.training.loop import Trainer
from worker.training.losses import LOSSES
from worker.training.players import Figures, Players
from worker.training.state import new_state
from worker.training.step import Batch, discriminator_step, generator_step

SMALL = {"architecture": "mlp", "width": 8, "latent_dim": 6}
CPU = torch.device("cpu")


@pytest.fixture
def stocked(workshop: Workshop) -> Workshop:
    images, labels = pictures(100)
    workshop.pack("images", images, labels, ("dark", "bright"))
    return workshop


def short(workshop: Workshop, **request: object) -> TrainingSpec:
    asked = {"images": 16 * 40, "batch_size": 16, "network": SMALL, "augment": "ada"}
    return workshop.spec("images", **(asked | request))


def trainer(workshop: Workshop, spec: TrainingSpec) -> Trainer:
    data = TrainingData(open_packed(Path(workshop.root) / "datasets" / "images"), spec, CPU)
    return Trainer(spec, data, new_state(spec, CPU))


# ---- resume ----


class AtUpdate(RecordingLine):
    """Orders a stop at the `number`-th look, one look an update."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._left = number

    @property
    def stop(self) -> Stop | None:  # type: ignore[override]
        self._left -= 1
        return Stop(save=True) if self._left < 0 else None

    @stop.setter
    def stop(self, value: Stop | None) -> None:
        assert value is None


@pytest.mark.parametrize("looks", [14, 17, 20])
@pytest.mark.parametrize("recipe", ["r3gan", "dcgan", "wgan-gp"])
def test_a_job_stopped_between_two_adjustments_ends_with_the_same_tensors_and_series(
    stocked: Workshop, monkeypatch: pytest.MonkeyPatch, recipe: str, looks: int
) -> None:
    monkeypatch.setattr("worker.training.augment.SPEED", 2000)  # so that p moves within a short job,
    monkeypatch.setattr("worker.training.augment.TARGET", -1.5)  # and does so from the start
    steps = RECIPES[recipe].critic_steps
    spec = short(stocked, recipe=recipe, images=16 * 40 * steps).model_copy(update={"report_every": 16 * 5 * steps})
    whole = stocked.train("images", spec, job="whole")
    first = stocked.train("images", spec, job="parts", line=AtUpdate(looks))
    (saved,) = first.of(SavedCheckpoint)
    assert first.of(Stopped)
    assert 0 < saved.images < spec.images
    stopped = load_file(stocked.root / saved.state_path)
    second = stocked.train("images", spec, job="parts", epoch=2, resume=[saved])
    expected, found = (load_file(stocked.root / x.of(SavedCheckpoint)[-1].state_path) for x in (whole, second))
    assert {"augment.probability", "augment.signs"} <= expected.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert whole.series() == first.series() | second.series()
    assert len({m.values["augment_probability"] for m in whole.of(Metrics)}) > 3
    assert (stopped["augment.signs"] == 0) | bool(saved.images // 16 % 4), "the sum begins anew with each adjustment"


# ---- what the players see ----


class Watched(torch.nn.Module):
    """A critic that keeps what it is shown: the mean of all pixels, squared, so that it has a slope."""

    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Parameter(torch.ones((), dtype=torch.float64))
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor, c: Tensor | None) -> Tensor:
        self.seen.append(x.detach().clone())
        return self.a * x.square().sum(dim=(1, 2, 3))


class Painter(torch.nn.Module):
    """A generator of images all of one colour, z's first number."""

    def __init__(self) -> None:
        super().__init__()
        self.v = torch.nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, z: Tensor, c: Tensor | None) -> Tensor:
        return self.v * z[:, :1, None, None].expand(-1, 3, 8, 8)


def players() -> Players:
    critic, painter = Watched(), Painter()
    descents = [torch.optim.SGD(module.parameters(), lr=0.0) for module in (painter, critic)]
    return Players(painter, critic, Painter(), *descents)


def a_batch() -> tuple[Batch, Tensor]:
    rng = torch.Generator().manual_seed(0)
    x, z, u, alpha = (
        torch.rand(shape, generator=rng, dtype=torch.float64) for shape in [(4, 3, 8, 8), (4, 2), (4, DRAWS), (4,)]
    )
    return Batch(x, None, z, alpha, augmentation(u, torch.tensor(0.6))), u


NOW = Figures(learning_rate=0.0, beta2=0.9, r1=0.0, r2=0.0)


def test_both_players_are_judged_by_augmented_images_and_a_pair_shares_its_draw(stocked: Workshop) -> None:
    batch, _ = a_batch()
    T, fake = batch.augmented, Painter()(batch.z, None).detach()
    game = players()
    discriminator_step(game, batch, short(stocked), NOW)
    generator_step(game, batch, short(stocked), NOW)
    real_seen, fake_seen, fake_again, real_again = game.discriminator.seen
    assert torch.allclose(real_seen, T(batch.x))
    assert torch.allclose(fake_seen, T(fake))
    assert torch.equal(fake_again, fake_seen)
    assert torch.equal(real_again, real_seen)
    assert not torch.allclose(real_seen, batch.x)


def test_penalties_differentiate_by_the_images_before_augmentation(stocked: Workshop) -> None:
    """A critic's slope through a cut-out is zero there, and 1½ times as steep where the contrast is."""
    batch, _ = a_batch()
    spec = short(stocked)

    def slopes(x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(batch.augmented(x).square().sum(), x)
        return slope.flatten(1)

    fake = Painter()(batch.z, None)
    for now, x in [(Figures(0.0, 0.9, r1=1.0, r2=0.0), batch.x), (Figures(0.0, 0.9, r1=0.0, r2=1.0), fake)]:
        said = discriminator_step(players(), batch, spec, now)
        expected = slopes(x).square().sum(dim=1).mean() / 2
        assert said["penalty"].item() == pytest.approx(expected.item())
        plain = discriminator_step(players(), Batch(batch.x, None, batch.z, batch.alpha), spec, now)
        assert plain["penalty"].item() != pytest.approx(expected.item(), rel=0.01)
    between = torch.lerp(fake.detach(), batch.x, batch.alpha.view(-1, 1, 1, 1))
    gp = spec.model_copy(update={"lipschitz": "gradient_penalty", "gradient_penalty": 10.0})
    said = discriminator_step(players(), batch, gp, NOW)
    assert said["penalty"].item() == pytest.approx(10 * (slopes(between).norm(dim=1) - 1).square().mean().item())


def test_the_generator_learns_through_the_augmentation(stocked: Workshop) -> None:
    batch, _ = a_batch()
    game = players()
    spec = short(stocked, recipe="wgan")
    generator_step(game, batch, spec, NOW)
    v = torch.ones((), dtype=torch.float64, requires_grad=True)
    seen = batch.augmented(v * Painter()(batch.z, None).detach())
    (-seen.square().sum(dim=(1, 2, 3)).mean()).backward()
    assert torch.allclose(game.generator.v.grad, v.grad)


@pytest.mark.parametrize(("loss", "undecided"), [
    ("minimax", 0.0), ("non_saturating", 0.0), ("hinge", 0.0), ("least_squares", 0.5), ("wasserstein", None),
    ("relativistic", None),
])  # fmt: skip
def test_a_real_counts_as_recognised_above_the_logit_at_which_the_loss_is_undecided(
    stocked: Workshop, loss: str, undecided: float | None
) -> None:
    batch, _ = a_batch()
    said = discriminator_step(players(), batch, short(stocked, loss=loss), NOW)
    r, f = (batch.augmented(x).square().sum(dim=(1, 2, 3)) for x in (batch.x, Painter()(batch.z, None)))
    boundary = f.mean().item() if undecided is None else undecided
    assert LOSSES[loss].undecided(f.detach()).mean().item() == pytest.approx(boundary)
    assert said["sign_real"].item() == pytest.approx(torch.sign(r - boundary).mean().item())


# ---- draws, reports, policies ----


@pytest.mark.parametrize("shared", [True, False])
def test_draws_differ_by_step_and_player_and_a_shared_batch_shares_them(
    stocked: Workshop, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    seen: list[Tensor] = []
    monkeypatch.setattr(loop, "augmentation", lambda u, p: (seen.append(u), augmentation(u, p))[1])
    training = trainer(stocked, short(stocked, recipe="wgan", shared_batch=shared, critic_steps=2))
    for _ in range(6):
        training.update()
    critic, generator = [seen[k] for k in (0, 1, 3, 4)], [seen[k] for k in (2, 5)]
    assert all(not torch.equal(a, b) for k, a in enumerate(critic) for b in critic[:k])
    assert torch.equal(critic[1], generator[0]) is shared
    assert torch.equal(critic[3], generator[1]) is shared
    assert len({int(stream) for stream in Stream}) == len(Stream)


@pytest.mark.parametrize("augment", POLICIES)
def test_the_probability_is_reported_where_there_is_augmentation(stocked: Workshop, augment: str) -> None:
    line = stocked.train("images", short(stocked, augment=augment, images=64))
    found = [m.values.get("augment_probability") for m in line.of(Metrics)]
    fixed = {"none": {None}, "diffaugment": {1.0}}
    assert found
    assert set(found) == fixed[augment] if augment in fixed else all(0 <= value <= 1 for value in found)
    assert not any("sign_real" in m.values for m in line.of(Metrics))


def test_reports_look_at_images_as_they_are(stocked: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    training = trainer(stocked, short(stocked, augment="diffaugment"))
    training.update()

    def forbidden(x: Tensor, u: Tensor) -> Tensor:
        raise AssertionError("a report augments nothing")

    for name, transform in TRANSFORMS.items():
        monkeypatch.setitem(TRANSFORMS, name, transform._replace(apply=forbidden))
    training.report()
    with pytest.raises(AssertionError, match="augments nothing"):
        training.update()


@pytest.mark.parametrize("augment", ["diffaugment", "ada"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_trains_with_augmentation(stocked: Workshop, recipe: str, augment: str) -> None:
    steps = RECIPES[recipe].critic_steps
    network = {"width": 4, "latent_dim": 6}
    spec = short(stocked, recipe=recipe, images=16 * 2 * steps, augment=augment, network=network)
    reports: list[Report] = stocked.train("images", spec).reports
    assert reports[-1].say == "done"


def test_ada_begins_as_no_augmentation_and_diffaugment_does_not(stocked: Workshop) -> None:
    ends = []
    for augment in ("none", "ada", "diffaugment"):
        training = trainer(stocked, short(stocked, augment=augment))
        for _ in range(4):
            training.update()
        ends.append(training.state.players.generator.state_dict())
    none, ada, diffaugment = ends
    assert all(torch.equal(none[name], ada[name]) for name in none)
    assert any(not torch.equal(none[name], diffaugment[name]) for name in none)
