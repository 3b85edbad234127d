"""Residual networks: shapes of every size, sizes as the paper's tables have them, and what a block computes."""

from itertools import pairwise
from typing import get_args

import pytest
import torch
from torch import nn

from gan.choosing import IMAGE_SIDES, resolve
from gan.networks.build import build_discriminator, build_generator, parameter_count
from gan.networks.resnet import DownBlock, FirstBlock, UpBlock, channels_by_stage, double, halve
from gan.spec import Conditioning, DatasetFacts, ImageShape, NetworkSpec, TrainRequest

CHANNELS = get_args(ImageShape.model_fields["channels"].annotation)
SIZES = [(8, 8), (9, 128), (16, 16), (28, 28), (33, 50), (24, 96), (64, 64), (127, 65), (128, 128), (256, 256)]
CONDITIONINGS = [Conditioning(), Conditioning(kind="class", size=5), Conditioning(kind="vector", size=3)]


def network(height: int, across: int, channels: int = 3, **changes: object) -> NetworkSpec:
    shape = ImageShape(channels=channels, height=height, width=across)
    values = {"architecture": "resnet", "width": 4, "latent_dim": 7, "latent_distribution": "normal", "shape": shape}
    return NetworkSpec.model_validate(values | changes)


@pytest.mark.parametrize("conditioning", CONDITIONINGS, ids=lambda c: c.kind)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_images_of_every_size_are_made_and_judged(size: tuple[int, int], conditioning: Conditioning) -> None:
    for channels in CHANNELS:
        spec = network(*size, channels=channels, conditioning=conditioning)
        c = torch.randn(2, conditioning.size) if conditioning.size else None
        images = build_generator(spec)(torch.randn(2, 7), c)
        assert images.shape == (2, channels, *size)
        assert images.abs().max() <= 1
        assert build_discriminator(spec)(images, c).shape == (2,)


@pytest.mark.parametrize("width", [4, 7, 13, 25, 100])
def test_any_width_can_be_built(width: int) -> None:
    spec = network(8, 8, channels=1, width=width)
    assert build_discriminator(spec)(build_generator(spec)(torch.randn(1, 7))).shape == (1,)


# ---- the published tables (Miyato 2018, appendix B: tables 4 and 5) ----


def convolution(a: int, b: int, side: int = 3) -> int:
    return a * b * side * side + b


def up_block(a: int, b: int) -> int:
    """Two batch norms of two numbers a channel, two 3×3, a 1×1 where the channels change."""
    return 2 * a + 2 * b + convolution(a, b) + convolution(b, b) + (convolution(a, b, 1) if a != b else 0)


def down_block(a: int, b: int) -> int:
    between = min(a, b)
    return convolution(a, between) + convolution(between, b) + (convolution(a, b, 1) if a != b else 0)


@pytest.mark.parametrize(
    ("side", "base", "channels"),
    [(48, 6, [512, 256, 128, 64]), (128, 4, [1024, 1024, 512, 256, 128, 64])],
    ids=["STL-10", "ImageNet"],
)
def test_width_64_has_the_layers_of_the_published_tables(side: int, base: int, channels: list[int]) -> None:
    spec = network(side, side, width=64, latent_dim=128)
    generator, critic = build_generator(spec), build_discriminator(spec)
    blocks = sum(up_block(a, b) for a, b in pairwise(channels))
    linear, last = 129 * channels[0] * base**2, 2 * 64 + convolution(64, 3)
    assert parameter_count(generator) == linear + blocks + last
    first = convolution(3, 64) + convolution(64, 64) + convolution(3, 64, 1)
    blocks = sum(down_block(a, b) for a, b in pairwise(channels[::-1]))
    assert parameter_count(critic) == first + blocks + channels[0] + 1


def test_the_largest_sizes_stay_at_sixteen_times_the_width() -> None:
    assert channels_by_stage(4, 7) == [64, 64, 64, 32, 16, 8, 4]


# ---- what a block computes ----


def test_doubling_repeats_pixels_and_halving_means_them_even_at_an_odd_edge() -> None:
    x = torch.arange(1.0, 7).view(1, 1, 2, 3)
    doubled = double(x, (3, 6))
    assert doubled[0, 0].tolist() == [[1, 1, 2, 2, 3, 3]] * 2 + [[4, 4, 5, 5, 6, 6]]
    assert halve(x)[0, 0].tolist() == [[3.0, 4.5]]
    assert torch.equal(halve(double(x, (4, 6))), x)


