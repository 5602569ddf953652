"""The directions in which embeddings differ most: few numbers a row that keep distances apart.

One step of randomised subspace iteration over a sample of the rows: Halko, Martinsson and Tropp,
Finding structure with randomness, 2011. k-means finds nearly the same clusters along these axes as
in the full space: Ding and He, K-means clustering via principal component analysis, 2004.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from jobsentinel_workers.active_learning.checks import Floats, Vectors

AXES: Final = 48
_SAMPLED_ROWS: Final = 512
"""More rows cost more than the better directions that they give are worth."""
_RIDGE: Final = 1e-9
"""Share of the variance that is added to every axis, so that copied rows do not make it fail."""


def along_principal_axes(rows: Vectors, rng: np.random.Generator) -> Vectors:
    """Return ``rows`` (n, d) along at most 48 orthonormal axes; narrow rows as they are."""
    if rows.shape[1] <= AXES:
        return rows
    sample = rows
    if len(rows) > _SAMPLED_ROWS:
        sample = rows[rng.choice(len(rows), _SAMPLED_ROWS, replace=False)]
    signs = rng.integers(0, 2, (rows.shape[1], AXES), dtype=np.int8) * np.float32(2) - np.float32(1)
    across = sample @ signs
    # What all rows share would hide the differences between them.
    across -= across.mean(axis=0)
    projected: Vectors = rows @ _orthonormal(sample.T @ across)
    return projected


def _orthonormal(columns: Vectors) -> Vectors:
    """Return (d, k) orthonormal columns that span those given; what is next to nothing shrinks."""
    # In float64: rounding must not make a matrix indefinite that is hardly definite.
    exact: Floats = columns.astype(np.float64)
    products = exact.T @ exact
    ridge = _RIDGE * np.trace(products) + np.finfo(np.float64).tiny
    np.fill_diagonal(products, products.diagonal() + ridge)
    return (exact @ np.linalg.inv(np.linalg.cholesky(products)).T).astype(np.float32)
