"""Making pgvector ready for an encoder's embeddings: the extension, the table, the index.

Copying takes the writer's turn a thousand rows at a time; building the index takes minutes and no
turn at all. One process of the fleet does it. If it is killed, another goes on where it was: rows
that were copied are there, and an index that was not finished is not.
"""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import NotSupportedError, ProgrammingError

from jobsentinel.contract.errors import JobSentinelError
from jobsentinel_workers.store import pgvector_tables
from jobsentinel_workers.store.database import Database
from jobsentinel_workers.store.engines import without_turn
from jobsentinel_workers.store.outages import outages_named
from jobsentinel_workers.store.schema import embeddings

OLDEST: Final = (0, 8)
"""The first version whose index goes on looking until a filter has let enough by."""
MOST_DIMENSIONS: Final = 2_000
"""More cannot be indexed, https://github.com/pgvector/pgvector#hnsw"""


class PgvectorMissing(JobSentinelError):
    """This Postgres cannot search vectors; the message says why and what to do."""


def installed_version(connection: Connection) -> str | None:
    """Return the version of pgvector in this database; None if it was not made there."""
    found = connection.execute(text("SELECT extversion FROM pg_extension WHERE extname = 'vector'"))
    return found.scalar_one_or_none()


def problem(connection: Connection) -> str | None:
    """Return why pgvector cannot be used here, though it may yet be made by `build`; or None."""
    version = installed_version(connection) or _available_version(connection)
    if version is None:
        return "the server has no extension `vector`: install pgvector on it"
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        return f"pgvector {version} is too old: 0.8 is needed (`ALTER EXTENSION vector UPDATE`)"
    return None


def build(database: Database, encoder_id: str) -> bool:
    """Make all that lacks; return False if there is nothing yet, or another process is at it.

    Raises:
        PgvectorMissing: it cannot be done on this server.
        CorruptVector: a stored embedding is no vector, or not of the others' dimensions.
        StoreUnavailable: the database went away; what is done stays done.
    """
    with database.begin() as writing:
        engine = without_turn(writing)
    with outages_named(database.address), engine.begin() as connection:
        lock = text("SELECT pg_try_advisory_xact_lock(:key)")
        if not connection.execute(lock, {"key": _lock_key(encoder_id)}).scalar_one():
            return False
        if not _prepare(database, encoder_id):
            return False
        while _copy_some(database, encoder_id):
            pass
        pgvector_tables.create_index(connection, encoder_id)
    return True


def _copy_some(database: Database, encoder_id: str) -> int:
    with database.begin() as connection:
        return pgvector_tables.follow(connection, encoder_id)


def _prepare(database: Database, encoder_id: str) -> bool:
    """Make extension and table, and return whether there is anything to copy."""
    with database.connect() as connection:
        reason = problem(connection)
        mine = embeddings.c.encoder_id == encoder_id
        dimensions = connection.scalar(select(embeddings.c.dim).where(mine).limit(1))
    if reason is None and dimensions is not None and dimensions > MOST_DIMENSIONS:
        reason = f"vectors of {dimensions:,} dimensions are over pgvector's {MOST_DIMENSIONS:,}"
    if reason is not None:
        raise PgvectorMissing(reason)
    if dimensions is None:
        return False
    with database.begin() as connection:
        _create_extension(connection)
        pgvector_tables.create_table(connection, encoder_id, dimensions)
    return True


def _create_extension(connection: Connection) -> None:
    if installed_version(connection) is not None:
        return
    try:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
    except (ProgrammingError, NotSupportedError) as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise PgvectorMissing(
            f"the extension cannot be made ({reason}): have an administrator run "
            "`CREATE EXTENSION vector` in the store's database"
        ) from error


def _available_version(connection: Connection) -> str | None:
    found = connection.execute(
        text("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
    )
    return found.scalar_one_or_none()


def _lock_key(encoder_id: str) -> int:
    digest = hashlib.sha256(f"jobsentinel pgvector {encoder_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
