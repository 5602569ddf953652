"""Whether probabilities come true as often as they say, over ten bins of equal width.

Naeini et al. 2015; Guo et al. 2017.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BINS = 10


class ReliabilityCurve(NamedTuple):
    """The bins that hold rows: (b,) mean probability, share that came true, and rows."""

    stated: FloatArray
    came_true: FloatArray
    rows: npt.NDArray[np.int64]


def calibration_error(stated: FloatArray, came_true: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the (r,) expected calibration errors of (n,) probabilities under (r, n) weights."""
    excess = (stated - came_true)[:, None] * _membership(stated)
    totals = weights.sum(axis=1)
    gaps = np.abs(weights @ excess).sum(axis=1)
    error: FloatArray = np.divide(gaps, totals, np.full_like(totals, np.nan), where=totals > 0)
    return error


def reliability_curve(
    stated: FloatArray, came_true: FloatArray, weights: FloatArray
) -> ReliabilityCurve:
    """Return the curve of (n,) probabilities under (n,) weights."""
    membership = _membership(stated)
    rows = membership.sum(axis=0).astype(np.int64)
    filled = rows > 0
    totals = (weights @ membership)[filled]
    return ReliabilityCurve(
        ((weights * stated) @ membership)[filled] / totals,
        ((weights * came_true) @ membership)[filled] / totals,
        rows[filled],
    )


def _membership(stated: FloatArray) -> FloatArray:
    """Return (n, BINS) with a 1 where a row's probability falls."""
    position = np.minimum((stated * BINS).astype(int), BINS - 1)
    membership: FloatArray = np.eye(BINS)[position]
    return membership
