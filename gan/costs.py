"""What a training will take, before it starts: parameters, operations, seconds and bytes, counted without torch.

Layers are counted as `gan.networks` builds them (a test compares the parameters exactly); how fast a device computes
and how much of the count its memory holds are calibrated figures (docs/learning.md). Networks that are not in `COUNTS`
have no estimate.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, prod
from typing import Final, NamedTuple

from gan.networks.sizes import Size, stage_sizes
from gan.spec import Conditioning, DatasetFacts, ImageShape, NetworkSpec, PointShape, TrainingSpec


class Layer(NamedTuple):
    """`parameters` that training moves; `operations` and `kept` numbers (for the backward) a row; kernels launched."""

    parameters: int
    operations: int
    kept: int
    kernels: int = 1


@dataclass(frozen=True)
class Count:
    """The sums over a network's layers."""

    parameters: int
    operations: int
    kept: int
    kernels: int

    @classmethod
    def of(cls, layers: Iterable[Layer]) -> "Count":
        """Of these layers."""
        return cls(*(sum(column) for column in zip(*layers, strict=True)))


class Networks(NamedTuple):
    """What both players are made of."""

    generator: Count
    discriminator: Count


# ---- layers ----


def area(size: Size) -> int:
    """Pixels of a grid."""
    return size[0] * size[1]


def linear(inputs: int, outputs: int, *, bias: bool = True) -> Layer:
    """A matrix, and perhaps a bias."""
    return Layer(inputs * outputs + outputs * bias, 2 * inputs * outputs, outputs)


def conv(inputs: int, outputs: int, kernel: int, size: Size, *, groups: int = 1, bias: bool = False) -> Layer:
    """A convolution whose output has `size`."""
    weights = inputs // groups * outputs * kernel**2
    return Layer(weights + outputs * bias, 2 * weights * area(size), outputs * area(size))


def transposed(inputs: int, outputs: int, size: Size) -> Layer:
    """A 4×4 convolution, transposed, that doubles a grid of `size`."""
    weights = inputs * outputs * 16
    return Layer(weights, 2 * weights * area(size), 4 * outputs * area(size))


def pointwise(channels: int, size: Size, parameters: int = 0, kernels: int = 1) -> Layer:
    """A function of each number: a norm, an activation, a resampling."""
    return Layer(parameters, 4 * channels * area(size), channels * area(size), kernels)


def batch_norm(channels: int, size: Size) -> Layer:
    """Batch norm and the activation behind it."""
    return pointwise(channels, size, 2 * channels, 2)


def embedding(conditioning: Conditioning, width: int) -> list[Layer]:
    """What turns a condition into `width` numbers."""
    if conditioning.kind == "none":
        return []
    return [linear(conditioning.size, width, bias=conditioning.kind == "vector")]


def joined(inputs: int, spec: NetworkSpec) -> int:
    """Numbers that enter where the embedded condition stands beside `inputs` of them."""
    return inputs + (0 if spec.conditioning.kind == "none" else spec.latent_dim)


def head(features: int, conditioning: Conditioning) -> list[Layer]:
    """The logit: a linear layer and a projection."""
    return [linear(features, 1), *embedding(conditioning, features)]


# ---- architectures ----


def count_mlp(spec: NetworkSpec) -> Networks:
    """Three hidden layers each."""
    shape = spec.shape
    numbers = shape.dims if isinstance(shape, PointShape) else prod((shape.channels, shape.height, shape.width))
    hidden = [linear(spec.width, spec.width), linear(spec.width, spec.width)]
    leaks = [Layer(0, spec.width, spec.width)] * 3
    beside = embedding(spec.conditioning, spec.latent_dim)
    generator = [*beside, linear(joined(spec.latent_dim, spec), spec.width), *hidden, linear(spec.width, numbers)]
    discriminator = [*beside, linear(joined(numbers, spec), spec.width), *hidden, *head(spec.width, spec.conditioning)]
    return Networks(Count.of(generator + leaks), Count.of(discriminator + leaks))


def stages(spec: NetworkSpec, smallest: int = 4) -> list[Size]:
    """Grid sizes, coarsest first."""
    assert isinstance(spec.shape, ImageShape)
    return stage_sizes(spec.shape, smallest)


