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


FEW: Final = 4
"""Channels of a picture: convolutions to as few are computed apart, see `Scattered`."""


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


class Scattered(nn.Module):
    """A convolution to few channels, (N, C, H, W) → (N, K, h, w), channels last: one matrix product, then shifted sums.

    Every pixel is multiplied by the weights of every tap, and the products are added up where they belong ("col2im").
    oneDNN computes sixteen channels at a time at least, of which a picture has three. A convolution that is not
    transposed is one that is, its weights turned around. With stride s, the s·s pixels that stand between the same four
    inputs lie in planes of their own until all is added up.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, original: Convolution) -> None:
        super().__init__()
        weight, self.crop = as_transposed(original)
        self.stride = strided(original)
        self.kernel = (weight.shape[2], weight.shape[3])
        self.taps = tuple(-(-size // stride) for size, stride in zip(self.kernel, self.stride, strict=True))
        self.register_buffer("weight", self._by_tap(weight))
        self.register_buffer("bias", None if original.bias is None else original.bias.detach().view(-1, 1, 1))

    def _by_tap(self, weight: Tensor) -> Tensor:
        """(C, K, height, width) → (taps · places · K, C), the kernel filled up with zeros to whole strides."""
        missing = [taps * stride - size for taps, stride, size in zip(self.taps, self.stride, self.kernel, strict=True)]
        filled = nn.functional.pad(weight, (0, missing[1], 0, missing[0]))
        (down, right), (high, wide) = self.taps, self.stride
        split = filled.reshape(*weight.shape[:2], down, high, right, wide)
        return split.permute(2, 4, 3, 5, 1, 0).reshape(-1, len(weight)).contiguous()

    def forward(self, x: Tensor) -> Tensor:
        """What the original answers."""
        (height, width), (down, right) = x.shape[2:], self.taps
        products = torch.matmul(self.weight, x.flatten(2)).view(len(x), down, right, -1, height, width)
        planes = x.new_zeros(len(x), products.shape[3], height + down - 1, width + right - 1)
        for i in range(down):
            for j in range(right):
                planes[:, :, i : i + height, j : j + width] += products[:, i, j]
        whole = self._interleaved(planes)[self._inside(height, width)]
        return whole if self.bias is None else whole + self.bias

    def _interleaved(self, planes: Tensor) -> Tensor:
        """(N, places · K, H, W) → (N, K, strides · H, strides · W)."""
        count, _, height, width = planes.shape
        apart = planes.view(count, *self.stride, -1, height, width).permute(0, 4, 1, 5, 2, 3)
        return apart.flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)

    def _inside(self, *size: int) -> tuple[slice, ...]:
        """Where the answer lies in the sums, for an input of that size."""
        axes = zip(size, self.stride, self.kernel, self.crop, strict=True)
        kept = (slice(crop, stride * (n - 1) + kernel - crop) for n, stride, kernel, crop in axes)
        return slice(None), slice(None), *kept


def as_transposed(original: Convolution) -> tuple[Tensor, list[int]]:
    """The weights (C, K, height, width) of the transposed convolution that a convolution is, and what it cuts off."""
    padding, weight = geometry(original).padding, original.weight.detach()
    if isinstance(original, nn.ConvTranspose2d):
        return weight, padding
    crop = [size - 1 - around for size, around in zip(original.kernel_size, padding, strict=True)]
    return weight.transpose(0, 1).flip(2, 3), crop


def strided(original: Convolution) -> tuple[int, int]:
    """How far apart the inputs of a transposed convolution stand in what it puts out."""
    down, right = original.stride
    return (down, right) if isinstance(original, nn.ConvTranspose2d) else (1, 1)


def scatters(original: Convolution) -> bool:
    """Whether a convolution is one that `Scattered` computes: to few channels, from more than one pixel each."""
    padding, stride, dilation, groups = geometry(original)
    simple = groups == 1 and dilation == [1, 1] and original.out_channels <= FEW < original.in_channels
    transposed = isinstance(original, nn.ConvTranspose2d)
    fits = all(around < size for around, size in zip(padding, original.kernel_size, strict=True))
    return simple and (transposed or stride == [1, 1]) and fits and max(original.kernel_size) > 1


def packed(original: nn.Module, inputs: torch.Size) -> nn.Module:
    """What computes in the place of a convolution that can be packed, for inputs of that size."""
    assert isinstance(original, nn.Conv2d | nn.ConvTranspose2d)
    alone = inputs[2:].numel() == 1 and not any(original.padding) and original.groups == 1
    if isinstance(original, nn.ConvTranspose2d) and alone:
        return Spread(original)
    if scatters(original):
        return Scattered(original)
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
