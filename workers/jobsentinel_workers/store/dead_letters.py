"""Jobs that the fleet gave up, with their payload and their error, until somebody decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy import delete as delete_from

from jobsentinel_workers.store.checks import (
    checked_id,
    checked_json,
    checked_text,
    storable_text,
)
from jobsentinel_workers.store.schema import dead_letters
from jobsentinel_workers.store.timestamps import checked_timestamp
from jobsentinel_workers.store.upserts import insert_new


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
) -> bool:
    """Keep a dead letter; false when the job already has one, which then stays as it is.

    Errors and tracebacks are stored whatever they quote: what a database cannot hold is escaped.
    """
    row = {
        "job_id": checked_id("job_id", job_id),
        "task": checked_text("task", task),
        "queue": checked_text("queue", queue),
        "payload": payload,
        "reason": checked_text("reason", reason),
        "error": storable_text(error),
        "traceback": storable_text(traceback),
        "attempts": attempts,
        "versions": checked_json("versions", dict(versions or {})),
        "created_at": checked_timestamp("created_at", created_at),
    }
    return bool(insert_new(connection, dead_letters, [row]))


def find(
    connection: Connection,
    *,
    task: str | None = None,
    reason: str | None = None,
    since: datetime | str | None = None,
    limit: int = 100,
) -> list[DeadLetter]:
    """Return dead letters without their payloads, newest first; ``since`` is inclusive."""
    chosen = select(*_SUMMARY)
    if task is not None:
        chosen = chosen.where(dead_letters.c.task == task)
    if reason is not None:
        chosen = chosen.where(dead_letters.c.reason == reason)
    if since is not None:
        chosen = chosen.where(dead_letters.c.created_at >= checked_timestamp("since", since))
    newest = chosen.order_by(dead_letters.c.created_at.desc(), dead_letters.c.job_id).limit(limit)
    return [DeadLetter(*row) for row in connection.execute(newest)]


def get(connection: Connection, job_id: str) -> DeadLetter | None:
    """Return the job's dead letter with its payload, or ``None``."""
    chosen = select(*_SUMMARY, dead_letters.c.payload).where(dead_letters.c.job_id == job_id)
    row = connection.execute(chosen).first()
    return None if row is None else DeadLetter(*row)


def count(connection: Connection) -> int:
    """Return the number of dead letters."""
    return connection.execute(select(func.count()).select_from(dead_letters)).scalar_one()


def delete(connection: Connection, job_id: str) -> bool:
    """Forget a dead letter, for example once its job was sent again; false if there was none."""
    gone = delete_from(dead_letters).where(dead_letters.c.job_id == job_id)
    return bool(connection.execute(gone).rowcount)
