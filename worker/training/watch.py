"""What a training's reports say of its health: rules over the last few of them, and what is told when one trips.

A rule looks at relative quantities (shares, ratios to the data's own spread, ratios to earlier reports) over several
reports in a row, so that neither one bad report nor the chaos of the first steps trips it. It is told once, and again
only after it has stayed quiet for a while. docs/learning.md has the table, and on what it was calibrated.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from gan.spec import TrainingSpec

KEPT: Final = 8
"""Reports that are remembered: as many as the most patient rule looks at."""
QUIET: Final = 5
"""Reports in a row after which a rule that no longer holds may trip again."""

Seen = dict[str, float]
"""One report as rules see it: what could be estimated, with `spent`, `passes`, and the running `best` and `first`."""
Reports = Sequence[Seen]
"""Oldest first."""


class Facts(NamedTuple):
    """What rules know of a job beside its reports: its loss, the kind and number of its training rows, augmentation."""

    loss: str
    images: bool
    rows: int
    augmented: bool

    @classmethod
    def of(cls, spec: TrainingSpec, rows: int) -> "Facts":
        """Of a job that trains on so many rows."""
        return cls(spec.loss, spec.network.shape.kind == "images", rows, spec.augment != "none")


def lately(reports: Reports, number: int, holds: Callable[[Seen], bool]) -> bool:
    """Whether there are `number` reports, and it holds for each of the last as many."""
    return len(reports) >= number and all(holds(seen) for seen in reports[-number:])


def of(seen: Mapping[str, float], name: str, otherwise: float) -> float:
    """A figure; `otherwise`, chosen so as not to alarm, where it could not be estimated."""
    return seen.get(name, otherwise)


# ---- rules ----

ALIKE: Final = 0.05
"""Diversity of samples that are all but one: slow recipes begin at a tenth, and stay there for a while."""
FALLEN: Final = 0.45
"""What is left of the best diversity (at most that of the data) or recall once it is lost; healthy runs keep 0.6."""
ONCE: Final = 0.5
"""Diversity or recall that must have been reached before it can be lost."""
LITTLE: Final = 0.5
"""Recall of points that miss half of the data."""
TRUE_TO_DATA: Final = 0.5
"""Precision of samples that look like data."""


def mode_collapse(reports: Reports, facts: Facts) -> bool:  # noqa: ARG001
    """Samples that look like data are all alike; or they were as varied as half of the data, and are no more.

    Early on samples are alike too, but they do not look like data then, and their variety grows.
    """
    alike = lately(reports, KEPT, lambda s: of(s, "diversity", 1) < ALIKE and of(s, "precision", 0) >= TRUE_TO_DATA)
    fallen = lately(reports, 4, lambda s: _lost(s, "diversity"))
    return (alike and not _rising(reports, "diversity")) or fallen


def low_recall(reports: Reports, facts: Facts) -> bool:
    """Half of the data was reached once and is no more; or points that look like the data reach little of it.

    Recall of images says nothing while it is low: the manifold of a few hundred samples has room between its balls.
    """
    lost = lately(reports, 6, lambda s: _lost(s, "recall"))
    little = lately(reports, KEPT, lambda s: of(s, "recall", 1) < LITTLE and of(s, "precision", 0) >= TRUE_TO_DATA)
    return lost or (not facts.images and little and not _rising(reports, "recall"))


KNOWN, KNOWN_ON_AVERAGE = 0.3, 0.45
"""Share of the gap that unseen data miss: up to 0.13 in healthy runs that saw a gap, 0.5 to 1.2 with 40 images."""
FEW, OFTEN = 128, 100
"""Images, and passes over them, that a discriminator knows by heart without augmentation."""


def overfitting(reports: Reports, facts: Facts) -> bool:
    """The discriminator takes unseen data for generated; or, where none are held out, by all signs it knows its data.

    The signs: samples are near-copies; or a few images went by a hundred times, and not one of them augmented.
    """
    known = lately(reports, 5, lambda s: of(s, "overfit", 0) >= KNOWN and of(s, "js_estimate_train", 0) >= 0.05)
    by_heart = known and sum(s["overfit"] for s in reports[-5:]) / 5 >= KNOWN_ON_AVERAGE
    copied = lately(reports, 5, lambda s: of(s, "copy_distance", 1) < 0.5)
    often = lately(reports, 3, lambda s: s["passes"] >= OFTEN and "overfit" not in s)
    return by_heart or copied or (facts.images and facts.rows <= FEW and not facts.augmented and often)


def saturated_gradients(reports: Reports, facts: Facts) -> bool:  # noqa: ARG001
    """The discriminator is sure, and next to nothing of its slope reaches the generator."""
    sure = lately(reports, 3, lambda s: of(s, "js_estimate_train", 0) >= 0.55)
    flat = lately(reports, 3, lambda s: of(s, "generator_slope", 1) < 0.05)
    vanished = lately(
        reports, 3, lambda s: of(s, "gradient_norm_generator", 1) < 1e-3 * of(s, "best_gradient_norm_generator", 0)
    )
    return sure and (flat or vanished)


STEEP: Final = 4.0
"""A Wasserstein critic's gradient norm that is out of hand: a penalty holds it below 2, a clip of 0.01 far lower."""
ENORMOUS: Final = 1e3
"""Logits beyond this are no log-odds of anything."""


