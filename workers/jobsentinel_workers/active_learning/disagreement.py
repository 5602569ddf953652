"""How far the members of a committee are apart: query by committee.

Seung, Opper and Sompolinsky, Query by committee, 1992. All take what `check_committee` or
`check_values` has passed and return (n,) scores, 0 where all agree.
"""

from __future__ import annotations

import numpy as np

from jobsentinel_workers.active_learning.acquisition import entropy
from jobsentinel_workers.active_learning.checks import Floats


def votes(probabilities: Floats) -> Floats:
    """Return how many of the members of (k, n, c) vote for each class, (n, c)."""
    _, size, classes = probabilities.shape
    cells = np.arange(size) * classes + probabilities.argmax(axis=2)
    counted = np.bincount(cells.ravel(), minlength=size * classes)
    return counted.reshape(size, classes).astype(np.float64)


def vote_entropy(probabilities: Floats) -> Floats:
    """Return the entropy in nats of the votes of (k, n, c).

    Source: Engelson and Dagan, Minimizing manual annotation cost in supervised training from
    corpora, 1996.
    """
    return entropy(votes(probabilities) / len(probabilities))


def committee_divergence(probabilities: Floats) -> Floats:
    """Return the members' mean Kullback-Leibler divergence, in nats, from their consensus.

    It is the entropy of the mean less the mean of the entropies. Source: McCallum and Nigam,
    Employing EM and pool-based active learning for text classification, 1998.
    """
    apart: Floats = entropy(probabilities.mean(axis=0)) - entropy(probabilities).mean(axis=0)
    return np.maximum(apart, 0.0)


def committee_spread(values: Floats) -> Floats:
    """Return the standard deviation of the members' (k, n) values.

    Source: Burbidge, Rowland and King, Active learning for regression based on query by
    committee, 2007; they rank by the variance, which gives the same order.
    """
    spread: Floats = values.std(axis=0)
    return spread
