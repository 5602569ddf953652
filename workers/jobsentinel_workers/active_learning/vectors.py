"""Embeddings as unit vectors, and cosines in blocks that stay small beside the embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.checks import Floats, Vectors, numbers, refuse_rows

BLOCK_ROWS: Final = 4_096
"""Rows a matrix product: with 500 columns its result takes 8 MB, however large the pool is."""
_UNIT_TOLERANCE: Final = 1e-6
_ORDINARY: Final = (1e-12, 1e12)
"""Squared lengths between these are exact enough in float32; NaN and infinity are outside."""
_LONGEST: Final = 1e150
"""Lengths are cut here, so that their squares stay finite."""


def check_embeddings(values: Any, field: str = "embeddings") -> tuple[Vectors, Floats]:
    """Return ``values`` (n, d) as unit vectors, and the length (n,) that each had.

    An all-zero row stays zero. What is given as float32 unit vectors is not copied.

    Raises:
        InvalidInput: wrong shape or kind, rows of mixed width, NaN or infinity.
    """
    array = numbers(values, field)
    if array.ndim != 2 or array.shape[1] < 1:
        raise InvalidInput(field, f"must have the shape (candidates, width), not {array.shape}")
    if array.dtype == np.float32:
        squares = np.einsum("ij,ij->i", array, array)
        if np.all(np.abs(squares - 1) < _UNIT_TOLERANCE):
            return array, np.ones(len(array))
        if np.all((squares > _ORDINARY[0]) & (squares < _ORDINARY[1])):
            norms = np.sqrt(squares)
            return array / norms[:, None], norms.astype(np.float64)
    unit = np.empty(array.shape, dtype=np.float32)
    lengths = np.empty(len(array))
    for rows in blocks(len(array)):
        unit[rows], lengths[rows] = _scaled(array[rows], field, rows.start)
    return unit, lengths


def blocks(size: int, rows: int = BLOCK_ROWS) -> Iterator[slice]:
    """Yield slices that cover ``size`` rows."""
    for start in range(0, size, rows):
        yield slice(start, min(start + rows, size))


def closest_cosine(unit: Vectors, covered: Vectors) -> Floats:
    """Return each row's highest cosine with ``covered`` (m, d), or -1 where m is 0."""
    closest = np.full(len(unit), -1.0)
    if len(covered):
        for rows in blocks(len(unit)):
            closest[rows] = (unit[rows] @ covered.T).max(axis=1)
    return closest


def to_distance(cosine: NDArray[Any]) -> NDArray[Any]:
    """Return the Euclidean distance of unit vectors with these cosines, 0 to 2."""
    distance: NDArray[Any] = np.sqrt(np.maximum(2.0 - 2.0 * cosine, 0.0))
    return distance


def _scaled(rows: NDArray[Any], field: str, first: int) -> tuple[NDArray[Any], Floats]:
    array = rows.astype(np.float64)
    wrong = ~np.isfinite(array).all(axis=1)
    if wrong.any():
        refuse_rows(np.concatenate((np.zeros(first, bool), wrong)), field, "holds NaN or infinity")
    # Scaling by the largest entry first keeps the squares of huge numbers finite.
    largest = np.maximum(np.abs(array).max(axis=1, keepdims=True), np.finfo(float).tiny)
    array /= largest
    norms = np.linalg.norm(array, axis=1, keepdims=True)
    array /= np.where(norms == 0, 1, norms)
    return array, np.minimum(norms * largest, _LONGEST)[:, 0]
