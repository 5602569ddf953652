"""What filters compare of each posting: what it says, folded, and its newest score.

Facts are written in the transaction that writes the posting or its score, and go with the
posting. What is written here is what `posting_filters` asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from jobsentinel.contract.filter_fields import TEXT_FIELDS, day_number, folded
from jobsentinel_workers.store import changes
from jobsentinel_workers.store.checks import checked_id, checked_number
from jobsentinel_workers.store.schema import posting_facts
from jobsentinel_workers.store.upserts import insert_or_update

_STAMPS: Final = frozenset(("change_seq",))
_STATED: Final = ("stated_salary_low", "stated_salary_high")
_SCORES: Final = ("estimated_salary", "scam", "match_quality")
_OWN_TEXTS: Final = tuple(name for name in TEXT_FIELDS if name != "category")


def describe(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Keep what postings say of themselves; return how many postings' facts changed.

    Args:
        connection: in a write transaction in which the postings are stored already.
        rows: ``id`` and, where known, the columns of a stored posting and
            ``stated_salary_low, stated_salary_high``, a year. Of two with one id the later counts.

    Raises:
        InvalidInput: an id that cannot be a key, or a salary that is not finite.
    """
    latest = {row["id"]: row for row in rows}
    return _write(connection, [_described(row) for row in latest.values()])


def keep_scores(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Keep the newest score of postings in place of the one before; return how many changed.

    Args:
        connection: in a write transaction in which the postings are stored already.
        rows: ``posting_id`` and, where the model answered, ``category, estimated_salary, scam,
            match_quality``; what is not there becomes unknown.

    Raises:
        InvalidInput: an id that cannot be a key, or a number that is not finite.
    """
    latest = {row["posting_id"]: row for row in rows}
    return _write(connection, [_scored(row) for row in latest.values()])


def _described(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "posting_id": checked_id("posting_facts.id", row["id"]),
        "remote": row.get("remote"),
        "posted_day": day_number(row.get("posted_at")),
        **{name: _folded(name, row.get(name)) for name in _OWN_TEXTS},
        **{name: _number(name, row.get(name)) for name in _STATED},
    }


def _scored(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "posting_id": checked_id("posting_facts.posting_id", row["posting_id"]),
        "category": _folded("category", row.get("category")),
        **{name: _number(name, row.get(name)) for name in _SCORES},
    }


def _folded(name: str, text: str | None) -> str | None:
    """Return the text as it is compared; a blank one says nothing and is unknown."""
    return None if text is None else folded(name, text) or None


def _number(name: str, value: float | None) -> float | None:
    return None if value is None else checked_number(f"posting_facts.{name}", float(value))


def _write(connection: Connection, rows: list[dict[str, Any]]) -> int:
    first = changes.allocate(connection, len(rows)) if rows else 0
    numbered = [{**row, "change_seq": first + i} for i, row in enumerate(rows)]
    return insert_or_update(connection, posting_facts, numbered, stamps=_STAMPS)
