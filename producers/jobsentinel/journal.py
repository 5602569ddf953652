"""The journal of a crawl: postings that were taken over and that no job carries yet, in one file.

What `Journal.add` has returned for outlives its process, and a power cut too where the file is
synchronised. Postings leave in chunks that stay the same until they are sent, so that a chunk whose
sending was cut short is sent as the same job again. What was sent is remembered until `forget`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgpack

from jobsentinel.contract.base import dump
from jobsentinel.contract.errors import ConfigurationError, OutboxUnavailable
from jobsentinel.contract.postings import Posting
from jobsentinel.outbox_file import locked

if TYPE_CHECKING:
    import sqlite3

_VERSION: Final = 1
_TABLES: Final = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS postings (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,  -- of the whole posting
    chunk INTEGER,                -- the seq of the last one that leaves with it
    packed BLOB                   -- NULL: it was sent
);
CREATE INDEX IF NOT EXISTS postings_waiting ON postings (seq) WHERE packed IS NOT NULL;
PRAGMA user_version = 1;
COMMIT;
"""
_WAITING: Final = "SELECT seq, packed, chunk FROM postings WHERE packed IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Postings that leave together."""

    number: int
    postings: tuple[Posting, ...]


class Journal:
    """The file at ``path``, held by one process at a time, and used by one thread at a time.

    Raises:
        ConfigurationError: another process holds it, or another version made it.
        OutboxUnavailable: from any method, when the file cannot be used; nothing has changed then.
    """

    def __init__(self, path: Path, *, fsync: bool = True) -> None:
        self.path = path
        self._stack = ExitStack()
        with self._failures():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            held = self._stack.enter_context(locked(path.with_suffix(".lock"), wait=False))
        if not held:
            self._stack.close()
            raise ConfigurationError(
                f"another crawl is using the journal {path}; give this one a name of its own"
            )
        try:
            with self._failures():
                self._database = self._opened(fsync)
        except BaseException:
            self._stack.close()
            raise

    def _opened(self, fsync: bool) -> sqlite3.Connection:
        import sqlite3

        database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._stack.callback(database.close)
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise ConfigurationError(f"the journal {self.path} has the unknown version {version}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
        if version == 0:
            database.executescript(_TABLES)
        return database

    def add(self, postings: Sequence[Posting]) -> int:
        """Take postings over, all or none; return how many were not there before."""
        packed = [msgpack.packb(dump(posting)) for posting in postings]
        rows = [(hashlib.sha256(each).digest()[:16], each) for each in packed]
        insert = "INSERT OR IGNORE INTO postings (digest, packed) VALUES (?, ?)"
        with self._transaction() as database:
            before = database.total_changes
            database.executemany(insert, rows)
            return database.total_changes - before

    def waiting(self) -> int:
        """Return how many postings are still to be sent."""
        with self._failures():
            counted = "SELECT count(*) FROM postings WHERE packed IS NOT NULL"
            return int(self._database.execute(counted).fetchone()[0])

    def next_chunk(self, size: int, *, partly: bool = False) -> Chunk | None:
        """Return the postings that leave next: ``size``, or fewer if that is said by ``partly``.

        A chunk that was begun and not sent comes first, as it was.
        """
        with self._failures():
            found = self._database.execute(f"{_WAITING} ORDER BY seq LIMIT 1").fetchone()
            if found is None:
                return None
            if found[2] is not None:
                return self._chunk(found[2])
        return self._new_chunk(size, partly)

    def _new_chunk(self, size: int, partly: bool) -> Chunk | None:
        with self._transaction() as database:
            rows = database.execute(f"{_WAITING} ORDER BY seq LIMIT {size}").fetchall()
            if len(rows) < size and not partly:
                return None
            last = rows[-1][0]
            marked = "UPDATE postings SET chunk = ? WHERE packed IS NOT NULL AND seq <= ?"
            database.execute(marked, (last, last))
        return _made(last, rows)

    def _chunk(self, number: int) -> Chunk:
        rows = self._database.execute(f"{_WAITING} AND seq <= ? ORDER BY seq", (number,)).fetchall()
        return _made(number, rows)

    def settle(self, chunk: Chunk) -> None:
        """A chunk was sent."""
        with self._failures():
            sent = "UPDATE postings SET packed = NULL WHERE packed IS NOT NULL AND seq <= ?"
            self._database.execute(sent, (chunk.number,))

    def forget(self) -> None:
        """Forget what was sent, so that it is taken over again when it comes again."""
        with self._failures():
            self._database.execute("DELETE FROM postings WHERE packed IS NULL")

    def close(self) -> None:
        """Close the file and let another process hold it."""
        self._stack.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._failures():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _failures(self) -> Iterator[None]:
        import sqlite3

        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise OutboxUnavailable(f"the journal {self.path} cannot be used: {error}") from error


def _made(number: int, rows: Sequence[tuple[int, bytes, Any]]) -> Chunk:
    postings = (Posting.parse(msgpack.unpackb(packed)) for _, packed, _ in rows)
    return Chunk(number, tuple(postings))
