"""How often a discriminator's logit is that of data rather than of a sample: counted, whatever its loss was.

A discriminator at one moment of the game is no best answer to the generator of that moment, and the more a logit says
"real" the more often it may be a sample's. So nothing is assumed of how logits go with what is real, not even that
more is more: the logits of both are cut into bins of equally many, and shares are counted (histogram binning, Zadrozny
& Elkan 2001), with one of each added to every bin (Laplace) and lines drawn between the bins' log-odds.
"""

import numpy as np

from gan.checkpoint import LogitCalibration
from worker.training.estimates import Logits

IN_A_BIN = 40
"""Logits of a bin, of both kinds together: their share is known to about 0.08."""


def calibrated(r: Logits, f: Logits, *, held_out: bool) -> LogitCalibration:
    """The calibration by logits r of data and as many f of samples, finite, one or more of each.

    >>> calibrated(np.full(40, 3.0), np.full(40, -1.0), held_out=True).logits
    (-1.0, 3.0)
    """
    logits, real = np.concatenate([r, f]), np.arange(len(r) + len(f)) < len(r)
    order = logits.argsort(kind="stable")
    bins = np.array_split(order, max(1, len(order) // IN_A_BIN))
    centres = np.array([logits[part].mean() for part in bins])
    odds = np.array([np.log((real[part].sum() + 1) / ((~real[part]).sum() + 1)) for part in bins])
    knots = np.unique(centres)  # bins of one and the same logit are one point
    merged = [float(odds[centres == knot].mean()) for knot in knots]
    return LogitCalibration(
        logits=tuple(knots.tolist()),
        log_odds=tuple(merged),
        unit=float(logits.std()) or 1.0,
        rows=len(r),
        held_out=held_out,
    )
