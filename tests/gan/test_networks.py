"""Networks: the shapes they make, the published sizes, and how conditions enter them."""

from itertools import pairwise

import pytest
import torch

from gan.networks.build import build_discriminator, build_generator, parameter_count
from gan.networks.conditioning import standardise_conditions
from gan.networks.dcgan import DcganDiscriminator
from gan.networks.r3 import Downsample, ResidualBlock, Upsample, group_count
from gan.networks.sizes import stage_sizes
from gan.spec import Conditioning, ImageShape, NetworkSpec, PointShape

SHAPES = [(1, 8, 8), (3, 16, 16), (1, 28, 28), (3, 33, 50), (3, 64, 64), (1, 24, 96), (3, 9, 128)]
CONDITIONINGS = [Conditioning(), Conditioning(kind="class", size=5), Conditioning(kind="vector", size=3)]


def network(architecture: str, shape: ImageShape | PointShape, **changes: object) -> NetworkSpec:
    values = {
        "architecture": architecture,
        "width": 8,
        "latent_dim": 7,
        "latent_distribution": "normal",
        "shape": shape,
    }
    return NetworkSpec.model_validate(values | changes)


def condition(conditioning: Conditioning, count: int) -> torch.Tensor | None:
    return torch.randn(count, conditioning.size) if conditioning.size else None


@pytest.mark.parametrize("conditioning", CONDITIONINGS, ids=lambda c: c.kind)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("architecture", ["dcgan", "plain", "r3", "mlp"])
def test_an_image_network_makes_and_judges_the_shape_it_is_asked_for(architecture, shape, conditioning) -> None:
    channels, height, width = shape
    spec = network(architecture, ImageShape(channels=channels, height=height, width=width), conditioning=conditioning)
    c = condition(conditioning, 2)
    images = build_generator(spec)(torch.randn(2, 7), c)
    assert images.shape == (2, channels, height, width)
    assert build_discriminator(spec)(images, c).shape == (2,)


@pytest.mark.parametrize("conditioning", CONDITIONINGS, ids=lambda c: c.kind)
@pytest.mark.parametrize("dims", [1, 2, 10])
def test_an_mlp_makes_and_judges_points(dims, conditioning) -> None:
    spec = network("mlp", PointShape(dims=dims), conditioning=conditioning)
    c = condition(conditioning, 3)
    points = build_generator(spec)(torch.randn(3, 7), c)
    assert points.shape == (3, dims)
    assert build_discriminator(spec)(points, c).shape == (3,)


def test_r3_resamples_by_one_two_one() -> None:
    """Doubling puts the mean of two neighbours between them; halving weighs a pixel twice and its neighbours once."""
    impulse = torch.zeros(1, 1, 4, 5)
    impulse[..., 2] = 1
    doubled = Upsample(1, 1, (8, 10))(impulse)
    assert doubled[0, 0, 0].tolist() == [0, 0, 0, 0.5, 1, 0.5, 0, 0, 0, 0]
    assert Upsample(1, 1, (7, 9))(impulse).shape == (1, 1, 7, 9)
    halve = Downsample(1, 1)
    line = torch.arange(9.0).expand(1, 1, 8, 9)
    assert halve(line)[0, 0, 0].tolist() == [0.25, 2, 4, 6, 7.75]
    one = torch.zeros(1, 1, 8, 8)
    one[..., 3] = 1
    assert halve(one)[0, 0, 0].tolist() == [0, 0.25, 0.25, 0]


def test_width_64_at_64_pixels_is_the_published_dcgan_generator() -> None:
    spec = network("dcgan", ImageShape(channels=3, height=64, width=64), width=64, latent_dim=100, batch_norm=True)
    assert parameter_count(build_generator(spec)) == 3_576_704


def test_dcgan_has_batch_norm_in_the_critic_only_where_the_spec_says_so() -> None:
    shape = ImageShape(channels=3, height=32, width=32)
    for wanted in (True, False):
        critic = build_discriminator(network("dcgan", shape, batch_norm=wanted))
        assert isinstance(critic, DcganDiscriminator)
        assert any(isinstance(m, torch.nn.BatchNorm2d) for m in critic.modules()) is wanted


@pytest.mark.parametrize("width", [4, 7, 13, 25, 41, 50, 100, 255])
def test_any_width_can_be_built(width: int) -> None:
    for architecture in ("dcgan", "plain", "r3"):
        spec = network(architecture, ImageShape(channels=1, height=8, width=8), width=width)
        assert build_discriminator(spec)(build_generator(spec)(torch.randn(1, 7), None), None).shape == (1,)


