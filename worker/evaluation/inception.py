"""Inception v3 as Fréchet distances are published with: features (N, 2048) of images, from a file of weights.

The network of Szegedy 2016 as TensorFlow's graph of 2015-12-05 has it, which differs from the paper's in three places:
padding does not count in averages, the last block takes a maximum where the others average, and there are 1,008 classes
(whose layer is loaded and not used). Names of tensors are those of the weight files that go round, so that one loads.
Ganymede carries no weights. The libraries with this network read their files as pickles that may run code, and need a
torchvision built for the very torch in use; hence a network of our own.
"""

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d, relu

from gan.errors import ExtractorUnusable

SIDE = 299
FEATURES = 2048
CLASSES = 1008
Size = int | tuple[int, int]


class Conv(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: Size, stride: int = 1, padding: Size = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, outputs, H', W')."""
        return relu(self.bn(self.conv(x)))


def average(x: Tensor) -> Tensor:
    """3×3 means at stride 1, over what is there."""
    return avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def maximum(x: Tensor) -> Tensor:
    """3×3 maxima at stride 1."""
    return max_pool2d(x, 3, stride=1, padding=1)


class Branches(nn.Module):
    """A block whose branches are chains of its own layers, all of the same input; their outputs are put side by side.

    `rows`: layer → (inputs, outputs, size, stride, padding). `chains`: each a list of layers' names.
    """

    rows: dict[str, tuple[int, int, Size, int, Size]]
    chains: list[list[str]]

    def __init__(self) -> None:
        super().__init__()
        for name, row in self.rows.items():
            self.add_module(name, Conv(*row))

    def run(self, names: list[str], x: Tensor) -> Tensor:
        """The layers of a chain, one after the other."""
        for name in names:
            x = self.get_submodule(name)(x)
        return x

    def pooled(self, x: Tensor) -> Tensor:
        """The branch that begins, or is, a pooling."""
        return self.run(["branch_pool"], average(x))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, sum of outputs, H', W')."""
        return torch.cat([*(self.run(chain, x) for chain in self.chains), self.pooled(x)], dim=1)


class BlockA(Branches):
    """1×1, 5×5, double 3×3 and pooling, at 35×35."""

    def __init__(self, inputs: int, pool: int) -> None:
        self.rows = {
            "branch1x1": (inputs, 64, 1, 1, 0),
            "branch5x5_1": (inputs, 48, 1, 1, 0),
            "branch5x5_2": (48, 64, 5, 1, 2),
            "branch3x3dbl_1": (inputs, 64, 1, 1, 0),
            "branch3x3dbl_2": (64, 96, 3, 1, 1),
            "branch3x3dbl_3": (96, 96, 3, 1, 1),
            "branch_pool": (inputs, pool, 1, 1, 0),
        }
        self.chains = [
            ["branch1x1"],
            ["branch5x5_1", "branch5x5_2"],
            ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"],
        ]
        super().__init__()


