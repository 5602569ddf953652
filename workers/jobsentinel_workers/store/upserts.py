"""Inserting rows that may be there already, in the words of SQLite and of Postgres.

Rows go in sorted order of their keys, so that two writers never wait for each other in a ring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, or_
from sqlalchemy.dialects import postgresql, sqlite

Rows = Sequence[Mapping[str, Any]]


def insert_new(connection: Connection, table: Table, rows: Rows) -> int:
    """Insert the rows whose key is not there yet and return how many those were."""
    if not rows:
        return 0
    statement = _insert(connection, table).on_conflict_do_nothing()
    return _written(connection, table, statement, rows)


def insert_or_update(
    connection: Connection, table: Table, rows: Rows, *, stamps: frozenset[str] = frozenset()
) -> int:
    """Insert rows, or update those that differ, and return how many changed.

    A row that differs only in the columns ``stamps`` (times and sequence numbers) stays as it is.
    """
    if not rows:
        return 0
    insert = _insert(connection, table)
    given = [name for name in rows[0] if name not in table.primary_key.columns]
    differs = [
        table.c[name].is_distinct_from(insert.excluded[name])
        for name in given
        if name not in stamps
    ]
    statement = insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: insert.excluded[name] for name in given},
        where=or_(*differs) if differs else None,
    )
    return _written(connection, table, statement, rows)


def _written(
    connection: Connection, table: Table, statement: sqlite.Insert | postgresql.Insert, rows: Rows
) -> int:
    # Postgres gives no row count for many rows at once; the keys that come back can be counted.
    keys = list(table.primary_key.columns)
    ordered = sorted(rows, key=lambda row: [row[key.name] for key in keys])
    return len(connection.execute(statement.returning(keys[0]), ordered).all())


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
