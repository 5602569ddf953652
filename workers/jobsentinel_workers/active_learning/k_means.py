"""k-means over unit embeddings, in a few milliseconds for a thousand of them.

Clusters are searched along the embeddings' principal axes, and in a sample where the pool is large;
there, a last round is in the full space. The clusters are about as tight as scikit-learn's: the
tests hold them to 1 % of its inertia.
Source: Lloyd, Least squares quantization in PCM, 1982.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from jobsentinel_workers.active_learning.checks import Floats, Indices, Vectors
from jobsentinel_workers.active_learning.k_means_seeds import spread_seeds
from jobsentinel_workers.active_learning.principal_axes import along_principal_axes
from jobsentinel_workers.active_learning.vectors import blocks

FITTED_ROWS: Final = 16_384
"""Larger pools are clustered by a sample of so many."""
MAX_ROUNDS: Final = 20
_SETTLED: Final = 0.02
"""Rounds end when no larger share of the rows changes its cluster."""
_REFINED_FROM: Final = 2_048
"""Smaller pools hardly gain from a round in the full space."""
REFINED_CLUSTERS: Final = 128
"""With more than so many, that round costs more than all before it."""
_PRODUCTS: Final = 65_536
"""So many products at a time stay in the processor's cache."""


def k_means(unit: Vectors, count: int, seed: int) -> tuple[Vectors, Indices]:
    """Return the centres (k, d) and the cluster (n,) of each row; k is at most ``count``.

    There are fewer clusters where there are fewer distinct rows; none is empty.
    """
    rng = np.random.default_rng(seed)
    rows = along_principal_axes(unit, rng)
    fitted = rows
    if len(rows) > FITTED_ROWS:
        fitted = rows[np.sort(rng.choice(len(rows), FITTED_ROWS, replace=False))]
    centres, labels = _lloyd(fitted, spread_seeds(fitted, count, rng))
    if fitted is not rows:
        labels = _nearest(rows, centres)
    if len(rows) > _REFINED_FROM and rows is not unit and count <= REFINED_CLUSTERS:
        labels = _nearest(unit, _means(unit, labels))
    return _means(unit, labels), labels


def distances_to_own(unit: Vectors, centres: Vectors, labels: Indices) -> Floats:
    """Return each row's distance (n,) to the centre of its cluster."""
    distances = np.empty(len(unit))
    for rows in blocks(len(unit), _PRODUCTS // unit.shape[1] + 1):
        apart = unit[rows] - centres[labels[rows]]
        distances[rows] = np.sqrt(np.einsum("ij,ij->i", apart, apart))
    return distances


def _lloyd(rows: Vectors, centres: Vectors) -> tuple[Vectors, Indices]:
    """Return the last centres and each row's nearest, when hardly any row moves any more."""
    labels = _nearest(rows, centres)
    for _ in range(MAX_ROUNDS):
        before, centres = labels, _means(rows, labels)
        labels = _nearest(rows, centres)
        if np.count_nonzero(labels != before) <= _SETTLED * len(rows):
            break
    return centres, labels


def _nearest(rows: Vectors, centres: Vectors) -> Indices:
    """Return each row's nearest centre (n,), numbered without gaps over those that have rows."""
    labels = np.empty(len(rows), dtype=np.intp)
    half = np.einsum("ij,ij->i", centres, centres) / 2
    for block in blocks(len(rows), _PRODUCTS // len(centres) + 1):
        products = rows[block] @ centres.T
        products -= half
        products.argmax(axis=1, out=labels[block])
    used = np.bincount(labels, minlength=len(centres)) > 0
    return labels if used.all() else (np.cumsum(used) - 1)[labels]


def _means(rows: Vectors, labels: Indices) -> Vectors:
    """Return the mean (k, d) of each cluster's rows, which are added up without a copy."""
    from scipy.sparse import csc_array

    sizes = np.bincount(labels)
    one_each = np.arange(len(rows) + 1)
    ones = np.ones(len(rows), dtype=np.float32)
    members = csc_array((ones, labels, one_each), shape=(len(sizes), len(rows)))
    means: Vectors = (members @ rows) / sizes[:, None].astype(np.float32)
    return means
