"""Convolutions for a CPU whose weights lie as oneDNN reads them: otherwise they are brought there at every call.

That takes as long as the convolutions of one small picture (docs/serving.md). The operators are those that PyTorch's
own compiler uses for frozen networks (`torch._inductor.fx_passes.mkldnn_fusion`), where PyTorch has oneDNN; elsewhere,
and on GPUs, networks stay as they are. What is computed is the same up to rounding.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

Convolution = nn.Conv2d | nn.ConvTranspose2d
HINTED: Final = 16
"""Pictures in the batch that the order of the weights is chosen for; others are computed too."""


class Geometry(NamedTuple):
    """A convolution's own."""

    padding: list[int]
    stride: list[int]
    dilation: list[int]
    groups: int


class Packed(nn.Module):
    """A convolution, transposed or not, for inference: (N, C, H, W) float32 in any memory format → channels last."""

    bias: Tensor | None

    def __init__(self, original: Convolution, inputs: torch.Size) -> None:
        super().__init__()
        self.geometry = geometry(original)
        self.transposed = isinstance(original, nn.ConvTranspose2d)
        hint = [HINTED, *inputs[1:]]
        operators = torch.ops.mkldnn
        self.compute: Callable[..., Tensor] = (
            operators._convolution_transpose_pointwise if self.transposed else operators._convolution_pointwise
        )
        self.weight = reordered(original.weight.detach(), self.geometry, hint, transposed=self.transposed)
        self.register_buffer("bias", None if original.bias is None else original.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        """What the original answers."""
        padding, stride, dilation, groups = self.geometry
        outside = ([0, 0],) * self.transposed
        answer: Tensor = self.compute(
            x, self.weight, self.bias, padding, *outside, stride, dilation, groups, "none", [], ""
        )
        return answer


class Spread(nn.Module):
    """A transposed convolution of a single pixel, (N, C, 1, 1) → (N, K, h, w): a matrix product, channels last."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, original: nn.ConvTranspose2d) -> None:
        super().__init__()
        weight = original.weight.detach()
        self.size = weight.shape[2:]
        area = self.size.numel()
        self.register_buffer("weight", weight.permute(2, 3, 1, 0).reshape(-1, len(weight)).contiguous())
        self.register_buffer("bias", None if original.bias is None else original.bias.detach().repeat(area))

    def forward(self, x: Tensor) -> Tensor:
        """What the original answers."""
        answer = nn.functional.linear(x.flatten(1), self.weight, self.bias)
        return answer.view(len(x), *self.size, -1).permute(0, 3, 1, 2)


def packed(original: nn.Module, inputs: torch.Size) -> nn.Module:
    """What computes in the place of a convolution that can be packed, for inputs of that size."""
    assert isinstance(original, nn.Conv2d | nn.ConvTranspose2d)
    alone = inputs[2:].numel() == 1 and not any(original.padding) and original.groups == 1
    if isinstance(original, nn.ConvTranspose2d) and alone:
        return Spread(original)
    return Packed(original, inputs)


def geometry(original: Convolution) -> Geometry:
    """How a convolution moves over its input."""
    assert not isinstance(original.padding, str)
    return Geometry(list(original.padding), list(original.stride), list(original.dilation), original.groups)


def reordered(weight: Tensor, shape: Geometry, hint: list[int], *, transposed: bool) -> Tensor:
    """The weights in oneDNN's own order, which no other operator reads."""
    padding, stride, dilation, groups = shape
    operators = torch.ops.mkldnn
    reorder: Callable[..., Tensor] = (
        operators._reorder_convolution_transpose_weight if transposed else operators._reorder_convolution_weight
    )
    return reorder(weight, padding, *([0, 0],) * transposed, stride, dilation, groups, hint)


def packable(module: nn.Module) -> bool:
    """Whether a module is a convolution that oneDNN computes as it is."""
    if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d) or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    plain = module.padding_mode == "zeros" and not isinstance(module.padding, str)
    return plain and not any(module.output_padding) and module.weight.dtype == torch.float32


@torch.no_grad()
def pack(network: nn.Module, *inputs: Tensor | None) -> None:
    """Packs a network's convolutions in place, for the sizes that arise when it is run on `inputs`."""
    for name, size in input_sizes(network, *inputs).items():
        network.set_submodule(name, packed(network.get_submodule(name), size))


def input_sizes(network: nn.Module, *inputs: Tensor | None) -> dict[str, torch.Size]:
    """What reaches each convolution that can be packed, by the convolution's name."""
    seen: dict[str, torch.Size] = {}

    def watched(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        return module.register_forward_pre_hook(lambda _, given: seen.__setitem__(name, given[0].shape))

    hooks = [watched(name, module) for name, module in network.named_modules() if packable(module)]
    try:
        network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return seen
