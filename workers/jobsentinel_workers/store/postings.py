"""Postings as scrapers delivered them, with the text that the models see.

Every change takes a number from the store's clock, and a deletion leaves a trace with its number,
so that an index kept in memory can follow. A posting that comes again unchanged keeps its number,
but the store remembers that it was seen, so that what no board shows any more can be removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, update
from sqlalchemy import delete as delete_from

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import changes
from jobsentinel_workers.store.checks import checked_id, checked_text, chunks
from jobsentinel_workers.store.schema import posting_deletions, postings
from jobsentinel_workers.store.timestamps import checked_timestamp, utc_text
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

SEEN_TO_WITHIN_S: Final = 6 * 3600
"""A posting that comes again unchanged has its time renewed when it is older than this: a scraper
that delivers the same ten thousand each hour must not rewrite ten thousand rows each hour."""


@dataclass(frozen=True, slots=True)
class StoredPosting:
    """A posting with its model text and the text's hash.

    Attributes:
        updated_at: when it came last, to within `SEEN_TO_WITHIN_S` if it was unchanged then.
        change_seq: of its last change.
    """

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
    what is stored leave it untouched, its number too; only the time is renewed.

    Raises:
        InvalidInput: a column is missing or unknown, or has a value that cannot be stored.
    """
    latest = {row["id"]: row for row in map(_checked, range(len(rows)), rows)}
    first = changes.allocate(connection, len(latest)) if latest else 0
    numbered = [{**row, "change_seq": first + i} for i, row in enumerate(latest.values())]
    _forget_deletions(connection, latest)
    changed = insert_or_update(connection, postings, numbered, stamps=_STAMPS)
    _renew(connection, list(latest.values()))
    return changed


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
    """Delete postings with what filters compare of them, and return how many there were.

    Results, labels and embeddings stay.
    """
    return sum(_delete(connection, postings.c.id.in_(chunk)) for chunk in chunks(sorted(set(ids))))


def delete_posted_before(connection: Connection, day: date) -> int:
    """Delete postings that were posted before ``day`` by their own word; as `delete`.

    Those that do not say when they were posted stay.
    """
    # The contract takes ISO dates only, so their first ten characters are in the order of time.
    return _delete(connection, func.substr(postings.c.posted_at, 1, 10) < day.isoformat())


def delete_not_seen_for(connection: Connection, days: float) -> int:
    """Delete postings that have not come, changed or unchanged, for so many days; as `delete`."""
    since = utc_text(datetime.now(UTC) - timedelta(days=days))
    return _delete(connection, postings.c.updated_at < since)


def _delete(connection: Connection, chosen: ColumnElement[bool]) -> int:
    count = connection.execute(select(func.count()).where(chosen)).scalar_one()
    if count:
        before = changes.allocate(connection, count) - 1
        number = before + func.row_number().over(order_by=postings.c.id)
        traces = select(postings.c.id, number).where(chosen)
        names = ["posting_id", "change_seq"]
        connection.execute(insert(posting_deletions).from_select(names, traces))
        connection.execute(delete_from(postings).where(chosen))
    return count


def _renew(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Remember when postings came last, without a change number: no index need look at them."""
    if not rows:
        return
    statement = (
        update(postings)
        .where(postings.c.id == bindparam("which"), postings.c.updated_at < bindparam("before"))
        .values(updated_at=bindparam("now"))
    )
    given = [
        {"which": row["id"], "now": row["updated_at"], "before": _earlier(row["updated_at"])}
        for row in rows
    ]
    connection.execute(statement, given)


def _earlier(moment: str) -> str:
    return utc_text(datetime.fromisoformat(moment) - timedelta(seconds=SEEN_TO_WITHIN_S))


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
