"""Values that move over a job's budget: pure functions of how much of it is spent (0..1) and of images seen."""

import math
from collections.abc import Callable

from gan.averages import EMA_SHARE
from gan.spec import Schedule, TrainingSpec

SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda spent: spent,
    "cosine": lambda spent: (1 - math.cos(math.pi * spent)) / 2,
}


def spent(spec: TrainingSpec, images: int, seconds: float) -> float:
    """The further spent of the two budgets, 0..1."""
    shares = [images / spec.images if spec.images else 0.0, seconds / spec.max_seconds if spec.max_seconds else 0.0]
    return min(1.0, max(shares))


def moved(start: float, schedule: Schedule | None, share: float) -> float:
    """`start` on its way to `schedule.to` when `share` (0..1) of the budget is spent."""
    if schedule is None:
        return start
    return start + (schedule.to - start) * SHAPES[schedule.shape](share)


def critic_steps(spec: TrainingSpec, generator_steps: int, share: float) -> int:
    """Discriminator updates before the next generator update."""
    boost = spec.critic_boost
    if boost is None:
        return spec.critic_steps
    young = generator_steps < boost.first and share < boost.cap
    due = generator_steps > 0 and generator_steps % boost.every == 0
    return boost.steps if young or due else spec.critic_steps


def ema_decay(halflife: float, images: int, batch: int) -> float:
    """Weight of the old average after `batch` more images; 0 (the average is the network itself) where EMA is off."""
    effective = min(halflife, EMA_SHARE * images)
    return 0.5 ** (batch / effective) if effective > 0 else 0.0
