"""The outbox: one file in which jobs wait for a Redis that is away, or for room in their queue.

A job that `Outbox.append` has returned for outlives its process, and a power cut too where the file
is synchronised; it comes out behind all that came in before it. Whatever fails leaves the file
as it was. Threads, and processes that share the folder, may all use it at once.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobsentinel.contract.errors import OutboxFull, OutboxUnavailable
from jobsentinel.new_jobs import NewJob
from jobsentinel.outbox_file import locked, no_room, open_database

if TYPE_CHECKING:
    import sqlite3

BATCH: Final = 500
"""Rows that are looked at or changed in one step."""

_COLUMNS: Final = ", ".join(field.name for field in fields(NewJob))
_PLACES: Final = ", ".join("?" for _ in fields(NewJob))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that waits in the file, and its place there."""

    seq: int
    job: NewJob


@dataclass(frozen=True, slots=True)
class Contents:
    """How much there is in the file."""

    waiting: int
    """Jobs that are still to be sent."""
    kept: int
    """Jobs that were sent and stay until they are done."""
    oldest_s: float | None
    """For how long the oldest of those that wait has been there."""
    size_bytes: int
    """What of the file is in use."""


class Outbox:
    """The jobs in the file at ``path``, which is made when the first one comes.

    Args:
        path: the file; SQLite keeps two more beside it while it is open.
        max_bytes: how large it may become.
        fsync: whether what is written shall outlive a power cut.

    Raises:
        OutboxUnavailable: from any method, when the file cannot be used.
        OutboxFull: from those that write.
    """

    def __init__(self, path: Path, *, max_bytes: int, fsync: bool = True) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self._fsync = fsync
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._opened_by = 0
        self._inherited: list[object] = []

    # Coming in.

    def append(self, job: NewJob, *, keep: bool = False) -> int:
        """Take a job in behind all others and return its place.

        With ``keep`` it stays after it was sent, until `forget`.
        """
        return self._write(
            f"INSERT INTO jobs ({_COLUMNS}, keep) VALUES ({_PLACES}, ?)", *astuple(job), keep
        )[1]

    # Going out.

    def has_waiting(self, job_id: str | None = None) -> bool:
        """Whether a job, or this one, is to be sent; cheap as long as there is no file."""
        if job_id is None:
            return bool(self._read("SELECT 1 FROM jobs WHERE sent = 0 LIMIT 1"))
        return bool(self._read("SELECT 1 FROM jobs WHERE sent = 0 AND job_id = ? LIMIT 1", job_id))

    def is_empty(self) -> bool:
        """Whether there is neither a job to be sent nor one that is kept."""
        return not self._read("SELECT 1 FROM jobs LIMIT 1")

    def next_waiting(self, *, after: int = 0, without: Sequence[str] = ()) -> Waiting | None:
        """Return the first job behind the place ``after``, leaving out the queues ``without``."""
        rows = self._read(
            f"SELECT seq, {_COLUMNS} FROM jobs WHERE sent = 0 AND seq > ? "
            f"AND queue NOT IN ({_places(without)}) ORDER BY seq LIMIT 1",
            after,
            *without,
        )
        return Waiting(rows[0][0], NewJob(*rows[0][1:])) if rows else None

    def settle(self, seq: int) -> bool:
        """The job at this place was sent; False when it has been withdrawn meanwhile."""
        kept, _ = self._write("UPDATE jobs SET sent = 1 WHERE seq = ? AND keep = 1", seq)
        return bool(kept) or self.remove(seq)

    def remove(self, seq: int) -> bool:
        """Drop the job at this place; False when it does not wait there any more."""
        return bool(self._write("DELETE FROM jobs WHERE seq = ? AND sent = 0", seq)[0])

    # What handles ask for.

    def holds(self, job_id: str) -> bool:
        """Whether a job waits here, or is kept here after it was sent."""
        return bool(self._read("SELECT 1 FROM jobs WHERE job_id = ? LIMIT 1", job_id))

    def withdraw(self, job_id: str, *, even_sent: bool = False) -> bool:
        """Drop a job that waits here, or that is kept here too; False when there was none."""
        dropped, _ = self._write(
            "DELETE FROM jobs WHERE job_id = ? AND sent <= ?", job_id, even_sent
        )
        return bool(dropped)

    # Jobs that are kept until they are done.

    def kept(self, *, after: int = 0) -> list[tuple[int, str]]:
        """Return place and id of jobs that were sent, one batch behind ``after``."""
        return self._read(
            f"SELECT seq, job_id FROM jobs WHERE sent = 1 AND seq > ? ORDER BY seq LIMIT {BATCH}",
            after,
        )

    def forget(self, places: Sequence[int]) -> None:
        """Drop jobs that need not be kept any longer, at most one batch of them."""
        if places:
            self._write(f"DELETE FROM jobs WHERE seq IN ({_places(places)})", *places)

    def send_again(self, places: Sequence[int]) -> None:
        """Let jobs wait again, at their old places, at most one batch of them."""
        if places:
            self._write(f"UPDATE jobs SET sent = 0 WHERE seq IN ({_places(places)})", *places)

    # The file.

    def contents(self) -> Contents:
        """Return how much there is."""
        (waiting,) = self._first("SELECT count(*) FROM jobs WHERE sent = 0") or (0,)
        (kept,) = self._first("SELECT count(*) FROM jobs WHERE sent = 1") or (0,)
        oldest = self._first("SELECT created FROM jobs WHERE sent = 0 ORDER BY seq LIMIT 1")
        age_s = max(0.0, time.time() - oldest[0]) if oldest else None
        return Contents(waiting, kept, age_s, self._size_bytes())

    def _size_bytes(self) -> int:
        sizes = (
            self._first(f"PRAGMA {name}") for name in ("page_size", "page_count", "freelist_count")
        )
        page_bytes, pages, free = (size[0] if size else 0 for size in sizes)
        return int(page_bytes * (pages - free))

    def shrink(self) -> None:
        """Give the room of what has left back to the disk."""
        with self._lock, self._failures():
            # As a script, for a statement without rows is stepped once, which frees one page.
            self._opened().executescript("PRAGMA incremental_vacuum")

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._lock:
            if self._database is not None and self._opened_by == os.getpid():
                self._database.close()
            self._database = None

    def one_sender(self) -> AbstractContextManager[bool]:
        """Be the one who sends, for the length of the block; False when somebody else is.

        The kernel ends it when the process is killed. Nobody is kept from appending.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return locked(self.path.with_suffix(".lock"), wait=False)

    def _read(self, statement: str, *values: object) -> list[Any]:
        """Return all rows; there are none while there is no file."""
        with self._lock:
            if self._database is None and not self._is_there():
                return []
            with self._failures():
                return self._opened().execute(statement, values).fetchall()

    def _first(self, statement: str) -> tuple[Any, ...] | None:
        rows = self._read(statement)
        return rows[0] if rows else None

    def _is_there(self) -> bool:
        try:
            return self.path.exists()
        except OSError as error:
            raise OutboxUnavailable(f"the outbox {self.path} cannot be read: {error}") from error

    def _write(self, statement: str, *values: object) -> tuple[int, int]:
        """Do one statement, which is a transaction; return rows changed and the last place."""
        with self._lock, self._failures():
            cursor = self._opened().execute(statement, values)
            return cursor.rowcount, cursor.lastrowid or 0

    def _opened(self) -> sqlite3.Connection:
        if self._database is not None and self._opened_by != os.getpid():
            # A forked process must not use its parent's connection, nor close it.
            self._inherited.append(self._database)
            self._database = None
        if self._database is None:
            self._database = open_database(self.path, max_bytes=self.max_bytes, fsync=self._fsync)
            self._opened_by = os.getpid()
        return self._database

    @contextmanager
    def _failures(self) -> Iterator[None]:
        import sqlite3

        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if no_room(error):
                raise self._full() from error
            raise OutboxUnavailable(
                f"the outbox {self.path} cannot be used: {error}; mend that, or move the file "
                "away to begin with an empty one"
            ) from error

    def _full(self) -> OutboxFull:
        # While it cannot even be opened, what is in it cannot be counted.
        if self._database is None:
            return OutboxFull(self.path, 0, self.max_bytes, None)
        held = self.contents()
        return OutboxFull(self.path, held.size_bytes, self.max_bytes, held.waiting)


def _places(values: Sequence[object]) -> str:
    return ", ".join("?" for _ in values)
