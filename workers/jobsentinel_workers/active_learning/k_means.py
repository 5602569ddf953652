"""k-means over unit embeddings, in a few milliseconds for a thousand of them.

Clusters are searched in a random projection to 32 dimensions, which keeps distances well enough for
it, and in a sample where the pool is large. A last round is in the full space.
Sources: Lloyd, Least squares quantization in PCM, 1982; Arthur and Vassilvitskii, k-means++, 2007;
Boutsidis, Zouzias and Drineas, Random projections for k-means clustering, 2010.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from jobsentinel_workers.active_learning.checks import Floats, Indices, Vectors
from jobsentinel_workers.active_learning.vectors import blocks

PROJECTED_WIDTH: Final = 32
FITTED_ROWS: Final = 16_384
"""Larger pools are clustered by a sample of so many."""
MAX_ITERATIONS: Final = 3
REFINED_CLUSTERS: Final = 128
"""With more than so many, the round in the full space costs more than all before it."""
_ASSIGNED_ROWS: Final = 256
"""The products of so many rows stay in the processor's cache."""
_COPIED_NUMBERS: Final = 1_000_000
_SEED_ROUNDS: Final = 5
"""Seeds are drawn in about so many rounds: of 50, ten at a time."""


def k_means(unit: Vectors, count: int, seed: int) -> tuple[Vectors, Indices]:
    """Return the centres (k, d) and the cluster (n,) of each row; k is at most ``count``.

    There are fewer clusters where there are fewer distinct rows; none is empty.
    """
    rng = np.random.default_rng(seed)
    rows = _projected(unit, rng)
    fitted = rows
    if len(rows) > FITTED_ROWS:
        fitted = rows[np.sort(rng.choice(len(rows), FITTED_ROWS, replace=False))]
    centres = _lloyd(fitted, _spread_seeds(fitted, count, rng))
    labels = _dense(_nearest(rows, centres))
    if rows is not unit and count <= REFINED_CLUSTERS:
        labels = _dense(_nearest(unit, _means(unit, labels)))
    return _means(unit, labels), labels


def distances_to_own(unit: Vectors, centres: Vectors, labels: Indices) -> Floats:
    """Return each row's distance (n,) to the centre of its cluster."""
    distances = np.empty(len(unit))
    for rows in blocks(len(unit)):
        distances[rows] = np.linalg.norm(unit[rows] - centres[labels[rows]], axis=1)
    return distances


def _projected(unit: Vectors, rng: np.random.Generator) -> Vectors:
    width = unit.shape[1]
    if width <= PROJECTED_WIDTH:
        return unit
    onto = rng.standard_normal((width, PROJECTED_WIDTH), dtype=np.float32)
    onto /= np.float32(np.sqrt(PROJECTED_WIDTH))
    projected: Vectors = unit @ onto
    return projected


def _lloyd(rows: Vectors, centres: Vectors) -> Vectors:
    labels = _dense(_nearest(rows, centres))
    for _ in range(MAX_ITERATIONS):
        centres = _means(rows, labels)
        moved = _dense(_nearest(rows, centres))
        if np.array_equal(moved, labels):
            break
        labels = moved
    return centres


def _nearest(rows: Vectors, centres: Vectors) -> Indices:
    labels = np.empty(len(rows), dtype=np.intp)
    half = (centres * centres).sum(axis=1) / 2
    for block in blocks(len(rows), _ASSIGNED_ROWS):
        products = rows[block] @ centres.T
        products -= half
        labels[block] = products.argmax(axis=1)
    return labels


def _dense(labels: Indices) -> Indices:
    """Return the labels without gaps, as if empty clusters had never been."""
    used = np.bincount(labels) > 0
    return (np.cumsum(used) - 1)[labels]


def _means(rows: Vectors, labels: Indices) -> Vectors:
    sizes = np.bincount(labels)
    starts = np.concatenate(([0], np.cumsum(sizes)))
    members = np.argsort(labels, kind="stable")
    if rows.size <= _COPIED_NUMBERS:
        sums = np.add.reduceat(rows[members], starts[:-1], axis=0)
    else:
        sums = _sparse_sums(rows, members, starts)
    means: Vectors = (sums / sizes[:, None]).astype(np.float32)
    return means


def _sparse_sums(rows: Vectors, members: Indices, starts: Indices) -> Vectors:
    """Add up the rows of each cluster without copying them."""
    from scipy.sparse import csr_array

    ones = np.ones(len(rows), dtype=np.float32)
    sums: Vectors = csr_array((ones, members, starts), shape=(len(starts) - 1, len(rows))) @ rows
    return sums


def _spread_seeds(rows: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """Draw starting centres by squared distance from those drawn before.

    Many centres are drawn several at a time, which costs a little spread and saves most of the
    time. Ends early when only copies of the chosen rows are left.
    """
    at_once = max(1, count // _SEED_ROUNDS)
    norms = (rows * rows).sum(axis=1)
    chosen = [int(rng.integers(len(rows)))]
    left = _squared_distances(rows, norms, chosen)
    while len(chosen) < count and (total := float(left.sum())) > 0:
        targets = np.sort(rng.random(min(at_once, count - len(chosen)))) * total
        # Rounding may put the target past the last sum.
        drawn = np.searchsorted(np.cumsum(left), targets, side="right").clip(max=len(rows) - 1)
        fresh = list(dict.fromkeys(drawn.tolist()))
        chosen += fresh
        np.minimum(left, _squared_distances(rows, norms, fresh), out=left)
    return rows[chosen]


def _squared_distances(rows: Vectors, norms: NDArray[np.float32], points: list[int]) -> Floats:
    if len(points) == 1:
        squares = norms + norms[points[0]] - 2.0 * (rows @ rows[points[0]])
    else:
        squares = (norms[points] - 2.0 * (rows @ rows[points].T)).min(axis=1) + norms
    # Rounding leaves a copy of the point at about 1e-7 instead of 0.
    squares[squares < 1e-6] = 0.0
    squared: Floats = squares.astype(np.float64)
    return squared
