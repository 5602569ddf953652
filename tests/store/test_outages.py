"""Databases that are full, broken off or read-only are outages; mistakes of ours are not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from jobsentinel.contract.errors import StoreUnavailable
from jobsentinel_workers.store import Database, dead_letters


@pytest.fixture
def own(address: str) -> Iterator[Database]:
    """A store that a test may break."""
    database = Database.open(address)
    yield database
    database.close()


def test_a_full_database_is_an_outage_and_nothing_is_half_written(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'small.db'}")
    with database.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")

    with pytest.raises(StoreUnavailable, match="full"):
        _write_much(database)

    with database.connect() as connection:
        assert dead_letters.count(connection) == 0
    database.close()


def test_a_file_that_may_not_be_written_is_an_outage(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'store.db'}")

    with (
        pytest.raises(StoreUnavailable, match="readonly"),
        database.connect() as connection,
    ):
        connection.execute(text("DELETE FROM dead_letters"))
    database.close()


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_a_connection_that_the_server_broke_off_is_an_outage(own: Database) -> None:
    with pytest.raises(StoreUnavailable):
        _be_broken_off(own)

    with own.connect() as connection:  # the next one is a new connection
        assert connection.execute(text("SELECT 1")).scalar_one() == 1


def test_a_mistake_is_no_outage(own: Database) -> None:
    with pytest.raises(DBAPIError), own.begin() as connection:
        connection.execute(text("SELECT * FROM no_such_table"))


def _write_much(database: Database) -> None:
    with database.begin() as connection:
        for n in range(100):
            dead_letters.add(
                connection,
                job_id=f"job-{n}",
                task="score",
                queue="inference.bulk",
                payload=b"x" * 4_000,
                reason="invalid",
            )


def _be_broken_off(database: Database) -> None:
    with database.connect() as victim:
        pid = victim.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with database.begin() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        victim.execute(text("SELECT 1"))
