"""Joins what the embedding says with what the words say, for tasks that have both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax

from jobsentinel_workers.multi_task.calibration import Calibration
from jobsentinel_workers.multi_task.tasks import Task, TaskType

Array = npt.NDArray[np.float64]
MAX_WORD_WEIGHT = 20.0


@dataclass(frozen=True, slots=True)
class JoinedCalibration:
    """How a joined output becomes an answer.

    Attributes:
        word_weight: multiplies the words' logits before they are added to the head's; of a value,
            the share of the words in it, from 0 to 1.
        calibration: of the result.
        network_share: of the networks over words, from 0 to 1, in what the words say; the linear
            model over words has the rest.
    """

    word_weight: float
    calibration: Calibration
    network_share: float = 0.0


def blend_words(linear: Array, deep: Array | None, network_share: float) -> Array:
    """Return (n, outputs) of the words: the linear model's, or between these and the networks'."""
    if deep is None:
        return linear
    blended: Array = linear + network_share * (deep - linear)
    return blended


def join(task: Task, head: Array, words: Array, joined: JoinedCalibration) -> Array:
    """Return (n, outputs) from those of the head and (n, outputs) or, of a value, (n, 1) of words.

    Words say where a value lies; how wide its interval is, the head says alone.
    """
    scale = joined.calibration
    return _add(task, head, (words - scale.centre) / scale.unit, joined.word_weight)


def _add(task: Task, head: Array, words: Array, word_weight: float) -> Array:
    if not task.has_values:
        total: Array = head + word_weight * words
        return total
    middle = head[:, [head.shape[1] // 2]]
    shifted: Array = head + word_weight * (words - middle)
    return shifted


def fit_word_weight(task: Task, head: Array, words: Array, targets: Array, rows: Array) -> float:
    """Return how much words count beside the head, on rows that neither was trained on.

    Args:
        task: whose outputs they are.
        head: (n, outputs) of the head.
        words: (n, outputs) of the words, (n, 1) for values; these standardised as the head's are.
        targets: (n,) or (n, c); of values, standardised likewise.
        rows: (n,) weights of the rows, for a base rate in life.
    """
    if task.type is TaskType.BINARY:
        return _yes_or_no_weight(head[:, 0], words[:, 0], targets, rows)
    if task.has_values:
        return _share(task, head, words, targets)
    return _class_weight(task, head, words, targets)


def _yes_or_no_weight(head: Array, words: Array, targets: Array, rows: Array) -> float:
    def log_loss(parameters: Array) -> float:
        z = parameters[0] * head + parameters[1] * words + parameters[2]
        losses = np.logaddexp(0.0, z) - targets * z
        # A little penalty, for two hundred rows can be separated by chance.
        return float((rows * losses).sum() / rows.sum() + 1e-3 * (parameters[:2] ** 2).sum())

    bounds = [(0.02, 5.0), (0.0, 5.0), (-20.0, 20.0)]
    found = minimize(log_loss, np.array([0.5, 0.5, 0.0]), method="L-BFGS-B", bounds=bounds).x
    return float(min(MAX_WORD_WEIGHT, found[1] / found[0]))


def _class_weight(task: Task, head: Array, words: Array, targets: Array) -> float:
    """Search scales of both; only their ratio is returned, for calibration follows."""

    def log_loss(log_scales: Array) -> float:
        scales = np.exp(log_scales)
        z = scales[0] * head + scales[1] * words
        if task.type is TaskType.MULTILABEL:
            return float((np.logaddexp(0.0, z) - targets * z).mean())
        rows = np.arange(len(targets))
        return float(-log_softmax(z, axis=1)[rows, targets.astype(np.int64)].mean())

    bounds = [(np.log(0.05), np.log(5.0)), (np.log(0.005), np.log(5.0))]
    found = minimize(log_loss, np.log([0.5, 0.5]), method="L-BFGS-B", bounds=bounds).x
    return float(min(MAX_WORD_WEIGHT, np.exp(found[1] - found[0])))


def _share(task: Task, head: Array, words: Array, targets: Array) -> float:
    return _least_error_share(head[:, head.shape[1] // 2], words[:, 0], targets)


def fit_network_share(task: Task, linear: Array, networks: Array, targets: Array) -> float:
    """Return the share of the networks over words beside the linear model, (n, outputs) both."""
    if task.has_values:
        return _least_error_share(linear[:, 0], networks[:, 0], targets)
    # Only their proportion matters: the weight of the words and the calibration come after.
    ratio = _class_weight(task, linear, networks, targets)
    return ratio / (1 + ratio)


def _least_error_share(first: Array, second: Array, targets: Array) -> float:
    """Return the share of ``second`` beside ``first``, all (n,), with the least absolute error."""

    def absolute_error(share: float) -> float:
        return float(np.abs(first + share * (second - first) - targets).mean())

    return float(minimize_scalar(absolute_error, bounds=(0.0, 1.0), method="bounded").x)
