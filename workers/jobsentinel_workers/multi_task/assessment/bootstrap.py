"""How far a metric, or the difference of two models, could be chance: 95 % bootstrap intervals.

The judged rows are drawn again with replacement and measured each time (Efron and Tibshirani
1993). Rows that are near-duplicates of one another say less than as many different rows; give
their groups, and whole groups are drawn. Two models are compared on the same draws.

With few rows the plain percentile interval is too narrow, in three ways that are mended here:

* its ends are moved out as Student's t asks for (the expanded percentile interval, Hesterberg
  2015): three rows give about the range of everything that can be drawn from them;
* where no row went wrong, or every row did, each draw says the same, and the interval is Wilson's
  (1927) for as many trials as there were rows or groups;
* the calibration error is a mean of absolute values, which noise makes larger: that of the rows,
  and once more that of each draw. The second excess is seen and taken off, and at the lower end
  the first as well, or the interval would exclude the truth for well calibrated models.

Draws that do not define a metric, such as those without one scam, are left out of its interval.
One row, or one group, shows no spread at all: there is no interval then, and no metric is returned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtrit

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.multi_task.assessment.catalogue import METRICS
from jobsentinel_workers.multi_task.assessment.judged import FloatArray, Judged
from jobsentinel_workers.multi_task.assessment.metrics import measure, measure_resamples
from jobsentinel_workers.multi_task.tasks import TaskType

Groups = npt.NDArray[np.int64]
"""(n,) a number for each row; rows of one number are near-duplicates."""

CONFIDENCE = 0.95
RESAMPLES = 1_000
NOISE_GROWTH = 2**0.5 - 1
"""Of a mean absolute value about zero, when noise of the same variance is added to its own."""
COUNTS_AT_ONCE = 2_000_000
"""Resamples times rows that are measured in one go: 16 MB an array."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A metric, and between what it would lie had other rows been judged."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference is told from chance."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """A model's metrics on the judged rows, and the same on each draw of them.

    Attributes:
        judged: the rows.
        values: the metrics.
        draws: by metric, (r,) its values in the resamples; NaN where undefined.
        trials: how many rows, or groups of them, were drawn from.
    """

    judged: Judged
    values: Mapping[str, float]
    draws: Mapping[str, FloatArray]
    trials: int


def intervals(
    judged: Judged, *, groups: Groups | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Interval]:
    """Return the metrics of ``judged`` with their intervals."""
    return to_intervals(resample(judged, groups=groups, resamples=resamples, seed=seed))


def differences(
    ours: Judged,
    other: Judged,
    *,
    groups: Groups | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return ours minus other for the metrics that both have, paired row by row.

    Raises:
        InvalidInput: the two were not judged on the same rows.
    """
    pair = [resample(j, groups=groups, resamples=resamples, seed=seed) for j in (ours, other)]
    return to_differences(*pair)


def resample(
    judged: Judged, *, groups: Groups | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> Resampled:
    """Return ``judged`` measured on draws that depend on rows, groups and seed alone.

    Raises:
        InvalidInput: there is not one group for each row.
    """
    members = np.arange(judged.rows) if groups is None else groups
    if len(members) != judged.rows:
        raise InvalidInput("groups", f"must be {judged.rows}, one a row, not {len(members)}")
    names, members = np.unique(members, return_inverse=True)
    if len(names) < 2:
        return Resampled(judged, {}, {}, len(names))
    parts = [measure_resamples(judged, counts) for counts in _draw(members, resamples, seed)]
    draws = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Resampled(judged, measure(judged), draws, len(names))


def _draw(members: npt.NDArray[np.intp], resamples: int, seed: int) -> Iterator[FloatArray]:
    """Yield (r, n) counts: how often each row is in each of r resamples."""
    rng = np.random.default_rng(seed)
    groups = int(members.max()) + 1
    at_once = max(1, COUNTS_AT_ONCE // len(members))
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        drawn = rng.integers(0, groups, (rows, groups)) + groups * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups)
        yield counts[:, members].astype(np.float64)


def to_intervals(found: Resampled) -> dict[str, Interval]:
    """Return the metrics with their intervals."""
    return {
        name: _interval(found, name, value)
        for name, value in found.values.items()
        if np.isfinite(found.draws[name]).any()
    }


def _interval(found: Resampled, name: str, value: float) -> Interval:
    low, high = percentiles(found.draws[name], found.trials)
    if name == "calibration_error":
        excess = float(np.nanmean(found.draws[name])) - value
        low, high = max(0.0, low - excess - excess / NOISE_GROWTH), min(1.0, high - excess)
    if METRICS[name].counts_successes and low == high and value in (0.0, 1.0):
        low, high = wilson(value, _trials(found))
    return Interval(value, min(low, value), max(high, value))


def to_differences(ours: Resampled, other: Resampled) -> dict[str, Interval]:
    """Return ours minus other for the metrics that both have.

    Raises:
        InvalidInput: the two were not judged on the same rows.
    """
    if not np.array_equal(ours.judged.targets, other.judged.targets):
        raise InvalidInput(f"judged.{ours.judged.task.name}", "must be the same rows for both")
    own, others = to_intervals(ours), to_intervals(other)
    return {
        name: _difference(ours, other, name, own[name], others[name])
        for name in own
        if name in others and np.isfinite(ours.draws[name] - other.draws[name]).any()
    }


def _difference(
    ours: Resampled, other: Resampled, name: str, own: Interval, others: Interval
) -> Interval:
    value = own.value - others.value
    low, high = percentiles(ours.draws[name] - other.draws[name], ours.trials)
    # Both faultless, or both at fault, on every row: what they would do elsewhere is as open as
    # it is for each, unless they say the same anyway.
    faultless = METRICS[name].counts_successes and own.value in (0.0, 1.0)
    if faultless and low == high and not ours.judged.answers_like(other.judged):
        low, high = own.low - others.high, own.high - others.low
    return Interval(value, min(low, value), max(high, value))


def percentiles(draws: FloatArray, trials: int) -> tuple[float, float]:
    quantile = stdtrit(trials - 1, (1 - CONFIDENCE) / 2) * np.sqrt(trials / (trials - 1))
    tail = float(ndtr(quantile))
    low, high = np.nanquantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def _trials(found: Resampled) -> int:
    """Return what decides a metric: drawn rows or groups, and of yes or no the rarer answer."""
    if found.judged.task.type is not TaskType.BINARY:
        return found.trials
    yes = int(found.judged.targets.sum())
    return max(1, min(found.trials, yes, found.judged.rows - yes))


def wilson(share: float, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a share that was seen in so many trials."""
    z = float(ndtri(0.5 + CONFIDENCE / 2))
    spread = z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    centre = share + z**2 / (2 * trials)
    low, high = ((centre + sign * spread) / (1 + z**2 / trials) for sign in (-1, 1))
    return max(0.0, float(low)), min(1.0, float(high))
