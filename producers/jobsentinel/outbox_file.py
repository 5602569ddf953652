"""The file beneath the outbox: a SQLite database that several processes write to.

Its log is written ahead and synchronised at each commit, so a statement is there whole or not at
all, whenever the process is killed. A limit on its pages makes the cap and a full disk one error.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jobsentinel.contract.errors import OutboxUnavailable
from jobsentinel.durable import flush

if TYPE_CHECKING:
    import sqlite3

VERSION: Final = 1
"""Of the tables; a file of another version is left alone."""
_PAGE_BYTES: Final = 4096
_BUSY_S: Final = 60.0
"""For how long a write waits for those of others, each of which takes as long as the disk does."""
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# `message` and `payload` come last, so that looking at the others does not read them.
_TABLES: Final = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice, or the order would be lost
    job_id TEXT NOT NULL,
    task TEXT NOT NULL,
    queue TEXT NOT NULL,
    submission TEXT NOT NULL,
    created REAL NOT NULL,                  -- seconds since 1970
    within_s REAL,                          -- from then on
    items INTEGER NOT NULL,
    keep INTEGER NOT NULL,                  -- 1: stays after it was sent
    sent INTEGER NOT NULL DEFAULT 0,
    message TEXT NOT NULL,
    payload BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_waiting ON jobs (seq) WHERE sent = 0;
CREATE INDEX IF NOT EXISTS jobs_kept ON jobs (seq) WHERE sent = 1;
CREATE INDEX IF NOT EXISTS jobs_by_id ON jobs (job_id);
PRAGMA user_version = 1;
COMMIT;
"""


def open_database(path: Path, *, max_bytes: int, fsync: bool) -> sqlite3.Connection:
    """Return a connection to the file, which is made if need be; threads may share it in turn.

    Raises:
        OutboxUnavailable: it was made by another version.
        sqlite3.Error, OSError: it cannot be opened.
    """
    import sqlite3

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # SQLite does not wait when two processes switch a new file to its log at once.
    with locked(path.with_suffix(".opening"), wait=True):
        database = sqlite3.connect(
            path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            database.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
            _prepare(database, path)
            database.execute(f"PRAGMA max_page_count = {max_bytes // _PAGE_BYTES}")
        except BaseException:
            database.close()
            raise
    return database


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version not in (0, VERSION):
        raise OutboxUnavailable(
            f"the outbox {path} has version {version}, which this release cannot read; send what "
            "is in it with the release that wrote it (`jobsentinel outbox flush`)"
        )
    if version == 0:
        database.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only before there is a table
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(_TABLES)
        # SQLite does so with the file's own folder, which may be new.
        flush(path.parent.parent)


def no_room(error: Exception) -> bool:
    """Whether a write failed because the file may not, or cannot, become larger."""
    import sqlite3

    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    # SQLite calls a full disk FULL, and a quota or a limit on file sizes an error of writing.
    codes = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)
    return getattr(error, "sqlite_errorcode", None) in codes


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock file for the length of the block; without ``wait``, False when another has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _lock(descriptor, wait)
    finally:
        # Closing releases; the file stays, because removing it would let two holders in.
        os.close(descriptor)


def _lock(descriptor: int, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
