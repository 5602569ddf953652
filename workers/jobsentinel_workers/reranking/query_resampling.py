"""How far a mean over queries, or a difference of two, could be chance.

Queries are drawn again with replacement, and a whole query at a time, so that two rankings are
compared on the same draws. The test flips the sign of each query's difference at random: if two
rankings were the same, either could have been called the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from jobsentinel_workers.multi_task.assessment.bootstrap import (
    RESAMPLES,
    Interval,
    percentiles,
    wilson,
)

FloatArray = npt.NDArray[np.float64]

FLIPS: Final = 10_000
_NUMBERS_AT_ONCE: Final = 2_000_000
_ROUNDING: Final = 1e-12
"""Sums of the same differences in another order may differ by as much."""


def mean_draws(values: FloatArray, seed: int = 0) -> FloatArray:
    """Return (r, ...) means of (n, ...) values of n queries, each of another draw of them."""
    queries = len(values)
    flat = values.reshape(queries, -1)
    rng = np.random.default_rng(seed)
    shares = np.full(queries, 1 / queries)
    parts = [rng.multinomial(queries, shares, size) @ flat for size in _sizes(RESAMPLES, queries)]
    draws: FloatArray = np.concatenate(parts) / queries
    return draws.reshape(-1, *values.shape[1:])


def mean_interval(values: FloatArray, draws: FloatArray) -> Interval:
    """Return the mean of (n,) values in 0..1 with the 95 % interval that (r,) draws give.

    Where all values are 0 or all are 1, every draw says the same; the interval is then Wilson's.
    """
    value = float(values.mean())
    low, high = percentiles(draws, len(values))
    if value in (0.0, 1.0):
        low, high = wilson(value, len(values))
    return Interval(value, min(low, value), max(high, value))


def difference_interval(differences: FloatArray, draws: FloatArray) -> Interval:
    """Return the mean of (n,) paired differences with the 95 % interval that (r,) draws give."""
    value = float(differences.mean())
    low, high = percentiles(draws, len(differences))
    return Interval(value, min(low, value), max(high, value))


def paired_p_values(differences: FloatArray, seed: int = 0) -> FloatArray:
    """Return (...) two-sided p-values of the means of (n, ...) paired differences of n queries.

    Source: Fisher's randomisation test as Smucker, Allan and Carterette 2007 use it for rankings
    ("A comparison of statistical significance tests for information retrieval evaluation"), by
    10,000 random flips.
    """
    queries = len(differences)
    flat = differences.reshape(queries, -1)
    rng = np.random.default_rng(seed)
    seen = np.abs(flat.sum(axis=0)) - _ROUNDING
    as_far = np.zeros(flat.shape[1])
    for size in _sizes(FLIPS, queries):
        signs = 2.0 * rng.integers(0, 2, (size, queries), dtype=np.int8) - 1.0
        as_far += (np.abs(signs @ flat) >= seen).sum(axis=0)
    # The order that was seen is one of all that are possible, hence never a p-value of 0.
    p_values: FloatArray = (1 + as_far) / (1 + FLIPS)
    return p_values.reshape(differences.shape[1:])


def _sizes(total: int, queries: int) -> Iterator[int]:
    """Yield how many resamples are drawn in one go, so that memory does not grow with queries."""
    at_once = max(1, _NUMBERS_AT_ONCE // queries)
    for start in range(0, total, at_once):
        yield min(at_once, total - start)
