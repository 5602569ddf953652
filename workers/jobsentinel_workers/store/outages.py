"""Tells an outage of the database from an error of ours: the one passes, the other does not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from jobsentinel.contract.errors import StoreUnavailable

_SQLITE: Final = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
    )
)
"""Primary result codes, https://www.sqlite.org/rescode.html"""
_POSTGRES_CLASSES: Final = ("08", "25006", "53", "55P03", "57P", "58")
"""How SQLSTATEs begin, https://www.postgresql.org/docs/current/errcodes-appendix.html:
connection, read-only transaction, resources, lock timeout, intervention, system."""


@contextmanager
def outages_named(address: str) -> Iterator[None]:
    """Raise StoreUnavailable in the place of errors that say that the database is away."""
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable(f"the store at {address} is overloaded: {error}") from error
    except DBAPIError as error:
        if not _is_outage(error):
            raise
        reason = str(error.orig).strip()
        raise StoreUnavailable(f"the store at {address} cannot be used: {reason}") from error


def _is_outage(error: DBAPIError) -> bool:
    original = error.orig
    if isinstance(original, sqlite3.Error):
        code = getattr(original, "sqlite_errorcode", None)
        return code is not None and (code & 0xFF) in _SQLITE
    state = getattr(original, "sqlstate", None)
    if state is None:  # the driver lost the connection before the server could say anything
        return error.connection_invalidated or type(original).__name__ == "OperationalError"
    return str(state).startswith(_POSTGRES_CLASSES)
