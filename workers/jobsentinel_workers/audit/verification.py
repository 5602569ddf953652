"""Whether the log is whole, and which entry is the first that is not.

Entries are read in the order of their numbers. Each must have the HMAC of its fields, follow the
one before it, and stand where it was written; the sealed head says where the log must end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Connection

from jobsentinel_workers.audit.entries import FIRST_PREVIOUS_MAC, Entry, Head, key_id
from jobsentinel_workers.audit.reading import count_entries, read_entries, read_head

Kind = Literal["altered", "missing", "moved", "appended", "other_key", "head"]

_MOST_NUMBERS_TRIED: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Problem:
    """The first thing that is wrong; ``seq`` is the entry's number, None for the log's head."""

    kind: Kind
    seq: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry's number and HMAC, noted outside the store when the log had come so far."""

    seq: int
    mac: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.mac}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many entries are sound from the first one on, the last of them, and what comes then."""

    entries: int
    last: Mark | None
    problem: Problem | None


def verify(connection: Connection, key: bytes, *, noted: Mark | None = None) -> Verdict:
    """Check the whole log that the connection's snapshot shows.

    Args:
        noted: what an earlier verdict gave as its last entry; it must still be there. Only this
            finds that the log was put back, head and all, to what it once was.
    """
    chain = _Chain(connection, key, noted)
    for entry in read_entries(connection):
        problem = chain.problem_of(entry)
        if problem is not None:
            return chain.verdict(problem)
        chain.last = entry
    return chain.verdict(chain.problem_at_end())


class _Chain:
    """The entries read so far, all of them sound."""

    def __init__(self, connection: Connection, key: bytes, noted: Mark | None) -> None:
        self._connection = connection
        self._key = key
        self._noted = noted
        self._head = read_head(connection)
        self.last: Entry | None = None

    @property
    def _seq(self) -> int:
        return self.last.seq if self.last else 0

    @property
    def _mac(self) -> str:
        return self.last.mac if self.last else FIRST_PREVIOUS_MAC

    @property
    def _sealed(self) -> Head | None:
        return self._head if self._head and self._head.fits(self._key) else None

    def verdict(self, problem: Problem | None) -> Verdict:
        last = Mark(self.last.seq, self.last.mac) if self.last else None
        return Verdict(self._seq, last, problem)

    def problem_of(self, entry: Entry) -> Problem | None:
        """Return what is wrong with the entry that comes next."""
        if not entry.fits(self._key):
            return self._misfit(entry)
        if entry.seq != self._seq + 1:
            return _missing(self._seq + 1, entry.seq - 1)
        if entry.previous_mac != self._mac:
            text = f"does not follow entry {self._seq}: it comes from another log of this key"
            return Problem("moved", entry.seq, text)
        if self._noted and entry.seq == self._noted.seq and entry.mac != self._noted.mac:
            return Problem("altered", entry.seq, "is not the entry that was noted")
        return None

    def _misfit(self, entry: Entry) -> Problem:
        if self.last is None and self._has_other_key():
            return Problem("other_key", entry.seq, "was written with another key than this one")
        written_as = self._number_written(entry)
        if written_as is not None:
            text = f"was written as entry {written_as}: entries were moved or removed"
            return Problem("moved", entry.seq, text)
        if self._sealed and entry.seq > self._sealed.seq:
            return Problem("appended", entry.seq, "was appended without the key")
        if entry.seq > self._seq + 1:
            return _missing(self._seq + 1, entry.seq - 1)
        return Problem("altered", entry.seq, "was altered, or written without the key")

    def _has_other_key(self) -> bool:
        return self._head is not None and self._head.key_id != key_id(self._key)

    def _number_written(self, entry: Entry) -> int | None:
        """Return the number under which the entry's HMAC fits, if there is one."""
        highest = max(count_entries(self._connection), self._sealed.seq if self._sealed else 0)
        numbers = range(1, min(highest, _MOST_NUMBERS_TRIED) + 1)
        return next((each for each in numbers if entry.fits(self._key, seq=each)), None)

    def problem_at_end(self) -> Problem | None:
        """Return what the head or the note says against the end of the log."""
        if self._head is None and self.last is not None:
            return Problem("head", None, "was removed: the log's end is not known")
        if self._head is not None:
            problem = self._problem_of_head(self._head)
            if problem is not None:
                return problem
        if self._noted and self._noted.seq > self._seq:
            return _missing(self._seq + 1, self._noted.seq, "though they were noted")
        return None

    def _problem_of_head(self, head: Head) -> Problem | None:
        if not head.fits(self._key):
            return Problem("head", None, "was altered, or written without the key")
        if head.seq > self._seq:
            return _missing(self._seq + 1, head.seq, "at the end")
        if head.seq < self._seq or head.mac != self._mac:
            return Problem("head", None, f"ends the log at entry {head.seq}: an old one came back")
        return None


def _missing(first: int, last: int, why: str = "") -> Problem:
    what = "is missing" if first >= last else f"and all up to {last} are missing"
    return Problem("missing", first, f"{what} {why}".rstrip())
