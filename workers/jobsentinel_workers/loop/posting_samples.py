"""Samples of the stored postings' embeddings: those of a training's time, and those since.

Postings are drawn in the order of their content's hash, from a place that a seed gives: evenly, as
far as kinds of postings go, and the same again as long as the store holds the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, and_, select

from jobsentinel.contract.text import content_hash
from jobsentinel_workers.active_learning.drift import MAX_VECTORS
from jobsentinel_workers.store import embeddings
from jobsentinel_workers.store.schema import embeddings as embeddings_table
from jobsentinel_workers.store.schema import postings


def sample_contents(
    connection: Connection, encoder_id: str, *, seed: str, after: int = 0, upto: int | None = None
) -> list[str]:
    """Return content hashes of up to `MAX_VECTORS` postings that have an embedding.

    Args:
        connection: to the store.
        encoder_id: by whose embeddings.
        seed: any text.
        after: only postings that came or changed after this change number.
        upto: and not after this one.
    """
    conditions = [postings.c.change_seq > after]
    if upto is not None:
        conditions.append(postings.c.change_seq <= upto)
    start = content_hash(seed)
    found = _contents(connection, encoder_id, postings.c.content_hash >= start, *conditions)
    if len(found) < MAX_VECTORS:
        found += _contents(connection, encoder_id, postings.c.content_hash < start, *conditions)
    return found[:MAX_VECTORS]


def vectors_of(
    connection: Connection, encoder_id: str, contents: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Return (n, d) embeddings of the contents that have one.

    Raises:
        CorruptVector: a stored one is damaged.
    """
    found = embeddings.get_many(connection, encoder_id, contents)
    return np.array(list(found.values()), dtype=np.float32)


def _contents(
    connection: Connection, encoder_id: str, *conditions: ColumnElement[bool]
) -> list[str]:
    encoded = and_(
        embeddings_table.c.encoder_id == encoder_id,
        embeddings_table.c.content_hash == postings.c.content_hash,
    )
    chosen = (
        select(postings.c.content_hash)
        .join(embeddings_table, encoded)
        .where(*conditions)
        .distinct()
        .order_by(postings.c.content_hash)
        .limit(MAX_VECTORS)
    )
    return list(connection.execute(chosen).scalars())
