"""A task's raw outputs as calibrated numbers, and those as the dictionaries that callers read."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from jobsentinel_workers.multi_task.calibration import Calibration, to_probability
from jobsentinel_workers.multi_task.tasks import Task, TaskType

Array = npt.NDArray[np.float64]
Answer = dict[str, Any]
Prediction = dict[str, Answer]
"""The answers about one text, by task name; only tasks with a trained head are there."""

MULTILABEL_THRESHOLD = 0.5


def to_numbers(task: Task, outputs: Array, calibration: Calibration) -> Array:
    """Return what raw ``outputs`` (n, task.output_dim) say, calibrated.

    Probabilities (n, c) of classes, (n,) of yes, or (n, 3) low, value and high in the task's unit.
    """
    if task.type is TaskType.CLASSIFICATION:
        probabilities: Array = softmax(outputs / calibration.temperature, axis=1)
        return probabilities
    if task.type is TaskType.MULTILABEL:
        return to_probability(outputs, calibration)
    if task.type is TaskType.BINARY:
        return to_probability(outputs[:, 0], calibration)
    return task.to_value(to_targets(outputs, calibration))


def to_answers(task: Task, outputs: Array, calibration: Calibration) -> list[Answer]:
    """Return one answer a row of raw ``outputs`` (n, task.output_dim)."""
    numbers = to_numbers(task, outputs, calibration)
    if task.has_classes:
        return [_classes(task, row) for row in numbers]
    if task.type is TaskType.BINARY:
        threshold = calibration.threshold
        return [
            {"prediction": p >= threshold, "probability": p, "threshold": threshold}
            for p in numbers.tolist()
        ]
    return [_value(task, row) for row in numbers.tolist()]


def _classes(task: Task, row: Array) -> Answer:
    best = int(row.argmax())
    answer: Answer = {
        "class": task.classes[best],
        "probability": float(row[best]),
        "probabilities": dict(zip(task.classes, row.tolist(), strict=True)),
    }
    if task.type is TaskType.MULTILABEL:
        chosen = np.flatnonzero(row >= MULTILABEL_THRESHOLD)
        ranked = chosen[np.argsort(-row[chosen], kind="stable")]
        answer["classes"] = [task.classes[position] for position in ranked]
    return answer


def _value(task: Task, row: list[float]) -> Answer:
    low, value, high = row
    unit = {"unit": task.unit} if task.unit else {}
    return {"value": value, "low": low, "high": high, **unit}


def to_targets(outputs: Array, calibration: Calibration) -> Array:
    """Return (n, 3) low, value, high in the task's targets, the interval calibrated.

    Of one output the interval is as wide everywhere; of three it starts from their quantiles.
    """
    targets = calibration.centre + calibration.unit * outputs
    value = targets[:, targets.shape[1] // 2]
    # A negative margin narrows; it may not push a bound past the value.
    low = np.minimum(targets[:, 0] - calibration.margin, value)
    high = np.maximum(targets[:, -1] + calibration.margin, value)
    return np.stack([low, value, high], axis=1)
