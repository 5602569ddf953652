"""Linear models over sparse features: ridge and logistic regression with any number of outputs.

One solver for all outputs at once, so that thirty-five classes cost little more than one. The
answers are those of the textbook objectives: the mean loss, plus the squared weights over twice
``strength`` times the rows; the bias is free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import expit, log_softmax, softmax

FloatArray = npt.NDArray[np.float64]
Link = Literal["softmax", "sigmoid", "identity"]
MAX_ITERATIONS = 50
"""Of L-BFGS. More move the answers to a text less than another sample of texts would."""
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """What a linear model learnt: (d, c) weights and (c,) biases."""

    weights: FloatArray
    bias: FloatArray

    def outputs(self, features: csr_matrix) -> FloatArray:
        """Return (n, c) logits or values for (n, d) features."""
        outputs: FloatArray = (features @ self.weights.astype(features.dtype)) + self.bias
        return outputs.astype(np.float64)


def fit_linear(
    features: csr_matrix,
    targets: FloatArray,
    link: Link,
    strength: float,
    *,
    row_weights: FloatArray | None = None,
    start: Linear | None = None,
) -> Linear:
    """Return the model of (n, d) features and (n, c) targets.

    Args:
        features: sparse rows.
        targets: 0/1 for the links ``softmax`` and ``sigmoid``, values for ``identity``.
        link: which loss: cross-entropy over classes, for each class by itself, or squared error.
        strength: inverse of the penalty, as ``C`` of logistic regression.
        row_weights: (n,) how much each row counts, 1 on average.
        start: a model of the same shape to begin from.
    """
    rows, width = features.shape
    outputs = targets.shape[1]
    share = (np.ones(rows) if row_weights is None else row_weights) / rows
    # By columns, the gradient reads each feature once: three times as fast as the transpose.
    columns = features.tocsc().T
    loss_and_slopes = _LOSSES[link]
    start = start or Linear(np.zeros((width, outputs)), np.zeros(outputs))

    def objective(parameters: FloatArray) -> tuple[float, FloatArray]:
        model = _unpack(parameters, width)
        losses, slopes = loss_and_slopes(model.outputs(features), targets)
        slopes *= share[:, None]
        gradient = columns @ slopes.astype(features.dtype) + model.weights / (strength * rows)
        penalty = (model.weights**2).sum() / (2 * strength * rows)
        packed = np.concatenate([gradient.ravel(), slopes.sum(axis=0)])
        return float((share * losses).sum() + penalty), packed.astype(np.float64)

    packed = np.concatenate([start.weights.ravel(), start.bias])
    options = {"maxiter": MAX_ITERATIONS, "ftol": TOLERANCE, "gtol": TOLERANCE}
    found = minimize(objective, packed, jac=True, method="L-BFGS-B", options=options)
    return _unpack(found.x, width)


def _unpack(parameters: FloatArray, width: int) -> Linear:
    outputs = len(parameters) // (width + 1)
    split = width * outputs
    return Linear(parameters[:split].reshape(width, outputs), parameters[split:])


def _cross_entropy(logits: FloatArray, targets: FloatArray) -> tuple[FloatArray, FloatArray]:
    losses = -(targets * log_softmax(logits, axis=1)).sum(axis=1)
    return losses, softmax(logits, axis=1) - targets


def _binary_cross_entropy(logits: FloatArray, targets: FloatArray) -> tuple[FloatArray, FloatArray]:
    losses = (np.logaddexp(0.0, logits) - targets * logits).sum(axis=1)
    return losses, expit(logits) - targets


def _squared_error(values: FloatArray, targets: FloatArray) -> tuple[FloatArray, FloatArray]:
    errors = values - targets
    return (errors**2).sum(axis=1) / 2, errors


_LOSSES: dict[Link, Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]] = {
    "softmax": _cross_entropy,
    "sigmoid": _binary_cross_entropy,
    "identity": _squared_error,
}
