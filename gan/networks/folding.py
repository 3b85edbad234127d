"""A generator as it is served: batch norm folded into the convolutions before it, weights with channels side by side.

With the statistics of training, batch norm is a multiplication and an addition a channel, which a convolution's own
weights and bias can do. What is computed is the same up to rounding; a test holds it to a level of 255.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gan.networks.dcgan import DcganGenerator
from gan.networks.resnet import UpBlock


def for_serving(network: nn.Module) -> nn.Module:
    """The network, in eval mode, changed in place: never train it again, never save it."""
    for module in list(network.modules()):
        for convolution, norm in FOLDS.get(type(module), nothing)(module):
            _fold(module, convolution, norm)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]  # not in the stub


Pair = tuple[str, str]
"""A convolution and the batch norm right behind it, by their names in a module."""


def nothing(_: nn.Module) -> list[Pair]:
    """Of a module that has no such pair."""
    return []


def of_dcgan(network: nn.Module) -> list[Pair]:
    """Every stage but the last."""
    assert isinstance(network, DcganGenerator)
    return [("base", "base_norm"), *((f"up.{k}", f"norms.{k}") for k in range(len(network.norms)))]


def of_block(_: nn.Module) -> list[Pair]:
    """The norm between a block's convolutions; the one before them follows a sum, and stays."""
    return [("spatial1", "norm2")]


FOLDS: dict[type[nn.Module], Callable[[nn.Module], list[Pair]]] = {DcganGenerator: of_dcgan, UpBlock: of_block}
"""Module → what in it is folded."""


def _fold(module: nn.Module, convolution: str, norm: str) -> None:
    first, second = module.get_submodule(convolution), module.get_submodule(norm)
    assert isinstance(first, nn.Conv2d | nn.ConvTranspose2d)
    assert isinstance(second, nn.BatchNorm2d)
    fused = fuse_conv_bn_eval(first, second, transpose=isinstance(first, nn.ConvTranspose2d))
    module.set_submodule(convolution, fused)
    module.set_submodule(norm, nn.Identity())
