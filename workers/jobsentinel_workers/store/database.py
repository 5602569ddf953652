"""The door to the store: opening it, bringing its tables up to date, and transactions.

A ``Database`` may be shared by threads. After a fork the child gets connections of its own and
leaves the parent's alone; a spawned process opens the same URL again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import URL, Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from jobsentinel.contract.errors import ConfigurationError, StoreUnavailable
from jobsentinel_workers.store.addresses import parse_address
from jobsentinel_workers.store.engines import Engines
from jobsentinel_workers.store.outages import outages_named
from jobsentinel_workers.store.schema import REVISION

_INHERITED: Final[list[Engines]] = []
"""A forked child keeps its parent's engines unused: even closing them would disturb the parent."""


class Database:
    """One store, by URL; see the package's docstring for its use."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._current = Engines.create(url, os.getpid())

    @classmethod
    def open(cls, url: str, *, migrate: bool = True) -> Database:
        """Open the store at ``url`` and, unless told otherwise, bring its tables up to date.

        Raises:
            ConfigurationError: a bad URL, a folder that cannot be written, a file that is no
                database, a server that does not answer, or tables that do not fit this version.
        """
        database = cls(parse_address(url))
        try:
            database._prepare(migrate)
        except StoreUnavailable as error:
            database.close()
            raise ConfigurationError(str(error)) from error
        except DBAPIError as error:
            database.close()
            reason = str(error.orig).strip()
            raise ConfigurationError(
                f"the store at {database.address} cannot be used: {reason}"
            ) from error
        except ConfigurationError:
            database.close()
            raise
        return database

    @property
    def address(self) -> str:
        """The URL without its password, for logs and messages."""
        return self._url.render_as_string(hide_password=True)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._url.get_backend_name()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a write transaction: committed at the block's end, rolled back by an exception.

        One writer works at a time, on every database. Keep the block short and compute before it:
        others wait up to 30 s, and a writer in Postgres that is idle for 60 s is rolled back. A
        second ``begin`` inside the block waits for the first one in vain.

        Raises:
            StoreUnavailable: the database is away, locked for too long, read-only or full.
        """
        with outages_named(self.address), self._engines().writer.begin() as connection:
            yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Open a connection for reading, which sees one unchanging snapshot of the store.

        Raises:
            StoreUnavailable: as `begin`.
        """
        with outages_named(self.address), self._engines().reader.connect() as connection:
            yield connection

    def revision(self) -> str | None:
        """Return the revision of the store's tables, or ``None`` while there are none."""
        with self.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found = connection.execute(text("SELECT version_num FROM alembic_version"))
            return found.scalar_one_or_none()

    def migrate(self) -> None:
        """Bring the tables up to date; safe while other processes start and do the same.

        Raises:
            ConfigurationError: the store was made by a newer version of JobSentinel.
        """
        # Alembic is loaded here only: it costs a quarter of a second that a start rarely needs.
        from jobsentinel_workers.store.migrations.upgrade import upgrade

        # Both databases can roll back table changes, so the writer's turn is all the locking
        # that is needed: the second process waits, then finds nothing left to do.
        with self.begin() as connection:
            upgrade(connection)

    def close(self) -> None:
        """Close the pooled connections; the next use opens new ones."""
        self._engines().dispose()

    def _prepare(self, migrate: bool) -> None:
        revision = self.revision()
        if revision == REVISION:
            return
        if not migrate:
            raise ConfigurationError(_out_of_date(self.address, revision))
        self.migrate()

    def _engines(self) -> Engines:
        pid = os.getpid()
        if self._current.pid != pid:
            _INHERITED.append(self._current)
            self._current = Engines.create(self._url, pid)
        return self._current


def _out_of_date(address: str, revision: str | None) -> str:
    state = f"is at revision {revision}" if revision else "has no tables yet"
    return f"the store at {address} {state}, this version needs {REVISION}; open it with migrate"
