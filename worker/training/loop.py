"""The training loop: whose turn it is, one update, and what is due after it. Progress counts images, not steps."""

import time
from collections.abc import Callable
from math import isfinite
from typing import NamedTuple

import torch
from torch import Tensor

from gan.spec import TrainingSpec
from worker.training import averages, recovery, schedules
from worker.training.accumulation import WHOLE, BatchOf, accumulated, cuts
from worker.training.augment import GEOMETRIC, Augmentation, augmentation, draw, unchanged
from worker.training.capture import Captured
from worker.training.data import TrainingData
from worker.training.diagnosis import Diagnosis, Report, gradient_norm
from worker.training.draws import Deck, Stream, latents, numbers, seed_of
from worker.training.players import figures
from worker.training.state import TrainingState, state_tensors
from worker.training.step import Batch, Step, discriminator_step, generator_step


class Streams(NamedTuple):
    """Which random numbers a player's batches are made of."""

    latents: Stream
    augment: Stream


CRITIC = Streams(Stream.CRITIC_LATENTS, Stream.CRITIC_AUGMENT)
GENERATOR = Streams(Stream.GENERATOR_LATENTS, Stream.GENERATOR_AUGMENT)


class Trainer:
    """Moves a TrainingState forward, one update at a time. The same state always goes the same way."""

    def __init__(self, spec: TrainingSpec, data: TrainingData, state: TrainingState) -> None:
        """`spec` is as the job has it; figures that were changed after a break come from the state."""
        self.spec, self.data, self.state = recovery.eased(spec, state.counters.changes), data, state
        self.parts = cuts(spec.batch_size, recovery.parts(state.counters.changes))
        self.seed = seed_of(spec)
        self.critic_deck = Deck(data.train_rows, self.seed, Stream.CRITIC_ORDER)
        self.generator_deck = Deck(data.train_rows, self.seed, Stream.GENERATOR_ORDER)
        self._clock = time.perf_counter()
        self._steps: dict[Step, Step] = {step: self._run(step) for step in (discriminator_step, generator_step)}

    def _run(self, step: Step) -> Step:
        """The step as the execution wants it: eager, or recorded and replayed."""
        if not self.state.players.execution.captured:
            return step
        return Captured(step, lambda: list(state_tensors(self.state).values()))

    @property
    def at_once(self) -> TrainingSpec:
        """The spec with as many rows in a batch as go through the networks at once."""
        return self.spec.model_copy(update={"batch_size": max(part.stop - part.start for part in self.parts)})

    @property
    def spent(self) -> float:
        """The share of the budget that is spent, 0..1."""
        return schedules.spent(self.spec, self.state.counters.images, self.state.counters.seconds)

    @property
    def ended_by(self) -> str | None:
        """`images` or `time` once that budget is spent."""
        counters, spec = self.state.counters, self.spec
        if spec.images is not None and counters.images >= spec.images:
            return "images"
        return "time" if spec.max_seconds is not None and counters.seconds >= spec.max_seconds else None

    @property
    def report_due(self) -> bool:
        """Whether the images seen have passed a multiple of `report_every` since the last report."""
        return self.state.counters.images // self.spec.report_every > self.state.counters.reports

    def update(self) -> None:
        """One update of whoever's turn it is."""
        counters = self.state.counters
        if counters.since_generator < schedules.critic_steps(self.spec, counters.generator_steps, self.spent):
            self._critic_turn()
        else:
            self._generator_turn()
        self._tick()

    def _critic_turn(self) -> None:
        players, counters = self.state.players, self.state.counters
        scalars = self._step(discriminator_step, lambda rows: self._critic_batch(counters.critic_steps, rows))
        self.state.strength.follow(scalars.pop("sign_real"), counters.critic_steps, self.spec.batch_size)
        self.state.meters.add(scalars | {"gradient_norm_discriminator": gradient_norm(players.discriminator)})
        counters.critic_steps += 1
        counters.since_generator += 1
        counters.images += self.spec.batch_size

    def _generator_turn(self) -> None:
        players, counters = self.state.players, self.state.counters
        scalars = self._step(generator_step, self._generator_batch)
        self.state.meters.add(scalars | {"gradient_norm_generator": gradient_norm(players.generator)})
        a_round = counters.since_generator * self.spec.batch_size
        averages.follow(players, self.spec, counters.seen, a_round)
        counters.generator_steps += 1
        counters.since_generator = 0

    def _step(self, step: Step, batch_of: BatchOf) -> dict[str, Tensor]:
        """One step on the whole batch; part by part where memory ran out."""
        players, now = self.state.players, figures(self.spec, self.spent)
        if len(self.parts) == 1:
            return self._steps[step](players, batch_of(WHOLE), self.spec, now)
        return accumulated(step, players, batch_of, self.parts, self.spec, now)

    def _generator_batch(self, rows: slice) -> Batch:
        counters = self.state.counters
        if self.spec.shared_batch:
            return self._critic_batch(counters.critic_steps - 1, rows)
        return self._batch(self.generator_deck, GENERATOR, counters.generator_steps, rows)

    def _critic_batch(self, step: int, rows: slice = WHOLE) -> Batch:
        return self._batch(self.critic_deck, CRITIC, step, rows)

    def _batch(self, deck: Deck, streams: Streams, step: int, rows: slice = WHOLE) -> Batch:
        """Those rows of a step's batch; what is drawn for a row does not depend on which others are asked for."""
        spec, device = self.spec, self.data.device
        x, c = self.data.batch(deck.hand(step, spec.batch_size)[rows])
        rng = numbers(self.seed, streams.latents, step)
        z = latents(rng, spec.batch_size, spec.network.latent_dim, spec.network.latent_distribution)[rows]
        alpha = torch.from_numpy(rng.random(spec.batch_size, dtype="float32"))[rows]
        T, shown = self._augmentations(streams.augment, step, rows)
        return Batch(x, c, z.to(device, non_blocking=True), alpha.to(device, non_blocking=True), T, shown)

    def _augmentations(self, stream: Stream, step: int, rows: slice) -> tuple[Augmentation, Augmentation]:
        """What D sees of images, and of the inputs that they were made for, by the same draws."""
        if self.spec.augment == "none":
            return unchanged, unchanged
        u = draw(numbers(self.seed, stream, step), self.spec.batch_size)[rows]
        u, p = u.to(self.data.device, non_blocking=True), self.state.strength.probability
        paired = self.spec.network.conditioning.kind == "image"
        return augmentation(u, p), augmentation(u, p, GEOMETRIC) if paired else unchanged

    def _tick(self) -> None:
        now = time.perf_counter()
        self.state.counters.seconds += now - self._clock
        self._clock = now

    def report(self, told_to_stop: Callable[[], bool] = lambda: False) -> Report:
        """The means since the last report and the estimates now. Broke where the means are broken.

        Raises Abandoned where it is told to stop meanwhile: the report is then still due.
        """
        state = self.state
        means = state.meters.means()
        recovery.refuse_broken(means, state.counters.seen)
        number = state.counters.images // self.spec.report_every
        found = Diagnosis(state.players, self.data, self.at_once, number, told_to_stop).report()
        state.meters.clear()
        state.counters.reports = number
        now = figures(self.spec, self.spent)
        return {**means, **found, "learning_rate": float(now.learning_rate), **self._strength()}

    def _strength(self) -> Report:
        """The probability of an augmentation, where there is any."""
        if self.spec.augment == "none":
            return {}
        return {"augment_probability": self.state.strength.probability.item()}


def all_finite(state: TrainingState) -> bool:
    """Whether weights, moments and means are all numbers, so that a checkpoint is worth keeping."""
    tensors = state_tensors(state).values()
    return all(bool(t.isfinite().all()) for t in tensors) and all(map(isfinite, state.meters.means().values()))
