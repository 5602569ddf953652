"""Which databases the store accepts, and what their URLs must look like."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from jobsentinel.contract.errors import ConfigurationError

_HINT = "use sqlite:////folder/store.db or postgresql+psycopg://user:password@host/name"


def parse_address(address: str) -> URL:
    """Return the URL of a supported database, with its driver and an absolute path.

    Raises:
        ConfigurationError: not a URL, another kind of database, or a missing driver. The message
            never holds the password.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise ConfigurationError(f"the store's address is not a database URL; {_HINT}") from error
    if url.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return _postgres(url)
    if url.drivername in {"sqlite", "sqlite+pysqlite"}:
        return _sqlite(url)
    raise ConfigurationError(f"the store cannot be kept in {url.drivername}; {_HINT}")


def _postgres(url: URL) -> URL:
    if importlib.util.find_spec("psycopg") is None:
        raise ConfigurationError(
            "a store in Postgres needs the psycopg driver: pip install 'jobsentinel-ml[postgres]'"
        )
    return url.set(drivername="postgresql+psycopg")


def _sqlite(url: URL) -> URL:
    if url.database in {None, "", ":memory:"} or "mode" in url.query or "uri" in url.query:
        raise ConfigurationError(f"the store in SQLite must be a plain file; {_HINT}")
    path = Path(str(url.database)).absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the store's folder {path.parent} cannot be made: {error.strerror}"
        ) from error
    return url.set(drivername="sqlite+pysqlite", database=str(path))
