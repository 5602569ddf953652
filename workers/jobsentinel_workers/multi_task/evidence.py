"""Joins what the embedding says with what the words say, for yes-or-no tasks that have both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from jobsentinel_workers.multi_task.calibration import Calibration

Array = npt.NDArray[np.float64]
MAX_WORD_WEIGHT = 20.0


@dataclass(frozen=True, slots=True)
class JoinedCalibration:
    """How a joined logit becomes an answer.

    Attributes:
        word_weight: multiplies the word model's logit before it is added to the head's.
        calibration: of the sum.
    """

    word_weight: float
    calibration: Calibration

    def join(self, head_logits: Array, word_logits: Array) -> Array:
        """Return (n, 1) joined logits from (n, 1) of the head and (n,) of the words."""
        joined: Array = head_logits + self.word_weight * word_logits[:, None]
        return joined


def fit_word_weight(
    head_logits: Array, word_logits: Array, targets: Array, weights: Array
) -> float:
    """Return how much words count beside the head, by the lowest weighted log loss.

    All arrays are (n,), of rows that neither was trained on.
    """

    def log_loss(parameters: Array) -> float:
        z = parameters[0] * head_logits + parameters[1] * word_logits + parameters[2]
        losses = np.logaddexp(0.0, z) - targets * z
        # A little penalty, for two hundred rows can be separated by chance.
        return float((weights * losses).sum() / weights.sum() + 1e-3 * (parameters[:2] ** 2).sum())

    bounds = [(0.02, 5.0), (0.0, 5.0), (-20.0, 20.0)]
    found = minimize(log_loss, np.array([0.5, 0.5, 0.0]), method="L-BFGS-B", bounds=bounds).x
    return float(min(MAX_WORD_WEIGHT, found[1] / found[0]))
