"""Seeds → latents, labels and conditions; truncation; walks between keyframes. NumPy only.

The seed contract. Image *i* of a request is made from `seed + i` alone, and from nothing else:

- **Words** are the raw 64-bit output of Philox-4×64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as
  1, 2, 3") under the key `(seed, stream)`, blocks at the counters 1, 2, 3 …, four words a block.
- **Latents** take stream 0. `normal`: Box–Muller over consecutive pairs of words, in float64, rounded once to float32.
  `uniform`: the upper 24 bits of a word, as a number on [-1, 1).
- **Labels** take stream 1, **conditions** stream 2: integer arithmetic on one word.

Logarithm, sine and cosine are written out below as sums, products and quotients: each is one IEEE 754 operation, whose
result no library, compiler or vector unit may choose. The bits of a latent are therefore the same everywhere.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from math import atan2, cos, factorial, log, pi, sin, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Latents = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint64]

LATENT_STREAM: Final = 0
LABEL_STREAM: Final = 1
CONDITION_STREAM: Final = 2

LN2: Final = log(2)
PARALLEL: Final = 1e-6
"""Radians: two directions closer than this (or this close to opposite) span no plane to turn in."""

# ---- words -----------------------------------------------------------------------------------------------------------


def words(seed: int, stream: int, count: int) -> Words:
    """The first `count` words, uint64 (count,), of the stream that `(seed, stream)` names; 0 ≤ both < 2⁶⁴."""
    return np.random.Philox(key=np.array([seed, stream], dtype=np.uint64)).random_raw(count)


def below(bound: int, seed: int, stream: int) -> int:
    """A whole number in [0, bound), from the stream's first word: ⌊word · bound / 2⁶⁴⌋, exactly."""
    return (int(words(seed, stream, 1)[0]) * bound) >> 64


# ---- latents ---------------------------------------------------------------------------------------------------------


def latent(seed: int, dim: int, distribution: str = "normal") -> Latents:
    """The latent of one seed: float32 (dim,). `distribution` is `normal` (standard) or `uniform` (on [-1, 1))."""
    return DISTRIBUTIONS[distribution](words(seed, LATENT_STREAM, dim + dim % 2))[:dim]


def latents(seeds: Sequence[int], dim: int, distribution: str = "normal") -> Latents:
    """Latents of many seeds: float32 (N, dim); row *i* is `latent(seeds[i], …)` whatever the other seeds are."""
    pairs = dim + dim % 2
    raw = np.concatenate([words(seed, LATENT_STREAM, pairs) for seed in seeds])
    return np.ascontiguousarray(DISTRIBUTIONS[distribution](raw).reshape(len(seeds), pairs)[:, :dim])


def normal(raw: Words) -> Latents:
    """Box–Muller: words (2n,) → standard normals, float32 (2n,). |value| ≤ 8.58, as u₁ ≥ 2⁻⁵³."""
    u1 = ((raw[0::2] >> np.uint64(11)) + np.uint64(1)).astype(np.float64) * 2.0**-53
    u2 = (raw[1::2] >> np.uint64(11)).astype(np.float64) * 2.0**-53
    radius = np.sqrt(-2.0 * logarithm(u1))
    cosine, sine = circle(u2)
    return np.stack([radius * cosine, radius * sine], axis=1).reshape(-1).astype(np.float32)


