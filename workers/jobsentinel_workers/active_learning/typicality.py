"""Typicality: how dense the surroundings of a candidate are (TypiClust).

Source: Hacohen, Dekel and Weinshall, Active learning on a budget: opposite strategies suit high
and low budgets, 2022.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from jobsentinel_workers.active_learning.checks import Floats, Indices, Vectors
from jobsentinel_workers.active_learning.vectors import to_distance

NEIGHBOURS: Final = 20
MAX_REFERENCES: Final = 512
"""In a larger cluster, distances are measured to so many of its members, evenly chosen."""
_EPSILON: Final = 1e-7


def typicality(unit: Vectors, clusters: Indices) -> Floats:
    """Return 1 / (mean distance to the 20 nearest of the own cluster) for each row, (n,).

    A row that is alone in its cluster has 1.
    """
    scores = np.ones(len(unit))
    by_cluster = np.argsort(clusters, kind="stable")
    borders = np.flatnonzero(np.diff(clusters[by_cluster])) + 1
    for members in np.split(by_cluster, borders):
        if len(members) > 1:
            scores[members] = _within(unit[members])
    return scores


def _within(unit: Vectors) -> Floats:
    step = -(-len(unit) // MAX_REFERENCES)
    references = unit[::step]
    cosines = unit @ references.T
    # A row is no neighbour of its own.
    cosines[np.arange(0, len(unit), step), np.arange(len(references))] = -np.inf
    neighbours = min(NEIGHBOURS, len(references) - 1)
    nearest = np.partition(cosines, -neighbours, axis=1)[:, -neighbours:]
    distances = to_distance(nearest.astype(np.float64)).sum(axis=1)
    scores: Floats = neighbours / (distances + _EPSILON)
    return scores
