"""Metrics of values and their intervals, for many resamples of the rows at once.

``counts`` (r, n) says how often each row is in each resample; every metric is (r,), NaN where a
resample does not define it.
"""

from __future__ import annotations

import numpy as np

from jobsentinel_workers.multi_task.assessment.judged import HIGH, LOW, VALUE, FloatArray, Judged

ROUNDING = 1e-12
"""A variance below this share of the squares is rounding, not variance."""


def measure_values(judged: Judged, counts: FloatArray) -> dict[str, FloatArray]:
    """Return the metrics of a task with values."""
    low, value, high = judged.answers.T
    actual, errors = judged.targets, np.abs(value - judged.targets)
    inside = (actual >= low) & (actual <= high)
    metrics = {"mae": _mean(errors, counts)}
    if (actual > 0).all():
        metrics["mdape"] = weighted_median(errors / actual, counts)
    return metrics | {
        **_explained(judged, counts),
        "coverage": _mean(inside.astype(np.float64), counts),
        "interval_width": weighted_median(_widths(judged), counts),
        "spearman": _correlation(_ranks(value, counts), _ranks(actual, counts), counts),
    }


def weighted_median(values: FloatArray, counts: FloatArray) -> FloatArray:
    """Return the (r,) medians of (n,) values that occur ``counts`` times each."""
    order = np.argsort(values)
    places = np.cumsum(counts[:, order], axis=1)
    totals = places[:, -1:]
    middles = [((totals - 1) // 2), totals // 2]
    found = [values[order][(places <= middle).sum(axis=1)] for middle in middles]
    median: FloatArray = (found[0] + found[1]) / 2
    return median


def _mean(values: FloatArray, counts: FloatArray) -> FloatArray:
    mean: FloatArray = counts @ values / counts.sum(axis=1)
    return mean


def _widths(judged: Judged) -> FloatArray:
    widths = judged.answers[:, HIGH] - judged.answers[:, LOW]
    return widths / judged.answers[:, VALUE] if judged.task.transform == "log" else widths


def _explained(judged: Judged, counts: FloatArray) -> dict[str, FloatArray]:
    is_log = judged.task.transform == "log"
    predicted = np.log(judged.answers[:, VALUE]) if is_log else judged.answers[:, VALUE]
    actual = judged.in_learnt_scale
    centred = actual - actual.mean()
    squares = _mean(centred**2, counts)
    variance = squares - _mean(centred, counts) ** 2
    error = _mean((predicted - actual) ** 2, counts)
    return {"r2_log" if is_log else "r2": 1 - _over(error, variance, squares)}


def _ranks(values: FloatArray, counts: FloatArray) -> FloatArray:
    """Return (r, n) ranks of the rows in each resample; equal values share their mean rank."""
    different, position = np.unique(values, return_inverse=True)
    order = np.argsort(position, kind="stable")
    starts = np.searchsorted(position[order], np.arange(len(different)))
    at_value = np.add.reduceat(counts[:, order], starts, axis=1)
    ranks: FloatArray = (np.cumsum(at_value, axis=1) - at_value / 2)[:, position]
    return ranks


def _correlation(one: FloatArray, other: FloatArray, counts: FloatArray) -> FloatArray:
    totals = counts.sum(axis=1, keepdims=True)
    one, other = (x - (x * counts).sum(axis=1, keepdims=True) / totals for x in (one, other))
    joint = (one * other * counts).sum(axis=1)
    spreads = (one**2 * counts).sum(axis=1) * (other**2 * counts).sum(axis=1)
    return np.clip(_over(joint, np.sqrt(spreads), totals[:, 0]), -1.0, 1.0)


def _over(part: FloatArray, whole: FloatArray, scale: FloatArray) -> FloatArray:
    """Return part / whole, NaN where whole is nothing but rounding of ``scale``."""
    real = whole > ROUNDING * np.maximum(scale, 1e-300)
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=real)