class BlockB(Branches):
    """From 35×35 to 17×17."""

    def __init__(self, inputs: int) -> None:
        self.rows = {
            "branch3x3": (inputs, 384, 3, 2, 0),
            "branch3x3dbl_1": (inputs, 64, 1, 1, 0),
            "branch3x3dbl_2": (64, 96, 3, 1, 1),
            "branch3x3dbl_3": (96, 96, 3, 2, 0),
        }
        self.chains = [["branch3x3"], ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"]]
        super().__init__()

    def pooled(self, x: Tensor) -> Tensor:
        """Halved by maxima."""
        return max_pool2d(x, 3, stride=2)


class BlockC(Branches):
    """1×1, 7×7 as 1×7 and 7×1, the same twice, and pooling, at 17×17."""

    def __init__(self, inputs: int, width: int) -> None:
        along, across = (1, 7), (7, 1)
        self.rows = {"branch1x1": (inputs, 192, 1, 1, 0), "branch_pool": (inputs, 192, 1, 1, 0)}
        chains = {"branch7x7": [along, across], "branch7x7dbl": [across, along, across, along]}
        for branch, sizes in chains.items():
            self.rows[f"{branch}_1"] = (inputs, width, 1, 1, 0)
            for number, size in enumerate(sizes, start=2):
                outputs = 192 if number == len(sizes) + 1 else width
                self.rows[f"{branch}_{number}"] = (width, outputs, size, 1, (size[0] // 2, size[1] // 2))
        self.chains = [["branch1x1"], *([f"{b}_{i}" for i in range(1, len(s) + 2)] for b, s in chains.items())]
        super().__init__()


class BlockD(Branches):
    """From 17×17 to 8×8."""

    def __init__(self, inputs: int) -> None:
        self.rows = {
            "branch3x3_1": (inputs, 192, 1, 1, 0),
            "branch3x3_2": (192, 320, 3, 2, 0),
            "branch7x7x3_1": (inputs, 192, 1, 1, 0),
            "branch7x7x3_2": (192, 192, (1, 7), 1, (0, 3)),
            "branch7x7x3_3": (192, 192, (7, 1), 1, (3, 0)),
            "branch7x7x3_4": (192, 192, 3, 2, 0),
        }
        self.chains = [["branch3x3_1", "branch3x3_2"], [f"branch7x7x3_{i}" for i in range(1, 5)]]
        super().__init__()

    def pooled(self, x: Tensor) -> Tensor:
        """Halved by maxima."""
        return max_pool2d(x, 3, stride=2)


class BlockE(Branches):
    """1×1, 3×3 split into 1×3 and 3×1, the same behind another 3×3, and pooling, at 8×8."""

    def __init__(self, inputs: int, *, last: bool) -> None:
        split: dict[str, tuple[Size, Size]] = {"a": ((1, 3), (0, 1)), "b": ((3, 1), (1, 0))}
        self.rows = {
            "branch1x1": (inputs, 320, 1, 1, 0),
            "branch3x3_1": (inputs, 384, 1, 1, 0),
            "branch3x3dbl_1": (inputs, 448, 1, 1, 0),
            "branch3x3dbl_2": (448, 384, 3, 1, 1),
            "branch_pool": (inputs, 192, 1, 1, 0),
        }
        for part, (size, padding) in split.items():
            self.rows[f"branch3x3_2{part}"] = self.rows[f"branch3x3dbl_3{part}"] = (384, 384, size, 1, padding)
        self.chains = [["branch1x1"]]
        self.chains += [["branch3x3_1", f"branch3x3_2{part}"] for part in split]
        self.chains += [["branch3x3dbl_1", "branch3x3dbl_2", f"branch3x3dbl_3{part}"] for part in split]
        super().__init__()
        self.pooling = maximum if last else average

    def pooled(self, x: Tensor) -> Tensor:
        """By means, in the last block by maxima."""
        return self.run(["branch_pool"], self.pooling(x))


class Inception(nn.Module):
    """Levels (N, 3, H, W), 0 to 255 → features (N, 2048). In eval mode, without gradients."""

    num_features = FEATURES

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = Conv(80, 192, 3)
        for letter, (inputs, pool) in zip("bcd", [(192, 32), (256, 64), (288, 64)], strict=True):
            self.add_module(f"Mixed_5{letter}", BlockA(inputs, pool))
        self.Mixed_6a = BlockB(288)
        for letter, width in zip("bcde", [128, 160, 160, 192], strict=True):
            self.add_module(f"Mixed_6{letter}", BlockC(768, width))
        self.Mixed_7a = BlockD(768)
        self.Mixed_7b = BlockE(1280, last=False)
        self.Mixed_7c = BlockE(2048, last=True)
        self.fc = nn.Linear(FEATURES, CLASSES)
        self.eval().requires_grad_(False)

    def forward(self, levels: Tensor) -> Tensor:
        """Features (N, 2048), the means over the last grid."""
        x = (resized(levels.float(), SIDE) - 128) / 128
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(max_pool2d(x, 3, stride=2)))
        x = max_pool2d(x, 3, stride=2)
        for name, block in self.named_children():
            if name.startswith("Mixed"):
                x = block(x)
        return x.mean(dim=(2, 3))


def resized(x: Tensor, side: int) -> Tensor:
    """Bilinear, (N, C, H, W) → (N, C, side, side), pixel i of the result lying at i·H/side, as in TensorFlow 1."""
    rows, columns = (_between(size, side).to(x) for size in x.shape[-2:])
    return rows @ x @ columns.T


def _between(size: int, side: int) -> Tensor:
    """Weights (side, size) of the pixels on either side of each place."""
    places = torch.arange(side, dtype=torch.float64) * size / side
    low = places.floor().long()
    share = places - low
    weights = torch.zeros(side, size, dtype=torch.float64)
    weights.scatter_add_(1, low[:, None], 1 - share[:, None])
    return weights.scatter_add_(1, (low + 1).clamp(max=size - 1)[:, None], share[:, None])


def load_inception(path: Path) -> Inception:
    """The network with the weights of a safetensors file or of a torch state dict, read as tensors alone.

    ExtractorUnusable where the file is missing, holds anything else, or is another network's.
    """
    network = Inception()
    tensors = _tensors(path)
    counters = {name for name in network.state_dict() if name.endswith("num_batches_tracked")}  # in no old file
    missing, surplus = network.load_state_dict(tensors, strict=False) if _fit(network, tensors) else (["shapes"], [])
    if set(missing) - counters or surplus:
        raise ExtractorUnusable(f"{path.name} holds no Inception v3 as Fréchet distances need it", param=SETTING)
    return network


SETTING = "GANYMEDE_INCEPTION_WEIGHTS"


def _fit(network: nn.Module, tensors: dict[str, Tensor]) -> bool:
    own = network.state_dict()
    return all(own[name].shape == tensor.shape for name, tensor in tensors.items() if name in own)


def _tensors(path: Path) -> dict[str, Tensor]:
    """A file's tensors by name."""
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        held = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = "cannot be read" if isinstance(error, OSError) else "is no safetensors file and no state dict"
        raise ExtractorUnusable(f"{path.name} {reason}", param=SETTING) from error
    if not isinstance(held, dict) or not all(isinstance(tensor, Tensor) for tensor in held.values()):
        raise ExtractorUnusable(f"{path.name} holds something other than tensors by name", param=SETTING)
    return dict(held)
