"""What a head achieves on rows that it was not trained on, and the calibration found there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.metrics import average_precision_score, f1_score

from jobsentinel_workers.multi_task.answers import to_targets
from jobsentinel_workers.multi_task.calibration import (
    Calibration,
    fit_margin,
    fit_platt,
    fit_temperature,
    fit_threshold,
    prior_weights,
    to_probability,
)
from jobsentinel_workers.multi_task.evidence import JoinedCalibration, fit_word_weight
from jobsentinel_workers.multi_task.losses import TaskLoss
from jobsentinel_workers.multi_task.tasks import Task, TaskType

FloatArray = npt.NDArray[np.float64]
Metrics = dict[str, float]


def calibrate(task: Task, loss: TaskLoss, raw: FloatArray, targets: FloatArray) -> Calibration:
    """Return the calibration of a head from raw outputs (n, d) and targets without NaN."""
    if task.type is TaskType.CLASSIFICATION:
        return Calibration(temperature=fit_temperature(raw, targets.astype(np.int64)))
    if task.type is TaskType.BINARY:
        return _calibrate_binary(task, raw[:, 0], targets)
    uncalibrated = Calibration(centre=loss.centre, unit=loss.unit)
    intervals = to_targets(raw, uncalibrated)
    margin = fit_margin(intervals[:, 0], intervals[:, 2], targets)
    return Calibration(centre=loss.centre, unit=loss.unit, margin=margin)


def _calibrate_binary(task: Task, logits: FloatArray, targets: FloatArray) -> Calibration:
    weights = prior_weights(targets, task.base_rate)
    slope, intercept = fit_platt(logits, targets, weights)
    platt = Calibration(slope=slope, intercept=intercept)
    threshold = fit_threshold(to_probability(logits, platt), targets, weights)
    return Calibration(slope=slope, intercept=intercept, threshold=threshold)


def calibrate_jointly(
    task: Task, head_logits: FloatArray, word_logits: FloatArray, targets: FloatArray
) -> JoinedCalibration:
    """Return the joined calibration from (n, 1) and (n,) logits of rows not trained on."""
    weights = prior_weights(targets, task.base_rate)
    word_weight = fit_word_weight(head_logits[:, 0], word_logits, targets, weights)
    logits = head_logits[:, 0] + word_weight * word_logits
    return JoinedCalibration(word_weight, _calibrate_binary(task, logits, targets))


def measure(task: Task, calibration: Calibration, raw: FloatArray, targets: FloatArray) -> Metrics:
    """Return the metrics of calibrated answers against targets without NaN."""
    if task.type is TaskType.CLASSIFICATION:
        return _measure_classes(calibration, raw, targets.astype(np.int64))
    if task.type is TaskType.BINARY:
        return _measure_binary(task, calibration, raw[:, 0], targets)
    return _measure_values(task, calibration, raw, targets)


def _measure_classes(
    calibration: Calibration, logits: FloatArray, targets: npt.NDArray[np.int64]
) -> Metrics:
    probabilities = softmax(logits / calibration.temperature, axis=1)
    predicted = probabilities.argmax(axis=1)
    return {
        "accuracy": float((predicted == targets).mean()),
        "macro_f1": float(f1_score(targets, predicted, average="macro", zero_division=0.0)),
        "calibration_error": expected_calibration_error(probabilities.max(1), predicted == targets),
    }


def expected_calibration_error(
    confidences: FloatArray, correct: npt.NDArray[np.bool_], bins: int = 10
) -> float:
    """Return the mean gap between confidence and accuracy over equal-width bins."""
    positions = np.minimum((confidences * bins).astype(int), bins - 1)
    gaps = [
        abs(confidences[positions == n].mean() - correct[positions == n].mean())
        * (positions == n).mean()
        for n in np.unique(positions)
    ]
    return float(sum(gaps))


def _measure_binary(
    task: Task, calibration: Calibration, logits: FloatArray, targets: FloatArray
) -> Metrics:
    probabilities = to_probability(logits, calibration)
    answers = probabilities >= calibration.threshold
    weights = prior_weights(targets, task.base_rate)
    metrics = {
        "f1": float(f1_score(targets, answers, zero_division=0.0)),
        "brier": float(np.average((probabilities - targets) ** 2, weights=weights)),
    }
    if 0 < targets.sum() < len(targets):
        metrics["pr_auc"] = float(average_precision_score(targets, probabilities))
    if task.base_rate is not None and "pr_auc" in metrics:
        at_base_rate = {"sample_weight": weights}
        metrics["pr_auc_at_base_rate"] = float(
            average_precision_score(targets, probabilities, **at_base_rate)
        )
        metrics["f1_at_base_rate"] = float(
            f1_score(targets, answers, zero_division=0.0, **at_base_rate)
        )
    return metrics


def _measure_values(
    task: Task, calibration: Calibration, raw: FloatArray, targets: FloatArray
) -> Metrics:
    intervals = to_targets(raw, calibration)
    values, actual = task.to_value(intervals[:, 1]), task.to_value(targets)
    inside = (targets >= intervals[:, 0]) & (targets <= intervals[:, 2])
    metrics = {"mae": float(np.abs(values - actual).mean()), "coverage": float(inside.mean())}
    if task.transform == "log":
        metrics["mdape"] = float(np.median(np.abs(values - actual) / actual))
        metrics["r2_log"] = _r2(intervals[:, 1], targets)
    else:
        metrics["r2"] = _r2(values, actual)
    return metrics


def _r2(predicted: FloatArray, actual: FloatArray) -> float:
    spread = float(((actual - actual.mean()) ** 2).sum())
    return 1.0 - float(((predicted - actual) ** 2).sum()) / spread if spread else 0.0
