"""What a vector is: raw little-endian float32 in the store, length 1 in an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.errors import InvalidInput, JobSentinelError

Vector = npt.NDArray[np.float32]

STORED: Final = np.dtype("<f4")


class CorruptVector(JobSentinelError):
    """A stored embedding is not what its dimension says, or not finite; delete it or restore."""


def vector_from(raw: bytes, dim: int, content_hash: str) -> Vector:
    """Return stored bytes as a read-only float32 array (dim,).

    Raises:
        CorruptVector: the bytes are no ``dim`` finite numbers; it names the content hash.
    """
    if len(raw) != dim * STORED.itemsize:
        raise CorruptVector(
            f"an embedding of {dim} dimensions has {len(raw)} bytes (content hash {content_hash})"
        )
    vector = np.frombuffer(raw, dtype=STORED).astype(np.float32, copy=False)
    if not np.isfinite(vector).all():
        raise CorruptVector(
            f"an embedding of {dim} dimensions holds NaN or infinity (content hash {content_hash})"
        )
    return vector


def vectors_from(rows: Sequence[tuple[str, int, bytes]]) -> dict[str, Vector]:
    """Return the vectors of rows ``(content hash, dim, bytes)`` by content hash.

    Raises:
        CorruptVector: as `vector_from`.
    """
    sizes = {(dim, len(raw)) for _, dim, raw in rows}
    if len(sizes) == 1:
        [(dim, size)] = sizes
        if size == dim * STORED.itemsize:
            # One look at all numbers is five times as quick as one at each vector.
            every = np.frombuffer(b"".join(raw for _, _, raw in rows), dtype=STORED)
            if np.isfinite(every).all():
                matrix = every.astype(np.float32, copy=False).reshape(-1, dim)
                return {key: matrix[at] for at, (key, _, _) in enumerate(rows)}
    return {key: vector_from(raw, dim, key) for key, dim, raw in rows}


def unit(vector: Vector) -> Vector:
    """Return ``vector`` (d,) at length 1; zeros stay zeros."""
    norm = float(np.linalg.norm(vector.astype(np.float64)))
    return vector if norm == 0.0 else (vector / norm).astype(np.float32)


def unit_query(query: npt.ArrayLike) -> Vector:
    """Return a query's vector at length 1.

    Raises:
        InvalidInput: it is not a finite, non-zero vector (d,).
    """
    vector = np.asarray(query, dtype=np.float32)
    if vector.ndim != 1:
        raise InvalidInput("query", f"must have the shape (d,), not {vector.shape}")
    if not np.isfinite(vector).all() or not vector.any():
        raise InvalidInput("query", "must be finite and not all zeros")
    return unit(vector)


def check_search(k: int, among: object, where: object) -> None:
    """Raise InvalidInput if ``k`` is below 1, or a search is narrowed in two ways."""
    if k < 1:
        raise InvalidInput("k", f"must be at least 1, not {k}")
    if among is not None and where is not None:
        raise InvalidInput("where", "cannot narrow a search together with `among`")


def check_dimensions(query: Vector, expected: int, encoder_id: str) -> None:
    """Raise InvalidInput if a query has other dimensions than the index of ``encoder_id``."""
    if query.size != expected:
        problem = f"has {query.size} dimensions, the index of {encoder_id} {expected}"
        raise InvalidInput("query", problem)


def expect_dimensions(vectors: Mapping[str, Vector], expected: int, encoder_id: str) -> None:
    """Raise CorruptVector if stored vectors are not as wide as their encoder makes them."""
    for content_hash, vector in vectors.items():
        if vector.size != expected:
            raise CorruptVector(
                f"an embedding by {encoder_id} has {vector.size} dimensions, the encoder "
                f"{expected} (content hash {content_hash})"
            )
