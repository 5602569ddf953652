"""Metrics of answers among classes, for many resamples of the rows at once.

``counts`` (r, n) says how often each row is in each resample; every metric is (r,), NaN where a
resample does not define it.
"""

from __future__ import annotations

import numpy as np

from jobsentinel_workers.multi_task.assessment.judged import FloatArray, Judged
from jobsentinel_workers.multi_task.assessment.ranking import average_precision, rank
from jobsentinel_workers.multi_task.assessment.reliability import calibration_error
from jobsentinel_workers.multi_task.tasks import TaskType

TOP = 3
SMALLEST_PROBABILITY = 1e-15
"""A right class that was given no chance costs this much, rather than infinity."""


def measure_one_of_classes(judged: Judged, counts: FloatArray) -> dict[str, FloatArray]:
    """Return the metrics where exactly one class is right."""
    targets = np.eye(len(judged.task.classes))[judged.targets.astype(int)]
    right = (judged.answers * targets).sum(axis=1)
    losses = -np.log(np.clip(right, SMALLEST_PROBABILITY, 1.0))
    return {
        "accuracy": _mean(hits(judged), counts),
        "macro_f1": _macro_f1(judged, targets, counts),
        **_top(judged.answers, targets, counts),
        "calibration_error": calibration_error(judged.answers.max(axis=1), hits(judged), counts),
        "log_loss": _mean(losses, counts),
    }


def measure_several_classes(judged: Judged, counts: FloatArray) -> dict[str, FloatArray]:
    """Return the metrics where several classes can be right at once."""
    return {
        "hit_rate": _mean(hits(judged), counts),
        **_top(judged.answers, judged.targets, counts),
        "average_precision": _micro_average_precision(judged, counts),
        "calibration_error": calibration_error(judged.answers.max(axis=1), hits(judged), counts),
    }


def hits(judged: Judged) -> FloatArray:
    """Return (n,) 1 where the most likely class is right, else 0."""
    best = judged.answers.argmax(axis=1)
    found: FloatArray
    if judged.task.type is TaskType.CLASSIFICATION:
        found = (best == judged.targets).astype(np.float64)
    else:
        found = judged.targets[np.arange(judged.rows), best]
    return found


def _mean(values: FloatArray, counts: FloatArray) -> FloatArray:
    mean: FloatArray = counts @ values / counts.sum(axis=1)
    return mean


def _top(answers: FloatArray, targets: FloatArray, counts: FloatArray) -> dict[str, FloatArray]:
    if answers.shape[1] <= TOP:
        return {}  # every class is among the first three: nothing is measured
    best = np.argsort(-answers, axis=1, kind="stable")[:, :TOP]
    found = np.take_along_axis(targets, best, axis=1).max(axis=1)
    return {"top_3": _mean(found, counts)}


def _macro_f1(judged: Judged, targets: FloatArray, counts: FloatArray) -> FloatArray:
    """Return mean F1 over the classes that are right for some row of the resample."""
    predicted = np.eye(targets.shape[1])[judged.answers.argmax(axis=1)]
    actual = counts @ targets
    f1 = 2 * (counts @ (targets * predicted)) / np.maximum(actual + counts @ predicted, 1)
    mean: FloatArray = f1.sum(axis=1, where=actual > 0) / (actual > 0).sum(axis=1)
    return mean


def _micro_average_precision(judged: Judged, counts: FloatArray) -> FloatArray:
    ranking = rank(judged.answers, judged.targets)
    # One resample at a time: all pairs of row and class of all resamples would not fit in memory.
    return np.concatenate([average_precision(ranking, row[None, :]) for row in counts])
