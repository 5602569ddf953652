"""What changed of the postings' vectors since a change number: what an index in memory follows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, select

from jobsentinel_workers.store.schema import embeddings, posting_deletions, postings
from jobsentinel_workers.store.stored_vectors import Vector, vector_from

_ROWS_A_FETCH: Final = 2_000

Change = tuple[str, Vector | None]

_VECTOR: Final = (embeddings.c.vector, embeddings.c.dim, embeddings.c.content_hash)


def changed_vectors(connection: Connection, encoder_id: str, since: int) -> Iterator[Change]:
    """Yield what changed after ``since``: removals first, then every posting's present vector."""
    gone = select(posting_deletions.c.posting_id).where(posting_deletions.c.change_seq > since)
    for posting_id in connection.scalars(gone):
        yield posting_id, None
    for chosen in (_changed_postings(encoder_id, since), _late_embeddings(encoder_id, since)):
        for row in _streamed(connection, chosen):
            yield row.id, None if row.vector is None else _vector(row)


def _vector(row: Row[Any]) -> Vector:
    return vector_from(row.vector, row.dim, row.content_hash)


def _changed_postings(encoder_id: str, since: int) -> Select[Any]:
    # Without an embedding for its present text a posting leaves the index: its old vector
    # describes a text that it no longer has.
    mine = and_(
        embeddings.c.content_hash == postings.c.content_hash,
        embeddings.c.encoder_id == encoder_id,
    )
    return (
        select(postings.c.id, *_VECTOR)
        .select_from(postings.outerjoin(embeddings, mine))
        .where(postings.c.change_seq > since)
    )


def _late_embeddings(encoder_id: str, since: int) -> Select[Any]:
    """Embeddings that came in a later transaction than their posting."""
    return (
        select(postings.c.id, *_VECTOR)
        .join_from(embeddings, postings, embeddings.c.content_hash == postings.c.content_hash)
        .where(
            embeddings.c.encoder_id == encoder_id,
            embeddings.c.change_seq > since,
            postings.c.change_seq <= since,
        )
    )


def _streamed(connection: Connection, chosen: Select[Any]) -> Iterator[Row[Any]]:
    yield from connection.execute(chosen, execution_options={"yield_per": _ROWS_A_FETCH})
