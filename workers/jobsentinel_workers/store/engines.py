"""SQLAlchemy engines set up so that SQLite and Postgres keep the same promises.

    reader   one snapshot a transaction, and no writing
    writer   the only writer from its first statement on

One writer at a time is SQLite's nature. Postgres gets it from an advisory lock, because the
change counter serialises commits there anyway, and a lock taken first cannot deadlock with one
taken later.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, text

LOCK_TIMEOUT_S: Final = 30
"""How long a writer waits for its turn before the database says that it is locked."""
_IDLE_WRITER_TIMEOUT_S: Final = 60
"""A Postgres writer that stops in mid-transaction would stop all others: it loses its turn."""
_WRITER_LOCK: Final = 0x6A6F6273656E7469  # "jobsenti": the key of the advisory lock
_WRITES: Final = "jobsentinel_writes"


@dataclass(frozen=True, slots=True)
class Engines:
    """A reading and a writing engine over one pool that belongs to the process ``pid``."""

    pid: int
    reader: Engine
    writer: Engine

    @classmethod
    def create(cls, url: URL, pid: int) -> Engines:
        """Build the engines for ``url``; nothing connects yet."""
        build = _postgres_engine if url.get_backend_name() == "postgresql" else _sqlite_engine
        engine = build(url)
        writer = engine.execution_options(**{_WRITES: True})
        return cls(pid, _snapshots(engine), writer)

    def dispose(self) -> None:
        """Close the pooled connections."""
        self.writer.dispose()


def without_turn(connection: Connection) -> Engine:
    """Return a writing connection's engine, but that it does not take the writer's turn.

    For Postgres alone, and for what no other writer touches and takes long, such as an index.
    """
    return connection.engine.execution_options(**{_WRITES: False})


def _snapshots(engine: Engine) -> Engine:
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get(_WRITES, False))


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, pool_size=8, max_overflow=56)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # Python's own transaction control would begin late and deferred: the upgrade from reading to
    # writing is what fails with "database is locked", without waiting.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {LOCK_TIMEOUT_S * 1000}")
    _set_write_ahead_log(cursor)
    # FULL, not NORMAL: a job leaves the queue right after its results are committed, so a
    # commit that a power cut takes back would be lost for good.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _set_write_ahead_log(cursor: Any) -> None:
    """Switch to the write-ahead log, which readers and the writer share without waiting.

    The switch does not wait for others by itself when several processes start at once.
    """
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                cursor.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except cursor.connection.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    writes = _writes(connection)
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgres_engine(url: URL) -> Engine:
    engine = create_engine(
        url, pool_size=8, max_overflow=56, pool_pre_ping=True, connect_args={"connect_timeout": 10}
    )
    event.listen(engine, "begin", _begin_postgres)
    return engine


def _begin_postgres(connection: Connection) -> None:
    if not _writes(connection):
        return
    connection.execute(
        text(
            "SELECT set_config('lock_timeout', :lock, true),"
            " set_config('idle_in_transaction_session_timeout', :idle, true)"
        ),
        {"lock": f"{LOCK_TIMEOUT_S}s", "idle": f"{_IDLE_WRITER_TIMEOUT_S}s"},
    )
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER_LOCK})
