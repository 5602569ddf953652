"""A store from before there was an audit log gets one and keeps what it has."""

from __future__ import annotations

from alembic import command
from sqlalchemy import inspect, text
from tampering import verdict_of, write_log

from jobsentinel import Settings
from jobsentinel_workers.store import Database
from jobsentinel_workers.store.addresses import parse_address
from jobsentinel_workers.store.migrations.upgrade import configuration
from jobsentinel_workers.store.schema import REVISION


def test_an_older_store_gets_the_log_and_keeps_its_rows(log_settings: Settings) -> None:
    # Given a store of the first revision with a row in it
    older = Database(parse_address(log_settings.store_url))
    with older.begin() as connection:
        command.upgrade(configuration(connection), "0001")
        connection.execute(
            text("INSERT INTO job_commits VALUES ('job', 7, '2026-11-22T14:13:18.123456Z')")
        )
    with older.connect() as connection:
        assert "audit" not in inspect(connection).get_table_names()
    older.close()

    # When this version opens it
    database = Database.open(log_settings.store_url)

    # Then it is up to date, keeps its rows, and takes entries
    assert database.revision() == REVISION
    with database.connect() as connection:
        assert connection.execute(text("SELECT job_id FROM job_commits")).scalar_one() == "job"
    write_log(log_settings, database, 2)
    assert verdict_of(log_settings, database).entries == 2
    database.close()
