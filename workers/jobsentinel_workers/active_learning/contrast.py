"""Contrastive examples: candidates predicted otherwise than what is labelled around them.

Source: Margatina et al., Active learning by acquiring contrastive examples (CAL), 2021.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from jobsentinel_workers.active_learning.acquisition import entropy
from jobsentinel_workers.active_learning.checks import Floats, Vectors
from jobsentinel_workers.active_learning.vectors import blocks

NEIGHBOURS: Final = 10
_SMALLEST: Final = 1e-7
"""Probabilities are at least this, so that no divergence is infinite."""


def contrast(
    unit: Vectors, probabilities: Floats, labelled: Vectors, labelled_probabilities: Floats
) -> tuple[Floats, Floats]:
    """Return how far the 10 nearest labelled neighbours' predictions are from a candidate's.

    Returns:
        (n,) the mean divergence KL(neighbour, candidate) in nats, and (n, c) the neighbours' mean
        probabilities.
    """
    logs, near = np.log(_clipped(probabilities)), _clipped(labelled_probabilities)
    nats = entropy(near)
    scores, means = np.empty(len(unit)), np.empty_like(logs)
    for rows in blocks(len(unit), 1_024):
        neighbours = _nearest(unit[rows], labelled)
        means[rows] = near[neighbours].mean(axis=1)
        # KL(q, p) = -H(q) - q . log p, and the mean over q may go inside the product.
        crossed = np.einsum("nc,nc->n", means[rows], logs[rows])
        scores[rows] = -nats[neighbours].mean(axis=1) - crossed
    return np.maximum(scores, 0.0), means


def _nearest(unit: Vectors, labelled: Vectors) -> np.ndarray:
    count = min(NEIGHBOURS, len(labelled))
    cosines = unit @ labelled.T
    nearest: np.ndarray = np.argpartition(cosines, len(labelled) - count, axis=1)[:, -count:]
    return nearest


def _clipped(probabilities: Floats) -> Floats:
    clipped = np.clip(probabilities, _SMALLEST, 1.0)
    clipped /= clipped.sum(axis=1, keepdims=True)
    return clipped
