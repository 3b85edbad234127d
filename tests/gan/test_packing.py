"""What packed convolutions answer is what the network answers, for every architecture and size of batch."""

import pytest
import torch
from torch import nn

from gan.networks.build import build_discriminator, build_generator, discriminator_example, generator_example
from gan.networks.folding import for_serving
from gan.networks.packing import Packed, Scattered, Spread, pack
from gan.spec import Conditioning, ImageShape, NetworkSpec

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this PyTorch has no oneDNN")

NONE = Conditioning()
CLASSES = Conditioning(kind="class", size=3)
IMAGE = Conditioning(kind="image", size=1)


def spec(architecture: str, conditioning: Conditioning = NONE, side: int = 16, **more) -> NetworkSpec:
    shape = ImageShape(channels=3, height=side, width=side + 2)
    return NetworkSpec(
        architecture=architecture, width=8, latent_dim=5, latent_distribution="normal", shape=shape,
        conditioning=conditioning, **more,
    )  # fmt: skip


SPECS = [
    spec("dcgan", batch_norm=True),
    spec("dcgan", CLASSES, side=32),
    spec("plain", CLASSES),
    spec("resnet", batch_norm=True),
    spec("r3", CLASSES),
    spec("unet", IMAGE),
]


def shaken(network: nn.Module) -> nn.Module:
    """In eval mode, with no weight or statistic left at zero, where mistakes would not show."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand(tensor.shape, generator=generator) * 0.1)
    return network.eval()


def rows(*example, count: int):
    generator = torch.Generator().manual_seed(count)
    return [None if one is None else torch.randn(count, *one.shape[1:], generator=generator) for one in example]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.architecture}-{spec.conditioning.kind}")
@pytest.mark.parametrize("part", ["generator", "discriminator"])
def test_a_packed_network_answers_as_before_in_batches_of_any_size(spec, part):
    build, example = {
        "generator": (build_generator, generator_example),
        "discriminator": (build_discriminator, discriminator_example),
    }[part]
    as_trained, served, exact = (shaken(build(spec, seed=1)) for _ in range(3))
    pack(for_serving(served), *example(spec))
    exact.double()
    convolutions = [m for m in served.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert not convolutions
    assert any(isinstance(m, Packed | Spread) for m in served.modules())
    for count in (1, 2, 16, 33):
        given = rows(*example(spec), count=count)
        with torch.inference_mode():
            before, after = as_trained(*given), served(*given)
            right = exact(*(None if one is None else one.double() for one in given))
        assert after.shape == before.shape
        assert furthest(after, right) <= 4 * furthest(before, right) + 1e-6 * float(right.abs().max())


def furthest(found: torch.Tensor, right: torch.Tensor) -> float:
    """The largest error; how large rounding makes it depends on the network and on the processor."""
    return float((found - right).abs().max())


def test_a_spectrally_normalised_discriminator_is_packed_with_the_weights_that_it_multiplies_by():
    normalised = spec("dcgan", spectral_norm=True)
    as_trained, served = (build_discriminator(normalised, seed=1).eval() for _ in range(2))
    pack(for_serving(served), *discriminator_example(normalised))
    given = rows(*discriminator_example(normalised), count=4)
    with torch.inference_mode():
        torch.testing.assert_close(served(*given), as_trained(*given), rtol=1e-4, atol=1e-5)


def test_what_onednn_cannot_pack_stays_as_it_is():
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), nn.Conv2d(2, 2, 3, padding="same"),
        nn.ConvTranspose2d(2, 2, 3, stride=2, output_padding=1), nn.Conv2d(2, 2, 1).double(),
    )  # fmt: skip
    before = list(network)
    pack(network[:3], torch.zeros(1, 1, 4, 4))
    assert list(network) == before


@pytest.mark.parametrize(
    "original",
    [
        nn.ConvTranspose2d(6, 3, 4, stride=2, padding=1, bias=False),
        nn.ConvTranspose2d(6, 1, 5, stride=2, padding=2),
        nn.ConvTranspose2d(6, 4, (3, 4), stride=(1, 3), padding=(0, 1)),
        nn.Conv2d(6, 3, 3, padding=1),
        nn.Conv2d(6, 2, (5, 1), padding=(1, 0), bias=False),
    ],
)
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_a_convolution_to_few_channels_is_a_product_and_shifted_sums(original, memory_format):
    network = nn.Sequential(original)
    for count, height, width in ((1, 5, 7), (3, 8, 6)):
        x = torch.randn(count, 6, height, width, generator=torch.Generator().manual_seed(count))
        x = x.to(memory_format=memory_format)
        with torch.inference_mode():
            before = original(x)
            pack(network, x)
            assert isinstance(network[0], Scattered)
            torch.testing.assert_close(network(x), before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "original",
    [
        nn.Conv2d(6, 3, 1), nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(6, 5, 3, padding=1),
        nn.Conv2d(6, 3, 3, padding=1, stride=2), nn.Conv2d(6, 3, 3, padding=3), nn.Conv2d(6, 3, 3, dilation=2),
        nn.Conv2d(6, 3, 3, groups=3),
    ],
)  # fmt: skip
def test_any_other_is_packed(original):
    network = nn.Sequential(original)
    x = torch.randn(2, original.in_channels, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = original(x)
        pack(network, x)
        assert isinstance(network[0], Packed)
        torch.testing.assert_close(network(x), before, rtol=1e-5, atol=1e-5)
