"""Labels into the store: in one transaction with their entry in the audit log, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.audit.label_counts import label_counts
from jobsentinel_workers.labelling.read_labels import Reading
from jobsentinel_workers.store import Database, labels
from jobsentinel_workers.store.label_withdrawal import withdraw

_SUBJECT_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of labels that were read."""

    stored: int
    unchanged: int


def store_labels(
    database: Database, audit: AuditLog, rows: Sequence[Mapping[str, Any]], *, subject: str
) -> int:
    """Store labels and return how many values in force changed.

    Args:
        rows: as `store.labels.add` takes them.
        subject: who or what brings them, for the audit log.

    Raises:
        InvalidInput: a row cannot be stored; then none is.
        StoreUnavailable: the store, or its audit log, does not take them.
    """
    with database.begin() as connection:
        return _add(connection, audit, rows, subject)


def store_reading(database: Database, audit: AuditLog, reading: Reading) -> Stored:
    """Store what was read of a file, except for what is refused, which becomes faults.

    The same file a second time changes nothing, unless its labels were changed since.
    """
    reading.refuse_contradictions()
    with database.begin() as connection:
        reading.refuse_unknown_postings(connection)
        rows = [label.row for label in reading.labels]
        changed = _add(connection, audit, rows, f"label import {reading.name}") if rows else 0
    return Stored(changed, len(rows) - changed)


def withdraw_label(database: Database, audit: AuditLog, row: Mapping[str, Any]) -> None:
    """Take back a label that was stored from ``row``; what it had replaced counts again."""
    subject = f"label withdrawn by {row['annotator']}"[:_SUBJECT_CHARS]
    with database.begin() as connection:
        if withdraw(connection, row):
            audit.record(connection, "labels_changed", subject, label_counts([row], 1))


def _add(
    connection: Connection, audit: AuditLog, rows: Sequence[Mapping[str, Any]], subject: str
) -> int:
    changed = labels.add(connection, rows)
    if changed:
        counts = label_counts(rows, changed)
        audit.record(connection, "labels_changed", subject[:_SUBJECT_CHARS], counts)
    return changed
