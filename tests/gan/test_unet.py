"""A generator from image to image: any size, z that matters at every size, and a discriminator that sees both."""

import pytest
import torch
from torch import nn

from gan.networks.build import build_discriminator, build_generator
from gan.networks.conditioning import PairedInput
from gan.spec import Conditioning, ImageShape, NetworkSpec


def spec(height: int = 8, width: int = 8, channels: int = 3, inputs: int = 1, **more: object) -> NetworkSpec:
    shape = ImageShape(channels=channels, height=height, width=width)
    given = {"architecture": "unet", "width": 4, "latent_dim": 5, "latent_distribution": "normal"} | more
    return NetworkSpec(shape=shape, conditioning=Conditioning(kind="image", size=inputs), **given)


def batch(one: NetworkSpec, count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    noise = torch.Generator().manual_seed(0)
    z = torch.randn(count, one.latent_dim, generator=noise)
    return z, torch.rand(count, one.conditioning.size, one.shape.height, one.shape.width, generator=noise) * 2 - 1


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 15), (16, 8), (64, 40), (256, 256)])
@pytest.mark.parametrize(("inputs", "channels"), [(1, 3), (4, 1)])
def test_any_size_and_any_channels_on_either_side(height: int, width: int, inputs: int, channels: int) -> None:
    one = spec(height, width, channels, inputs)
    z, c = batch(one)
    made = build_generator(one)(z, c)
    assert made.shape == (3, channels, height, width)
    assert build_discriminator(one)(made, c).shape == (3,)


def test_what_is_made_depends_on_z_and_on_every_part_of_the_input() -> None:
    one = spec(16, 16)
    z, c = batch(one)
    c.requires_grad_(True)
    generator = build_generator(one)
    made = generator(z, c)
    assert (generator(z.flip(0), c) - made).abs().mean() > 0.1
    (gradient,) = torch.autograd.grad(made.square().sum(), c)
    assert (gradient != 0).all()


def test_z_enters_below_and_at_every_size_of_the_decoder() -> None:
    """With one way in alone, what is made still depends on z."""
    one = spec(32, 32)
    names = [name for name, _ in build_generator(one).named_parameters() if name.endswith("linear.weight")]
    assert names == ["linear.weight", *(f"decode.{k}.modulate.linear.weight" for k in range(3))]
    z, c = batch(one)
    for kept in names:
        generator = build_generator(one)
        with torch.no_grad():
            for name, parameter in generator.named_parameters():
                if name in names and name != kept:
                    parameter.zero_()
            assert (generator(z.flip(0), c) - generator(z, c)).abs().mean() > 0.01, kept


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    one = spec()
    z, c = batch(one)
    generator, discriminator = build_generator(one), build_discriminator(one)
    made = generator(z, c)
    assert torch.allclose(generator(z[1:2], c[1:2]), made[1:2], atol=1e-5)
    assert torch.allclose(discriminator(made[1:2], c[1:2]), discriminator(made, c)[1:2], atol=1e-5)


def test_the_discriminator_tells_one_input_from_another() -> None:
    one = spec()
    z, c = batch(one)
    x = build_generator(one)(z, c)
    discriminator = build_discriminator(one)
    assert (discriminator(x, c) - discriminator(x, c.flip(0))).abs().max() > 1e-3


def test_spectral_norm_holds_every_layer_that_sees_a_pair() -> None:
    one = spec(spectral_norm=True)
    z, c = batch(one)
    discriminator = build_discriminator(one)
    for _ in range(30):
        logits = discriminator(build_generator(one)(z, c), c)
    assert logits.shape == (3,)
    layers = [module for module in discriminator.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    norms = [torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() for layer in layers]
    assert norms == pytest.approx([1.0] * len(layers), abs=0.05)


def test_no_discriminator_here_normalises_by_the_batch() -> None:
    one = spec(batch_norm=True)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in build_discriminator(one).modules())


def test_a_pair_is_the_image_with_its_input_behind_it() -> None:
    x, c = torch.zeros(2, 3, 8, 8), torch.ones(2, 1, 8, 8)
    pair = PairedInput(3, Conditioning(kind="image", size=1))
    assert pair.channels == 4
    assert torch.equal(pair(x, c), torch.cat([x, c], dim=1))
    alone = PairedInput(3, Conditioning(kind="class", size=7))
    assert alone.channels == 3
    assert alone(x, torch.ones(2, 7)) is x
