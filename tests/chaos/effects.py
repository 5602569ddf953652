"""The honest count of storing: a table without a key, written with the results.

The store's own tables cannot hold a result twice, by design; here every storing leaves a row. Our
workers write it in the transaction that stores the results, stock workers in one of their own.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CREATE = "CREATE TABLE IF NOT EXISTS effects (job_id TEXT NOT NULL, pid INTEGER, at REAL NOT NULL)"
INSERT = "INSERT INTO effects (job_id, pid, at) VALUES (?, ?, ?)"
LOCK_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Effect:
    """A storing of a job at ``at`` (seconds since 1970)."""

    job_id: str
    pid: int
    at: float


def create(store: Path) -> None:
    """Make the table, and the store's file if there is none."""
    with contextlib.closing(open_store(store)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(CREATE)


def open_store(store: Path) -> sqlite3.Connection:
    """Open the store in autocommit."""
    return sqlite3.connect(store, timeout=LOCK_TIMEOUT_S, isolation_level=None)


def read(store: Path) -> list[Effect]:
    """Return every storing in the order of time."""
    found = _select(store, "SELECT job_id, pid, at FROM effects ORDER BY at, rowid")
    return [Effect(*row) for row in found]


def count(store: Path) -> int:
    """Return how many storings there were."""
    counted: int = _select(store, "SELECT count(*) FROM effects")[0][0]
    return counted


def ids_in(store: Path, table: str) -> set[str]:
    """Return the job ids of a table of the store."""
    return {row[0] for row in _select(store, f"SELECT DISTINCT job_id FROM {table}")}


def _select(store: Path, statement: str) -> list[Any]:
    with contextlib.closing(open_store(store)) as connection:
        return connection.execute(statement).fetchall()
