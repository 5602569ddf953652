"""Metrics of yes-or-no answers, for many resamples of the rows at once.

``counts`` (r, n) says how often each row is in each resample; every metric is (r,), NaN where a
resample does not define it. Where a task has a base rate, its probabilities are meant for that
rate, so they are held against rows weighted to it.
"""

from __future__ import annotations

import numpy as np

from jobsentinel_workers.multi_task.assessment.judged import FloatArray, Judged
from jobsentinel_workers.multi_task.assessment.ranking import average_precision, rank, roc_auc
from jobsentinel_workers.multi_task.assessment.reliability import calibration_error


def measure_yes_or_no(judged: Judged, counts: FloatArray) -> dict[str, FloatArray]:
    """Return the metrics of a binary task."""
    base_rate = judged.task.base_rate
    ranking = rank(judged.answers, judged.targets)
    metrics = {
        "pr_auc": average_precision(ranking, counts),
        "roc_auc": roc_auc(ranking, counts),
        **_at_threshold(judged, counts),
        **_of_probabilities(judged, counts),
    }
    if base_rate is None:
        return metrics
    weighted = _at_threshold(judged, weigh_to_base_rate(judged, counts))
    return metrics | {
        "pr_auc_at_base_rate": average_precision(ranking, counts, base_rate),
        "f1_at_base_rate": weighted["f1"],
        "precision_at_base_rate": weighted["precision"],
    }


def weigh_to_base_rate(judged: Judged, counts: FloatArray) -> FloatArray:
    """Return ``counts`` weighted so that each resample has the task's base rate; NaN if it cannot.

    Without a base rate the counts stay as they are.
    """
    rate = judged.task.base_rate
    if rate is None:
        return counts
    share = (counts @ judged.targets / counts.sum(axis=1))[:, None]
    possible = (share > 0) & (share < 1)
    safe = np.where(possible, share, 0.5)
    weights = counts * np.where(judged.targets > 0.5, rate / safe, (1 - rate) / (1 - safe))
    return np.where(possible, weights, np.nan)


def _at_threshold(judged: Judged, weights: FloatArray) -> dict[str, FloatArray]:
    said_yes = (judged.answers >= judged.threshold).astype(np.float64)
    right = weights @ (said_yes * judged.targets)
    said, actual = weights @ said_yes, weights @ judged.targets
    f1 = _ratio(2 * right, said + actual)
    return {
        "f1": np.where(actual > 0, f1, np.nan),
        "precision": _ratio(right, said),
        "recall": _ratio(right, actual),
    }


def _of_probabilities(judged: Judged, counts: FloatArray) -> dict[str, FloatArray]:
    weights = weigh_to_base_rate(judged, counts)
    errors = (judged.answers - judged.targets) ** 2
    return {
        "brier": _ratio(weights @ errors, weights.sum(axis=1)),
        "calibration_error": calibration_error(judged.answers, judged.targets, weights),
    }


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