def exploding(reports: Reports, facts: Facts) -> bool:
    """Logits far beyond any log-odds, or a Wasserstein critic ever steeper, whose loss has no bound of its own."""
    enormous = lately(reports, 3, lambda s: max(abs(of(s, "logit_real", 0)), abs(of(s, "logit_fake", 0))) > ENORMOUS)
    steeper = lately(reports, 3, _steeper)
    return enormous or (facts.loss == "wasserstein" and steeper)


def _steeper(seen: Seen) -> bool:
    steepest, first = of(seen, "lipschitz_estimate_train", 0), of(seen, "first_lipschitz_estimate_train", 0)
    return steepest > max(STEEP, 2 * first)


def _lost(seen: Seen, name: str) -> bool:
    """Whether a figure that had come half-way to that of the data has fallen far below its best."""
    best = min(1.0, of(seen, f"best_{name}", 0))
    return best >= ONCE and of(seen, name, 1) < FALLEN * best


def _rising(reports: Reports, name: str) -> bool:
    """Whether a figure grew by half over these reports."""
    return of(reports[-1], name, 0) > 1.5 * of(reports[0], name, 0)


class Rule(NamedTuple):
    """When a warning trips, and what it says; `figures` of the newest report go with it."""

    trips: Callable[[Reports, Facts], bool]
    message: str
    remedy: str
    figures: tuple[str, ...]


RULES: Final[dict[str, Rule]] = {
    "mode_collapse": Rule(
        mode_collapse,
        "samples are far less varied than the data: the generator makes a few things over and over",
        "recipe r3gan or wgan-gp; or a larger r1 and r2, a lower learning_rate, a larger batch_size",
        ("diversity", "precision", "recall"),
    ),
    "low_recall": Rule(
        low_recall,
        "samples reach only a part of the data: the rest is never made",
        "recipe r3gan or wgan-gp; or a larger network.width, a larger batch_size, a larger r1 and r2",
        ("recall", "precision", "diversity"),
    ),
    "overfitting": Rule(
        overfitting,
        "the discriminator knows its training data by heart, so that the generator learns nothing more from it",
        "augment diffaugment or ada, more data, or fewer images; a larger r1, a smaller network.width",
        ("overfit", "copy_distance", "js_estimate_train", "js_estimate", "critic_gap_train", "critic_gap", "passes"),
    ),
    "saturated_gradients": Rule(
        saturated_gradients,
        "the discriminator is sure of what is generated, and next to nothing of its gradient reaches the generator",
        "loss non_saturating (recipe dcgan) or relativistic (recipe r3gan); fewer critic_steps, a lower learning_rate",
        ("generator_slope", "gradient_norm_generator", "js_estimate_train", "logit_fake"),
    ),
    "exploding": Rule(
        exploding,
        "the discriminator grows steeper without bound, and its figures with it",
        "a narrower clip (0.01 as published), lipschitz gradient_penalty (recipe wgan-gp), or a lower learning_rate",
        ("lipschitz_estimate_train", "critic_gap_train", "logit_real", "logit_fake", "gradient_norm_generator"),
    ),
}
"""Code → rule."""

RUNNING: Final[dict[str, Callable[[float, float], float]]] = {"best": max, "first": lambda first, _: first}
FOLLOWED: Final = {
    "best": ("diversity", "recall", "gradient_norm_generator"),
    "first": ("lipschitz_estimate_train",),
}
"""Figures of which each report carries the best, or the first, of all reports so far."""


class Told(NamedTuple):
    """An event: `warning` with code, message, remedy and figures, or `warning.cleared` with the code."""

    type: str
    data: dict[str, Any]


class Watch(BaseModel):
    """The last reports, and which rules have tripped: for how many reports each has been quiet since it last held.

    Part of the training state, so that a resumed job neither repeats a warning nor forgets what came before.
    """

    reports: list[Seen] = []
    tripped: dict[str, int] = {}

    def look(self, report: Mapping[str, float | None], images: int, spent: float, facts: Facts) -> list[Told]:
        """Take in a report made when `spent` (0..1) of the budget was; returns what is to be told now."""
        known = {name: value for name, value in report.items() if value is not None and isfinite(value)}
        seen = known | {"images": float(images), "spent": spent, "passes": images / max(1, facts.rows)}
        self.reports = [*self.reports, seen | self._running(seen)][-KEPT:]
        return [told for code, rule in RULES.items() for told in self._judge(code, rule, facts)]

    def _running(self, seen: Seen) -> Seen:
        """The best and the first so far of the figures that are followed."""
        before = self.reports[-1] if self.reports else {}
        running = {name: value for name, value in before.items() if name.startswith(tuple(f"{k}_" for k in FOLLOWED))}
        for kind, names in FOLLOWED.items():
            for name in names:
                if name in seen:
                    key = f"{kind}_{name}"
                    running[key] = RUNNING[kind](before.get(key, seen[name]), seen[name])
        return running

    def _judge(self, code: str, rule: Rule, facts: Facts) -> list[Told]:
        if rule.trips(self.reports, facts):
            new = code not in self.tripped
            self.tripped[code] = 0
            return [Told("warning", self._words(code, rule))] if new else []
        if code not in self.tripped:
            return []
        self.tripped[code] += 1
        if self.tripped[code] < QUIET:
            return []
        del self.tripped[code]
        return [Told("warning.cleared", {"code": code, "images": int(self.reports[-1]["images"])})]

    def _words(self, code: str, rule: Rule) -> dict[str, Any]:
        newest = self.reports[-1]
        figures = {name: float(f"{newest[name]:.4g}") for name in rule.figures if name in newest}
        return {
            "code": code,
            "message": rule.message,
            "remedy": rule.remedy,
            "images": int(newest["images"]),
            **figures,
        }
