"""Augmentation: what each transform does to which pixels, that it can be differentiated twice, and how p moves."""

import numpy as np
import pytest
import torch
from torch import Tensor

from worker.training import augment
from worker.training.augment import DRAWS, INTERVAL, SPEED, TRANSFORMS, Strength, augmentation, draw

CHANNELS = [1, 2, 3, 4]


def images(channels: int = 3, height: int = 8, width: int = 8, count: int = 3) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(count, channels, height, width, generator=rng, dtype=torch.float64) * 2 - 1


def draws(count: int, columns: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((count, columns)))


def row(*numbers: float, count: int = 3) -> Tensor:
    return torch.tensor([numbers] * count, dtype=torch.float64)


ALWAYS, NEVER = torch.tensor(1.0), torch.tensor(0.0)


# ---- each transform, by hand ----


def test_brightness_adds_up_to_a_half_either_way() -> None:
    x = images()
    assert torch.allclose(augment.brightness(x, row(0.0)), x - 0.5)
    assert torch.allclose(augment.brightness(x, row(0.75)), x + 0.25)


def test_saturation_moves_colours_from_and_to_their_grey() -> None:
    x = images()
    grey = x.mean(dim=1, keepdim=True).expand_as(x)
    assert torch.allclose(augment.saturation(x, row(0.0)), grey)
    assert torch.allclose(augment.saturation(x, row(0.5)), x)
    assert torch.allclose(augment.saturation(x, row(0.75)), grey + 1.5 * (x - grey))


@pytest.mark.parametrize("channels", [1, 2])
def test_grey_images_have_no_saturation(channels: int) -> None:
    x = images(channels)
    assert augment.saturation(x, row(0.9)) is x


def test_contrast_moves_an_image_from_and_to_its_mean() -> None:
    x = images()
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    assert torch.allclose(augment.contrast(x, row(0.0)), mean + 0.5 * (x - mean))
    assert torch.allclose(augment.contrast(x, row(0.9)), mean + 1.4 * (x - mean))


def test_translation_moves_by_whole_pixels_and_zeros_come_in() -> None:
    """16 × 32: up to 2 down or up, up to 4 to a side."""
    x = images(height=16, width=32)
    still = augment.translation(x, row(0.5, 0.5))
    assert torch.equal(still, x)
    moved = augment.translation(x, row(0.999, 0.0))  # 2 down, 4 to the left
    assert torch.equal(moved[:, :, 2:, :-4], x[:, :, :-2, 4:])
    assert not moved[:, :, :2].any()
    assert not moved[:, :, :, -4:].any()


