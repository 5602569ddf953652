"""Where k-means starts: rows far from each other, the best of several draws each.

Greedy k-means++: Arthur and Vassilvitskii, k-means++: the advantages of careful seeding, 2007. Of
candidates drawn by squared distance, the one that brings all rows closest is taken; up to ten are
taken from one draw, which costs little spread and saves most of the time.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from jobsentinel_workers.active_learning.checks import Indices, Vectors

_ROUNDS: Final = 5
_MOST_A_ROUND: Final = 10
_CANDIDATES: Final = 3
"""Drawn for each seed."""
_CHOSEN_SEEDS: Final = 128
"""Of more seeds, each draw is taken as it is: choosing would take longer than all the rest."""
_SAMPLED_ROWS: Final = 512
_SAMPLED_ROWS_A_SEED: Final = 10
_SAME: Final = 1e-6
"""Rounding leaves a copy of a row at a squared distance of about 1e-7 instead of 0."""


def spread_seeds(rows: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """Return up to ``count`` of the rows (n, d); fewer where there are fewer distinct ones."""
    rows = _sample(rows, count, rng)
    squares = np.einsum("ij,ij->i", rows, rows)
    chosen = [int(rng.integers(len(rows)))]
    left = _squared_distances(rows, squares, np.array(chosen))[0]
    choosy = count <= _CHOSEN_SEEDS
    at_once = max(1, min(_MOST_A_ROUND if choosy else count, count // _ROUNDS))
    while len(chosen) < count and left.any():
        seeds = min(at_once, count - len(chosen))
        drawn = _draw(left, _CANDIDATES * seeds if choosy else seeds, rng)
        apart = np.minimum(_squared_distances(rows, squares, drawn), left)
        best, left = _best(apart, seeds) if choosy else (slice(None), apart.min(axis=0))
        chosen += drawn[best].tolist()
    return rows[chosen]


def _sample(rows: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    enough = max(_SAMPLED_ROWS, _SAMPLED_ROWS_A_SEED * count)
    return rows if len(rows) <= enough else rows[rng.choice(len(rows), enough, replace=False)]


def _draw(weights: Vectors, count: int, rng: np.random.Generator) -> Indices:
    sums = np.cumsum(weights, dtype=np.float64)
    # A sum is first exceeded at a row that adds to it, so a row of no weight is never drawn.
    targets = np.minimum(rng.random(count) * sums[-1], np.nextafter(sums[-1], 0.0))
    return np.unique(np.searchsorted(sums, targets, side="right"))


def _best(apart: Vectors, count: int) -> tuple[list[int], Vectors]:
    """Return up to ``count`` candidates that leave least, one after the other, and what is left.

    Args:
        apart: (candidates, n) what each would leave of the rows' squared distances; overwritten.
    """
    best: list[int] = []
    for _ in range(count):
        fewest = int(apart.sum(axis=1).argmin())
        if fewest in best:
            break
        best.append(fewest)
        np.minimum(apart, apart[fewest].copy(), out=apart)
    return best, apart[best[-1]]


def _squared_distances(rows: Vectors, squares: Vectors, points: Indices) -> Vectors:
    """Return the (points, n) squared distances of the rows from some of them."""
    apart: Vectors = rows[points] @ rows.T
    apart *= -2.0
    apart += squares
    apart += squares[points, None]
    apart[apart < _SAME] = 0.0
    return apart
