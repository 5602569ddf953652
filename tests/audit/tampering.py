"""A log of eight entries, and hands that change the store behind its back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, delete, update

from jobsentinel import Settings
from jobsentinel_workers.audit import AuditLog, Verdict, verify
from jobsentinel_workers.audit.keys import find_key
from jobsentinel_workers.audit.verification import Mark
from jobsentinel_workers.store import Database
from jobsentinel_workers.store.schema import audit, audit_head

ENTRIES = 8


class Undone(Exception):
    """Takes back what was done to the store, so that the next test finds it whole."""


def write_log(settings: Settings, database: Database, entries: int = ENTRIES) -> None:
    """Append entries that differ in every field but the actor."""
    log = AuditLog(settings)
    for number in range(entries):
        with database.begin() as connection:
            log.record(connection, "model_promoted", f"model-{number}", {"version": number})


def key_of(settings: Settings) -> bytes:
    """Return the key that the log was written with."""
    key = find_key(settings)
    assert key is not None
    return key


def verdict_of(settings: Settings, database: Database, noted: Mark | None = None) -> Verdict:
    """Verify the store as it is."""
    with database.connect() as connection:
        return verify(connection, key_of(settings), noted=noted)


@contextmanager
def undone(database: Database) -> Iterator[Connection]:
    """Open a transaction that is rolled back at the end."""
    try:
        with database.begin() as connection:
            yield connection
            raise Undone
    except Undone:
        pass


def verdict_after(
    settings: Settings, database: Database, tamper: Callable[[Connection], object]
) -> Verdict:
    """Verify the store as ``tamper`` leaves it, and undo what it did."""
    with undone(database) as connection:
        tamper(connection)
        verdict = verify(connection, key_of(settings))
    return verdict


def change_entry(connection: Connection, seq: int, /, **values: object) -> None:
    """Overwrite columns of an entry."""
    connection.execute(update(audit).where(audit.c.seq == seq).values(**values))


def change_head(connection: Connection, **values: object) -> None:
    """Overwrite columns of the head."""
    connection.execute(update(audit_head).values(**values))


def remove_entries(connection: Connection, *numbers: int) -> None:
    """Delete entries."""
    connection.execute(delete(audit).where(audit.c.seq.in_(numbers)))
