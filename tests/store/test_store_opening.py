"""Opening a store: addresses, migrations, transactions, forks and threads."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError
from store_process import posting

from jobsentinel.contract.errors import ConfigurationError, StoreUnavailable
from jobsentinel_workers.store import Database, engines, postings
from jobsentinel_workers.store.migrations.upgrade import configuration
from jobsentinel_workers.store.schema import REVISION, metadata


def test_an_empty_database_gets_the_tables_that_the_code_expects(empty_address: str) -> None:
    # Given an empty database; when it is opened
    database = Database.open(empty_address)

    # Then its tables are those of the schema, column by column
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert inspect(connection).get_pk_constraint("results")["constrained_columns"] == [
            "job_id",
            "item_id",
        ]


def test_the_code_names_the_newest_revision(database: Database) -> None:
    with database.connect() as connection:
        assert ScriptDirectory.from_config(configuration(connection)).get_current_head() == REVISION


def test_migrating_again_changes_nothing(address: str) -> None:
    database = Database.open(address)
    with database.begin() as connection:
        postings.upsert(connection, [posting("p")])

    database.migrate()
    Database.open(address).close()

    assert database.revision() == REVISION
    with database.connect() as connection:
        assert postings.count(connection) == 1


def test_a_store_without_tables_is_refused_unless_it_may_be_migrated(empty_address: str) -> None:
    with pytest.raises(ConfigurationError, match="has no tables yet"):
        Database.open(empty_address, migrate=False)


@pytest.mark.parametrize("migrate", [True, False])
def test_a_store_made_by_a_newer_version_is_refused(address: str, migrate: bool) -> None:
    with Database.open(address).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(ConfigurationError, match="9999"):
        Database.open(address, migrate=migrate)


def test_a_failed_migration_leaves_the_database_as_it_was(empty_address: str) -> None:
    # Given a table that is in the way of one of the migration's last steps
    Database.open(empty_address).close()
    database = Database.open(empty_address)
    with database.begin() as connection:
        # Tables that refer to others go before these.
        names = [table.name for table in reversed(metadata.sorted_tables)]
        for name in [*names, "alembic_version"]:
            if name != "dead_letters":
                connection.execute(text(f"DROP TABLE {name}"))

    # When the migration fails there; then none of its tables stays
    with pytest.raises(ConfigurationError, match="dead_letters"):
        Database.open(empty_address)
    with database.connect() as connection:
        assert inspect(connection).get_table_names() == ["dead_letters"]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "not a database URL"),
        ("no url at all", "not a database URL"),
        ("postgresql://user:secret@host:port/name", "not a database URL"),
        ("mysql://user:secret@host/name", "cannot be kept in mysql"),
        ("sqlite://", "must be a plain file"),
        ("sqlite:///:memory:", "must be a plain file"),
        ("sqlite:///file:x?mode=memory&uri=true", "must be a plain file"),
        ("postgresql://user:secret@127.0.0.1:1/name", "cannot be used"),
    ],
)
def test_an_address_that_cannot_work_is_refused_without_its_password(
    address: str, reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason) as refused:
        Database.open(address)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("these are somebody's notes, not a database\n" * 100)

    with pytest.raises(ConfigurationError, match="not a database"):
        Database.open(f"sqlite:///{tmp_path / 'store.db'}")


@pytest.mark.parametrize("place", ["file/store.db", "folder"])
def test_a_place_that_cannot_hold_the_file_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()

    with pytest.raises(ConfigurationError, match="the store"):
        Database.open(f"sqlite:///{tmp_path / place}")


def test_missing_folders_are_made_and_a_relative_path_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = Database.open("sqlite:///a/b/store.db")
    monkeypatch.chdir("/")

    with database.begin() as connection:
        assert postings.upsert(connection, [posting("p")]) == 1
    assert (tmp_path / "a/b/store.db").exists()


def test_sqlite_is_set_up_to_survive_a_power_cut_and_to_share(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'store.db'}")

    with database.connect() as connection:
        values = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert values == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }


def test_an_exception_rolls_everything_back(database: Database) -> None:
    def fail_after_writing() -> None:
        with database.begin() as connection:
            postings.upsert(connection, [posting("p")])
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail_after_writing()

    with database.connect() as connection:
        assert postings.count(connection) == 0


def test_a_reading_connection_cannot_write(database: Database) -> None:
    with database.connect() as connection, pytest.raises(DBAPIError, match=r"read-?only"):
        postings.upsert(connection, [posting("p")])

    # And the pool's connections can write again afterwards
    with database.begin() as connection:
        assert postings.upsert(connection, [posting("p")]) == 1


def test_a_reading_connection_sees_one_unchanging_snapshot(database: Database) -> None:
    with database.connect() as reader:
        before = postings.count(reader)
        with database.begin() as writer:
            postings.upsert(writer, [posting("p")])
        assert postings.count(reader) == before

    with database.connect() as reader:
        assert postings.count(reader) == before + 1


def test_threads_that_write_at_once_wait_for_each_other(database: Database) -> None:
    together = threading.Barrier(8)

    def write(number: int) -> None:
        together.wait()
        with database.begin() as connection:
            there = postings.count(connection)  # what a careless upgrade of a read would trip over
            postings.upsert(connection, [posting(f"p-{number}")])
            assert postings.count(connection) == there + 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))

    with database.connect() as connection:
        assert postings.count(connection) == 8


def write_and_exit(database: Database) -> None:
    """Write in a forked child, which must never return into the test."""
    status = 1
    try:
        with database.begin() as connection:
            postings.upsert(connection, [posting("from-child")])
        status = 0
    finally:
        os._exit(status)


def test_a_writer_that_never_gets_its_turn_is_told(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "LOCK_TIMEOUT_S", 1)
    database = Database.open(address)

    with (
        database.begin(),
        pytest.raises(StoreUnavailable, match=r"locked|lock timeout"),
        database.begin(),
    ):
        pass

    with database.begin() as connection:
        assert postings.upsert(connection, [posting("p")]) == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_writes_over_connections_of_its_own(database: Database) -> None:
    # Given a parent with a pooled connection and an open transaction
    with database.connect() as connection:
        assert postings.count(connection) == 0
        child = os.fork()
        if not child:
            write_and_exit(database)
        assert os.waitpid(child, 0)[1] == 0
        assert postings.count(connection) == 0  # the parent's snapshot is untouched

    # Then parent and child have both written
    with database.begin() as connection:
        postings.upsert(connection, [posting("from-parent")])
        assert postings.count(connection) == 2


def test_a_closed_store_opens_again_when_it_is_used(database: Database) -> None:
    database.close()

    with database.begin() as connection:
        assert postings.upsert(connection, [posting("p")]) == 1
