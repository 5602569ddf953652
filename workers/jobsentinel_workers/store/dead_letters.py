"""Jobs that the fleet gave up, with their payload and their error, until somebody decides.

A job has one letter at most, that of the last time it was given up; its time tells it from the one
before, so that whoever has read a letter can forget that one and no newer one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select, tuple_
from sqlalchemy import delete as delete_from

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.limits import MAX_SHORT_TEXT_CHARS
from jobsentinel_workers.store.checks import (
    checked_id,
    checked_json,
    checked_text,
    storable_text,
)
from jobsentinel_workers.store.schema import dead_letters
from jobsentinel_workers.store.timestamps import checked_timestamp
from jobsentinel_workers.store.upserts import insert_or_update


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job given up: what it was, why it failed, and the versions that failed at it.

    ``payload`` is the request as msgpack; lists leave it out (``None``).
    """

    job_id: str
    task: str
    queue: str
    payload_bytes: int
    reason: str
    error: str
    traceback: str
    attempts: int
    versions: dict[str, Any]
    created_at: str
    payload: bytes | None = None


class LetterKey(NamedTuple):
    """Names one letter of a job: a job given up anew has another."""

    job_id: str
    created_at: str


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which letters are meant: those for which all that is given here holds.

    ``since`` and ``until`` are inclusive. ``contains`` is looked for in the error, where the case
    of A to Z does not matter.
    """

    task: str | None = None
    reason: str | None = None
    contains: str | None = None
    since: datetime | str | None = None
    until: datetime | str | None = None


ALL: Final = LetterFilter()

_SUMMARY = (
    dead_letters.c.job_id,
    dead_letters.c.task,
    dead_letters.c.queue,
    func.length(dead_letters.c.payload).label("payload_bytes"),
    dead_letters.c.reason,
    dead_letters.c.error,
    dead_letters.c.traceback,
    dead_letters.c.attempts,
    dead_letters.c.versions,
    dead_letters.c.created_at,
)


def add(
    connection: Connection,
    *,
    job_id: str,
    task: str,
    queue: str,
    payload: bytes,
    reason: str,
    error: str = "",
    traceback: str = "",
    attempts: int = 0,
    versions: Mapping[str, Any] | None = None,
    created_at: datetime | str | None = None,
) -> None:
    """Keep a dead letter, in the place of an older one of the same job.

    A job whose entry in the ledger was damaged may come without its payload: that of the older
    letter stays then, for a job's id stands for its request.

    Errors and tracebacks are stored whatever they quote: what a database cannot hold is escaped.
    """
    row = {
        "job_id": checked_id("job_id", job_id),
        "task": checked_text("task", task),
        "queue": checked_text("queue", queue),
        "payload": payload or _older_payload(connection, job_id),
        "reason": checked_text("reason", reason),
        "error": storable_text(error),
        "traceback": storable_text(traceback),
        "attempts": attempts,
        "versions": checked_json("versions", dict(versions or {})),
        "created_at": checked_timestamp("created_at", created_at),
    }
    insert_or_update(connection, dead_letters, [row])


def _older_payload(connection: Connection, job_id: str) -> bytes:
    older = get(connection, job_id)
    return (older and older.payload) or b""


def find(
    connection: Connection, which: LetterFilter = ALL, *, limit: int = 100
) -> list[DeadLetter]:
    """Return dead letters without their payloads, newest first."""
    chosen = select(*_SUMMARY).where(*_conditions(which))
    newest = chosen.order_by(dead_letters.c.created_at.desc(), dead_letters.c.job_id).limit(limit)
    return [DeadLetter(*row) for row in connection.execute(newest)]


def keys(
    connection: Connection,
    which: LetterFilter = ALL,
    *,
    after: LetterKey | None = None,
    limit: int = 500,
) -> list[LetterKey]:
    """Return which letters there are, oldest first, beginning behind the letter ``after``."""
    order = (dead_letters.c.created_at, dead_letters.c.job_id)
    chosen = select(dead_letters.c.job_id, dead_letters.c.created_at).where(*_conditions(which))
    if after is not None:
        chosen = chosen.where(tuple_(*order) > (after.created_at, after.job_id))
    return [LetterKey(*row) for row in connection.execute(chosen.order_by(*order).limit(limit))]


def get(connection: Connection, job_id: str) -> DeadLetter | None:
    """Return the job's dead letter with its payload, or ``None``."""
    chosen = select(*_SUMMARY, dead_letters.c.payload).where(dead_letters.c.job_id == job_id)
    row = connection.execute(chosen).first()
    return None if row is None else DeadLetter(*row)


def count(connection: Connection, which: LetterFilter = ALL) -> int:
    """Return the number of dead letters."""
    chosen = select(func.count()).select_from(dead_letters).where(*_conditions(which))
    return connection.execute(chosen).scalar_one()


def delete(connection: Connection, job_id: str, *, created_at: str | None = None) -> bool:
    """Forget a job's letter, or only the one of that time; false if it is not there.

    One statement over the primary key: a job that is done calls it in its commit, though hardly
    one of them has a letter.
    """
    gone = delete_from(dead_letters).where(dead_letters.c.job_id == job_id)
    if created_at is not None:
        gone = gone.where(dead_letters.c.created_at == created_at)
    return bool(connection.execute(gone).rowcount)


def _conditions(which: LetterFilter) -> list[ColumnElement[bool]]:
    column = dead_letters.c
    chosen: list[ColumnElement[bool]] = []
    if which.task is not None:
        chosen.append(column.task == checked_text("task", which.task))
    if which.reason is not None:
        chosen.append(column.reason == checked_text("reason", which.reason))
    if which.contains is not None:
        chosen.append(column.error.icontains(_checked_part(which.contains), autoescape=True))
    if which.since is not None:
        chosen.append(column.created_at >= checked_timestamp("since", which.since))
    if which.until is not None:
        chosen.append(column.created_at <= checked_timestamp("until", which.until))
    return chosen


def _checked_part(text: str) -> str:
    """Return a text to look for; an empty one would be found in every error."""
    if not 1 <= len(text) <= MAX_SHORT_TEXT_CHARS:
        limits = f"1 to {MAX_SHORT_TEXT_CHARS:,} characters"
        raise InvalidInput("contains", f"must have {limits}, has {len(text):,}")
    return checked_text("contains", text)