@pytest.mark.parametrize(("side", "furthest"), [(8, 1), (11, 1), (12, 2), (64, 8), (256, 32)])
def test_every_translation_up_to_an_eighth_is_as_likely(side: int, furthest: int) -> None:
    u = (torch.arange(2 * furthest + 1, dtype=torch.float64) + 0.5) / (2 * furthest + 1)
    line = torch.zeros(side, dtype=torch.float64)
    line[side // 2] = 1
    landed = [(matrix.double() @ line).nonzero().item() - side // 2 for matrix in augment.shifts(u, side)]
    assert landed == list(range(-furthest, furthest + 1))
    assert augment.shifts(torch.tensor([1 - 2**-24]), side).shape == (1, side, side)
    assert augment.shifts(torch.tensor([1 - 2**-24]), side)[0].sum() == side - furthest


def test_cutout_leaves_a_hole_of_half_the_sides_around_any_place() -> None:
    x = images(height=16, width=8).abs() + 0.1
    middle = augment.cutout(x, row(0.5, 0.5))  # rows 4 … 11, columns 2 … 5
    hole = torch.zeros(16, 8, dtype=torch.bool)
    hole[4:12, 2:6] = True
    assert torch.equal(middle == 0, hole.expand_as(x))
    assert torch.equal(middle[:, :, ~hole], x[:, :, ~hole])
    corner = augment.cutout(x, row(0.0, 0.0))
    assert torch.equal((corner == 0)[0, 0].nonzero().amax(dim=0), torch.tensor([3, 1])), "a quarter of the hole is left"


# ---- alpha, sizes, samples ----


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_moved_and_cut_but_never_coloured(channels: int) -> None:
    x = images(channels)
    for name, columns in [("brightness", 1), ("saturation", 1), ("contrast", 1)]:
        changed = TRANSFORMS[name].apply(x, draws(3, columns))
        assert torch.equal(changed[:, -1], x[:, -1]), name
        opaque = x[:, :-1]
        assert torch.allclose(changed[:, :-1], TRANSFORMS[name].apply(opaque, draws(3, columns))), name
    for name in ("translation", "cutout"):
        changed = TRANSFORMS[name].apply(x, draws(3, 2))
        alone = TRANSFORMS[name].apply(x[:, -1:], draws(3, 2))
        assert torch.equal(changed[:, -1:], alone), name


@pytest.mark.parametrize("size", [(8, 8), (9, 31), (64, 48)])
@pytest.mark.parametrize("channels", CHANNELS)
def test_all_kinds_and_sizes_of_images_keep_their_shape_and_type(channels: int, size: tuple[int, int]) -> None:
    x = images(channels, *size).float()
    seen = augmentation(draw(np.random.default_rng(0), 3), ALWAYS)(x)
    assert seen.shape == x.shape
    assert seen.dtype == torch.float32
    assert not torch.equal(seen, x)


def test_what_an_image_becomes_depends_on_its_own_row_alone() -> None:
    x, u = images(count=4), draws(4, DRAWS)
    whole = augmentation(u, torch.tensor(0.5))(x)
    alone = torch.cat([augmentation(u[k : k + 1], torch.tensor(0.5))(x[k : k + 1]) for k in range(4)])
    assert torch.allclose(whole, alone)


def test_a_real_and_a_generated_image_of_a_pair_go_the_same_way() -> None:
    x, u = images(), draws(3, DRAWS)
    T = augmentation(u, torch.tensor(0.5))
    assert torch.equal(T(x), T(x.clone()))


def test_a_transform_is_applied_as_often_as_the_probability_says() -> None:
    x = images(count=1).expand(2000, -1, -1, -1)
    u = draw(np.random.default_rng(1), 2000)
    assert torch.equal(augmentation(u, NEVER)(x), x)
    untouched = (augmentation(u, torch.tensor(0.3))(x) == x).flatten(1).all(dim=1).double().mean().item()
    # translation by nothing, which one draw in nine is, leaves an image as it is too
    assert untouched == pytest.approx(0.7**5 + 0.7**4 * 0.3 / 9, abs=0.03)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_can_be_differentiated_twice(name: str, channels: int) -> None:
    x = images(channels, 5, 6, count=2).requires_grad_()
    u = draws(2, TRANSFORMS[name].draws)
    assert torch.autograd.gradcheck(lambda x: TRANSFORMS[name].apply(x, u), (x,))
    assert torch.autograd.gradgradcheck(lambda x: TRANSFORMS[name].apply(x, u).tanh(), (x,))


def test_all_of_them_can_be_differentiated_twice_in_a_row() -> None:
    x = images(4, 5, 6, count=2).requires_grad_()
    T = augmentation(draws(2, DRAWS), torch.tensor(0.7))
    assert torch.autograd.gradcheck(T, (x,))
    assert torch.autograd.gradgradcheck(lambda x: T(x).tanh(), (x,))


# ---- how often ----


def test_diffaugment_always_applies_and_never_moves() -> None:
    strength = Strength("diffaugment")
    for step in range(8):
        strength.follow(torch.tensor(1.0), step, 64)
    assert strength.probability.item() == 1
    assert Strength("none").probability.item() == 0
    assert strength.state_dict() == {}, "what never moves is in no file"


def test_ada_goes_from_nothing_to_everything_in_half_a_million_images() -> None:
    strength, batch = Strength("ada"), 500
    seen = []
    for step in range(SPEED // batch + 8):
        strength.follow(torch.tensor(0.9), step, batch)
        seen.append(strength.probability.item())
    assert seen[: INTERVAL - 1] == [0.0] * (INTERVAL - 1), "the first adjustment is after the fourth step"
    assert seen[INTERVAL - 1] == pytest.approx(INTERVAL * batch / SPEED)
    assert seen[SPEED // batch // 2 - 1] == pytest.approx(0.5, abs=1e-3)
    assert seen[SPEED // batch - 1] == pytest.approx(1.0, abs=1e-3)
    assert seen[-1] == 1.0


@pytest.mark.parametrize(("signs", "direction"), [
    ((0.9, 0.9, 0.9, 0.9), 1), ((1.0, 0.2, 1.0, 0.4), 1), ((1.0, 0.2, 1.0, 0.0), -1), ((0.5, 0.5, 0.5, 0.5), -1),
])  # fmt: skip
def test_ada_goes_by_the_mean_sign_of_four_steps(signs: tuple[float, ...], direction: int) -> None:
    strength = Strength("ada")
    strength.probability.fill_(0.5)
    for step, sign in enumerate(signs):
        strength.follow(torch.tensor(sign), step, 1000)
    assert strength.probability.item() == pytest.approx(0.5 + direction * 0.008)
    assert strength.signs.item() == 0


def test_ada_never_goes_below_nothing() -> None:
    strength = Strength("ada")
    for step in range(8):
        strength.follow(torch.tensor(-1.0), step, 1000)
    assert strength.probability.item() == 0