def silenced(block: nn.Module) -> nn.Module:
    """The block with its branch switched off, so that the skip is left."""
    block.spatial2.weight.data.zero_()
    return block


def test_the_skip_is_the_image_itself_resampled_or_mixed_where_the_channels_change() -> None:
    x = torch.randn(2, 4, 6, 6)
    assert torch.equal(silenced(UpBlock(4, 4, (11, 12)))(x), double(x, (11, 12)))
    assert torch.equal(silenced(DownBlock(4, 4, halves=True))(x), halve(x))
    assert torch.equal(silenced(DownBlock(4, 4, halves=False))(x), x)
    for block, where in [(DownBlock(4, 6, halves=True), halve(x)), (FirstBlock(4, 6), halve(x))]:
        assert torch.allclose(silenced(block)(x), block.skip(where), atol=1e-6)
    up = silenced(UpBlock(4, 6, (12, 12)))
    assert torch.allclose(up(x), up.skip(double(x, (12, 12))), atol=1e-6), "1×1 and repeating may change places"


def test_only_the_first_block_sees_negative_inputs_in_its_branch() -> None:
    """A ReLU at the image would make everything darker than middle grey the same."""
    dark, darker = torch.full((1, 4, 8, 8), -0.5), torch.full((1, 4, 8, 8), -0.9)
    first, later = FirstBlock(4, 4), DownBlock(4, 4, halves=True)
    assert torch.allclose(later(dark) - later.skip(halve(dark)), later(darker) - later.skip(halve(darker)), atol=1e-6)
    assert not torch.allclose(
        first(dark) - first.skip(halve(dark)), first(darker) - first.skip(halve(darker)), atol=1e-6
    )


@pytest.mark.parametrize("side", [8, 32, 128])
def test_a_new_network_neither_explodes_nor_fades(side: int) -> None:
    spec = network(side, side, width=8, latent_dim=64)
    rng = torch.Generator().manual_seed(0)
    images = build_generator(spec, seed=1)(torch.randn(16, 64, generator=rng))
    x = (torch.rand(16, 3, side, side, generator=rng) * 2 - 1).requires_grad_()
    logits = build_discriminator(spec, seed=1)(x)
    (slope,) = torch.autograd.grad(logits.sum(), x)
    assert 0.2 < images.std() < 0.9
    assert 1e-3 < slope.flatten(1).norm(dim=1).mean() < 10
    assert logits.abs().max() < 30


def test_batch_norm_is_in_the_generator_alone_and_spectral_norm_on_every_weight_of_the_critic() -> None:
    facts = DatasetFacts(count=500, shape=ImageShape(channels=3, height=32, width=32), classes=("a", "b"))
    for recipe in ("sngan", "wgan-gp"):
        asked = TrainRequest(type="train", dataset="d", model="m", recipe=recipe)
        spec = resolve(asked, facts, "cpu")
        assert spec.network.architecture == "resnet"
        assert not spec.network.batch_norm
        assert any(isinstance(m, nn.BatchNorm2d) for m in build_generator(spec.network).modules())
        critic = build_discriminator(spec.network)
        assert not any(isinstance(m, nn.BatchNorm2d) for m in critic.modules())
        weighted = [m for m in critic.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        assert all(hasattr(m, "parametrizations") is (recipe == "sngan") for m in weighted)


def test_a_spectrally_normalised_class_weighs_as_much_as_the_picture_alone() -> None:
    """Both layers of the head have norm one, and neither is scaled: 1/√features of it would not be heard."""
    spec = network(8, 8, conditioning=CONDITIONINGS[1], spectral_norm=True)
    head = build_discriminator(spec).head
    features, c = torch.randn(64, 8), torch.eye(5)[torch.arange(64) % 5]
    for _ in range(50):
        head(features, c)
    alone = head.linear(features).squeeze(1)
    assert torch.allclose(head(features, c) - alone, (features * head.embed(c)).sum(dim=1), atol=1e-5)
    assert torch.linalg.matrix_norm(head.embed.linear.weight, 2).item() == pytest.approx(1.0, abs=0.02)


def test_all_sides_that_are_offered_can_be_built() -> None:
    for side in IMAGE_SIDES:
        for other in IMAGE_SIDES:
            assert build_generator(network(side, other))(torch.randn(2, 7)).shape[2:] == (side, other)
