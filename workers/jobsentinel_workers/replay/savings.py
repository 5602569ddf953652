"""How many labels a strategy saves against drawing at random, and how sure that is.

The saving is 1 - L / L_random, where L is the number of labels at which a strategy's mean curve
first reaches the quality that the random one has in the end, and L_random that of the random curve
itself. It is the data efficiency of Mussmann and Liang ("On the relationship between data
efficiency and error for uncertainty sampling", ICML 2018), written as a share. A mean curve is
made never to fall (isotonic regression, by which noise can only delay the crossing of a curve that
rises) and read between its points along straight lines.

Intervals come from drawing seeds with replacement, the same for both curves (paired bootstrap); the
ends are moved out as Student's t asks for (the expanded percentile interval, Hesterberg 2015). They
say what other draws of the same labelled texts would do, not other texts.

A draw in which the strategy never comes so far within the budget counts as a saving below all
others. So an interval can have an open end, and a saving can be unknown: "not reached".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtrit

from jobsentinel_workers.multi_task.assessment.bootstrap import CONFIDENCE

Floats = npt.NDArray[np.float64]

_ROUNDING = 1e-9
"""Means of the same values in another order may differ by as much."""


@dataclass(frozen=True, slots=True)
class Saving:
    """Labels saved at the random curve's final quality.

    Attributes:
        labels: needed for it; None where the budget was not enough.
        share: of the random curve's labels that were saved, below 0 if more were needed; None
            where the budget was not enough.
        low: lower end of the 95 % interval; None where draws that never come so far are in it.
        high: upper end; None where hardly any draw comes so far.
        reached: share of the draws in which the quality was reached.
    """

    labels: float | None
    share: float | None
    low: float | None
    high: float | None
    reached: float

    @property
    def is_certain(self) -> bool:
        """Whether the interval holds savings alone, or losses alone."""
        return (self.low is not None and self.low > 0) or self.high is None or self.high < 0


def saving(
    counts: Floats,
    ours: Floats,
    baseline: Floats,
    *,
    draws: Floats,
    baseline_draws: Floats,
    seeds: int,
) -> Saving:
    """Return the saving of a strategy against the baseline.

    Args:
        counts: (p,) numbers of labels.
        ours: (p,) the strategy's mean curve; ``baseline``, that of random.
        draws: (r, p) the same in resamples of the seeds, ``baseline_draws`` in the same ones.
        seeds: how many there are.
    """
    labels = _labels_needed(counts, ours[None], baseline[None])
    share = _shares(counts, ours[None], baseline[None])[0]
    drawn = np.sort(_shares(counts, draws, baseline_draws))
    low, high = _ends(drawn, seeds)
    reached = float(np.isfinite(drawn).mean())
    if np.isfinite(share):
        low, high = min(low, share), max(high, share)
    return Saving(_known(labels[0][0]), _known(share), _known(low), _known(high), reached)


def never_falling(curves: Floats) -> Floats:
    """Return the closest (r, p) curves that never fall, in least squares, point by point.

    Each is the isotonic regression by its max-min formula (Barlow et al. 1972).
    """
    points = curves.shape[1]
    sums = np.concatenate([np.zeros((len(curves), 1)), curves.cumsum(axis=1)], axis=1)
    fitted = np.full_like(curves, -np.inf)
    for first in range(points):
        means = (sums[:, first + 1 :] - sums[:, [first]]) / np.arange(1, points - first + 1)
        least = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
        fitted[:, first:] = np.maximum(fitted[:, first:], least)
    return fitted


def labels_to_reach(counts: Floats, curves: Floats, targets: Floats) -> Floats:
    """Return (r,) labels at which (r, p) curves that never fall reach (r,) targets, or infinity."""
    there = curves >= targets[:, None] - _ROUNDING
    after = there.argmax(axis=1)
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(curves))
    rise = curves[rows, after] - curves[rows, before]
    part = np.divide(
        targets - curves[rows, before], rise, out=np.ones(len(curves)), where=rise > _ROUNDING
    )
    crossing = counts[before] + np.clip(part, 0.0, 1.0) * (counts[after] - counts[before])
    needed: Floats = np.where(there.any(axis=1), crossing, np.inf)
    return needed


def _labels_needed(counts: Floats, ours: Floats, baseline: Floats) -> tuple[Floats, Floats]:
    rising = never_falling(baseline)
    targets = rising[:, -1]
    return (
        labels_to_reach(counts, never_falling(ours), targets),
        labels_to_reach(counts, rising, targets),
    )


def _shares(counts: Floats, ours: Floats, baseline: Floats) -> Floats:
    needed, of_baseline = _labels_needed(counts, ours, baseline)
    shares: Floats = 1 - needed / of_baseline
    return shares


def _ends(drawn: Floats, seeds: int) -> tuple[float, float]:
    """Return the ends of the interval in sorted draws, the next draw outward: some are infinite."""
    quantile = stdtrit(seeds - 1, (1 - CONFIDENCE) / 2) * math.sqrt(seeds / (seeds - 1))
    tail, last = float(ndtr(quantile)), len(drawn) - 1
    return float(drawn[math.floor(tail * last)]), float(drawn[math.ceil((1 - tail) * last)])


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
