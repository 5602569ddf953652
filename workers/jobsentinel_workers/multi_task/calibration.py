"""From a head's raw outputs to probabilities and intervals that mean what they say.

What training gives is over-confident, and scam data hold far more scams than life does. The
numbers here are fitted on rows that the head was not trained on, and stored beside its weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax

FloatArray = npt.NDArray[np.float64]

LOW_QUANTILE, HIGH_QUANTILE = 0.1, 0.9
COVERAGE = HIGH_QUANTILE - LOW_QUANTILE


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns raw outputs into answers.

    Attributes:
        temperature: divides a classifier's logits (Guo et al. 2017).
        slope: multiplies a yes-or-no logit (Platt 1999).
        intercept: added to it afterwards.
        threshold: a yes-or-no probability from which the answer is yes.
        centre: mean of a regression's targets.
        unit: standard deviation of a regression's targets.
        margin: widens the interval on both sides, in targets (Romano et al. 2019).
    """

    temperature: float = 1.0
    slope: float = 1.0
    intercept: float = 0.0
    threshold: float = 0.5
    centre: float = 0.0
    unit: float = 1.0
    margin: float = 0.0


def fit_temperature(logits: FloatArray, targets: npt.NDArray[np.int64]) -> float:
    """Return the temperature with the lowest log loss on (n, c) logits."""
    rows = np.arange(len(targets))

    def log_loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-scaled[rows, targets].mean())

    # Bounded, because a handful of perfectly separated rows would ask for a temperature of zero.
    found = minimize_scalar(log_loss, bounds=(np.log(0.25), np.log(8.0)), method="bounded")
    return float(np.exp(found.x))


def fit_platt(logits: FloatArray, targets: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """Return the slope and intercept of the lowest weighted log loss on (n,) logits.

    Targets are smoothed as in Platt 1999, so that separable rows do not ask for certainty.
    """
    positives, negatives = targets.sum(), (1 - targets).sum()
    smooth = np.where(targets > 0.5, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def log_loss(parameters: FloatArray) -> float:
        z = np.exp(parameters[0]) * logits + parameters[1]
        losses = np.logaddexp(0.0, z) - smooth * z
        return float((weights * losses).sum() / weights.sum())

    found = minimize(log_loss, np.zeros(2), method="L-BFGS-B", bounds=[(-3, 3), (-20, 20)])
    return float(np.exp(found.x[0])), float(found.x[1])


def prior_weights(targets: FloatArray, base_rate: float | None) -> FloatArray:
    """Return weights under which a share ``base_rate`` of the 0/1 targets is positive."""
    positives = float(targets.mean())
    if base_rate is None or positives in (0.0, 1.0):
        return np.ones_like(targets)
    return np.where(targets > 0.5, base_rate / positives, (1 - base_rate) / (1 - positives))


def fit_threshold(
    probabilities: FloatArray,
    targets: FloatArray,
    weights: FloatArray,
    precision: float | None = None,
) -> float:
    """Return the probability from which to answer yes.

    With ``precision``, the lowest one from which so large a weighted share of the yes answers is
    right, or the one with the highest share where none reaches it; without, that of the highest
    weighted F1.
    """
    candidates = np.unique(probabilities)
    measure = _f1 if precision is None else _precision
    scores = np.array([measure(probabilities >= t, targets > 0.5, weights) for t in candidates])
    reached = np.flatnonzero(scores >= precision) if precision is not None else np.zeros(0, int)
    best = int(reached[0]) if len(reached) else int(np.argmax(scores))
    # Half-way to the next lower score: the threshold then does not sit on a validation row.
    below = candidates[best - 1] if best else candidates[best]
    return float((candidates[best] + below) / 2)


def _precision(
    predicted: npt.NDArray[np.bool_], actual: npt.NDArray[np.bool_], weights: FloatArray
) -> float:
    return float(weights[predicted & actual].sum() / weights[predicted].sum())


def _f1(
    predicted: npt.NDArray[np.bool_], actual: npt.NDArray[np.bool_], weights: FloatArray
) -> float:
    hits = weights[predicted & actual].sum()
    total = weights[predicted].sum() + weights[actual].sum()
    return float(2 * hits / total) if total else 0.0


def fit_margin(lows: FloatArray, highs: FloatArray, targets: FloatArray) -> float:
    """Return by how much to widen intervals so that they hold COVERAGE of unseen targets."""
    misses = np.maximum(lows - targets, targets - highs)
    level = min(1.0, np.ceil((len(misses) + 1) * COVERAGE) / len(misses))
    return float(np.quantile(misses, level, method="higher"))


def to_probability(logits: FloatArray, calibration: Calibration) -> FloatArray:
    """Return calibrated probabilities of yes for logits of any shape."""
    probabilities: FloatArray = expit(calibration.slope * logits + calibration.intercept)
    return probabilities
