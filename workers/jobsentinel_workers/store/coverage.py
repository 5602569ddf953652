"""How many of the stored postings an encoder's embeddings cover, and which texts lack one."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select

from jobsentinel_workers.store.schema import embeddings, postings


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of ``postings`` stored, ``encoded`` have the embedding of their present text."""

    encoded: int
    postings: int

    @property
    def share(self) -> float:
        """The part that is encoded; all of it if there is nothing to encode."""
        return self.encoded / self.postings if self.postings else 1.0


def coverage(connection: Connection, encoder_id: str) -> Coverage:
    """Return how far the embeddings of ``encoder_id`` cover the postings."""
    total = connection.execute(select(func.count()).select_from(postings)).scalar_one()
    encoded = select(func.count()).select_from(postings).where(_has_embedding(encoder_id))
    return Coverage(connection.execute(encoded).scalar_one(), total)


def lacking(
    connection: Connection, encoder_id: str, *, after: str = "", limit: int = 1_000
) -> dict[str, str]:
    """Return texts of postings that have no embedding by ``encoder_id``, by their content hash.

    At most ``limit`` come, in the order of their hashes, those behind ``after``.
    """
    behind = and_(postings.c.content_hash > after, ~_has_embedding(encoder_id))
    rows = connection.execute(
        select(postings.c.content_hash, func.min(postings.c.text).label("text"))
        .where(behind)
        .group_by(postings.c.content_hash)
        .order_by(postings.c.content_hash)
        .limit(limit)
    )
    return {row.content_hash: row.text for row in rows}


def _has_embedding(encoder_id: str) -> ColumnElement[bool]:
    mine = and_(
        embeddings.c.encoder_id == encoder_id,
        embeddings.c.content_hash == postings.c.content_hash,
    )
    return exists().where(mine)
