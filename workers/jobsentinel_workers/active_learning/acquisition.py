"""Acquisition scores from probabilities: from 0 (sure) to 1 (cannot tell).

All take (n, c) probabilities that ``check_probabilities`` has passed, and return (n,) scores.
Definitions: Settles, Active Learning Literature Survey, 2009, section 3.1.
"""

from __future__ import annotations

import numpy as np

from jobsentinel_workers.active_learning.checks import Floats, Indices


def least_confidence(probabilities: Floats) -> Floats:
    """Return 1 - p(likeliest class)."""
    scores: Floats = 1.0 - probabilities.max(axis=1)
    return scores


def margin_uncertainty(probabilities: Floats) -> Floats:
    """Return 1 - (p(likeliest class) - p(second))."""
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    scores: Floats = 1.0 - (top[:, 1] - top[:, 0])
    return scores


def normalised_entropy(probabilities: Floats) -> Floats:
    """Return the entropy as a share of its maximum, ln c."""
    scores: Floats = entropy(probabilities) / np.log(probabilities.shape[-1])
    return np.clip(scores, 0.0, 1.0)


def entropy(probabilities: Floats) -> Floats:
    """Return the entropy in nats over the last axis."""
    # 0 x log(tiny) is 0, as the limit wants it; a masked logarithm takes ten times as long.
    logs = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    nats: Floats = np.einsum("...c,...c->...", probabilities, logs)
    return np.abs(nats)


def two_likeliest(probabilities: Floats, row: int) -> tuple[int, int]:
    """Return the classes of the highest and second-highest probability of one candidate."""
    order = np.argsort(-probabilities[row], kind="stable")
    return int(order[0]), int(order[1])


def descending(scores: Floats) -> Indices:
    """Return the candidates from the highest score to the lowest; equals keep their order."""
    return np.argsort(-scores, kind="stable")
