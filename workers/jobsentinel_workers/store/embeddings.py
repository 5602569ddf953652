"""Embeddings by encoder and content hash: a text is encoded once, whatever posting it stands in.

A vector is stored as raw little-endian float32 with its dimension, which is checked on reading.
``encoder_id`` must change with the encoder's weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, func, select

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import changes, pgvector_tables
from jobsentinel_workers.store.checks import checked_id, chunks
from jobsentinel_workers.store.schema import embeddings
from jobsentinel_workers.store.stored_vectors import STORED, CorruptVector, Vector, vectors_from
from jobsentinel_workers.store.upserts import insert_new

__all__ = ["CorruptVector", "Vector", "count", "get_many", "put_many"]

_ROWS_BEHIND: Final = 256
"""How many that an older version put beside pgvector are taken along with each writing."""


def put_many(connection: Connection, encoder_id: str, vectors: Mapping[str, Any]) -> int:
    """Store vectors (d,) by content hash, keep those already there, and return how many are new.

    Where pgvector searches this encoder's vectors, it gets them in the same transaction.

    Raises:
        InvalidInput: not a finite vector, or of another dimension than the others.
    """
    if not vectors:
        return 0
    checked_id("encoder_id", encoder_id)
    rows = [_row(encoder_id, key, vector) for key, vector in vectors.items()]
    state = pgvector_tables.look(connection, encoder_id)
    _check_dimensions(rows, rows[0]["dim"] if state is None else state.dimensions)
    first = changes.allocate(connection, len(rows))
    numbered = [{**row, "change_seq": first + i} for i, row in enumerate(rows)]
    written = insert_new(connection, embeddings, numbered)
    if state is not None and state.is_ready:
        pgvector_tables.follow(connection, encoder_id, max(len(rows), _ROWS_BEHIND))
    return written


def get_many(connection: Connection, encoder_id: str, hashes: Iterable[str]) -> dict[str, Vector]:
    """Return the vectors found, read-only float32 arrays (d,), by content hash.

    Raises:
        CorruptVector: a stored vector has lost its shape, or is not finite.
    """
    columns = select(embeddings.c.content_hash, embeddings.c.dim, embeddings.c.vector)
    found: dict[str, Vector] = {}
    for chunk in chunks(list(hashes)):
        rows = connection.execute(
            columns.where(
                embeddings.c.encoder_id == encoder_id, embeddings.c.content_hash.in_(chunk)
            )
        )
        found.update(vectors_from([(key, dim, raw) for key, dim, raw in rows]))
    return found


def count(connection: Connection, encoder_id: str) -> int:
    """Return how many vectors of this encoder are stored."""
    mine = embeddings.c.encoder_id == encoder_id
    return connection.execute(select(func.count()).where(mine)).scalar_one()


def _row(encoder_id: str, key: str, value: Any) -> dict[str, Any]:
    checked_id("content_hash", key)
    vector = np.asarray(value, dtype=STORED)
    if vector.ndim != 1 or not vector.size:
        raise InvalidInput(f"vectors.{key}", f"must have the shape (d,), not {vector.shape}")
    if not np.isfinite(vector).all():
        raise InvalidInput(f"vectors.{key}", "holds NaN or infinity")
    return {
        "encoder_id": encoder_id,
        "content_hash": key,
        "dim": vector.size,
        "vector": vector.tobytes(),
    }


def _check_dimensions(rows: list[dict[str, Any]], dim: int) -> None:
    for row in rows:
        if row["dim"] != dim:
            problem = f"has {row['dim']} dimensions, others {dim}"
            raise InvalidInput(f"vectors.{row['content_hash']}", problem)