def widths(spec: NetworkSpec, number: int, widest: int) -> list[int]:
    """Channels of each stage, coarsest first."""
    return [spec.width * min(2**k, widest) for k in reversed(range(number))]


def count_dcgan(spec: NetworkSpec) -> Networks:
    """Strided 4×4 convolutions; batch norm in the generator, and in the discriminator if the spec says so."""
    assert isinstance(spec.shape, ImageShape)
    sizes = stages(spec, 4 if min(spec.shape.height, spec.shape.width) >= 16 else 2)
    channels = widths(spec, len(sizes) - 1, 8)
    base = linear(joined(spec.latent_dim, spec), channels[0] * area(sizes[0]), bias=False)
    generator = [*embedding(spec.conditioning, spec.latent_dim), base, batch_norm(channels[0], sizes[0])]
    for (a, b), (below, size) in zip(pairwise(channels), pairwise(sizes), strict=False):
        generator += [transposed(a, b, below), batch_norm(b, size)]
    generator.append(transposed(channels[-1], spec.shape.channels, sizes[-2]))
    discriminator, size = [], sizes[-1]
    for k, (a, b) in enumerate(pairwise([spec.shape.channels, *reversed(channels)])):
        size, normed = (size[0] // 2, size[1] // 2), spec.batch_norm and k > 0
        discriminator += [conv(a, b, 4, size, bias=not normed), pointwise(b, size, 2 * b * normed)]
    return Networks(Count.of(generator), Count.of(discriminator + head(channels[0] * area(size), spec.conditioning)))


def count_plain(spec: NetworkSpec) -> Networks:
    """DCGAN's stages with a bias in each layer and a leak behind it, and no norm."""
    assert isinstance(spec.shape, ImageShape)
    sizes = stages(spec, 4 if min(spec.shape.height, spec.shape.width) >= 16 else 2)
    channels, colours = widths(spec, len(sizes) - 1, 8), spec.shape.channels
    base = linear(joined(spec.latent_dim, spec), channels[0] * area(sizes[0]), bias=False)
    generator = [*embedding(spec.conditioning, spec.latent_dim), base, pointwise(channels[0], sizes[0], channels[0])]
    for (a, b), (below, size) in zip(pairwise([*channels, colours]), pairwise(sizes), strict=True):
        generator += [transposed(a, b, below), pointwise(b, size, b)]
    discriminator, size = [], sizes[-1]
    for a, b in pairwise([colours, *reversed(channels)]):
        size = (size[0] // 2, size[1] // 2)
        discriminator += [conv(a, b, 4, size, bias=True), pointwise(b, size)]
    return Networks(Count.of(generator), Count.of(discriminator + head(channels[0] * area(size), spec.conditioning)))


def r3_blocks(channels: int, size: Size) -> list[Layer]:
    """The two residual bottlenecks of a stage."""
    return 2 * r3_block(channels, size)


def r3_block(channels: int, size: Size) -> list[Layer]:
    """A residual bottleneck: 1×1, grouped 3×3, 1×1, each but the last with a biased leak."""
    inner = 2 * channels
    groups = next(n for n in range(max(1, inner // 16), 0, -1) if inner % n == 0)
    leak = pointwise(inner, size, inner, 2)
    return [
        conv(channels, inner, 1, size),
        leak,
        conv(inner, inner, 3, size, groups=groups),
        leak,
        conv(inner, channels, 1, size),
        pointwise(channels, size),
    ]


def count_r3(spec: NetworkSpec) -> Networks:
    """R3GAN's residual stages."""
    assert isinstance(spec.shape, ImageShape)
    sizes = stages(spec)
    channels = widths(spec, len(sizes), 8)
    base = Layer(channels[0] * area(sizes[0]), channels[0] * area(sizes[0]), channels[0] * area(sizes[0]))
    coarsest = linear(joined(spec.latent_dim, spec), channels[0], bias=False)
    generator = [*embedding(spec.conditioning, spec.latent_dim), base, coarsest, *r3_blocks(channels[0], sizes[0])]
    for (a, b), (below, size) in zip(pairwise(channels), pairwise(sizes), strict=True):
        generator += [*resampled(a, b, below), pointwise(b, size, kernels=2), *r3_blocks(b, size)]
    generator.append(conv(channels[-1], spec.shape.channels, 1, sizes[-1]))
    judging = r3_discriminator(spec.shape.channels, channels, sizes)
    return Networks(Count.of(generator), Count.of([*judging, *head(channels[0], spec.conditioning)]))


def resampled(a: int, b: int, below: Size) -> list[Layer]:
    """The 1×1 beside a resampling, on the smaller grid; none between equal widths."""
    return [conv(a, b, 1, below)] if a != b else []


def r3_discriminator(colours: int, channels: list[int], sizes: list[Size]) -> list[Layer]:
    """All but the head; `channels` and `sizes` are coarsest first."""
    layers = [conv(colours, channels[-1], 1, sizes[-1]), *r3_blocks(channels[-1], sizes[-1])]
    for (a, b), (below, _) in zip(pairwise(channels), pairwise(sizes), strict=True):
        layers += [pointwise(b, below, kernels=2), *resampled(a, b, below), *r3_blocks(a, below)]
    return [*layers, Layer(channels[0] * area(sizes[0]), 2 * channels[0] * area(sizes[0]), channels[0])]


def count_unet(spec: NetworkSpec) -> Networks:
    """R3GAN's blocks down and up again, z at every size; the discriminator sees input and image."""
    assert isinstance(spec.shape, ImageShape)
    sizes, seen = stages(spec), spec.conditioning.size
    channels = widths(spec, len(sizes), 8)
    basis = Layer(channels[0] * area(sizes[0]), channels[0] * area(sizes[0]), channels[0] * area(sizes[0]))
    generator = [conv(seen, channels[-1], 1, sizes[-1]), *r3_block(channels[0], sizes[0])]
    generator += [basis, linear(spec.latent_dim, channels[0], bias=False)]
    generator += [conv(2 * channels[0], channels[0], 1, sizes[0]), *r3_block(channels[0], sizes[0])]
    for (a, b), (below, size) in zip(pairwise(channels), pairwise(sizes), strict=True):
        generator += [*r3_block(b, size), pointwise(b, below, kernels=2), *resampled(a, b, below)]
        generator += [*resampled(a, b, below), pointwise(b, size, kernels=2), conv(2 * b, b, 1, size)]
        generator += [linear(spec.latent_dim, 2 * (b // 2), bias=False), pointwise(b, size), *r3_block(b, size)]
    generator.append(conv(channels[-1], spec.shape.channels, 1, sizes[-1]))
    judging = r3_discriminator(spec.shape.channels + seen, channels, sizes)
    return Networks(Count.of(generator), Count.of([*judging, linear(channels[0], 1)]))


def resnet_block(a: int, between: int, b: int, size: Size, below: Size, *, normed: bool) -> list[Layer]:
    """Two 3×3 convolutions on a grid of `size`, activations, and a skip whose 1×1 stands on the smaller grid."""
    norms = [batch_norm(a, below), batch_norm(b, size)] if normed else [pointwise(a, size), pointwise(between, size)]
    branch = [conv(a, between, 3, size, bias=True), conv(between, b, 3, size, bias=True)]
    skip = [conv(a, b, 1, below, bias=True)] if a != b else []
    return [*norms, *branch, *skip, pointwise(b, size, kernels=2)]


def count_resnet(spec: NetworkSpec) -> Networks:
    """SNGAN's residual stages."""
    assert isinstance(spec.shape, ImageShape)
    sizes = stages(spec)
    channels = widths(spec, len(sizes), 16)
    colours, finest = spec.shape.channels, sizes[-1]
    base = linear(joined(spec.latent_dim, spec), channels[0] * area(sizes[0]))
    generator = [*embedding(spec.conditioning, spec.latent_dim), base]
    for (a, b), (below, size) in zip(pairwise(channels), pairwise(sizes), strict=True):
        generator += resnet_block(a, b, b, size, below, normed=True)
    generator += [batch_norm(channels[-1], finest), conv(channels[-1], colours, 3, finest, bias=True)]
    return Networks(Count.of(generator), Count.of(_resnet_discriminator(spec, sizes, channels)))


def _resnet_discriminator(spec: NetworkSpec, sizes: list[Size], channels: list[int]) -> list[Layer]:
    """A block a halving, from the image down, and one more on the base grid."""
    assert isinstance(spec.shape, ImageShape)
    steps = list(pairwise([spec.shape.channels, *reversed(channels)]))
    grids = [*reversed(sizes), sizes[0]]
    layers: list[Layer] = []
    for k, ((a, b), (size, below)) in enumerate(zip(steps, pairwise(grids), strict=True)):
        layers += resnet_block(a, b if k == 0 else min(a, b), b, size, below, normed=False)
    return [*layers, *head(channels[0], spec.conditioning)]


COUNTS: Final[dict[str, Callable[[NetworkSpec], Networks]]] = {
    "mlp": count_mlp,
    "dcgan": count_dcgan,
    "plain": count_plain,
    "resnet": count_resnet,
    "r3": count_r3,
    "unet": count_unet,
}
"""Architecture → how it is counted."""

# ---- a step ----


class Passes(NamedTuple):
    """How often a step runs a network, in forwards; a backward counts as two, and only to the inputs as one."""

    generator: float
    discriminator: float


def per_image(spec: TrainingSpec) -> Passes:
    """The passes that training spends on one image: a discriminator update, and its share of a generator update."""
    judging = 6.0  # forward and backward, of a real and of a generated one
    judging += PENALISED * ((spec.r1 > 0) + (spec.r2 > 0))
    judging += INTERPOLATED * (spec.lipschitz == "gradient_penalty")
    follows = 2.0 + (spec.loss == "relativistic")
    return Passes(1.0 + 3.0 / spec.critic_steps, judging + follows / spec.critic_steps)


PENALISED: Final = 4.0
"""Forwards that r1 or r2 costs: the gradient to the inputs, and its own backward."""
INTERPOLATED: Final = 6.0
"""Forwards that the gradient penalty costs: it judges points of its own."""


# ---- devices ----


class Speed(NamedTuple):
    """How fast a device trains: `operations` and `numbers` passed on a second, seconds that a kernel's launch costs.

    `idle_bytes` are taken before there is a network: by the interpreter and torch, or by a GPU's context.
    """

    operations: float
    numbers: float
    kernel: float
    idle_bytes: int


SPEEDS: Final[dict[str, Speed]] = {
    "cpu": Speed(1.76e11, 1.64e9, 31e-6, 450 * 2**20),
    "cuda": Speed(2e13, 1e11, 12e-6, 600 * 2**20),
}
"""Kind of device → how fast it is. The CPU's are fitted to 20 trainings on one core of a server (docs/learning.md); the
GPU's are a guess, until jobs were measured on it."""
STRIDED: Final = 1.6
"""How many times as long strided 4×4 convolutions take as others of as many operations, on a CPU (docs/learning.md)."""
HELD: Final = 3.0
"""Bytes held at the height of a step, per byte of the activations that one judged batch keeps; more with penalties."""
HELD_PENALISED: Final = 6.0
DATASET_HELD: Final = 2 * 2**30
"""Packed bytes up to which the data lies in the device's memory (`worker.training.data.FITS`)."""
REAL: Final = 4
"""Bytes of a float32."""


class Estimate(NamedTuple):
    """What a job will take: its wall clock, the most memory, and the two files of a checkpoint."""

    seconds: float
    memory_bytes: int
    checkpoint_bytes: int


def estimated(spec: TrainingSpec, facts: DatasetFacts, device: str) -> Estimate | None:
    """What a job will take on a device (`cpu…` or `cuda…`); None for a network that is not counted here."""
    counted = COUNTS.get(spec.network.architecture)
    if counted is None:
        return None
    networks, speed = counted(spec.network), SPEEDS["cuda" if device.startswith("cuda") else "cpu"]
    parameters = networks.generator.parameters + networks.discriminator.parameters
    states = 2 if spec.optimizer == "adam" else 1
    averages = kept_generators(spec) * networks.generator.parameters
    state = (1 + states) * parameters + averages
    return Estimate(
        seconds_of(spec, networks, speed),
        speed.idle_bytes + memory_of(spec, networks, states) + held_data(facts),
        REAL * (parameters + averages + state),
    )


def seconds_of(spec: TrainingSpec, networks: Networks, speed: Speed) -> float:
    """Wall clock of the whole job: of `images`, or of `max_seconds` where that comes first."""
    passes = per_image(spec)

    def total(what: str) -> float:
        return sum(p * float(getattr(n, what)) for p, n in zip(passes, networks, strict=True))

    an_image = total("operations") / speed.operations + total("kept") / speed.numbers
    an_image *= STRIDED if spec.network.architecture in ("dcgan", "plain") else 1.0
    an_image += total("kernels") * speed.kernel / spec.batch_size
    known = [] if spec.images is None else [spec.images * an_image]
    return min([*known, *([] if spec.max_seconds is None else [spec.max_seconds])], default=0.0)


def kept_generators(spec: TrainingSpec) -> int:
    """Averages of the generator that a training keeps."""
    return len({spec.ema_halflife, *spec.ema_halflives})


def memory_of(spec: TrainingSpec, networks: Networks, states: int) -> int:
    """Bytes of weights, gradients, moments and average, and of what a step holds of its batch at its height."""
    generator, discriminator = networks
    resting = (2 + states) * (generator.parameters + discriminator.parameters)
    resting += kept_generators(spec) * generator.parameters
    penalised = spec.r1 + spec.r2 > 0 or spec.lipschitz == "gradient_penalty"
    judging = (HELD_PENALISED if penalised else HELD) * discriminator.kept
    making = HELD * (generator.kept + discriminator.kept) / 2
    return int(REAL * (resting + spec.batch_size * max(judging, making)))


def held_data(facts: DatasetFacts) -> int:
    """Bytes of the data that lie in memory throughout."""
    shape = facts.shape
    row = REAL * shape.dims if isinstance(shape, PointShape) else shape.channels * shape.height * shape.width
    return row * facts.count if row * facts.count <= DATASET_HELD else 0


# ---- what does not fit ----

MARGIN: Final = 2.0
"""An estimate may be wrong by this factor: only what exceeds a device's memory by more is refused."""


def fits(spec: TrainingSpec, facts: DatasetFacts, device: str, memory: int) -> bool:
    """Whether the job may fit into so many bytes."""
    found = estimated(spec, facts, device)
    return found is None or found.memory_bytes <= MARGIN * memory


def largest_fitting(values: Iterable[int], fit: Callable[[int], bool]) -> int | None:
    """The first of these, from the largest down, that fits."""
    return next((value for value in sorted(values, reverse=True) if fit(value)), None)


def too_large(spec: TrainingSpec, facts: DatasetFacts, device: str, memory: int) -> tuple[str, str] | None:
    """The field to lower and the reason with its figures, where a job cannot fit into `memory` bytes; else None.

    It is the batch where a smaller one would do, else the network's width.
    """
    found = estimated(spec, facts, device)
    if found is None or fits(spec, facts, device, memory):
        return None

    def with_batch(size: int) -> bool:
        return fits(spec.model_copy(update={"batch_size": size}), facts, device, memory)

    def with_width(width: int) -> bool:
        narrow = spec.network.model_copy(update={"width": width})
        return fits(spec.model_copy(update={"network": narrow}), facts, device, memory)

    smaller = [2**k for k in range(1, 17) if 2**k < spec.batch_size]
    narrower = [2**k for k in range(2, 11) if 2**k < spec.network.width]
    needs = f"training would need about {in_gib(found.memory_bytes)}, and the device has {in_gib(memory)}"
    batch, width = largest_fitting(smaller, with_batch), largest_fitting(narrower, with_width)
    if batch is not None and (batch >= 16 or width is None):
        return "batch_size", f"{needs}: a batch_size of {batch} instead of {spec.batch_size} may fit"
    if width is not None:
        return "network.width", f"{needs}: a network.width of {width} instead of {spec.network.width} may fit"
    return "dataset", f"{needs}: prepare the data with fewer pixels"


def in_gib(count: int) -> str:
    """Bytes in words.

    >>> in_gib(3 * 2**29)
    '1.5 GiB'
    """
    return f"{count / 2**30:.3g} GiB" if count >= 2**28 else f"{ceil(count / 2**20)} MiB"
