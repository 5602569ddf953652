"""Postings as scrapers delivered them, with the text that the models see.

Every change takes a number from the store's clock, and a deletion leaves a trace with its number,
so that an index kept in memory can follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select
from sqlalchemy import delete as delete_from

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import changes
from jobsentinel_workers.store.checks import checked_id, checked_text, chunks
from jobsentinel_workers.store.schema import posting_deletions, postings
from jobsentinel_workers.store.timestamps import checked_timestamp
from jobsentinel_workers.store.upserts import insert_or_update

_REQUIRED: Final = ("id", "title", "description", "content_hash", "text")
_OPTIONAL_TEXTS: Final = (
    "company",
    "location",
    "experience_level",
    "employment_type",
    "salary",
    "url",
    "source",
    "posted_at",
)
_COLUMNS: Final = frozenset((*_REQUIRED, *_OPTIONAL_TEXTS, "remote", "updated_at"))
_STAMPS: Final = frozenset(("updated_at", "change_seq"))


@dataclass(frozen=True, slots=True)
class StoredPosting:
    """A posting with its model text, the text's hash, and when and as what change it came."""

    id: str
    title: str
    description: str
    company: str | None
    location: str | None
    experience_level: str | None
    employment_type: str | None
    remote: bool | None
    salary: str | None
    url: str | None
    source: str | None
    posted_at: str | None
    content_hash: str
    text: str
    updated_at: str
    change_seq: int


def upsert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert postings or update those that differ; return how many changed.

    Rows are mappings with ``id, title, description, content_hash, text`` and, where known,
    the other columns of ``StoredPosting``. Of two rows with one id the later counts. Rows equal to
    what is stored leave it untouched, its time and number too.

    Raises:
        InvalidInput: a column is missing or unknown, or has a value that cannot be stored.
    """
    latest = {row["id"]: row for row in map(_checked, range(len(rows)), rows)}
    first = changes.allocate(connection, len(latest)) if latest else 0
    numbered = [{**row, "change_seq": first + i} for i, row in enumerate(latest.values())]
    _forget_deletions(connection, latest)
    return insert_or_update(connection, postings, numbered, stamps=_STAMPS)


def get(connection: Connection, ids: Iterable[str]) -> dict[str, StoredPosting]:
    """Return the postings found, by id."""
    found: dict[str, StoredPosting] = {}
    for chunk in chunks(list(ids)):
        rows = connection.execute(select(postings).where(postings.c.id.in_(chunk)))
        found.update((row.id, StoredPosting(*row)) for row in rows)
    return found


def exists(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Return those of ``ids`` that are stored."""
    found: set[str] = set()
    for chunk in chunks(list(ids)):
        found.update(connection.scalars(select(postings.c.id).where(postings.c.id.in_(chunk))))
    return found


def count(connection: Connection) -> int:
    """Return the number of postings."""
    return connection.execute(select(func.count()).select_from(postings)).scalar_one()


def delete(connection: Connection, ids: Iterable[str]) -> int:
    """Delete postings and return how many there were; results, labels and embeddings stay."""
    there = sorted(exists(connection, ids))
    if not there:
        return 0
    first = changes.allocate(connection, len(there))
    traces = [{"posting_id": id_, "change_seq": first + i} for i, id_ in enumerate(there)]
    insert_or_update(connection, posting_deletions, traces)
    for chunk in chunks(there):
        connection.execute(delete_from(postings).where(postings.c.id.in_(chunk)))
    return len(there)


def _forget_deletions(connection: Connection, ids: Iterable[str]) -> None:
    for chunk in chunks(list(ids)):
        deleted = posting_deletions.c.posting_id.in_(chunk)
        connection.execute(delete_from(posting_deletions).where(deleted))


def _checked(position: int, row: Mapping[str, Any]) -> dict[str, Any]:
    where = f"postings.{position}"
    if unknown := sorted(set(row) - _COLUMNS):
        raise InvalidInput(f"{where}.{unknown[0]}", "is not a column of a stored posting")
    if missing := [name for name in _REQUIRED if row.get(name) is None]:
        raise InvalidInput(f"{where}.{missing[0]}", "is missing")
    remote = row.get("remote")
    if remote is not None and not isinstance(remote, bool):
        raise InvalidInput(f"{where}.remote", f"must be true, false or none, not {remote!r:.40}")
    return {
        **{name: checked_text(f"{where}.{name}", row[name]) for name in _REQUIRED},
        **{name: _optional(f"{where}.{name}", row.get(name)) for name in _OPTIONAL_TEXTS},
        "id": checked_id(f"{where}.id", row["id"]),
        "remote": remote,
        "updated_at": checked_timestamp(f"{where}.updated_at", row.get("updated_at")),
    }


def _optional(field: str, value: object) -> str | None:
    return None if value is None else checked_text(field, value)
