"""Embeddings as pgvector's ``vector(d)``: one table an encoder, beside the table of embeddings.

A table holds what `embeddings` holds of its encoder, at length 1, in the order of change numbers:
the highest number in it says how far it has followed, so nothing else need remember that. Rows go
with their embeddings by a foreign key. Which posting a vector belongs to is asked of the postings
with each search, so changed and removed ones need no copying.

A table serves once it has its HNSW index (Y. Malkov and D. Yashunin, arXiv:1603.09320), which
`embeddings.put_many` then keeps in step within its own transaction. What an older version of
JobSentinel put meanwhile follows with the next search.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    MetaData,
    Table,
    Text,
    exists,
    func,
    select,
    text,
)
from sqlalchemy.types import UserDefinedType

from jobsentinel_workers.store.schema import embeddings
from jobsentinel_workers.store.stored_vectors import CorruptVector, Vector, unit, vector_from
from jobsentinel_workers.store.upserts import insert_new

ROWS_AT_ONCE: Final = 1_000
"""Copied in one transaction: other writers wait for less than a second."""


class PgVector(UserDefinedType[Vector]):
    """The column type ``vector``, written as text."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return its name in SQL."""
        return "vector"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        """Return what writes a vector so that each float32 comes back as it was."""

        def write(vector: Any) -> str:
            return f"[{','.join(f'{number:.9g}' for number in vector.tolist())}]"

        return write


@dataclass(frozen=True, slots=True)
class State:
    """A table that is there: its vectors' dimensions, and whether it has its index."""

    dimensions: int
    is_ready: bool


@cache
def table_of(encoder_id: str) -> Table:
    """Return the table of an encoder, which may not exist yet."""
    digest = hashlib.sha256(encoder_id.encode()).hexdigest()
    return Table(
        f"vectors_{digest[:16]}",
        MetaData(),
        Column("content_hash", Text, primary_key=True),
        Column("encoder_id", Text),
        Column("change_seq", BigInteger),
        Column("embedding", PgVector()),
    )


def index_name(encoder_id: str) -> str:
    """Return the name of the HNSW index on an encoder's table."""
    return f"{table_of(encoder_id).name}_hnsw"


def look(connection: Connection, encoder_id: str) -> State | None:
    """Return the state of an encoder's table; None if there is none, as in any SQLite store."""
    if connection.dialect.name != "postgresql":
        return None
    found = connection.execute(
        text(
            "SELECT a.atttypmod, coalesce(i.indisvalid, false) FROM pg_attribute a"
            " LEFT JOIN pg_index i ON i.indexrelid = to_regclass(:index)"
            " WHERE a.attrelid = to_regclass(:table) AND a.attname = 'embedding'"
        ),
        {"table": table_of(encoder_id).name, "index": index_name(encoder_id)},
    ).one_or_none()
    return None if found is None else State(*found)


def any_ready(connection: Connection) -> bool:
    """Return whether a table of any encoder has its index."""
    found = text(
        "SELECT EXISTS (SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
        " WHERE indisvalid AND relname ~ '^vectors_[0-9a-f]{16}_hnsw$')"
    )
    return bool(connection.execute(found).scalar_one())


def create_table(connection: Connection, encoder_id: str, dimensions: int) -> None:
    """Make an encoder's table if it is not there."""
    connection.execute(
        text(
            f"CREATE TABLE IF NOT EXISTS {table_of(encoder_id).name} ("
            " content_hash text PRIMARY KEY, encoder_id text NOT NULL,"
            f" change_seq bigint NOT NULL UNIQUE, embedding vector({dimensions}) NOT NULL,"
            " FOREIGN KEY (encoder_id, content_hash) REFERENCES embeddings ON DELETE CASCADE)"
        )
    )


def create_index(connection: Connection, encoder_id: str) -> None:
    """Make the HNSW index of an encoder's table if it is not there; may take many minutes."""
    # Parallel workers want shared memory, of which containers have 64 MB unless told otherwise.
    connection.execute(text("SELECT set_config('max_parallel_maintenance_workers', '0', true)"))
    # Unit vectors have their cosine for an inner product, and zeros may be indexed by that.
    connection.execute(
        text(
            f"CREATE INDEX IF NOT EXISTS {index_name(encoder_id)} ON {table_of(encoder_id).name}"
            " USING hnsw (embedding vector_ip_ops) WITH (m = 16, ef_construction = 128)"
        )
    )
    connection.execute(text(f"ANALYZE {table_of(encoder_id).name}"))


def is_behind(connection: Connection, encoder_id: str) -> bool:
    """Return whether there are embeddings that the table of their encoder lacks."""
    newer = exists().where(
        embeddings.c.encoder_id == encoder_id,
        embeddings.c.change_seq > _followed(connection, encoder_id),
    )
    return bool(connection.scalar(select(newer)))


def follow(connection: Connection, encoder_id: str, limit: int = ROWS_AT_ONCE) -> int:
    """Copy the next embeddings into their table in a write transaction; return how many.

    Raises:
        CorruptVector: one has lost its shape, is not finite, or has other dimensions.
    """
    columns = embeddings.c
    newer = (
        select(columns.content_hash, columns.dim, columns.vector, columns.change_seq)
        .where(
            columns.encoder_id == encoder_id,
            columns.change_seq > _followed(connection, encoder_id),
        )
        .order_by(columns.change_seq)
        .limit(limit)
    )
    found = connection.execute(newer).all()
    if not found:
        return 0
    state = look(connection, encoder_id)
    dimensions = None if state is None else state.dimensions
    rows = [_row(encoder_id, dimensions, each) for each in found]
    return insert_new(connection, table_of(encoder_id), rows)


def _followed(connection: Connection, encoder_id: str) -> int:
    highest = select(func.coalesce(func.max(table_of(encoder_id).c.change_seq), 0))
    return int(connection.execute(highest).scalar_one())


def _row(encoder_id: str, expected: int | None, found: Any) -> dict[str, Any]:
    key = found.content_hash
    if found.dim != expected:
        raise CorruptVector(
            f"one encoder has vectors of {found.dim} and {expected} dimensions (content hash {key})"
        )
    return {
        "content_hash": key,
        "encoder_id": encoder_id,
        "change_seq": found.change_seq,
        "embedding": unit(vector_from(found.vector, found.dim, key)),
    }
