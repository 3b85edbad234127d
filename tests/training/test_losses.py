"""Losses and penalties against cases worked out by hand, and their gradients against finite differences."""

import doctest
import math
from typing import get_args

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from gan.spec import Lipschitz, Loss
from worker.training import estimates, losses
from worker.training.diagnosis import gradient_norm
from worker.training.losses import LOSSES
from worker.training.penalties import BEFORE_CRITIC_STEP, clip_weights, input_gradients, one_centred, zero_centred

LOG_2 = math.log(2)
R, F = torch.tensor([2.0, -1.0], dtype=torch.float64), torch.tensor([0.5, -3.0], dtype=torch.float64)


def sp(a: float) -> float:
    return math.log1p(math.exp(a))


BY_HAND = {
    "minimax": ((sp(-2) + sp(1) + sp(0.5) + sp(-3)) / 2, -(sp(0.5) + sp(-3)) / 2),
    "non_saturating": ((sp(-2) + sp(1) + sp(0.5) + sp(-3)) / 2, (sp(-0.5) + sp(3)) / 2),
    "least_squares": ((0.5 + 2.0 + 0.125 + 4.5) / 2, (0.125 + 8.0) / 2),
    "wasserstein": ((-1.5 - 2.0) / 2, 1.25),
    "hinge": ((0 + 2 + 1.5 + 0) / 2, 1.25),
    "relativistic": ((sp(-1.5) + sp(-2)) / 2, (sp(1.5) + sp(2)) / 2),
}


def test_every_loss_of_the_api_is_a_row_and_has_a_case_worked_out_by_hand() -> None:
    assert LOSSES.keys() == BY_HAND.keys() == set(get_args(Loss))
    assert BEFORE_CRITIC_STEP.keys() == set(get_args(Lipschitz))


@pytest.mark.parametrize("name", BY_HAND)
def test_a_loss_is_its_formula(name: Loss) -> None:
    discriminator, generator = BY_HAND[name]
    assert LOSSES[name].discriminator(R, F).item() == pytest.approx(discriminator, rel=1e-12)
    assert LOSSES[name].generator(R, F).item() == pytest.approx(generator, rel=1e-12)


@pytest.mark.parametrize("name", BY_HAND)
def test_a_loss_has_the_gradients_of_its_formula(name: Loss) -> None:
    rng = torch.Generator().manual_seed(1)
    r = torch.randn(5, dtype=torch.float64, generator=rng)
    f = torch.randn(5, dtype=torch.float64, generator=rng).requires_grad_(True)
    both = (r.clone().requires_grad_(True), f)
    assert torch.autograd.gradcheck(LOSSES[name].discriminator, both)
    assert torch.autograd.gradcheck(lambda f: LOSSES[name].generator(r, f), (f,))


def test_minimax_saturates_where_the_discriminator_is_sure_and_its_variant_does_not() -> None:
    def push(name: Loss) -> float:
        f = torch.tensor([-15.0], requires_grad=True)
        torch.autograd.backward(LOSSES[name].generator(f.detach(), f))
        return abs(float(f.grad))

    assert push("minimax") < 1e-6
    assert push("non_saturating") > 0.99


def test_the_discriminator_loss_of_the_cross_entropy_game_is_minus_v() -> None:
    v = estimates.value(R.numpy(), F.numpy())
    assert LOSSES["minimax"].discriminator(R, F).item() == pytest.approx(-v, rel=1e-12)


def test_no_gradient_of_the_relativistic_generator_loss_flows_through_the_reals() -> None:
    r, f = R.clone().requires_grad_(True), F.clone().requires_grad_(True)
    torch.autograd.backward(LOSSES["relativistic"].generator(r, f))
    assert r.grad is None
    assert f.grad is not None


def test_the_examples_in_the_docstrings_hold() -> None:
    for module in (losses, estimates):
        assert doctest.testmod(module).attempted > 0
        assert doctest.testmod(module).failed == 0


class Linear(nn.Module):
    """D(x) = <w, x>, whose input gradient is w everywhere."""

    def __init__(self, *w: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w, dtype=torch.float64))

    def forward(self, x: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        return x.flatten(1) @ self.w


def test_zero_centred_penalty_of_a_linear_critic_is_half_its_squared_slope() -> None:
    critic, x = Linear(3.0, 4.0), torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    assert zero_centred(critic(x), x).item() == pytest.approx(12.5)


def test_one_centred_penalty_of_a_linear_critic_is_its_distance_from_slope_one() -> None:
    critic, x = Linear(3.0, 4.0), torch.randn(6, 2, dtype=torch.float64)
    alpha = torch.rand(6, dtype=torch.float64)
    assert one_centred(critic, x, x + 1, None, alpha).item() == pytest.approx(16.0)


def test_one_centred_penalty_looks_on_the_line_between_real_and_generated() -> None:
    seen: list[torch.Tensor] = []

    def critic(x: torch.Tensor, c: torch.Tensor | None) -> torch.Tensor:
        seen.append(x.detach())
        return x.square().sum(dim=1)

    real, fake = torch.ones(3, 2), torch.zeros(3, 2)
    one_centred(critic, real, fake, None, torch.tensor([0.0, 0.25, 1.0]))
    assert torch.equal(seen[0], torch.tensor([[0.0, 0.0], [0.25, 0.25], [1.0, 1.0]]))


def test_penalties_reach_the_weights_through_a_second_derivative() -> None:
    torch.manual_seed(0)
    w = torch.randn(3, dtype=torch.float64, requires_grad=True)
    x = torch.randn(4, 3, dtype=torch.float64)

    def penalty(w: torch.Tensor) -> torch.Tensor:
        held = x.clone().requires_grad_(True)
        return zero_centred(softplus(held @ w), held)

    assert torch.autograd.gradcheck(penalty, (w,))


def test_input_gradients_have_one_row_a_sample() -> None:
    x = torch.randn(5, 3, 4, 4, requires_grad=True)
    gradients = input_gradients(x.square().flatten(1).sum(dim=1), x)
    assert torch.allclose(gradients, 2 * x.detach().flatten(1))


def test_the_gradient_norm_is_over_all_parameters_together() -> None:
    network = nn.Linear(2, 1)
    network.weight.grad, network.bias.grad = torch.tensor([[3.0, 0.0]]), torch.tensor([4.0])
    assert gradient_norm(network).item() == pytest.approx(5.0)


def test_clipping_bounds_every_parameter_biases_included() -> None:
    critic = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    clip_weights(critic, 0.01)
    assert max(p.abs().max().item() for p in critic.parameters()) <= 0.01
