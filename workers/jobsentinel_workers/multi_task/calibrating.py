"""Fits the calibration of a task on rows that its head was not trained on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
from jobsentinel_workers.multi_task.evidence import JoinedCalibration, fit_word_weight, join
from jobsentinel_workers.multi_task.losses import TaskLoss
from jobsentinel_workers.multi_task.tasks import Task, TaskType

FloatArray = npt.NDArray[np.float64]


def calibrate(task: Task, loss: TaskLoss, raw: FloatArray, targets: FloatArray) -> Calibration:
    """Return the calibration of raw outputs (n, d) by targets (n,) or (n, c) without NaN."""
    if task.type is TaskType.CLASSIFICATION:
        return Calibration(temperature=fit_temperature(raw, targets.astype(np.int64)))
    if task.type is TaskType.MULTILABEL:
        slope, intercept = fit_platt(raw.ravel(), targets.ravel(), np.ones(targets.size))
        return Calibration(slope=slope, intercept=intercept)
    if task.type is TaskType.BINARY:
        return _calibrate_binary(task, raw[:, 0], targets)
    return _calibrate_values(loss.centre, loss.unit, raw, targets)


def _calibrate_binary(task: Task, logits: FloatArray, targets: FloatArray) -> Calibration:
    weights = prior_weights(targets, task.base_rate)
    slope, intercept = fit_platt(logits, targets, weights)
    platt = Calibration(slope=slope, intercept=intercept)
    probabilities = to_probability(logits, platt)
    threshold = fit_threshold(probabilities, targets, weights, task.precision)
    return Calibration(slope=slope, intercept=intercept, threshold=threshold)


def _calibrate_values(
    centre: float, unit: float, raw: FloatArray, targets: FloatArray
) -> Calibration:
    intervals = to_targets(raw, Calibration(centre=centre, unit=unit))
    margin = fit_margin(intervals[:, 0], intervals[:, 2], targets)
    return Calibration(centre=centre, unit=unit, margin=margin)


def calibrate_jointly(
    task: Task, loss: TaskLoss, head: FloatArray, words: FloatArray, targets: FloatArray
) -> JoinedCalibration:
    """Return the joined calibration of both outputs, (n, d) each, or (n, 1) of words of a value."""
    rows = np.ones(len(targets))
    if task.type is TaskType.BINARY:
        rows = prior_weights(targets, task.base_rate)
    weight = fit_word_weight(
        task, head, (words - loss.centre) / loss.unit, (targets - loss.centre) / loss.unit, rows
    )
    scale = JoinedCalibration(weight, Calibration(centre=loss.centre, unit=loss.unit))
    joined = join(task, head, words, scale)
    return JoinedCalibration(weight, calibrate(task, loss, joined, targets))