def test_the_grouped_convolution_divides_every_number_of_channels_evenly() -> None:
    assert all(channels % group_count(channels) == 0 for channels in range(1, 4000))
    assert (group_count(1536), group_count(48), group_count(8)) == (96, 3, 1)


def test_a_new_residual_block_is_the_identity() -> None:
    x = torch.randn(2, 32, 8, 8)
    assert torch.equal(ResidualBlock(32, depth=8)(x), x)


def test_an_r3_network_keeps_the_scale_of_what_it_is_given() -> None:
    spec = network("r3", ImageShape(channels=3, height=64, width=64), width=16, latent_dim=64)
    images = build_generator(spec, seed=1)(torch.randn(64, 64, generator=torch.Generator().manual_seed(0)), None)
    assert 0.2 < images.std().item() < 2.0


@pytest.mark.parametrize("side", [8, 33, 128])
def test_a_plain_network_keeps_the_scale_of_what_it_is_given_at_any_depth(side: int) -> None:
    """Without a norm to mend it, a scale that halved at every layer would leave nothing to learn from."""
    spec = network("plain", ImageShape(channels=3, height=side, width=side), width=32, latent_dim=64)
    rng = torch.Generator().manual_seed(0)
    images = build_generator(spec, seed=1)(torch.randn(64, 64, generator=rng), None)
    assert 0.4 < images.std().item() < 0.8
    noise = torch.randn(64, 3, side, side, generator=rng)
    assert 0.5 < build_discriminator(spec, seed=1)(noise, None).std().item() < 2.0


def test_stage_sizes_end_in_the_image_and_every_stage_covers_the_next() -> None:
    for height in range(8, 129, 7):
        for width in range(8, 129, 11):
            sizes = stage_sizes(ImageShape(channels=1, height=height, width=width))
            assert sizes[-1] == (height, width)
            assert 4 <= min(sizes[0]) < 8
            for (h, w), (taller, wider) in pairwise(sizes):
                assert taller in (2 * h, 2 * h - 1)
                assert wider in (2 * w, 2 * w - 1)


def test_one_input_has_many_outputs_and_the_condition_changes_them() -> None:
    spec = network("r3", ImageShape(channels=1, height=8, width=8), conditioning=CONDITIONINGS[1])
    generator = build_generator(spec)
    z, one_hot = torch.randn(2, 7), torch.eye(5)
    first, second = generator(z, one_hot[[0, 0]])
    assert not torch.allclose(first, second)
    assert not torch.allclose(first, generator(z, one_hot[[1, 1]])[0])


def test_a_mixture_of_two_classes_lies_between_them_in_the_embedding() -> None:
    embed = build_generator(network("mlp", PointShape(dims=2), conditioning=CONDITIONINGS[1])).input.embed
    mixed = embed(torch.tensor([[0.5, 0.5, 0, 0, 0]]))
    assert torch.allclose(mixed, embed(torch.eye(5)[:2]).mean(dim=0, keepdim=True), atol=1e-6)


def test_vector_conditions_are_standardised_by_the_training_data() -> None:
    generator = build_generator(network("mlp", PointShape(dims=2), conditioning=CONDITIONINGS[2]))
    conditions = torch.randn(500, 3) * 40 + 1000
    standardise_conditions(generator, conditions)
    embed = generator.input.embed
    assert torch.allclose(embed(conditions), embed.linear((conditions - 1000) / 40), atol=0.5)


@pytest.mark.parametrize("architecture", ["dcgan", "plain", "r3", "mlp"])
def test_a_spectrally_normalised_critic_has_largest_singular_value_one(architecture) -> None:
    shape = PointShape(dims=2) if architecture == "mlp" else ImageShape(channels=3, height=16, width=16)
    critic = build_discriminator(network(architecture, shape, spectral_norm=True))
    x = torch.randn(4, 2) if architecture == "mlp" else torch.randn(4, 3, 16, 16)
    for _ in range(60):  # the power iteration converges over steps
        critic(x, None)
    weights = [m.weight for m in critic.modules() if hasattr(m, "parametrizations")]
    assert weights
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1.0, abs=0.05)


def test_the_same_seed_builds_the_same_weights_whatever_was_drawn_before() -> None:
    spec = network("dcgan", ImageShape(channels=1, height=16, width=16))
    first = build_generator(spec, seed=3).state_dict()
    torch.randn(100)
    second = build_generator(spec, seed=3).state_dict()
    other = build_generator(spec, seed=4).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["base.weight"], other["base.weight"])