def uniform(raw: Words) -> Latents:
    """Words (n,) → numbers on [-1, 1), float32 (n,): multiples of 2⁻²³, each exact."""
    return ((raw >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0).astype(np.float32)


DISTRIBUTIONS: Final[dict[str, Callable[[Words], Latents]]] = {"normal": normal, "uniform": uniform}


def polynomial(coefficients: Sequence[float], x: Floats) -> Floats:
    """Horner's rule, highest power first: one multiplication and one addition a coefficient."""
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


def logarithm(u: Floats) -> Floats:
    """ln u for u in (0, 1], within 3 ulp: u = m · 2ᵉ with m about 1, and ln m = 2 artanh((m-1)/(m+1)) as a series."""
    mantissa, exponent = np.frexp(u)
    low = mantissa < sqrt(0.5)
    mantissa, exponent = np.where(low, 2 * mantissa, mantissa), exponent - low
    s = (mantissa - 1.0) / (mantissa + 1.0)
    return exponent * LN2 + 2.0 * s * polynomial(ARTANH, s * s)


def circle(turn: Floats) -> tuple[Floats, Floats]:
    """Cosine and sine of 2π · turn for turn in [0, 1), within 2⁻⁵²: Taylor series on the nearest quarter turn."""
    quarter = np.rint(4.0 * turn)
    angle = (4.0 * turn - quarter) * (pi / 2)
    cosine, sine = polynomial(COSINE, angle * angle), angle * polynomial(SINE, angle * angle)
    quadrant = quarter.astype(np.int64) % 4
    return (
        np.choose(quadrant, [cosine, -sine, -cosine, sine]),
        np.choose(quadrant, [sine, cosine, -sine, -cosine]),
    )


ARTANH: Final = [1 / (2 * k + 1) for k in reversed(range(12))]
COSINE: Final = [(-1) ** k / factorial(2 * k) for k in reversed(range(10))]
SINE: Final = [(-1) ** k / factorial(2 * k + 1) for k in reversed(range(10))]


# ---- labels and conditions -------------------------------------------------------------------------------------------


def draw_label(seed: int, counts: Sequence[int]) -> int:
    """A class index, drawn by the classes' frequencies `counts` (each ≥ 0, their sum ≥ 1), in integers throughout."""
    edges = list(accumulate(counts))
    return bisect_right(edges, below(edges[-1], seed, LABEL_STREAM))


def draw_condition(seed: int, count: int) -> int:
    """A row index in [0, count): which of the training data's condition vectors goes with this seed."""
    return below(count, seed, CONDITION_STREAM)


# ---- truncation and walks --------------------------------------------------------------------------------------------


def truncate(z: Latents, psi: float) -> Latents:
    """`z ← ψ z`, ψ in [0, 1]: fewer surprises, less variety. ψ = 1 changes nothing, bit for bit."""
    return z * np.float32(psi)


def lerp(a: Floats, b: Floats, t: float) -> Floats:
    """The straight line: (D,), t in [0, 1]."""
    return (1.0 - t) * a + t * b


def slerp(a: Floats, b: Floats, t: float) -> Floats:
    """Turn from a to b (D,) at constant speed, while the length goes linearly: lengths between those of a and b.

    Shoemake 1985 for the direction. Parallel vectors, and a zero vector, which has no direction: the straight line.
    Opposite vectors, between which no shortest way is marked out: by a right angle chosen from a alone.
    """
    if not (a.any() and b.any()):
        return lerp(a, b, t)
    u, v = a / norm(a), b / norm(b)
    angle = 2 * atan2(norm(u - v), norm(u + v))
    if angle < PARALLEL or len(a) == 1:
        return lerp(a, b, t)
    side = perpendicular(u) if pi - angle < PARALLEL else v - float(u @ v) * u
    length = (1.0 - t) * norm(a) + t * norm(b)
    return length * (cos(t * angle) * u + sin(t * angle) / norm(side) * side)


def norm(v: Floats) -> float:
    """Euclidean length of a vector (D,)."""
    return float(np.linalg.norm(v))


def perpendicular(u: Floats) -> Floats:
    """A vector at a right angle to the unit vector u (D ≥ 2,): the axis that u leans to least, made orthogonal to u."""
    axis = np.zeros_like(u)
    axis[np.argmin(np.abs(u))] = 1.0
    return axis - float(u @ axis) * u


METHODS: Final[dict[str, Callable[[Floats, Floats, float], Floats]]] = {"slerp": slerp, "lerp": lerp}
EASINGS: Final[dict[str, Callable[[float], float]]] = {
    "linear": lambda t: t,
    "ease_in_out": lambda t: t * t * (3.0 - 2.0 * t),
}


def walk(keyframes: int, frames: int, easing: str = "linear", loop: bool = False) -> list[tuple[int, int, float]]:
    """Where each frame stands: (keyframe it comes from, keyframe it goes to, share of the way in [0, 1)).

    Keyframes are spread evenly over the frames and rounded to whole ones (half up), so that each is a frame of its
    own, hit exactly (share 0); the first is frame 0. Without `loop` the last keyframe is the last frame; with it the
    walk turns back to the first, and the frame that would repeat it is left out. Needs frames ≥ keyframes ≥ 2.
    `easing` bends the share between two neighbouring keyframes.
    """
    segments, last = (keyframes, frames) if loop else (keyframes - 1, frames - 1)
    stops = [(2 * k * last + segments) // (2 * segments) for k in range(segments + 1)]
    steps = [
        (k, (k + 1) % keyframes, EASINGS[easing](step / (stop - start)))
        for k, (start, stop) in enumerate(pairwise(stops))
        for step in range(stop - start)
    ]
    return steps if loop else [*steps, (keyframes - 1, keyframes - 1, 0.0)]


def path(
    keyframes: npt.NDArray[np.float32], frames: int, method: str = "slerp", easing: str = "linear", loop: bool = False
) -> Latents:
    """Walk through keyframes (K, D): float32 (frames, D), laid out by `walk`; keyframes themselves are untouched.

    Latents walk by `slerp` or `lerp`; conditions (one-hot rows, vectors) by `lerp`, so that between two labels the
    network sees their mixture.
    """
    exact = keyframes.astype(np.float64)
    between = METHODS[method]
    rows = [
        exact[a] if t == 0 else between(exact[a], exact[b], t) for a, b, t in walk(len(exact), frames, easing, loop)
    ]
    return np.stack(rows).astype(np.float32)
