"""A head's raw outputs as the dictionaries that callers read."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from jobsentinel_workers.multi_task.calibration import Calibration, to_probability
from jobsentinel_workers.multi_task.tasks import Task, TaskType

Answer = dict[str, Any]
Prediction = dict[str, Answer]
"""The answers about one text, by task name; only tasks with a trained head are there."""


def to_answers(
    task: Task, outputs: npt.NDArray[np.float64], calibration: Calibration
) -> list[Answer]:
    """Return one answer a row of raw ``outputs`` (n, task.output_dim)."""
    if task.type is TaskType.CLASSIFICATION:
        return _classes(task, outputs, calibration)
    if task.type is TaskType.BINARY:
        return _yes_or_no(outputs[:, 0], calibration)
    return _values(task, outputs, calibration)


def _classes(task: Task, logits: npt.NDArray[np.float64], calibration: Calibration) -> list[Answer]:
    probabilities = softmax(logits / calibration.temperature, axis=1)
    best = probabilities.argmax(axis=1)
    return [
        {
            "class": task.classes[winner],
            "probability": float(row[winner]),
            "probabilities": dict(zip(task.classes, row.tolist(), strict=True)),
        }
        for row, winner in zip(probabilities, best, strict=True)
    ]


def _yes_or_no(logits: npt.NDArray[np.float64], calibration: Calibration) -> list[Answer]:
    threshold = calibration.threshold
    return [
        {"prediction": p >= threshold, "probability": p, "threshold": threshold}
        for p in to_probability(logits, calibration).tolist()
    ]


def _values(
    task: Task, quantiles: npt.NDArray[np.float64], calibration: Calibration
) -> list[Answer]:
    targets = to_targets(quantiles, calibration)
    return [
        {"value": median, "low": low, "high": high}
        for low, median, high in task.to_value(targets).tolist()
    ]


def to_targets(
    quantiles: npt.NDArray[np.float64], calibration: Calibration
) -> npt.NDArray[np.float64]:
    """Return (n, 3) low, median, high in the task's targets, the interval calibrated."""
    targets = calibration.centre + calibration.unit * quantiles
    # A negative margin narrows; it may not push a bound past the median.
    low = np.minimum(targets[:, 0] - calibration.margin, targets[:, 1])
    high = np.maximum(targets[:, 2] + calibration.margin, targets[:, 1])
    return np.stack([low, targets[:, 1], high], axis=1)
