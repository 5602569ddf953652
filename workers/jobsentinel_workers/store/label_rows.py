"""What a label is to the store: its fields, what may stand in them, and which labels are one.

Time and value say whether two labels of one key are the same act of labelling, delivered again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Column, Table

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.feedback import MAX_SHOWN_RANK
from jobsentinel.contract.limits import MAX_SECONDS_SPENT
from jobsentinel.contract.text import normalise
from jobsentinel_workers.store.checks import checked_id, checked_json, checked_text
from jobsentinel_workers.store.timestamps import checked_timestamp

T = TypeVar("T")

Occurrence = tuple[str, str, str]
"""A label's key, its time and its value's hash: one act of labelling."""

UNKNOWN_ANNOTATOR: Final = "unknown"

_REQUIRED: Final = frozenset(("posting_id", "kind"))
_COLUMN_ORDER: Final = (
    "posting_id",
    "kind",
    "annotator",
    "value",
    "source",
    "job_id",
    "created_at",
    "query",
    "event",
    "shown_rank",
    "seconds_spent",
    "strategy",
    "chosen_by",
    "model_version",
)
_COLUMNS: Final = frozenset(_COLUMN_ORDER)


@dataclass(frozen=True, slots=True)
class Label:
    """What an annotator said about a posting: a category, a salary, scam or not, and so on.

    ``value`` is None where an ``event`` says it all. The last four tell how the label came about:
    how long it took, what had chosen the posting, and by which model's view.
    """

    posting_id: str
    kind: str
    annotator: str
    value: Any
    source: str | None
    job_id: str | None
    created_at: str
    query: str | None = None
    event: str | None = None
    shown_rank: int | None = None
    seconds_spent: float | None = None
    strategy: str | None = None
    chosen_by: str | None = None
    model_version: str | None = None
    change_seq: int = 0

    @property
    def key(self) -> str:
        """Labels with the same key replace each other."""
        query = () if self.query is None else (normalise(self.query).casefold(),)
        return _hashed([self.posting_id, self.kind, self.annotator, *query])

    @property
    def value_hash(self) -> str:
        """Tells values apart as JSON does: ``1``, ``1.0`` and ``true`` differ; and events."""
        return _hashed(self.value if self.event is None else [self.value, self.event])

    @property
    def occurrence(self) -> Occurrence:
        """Says which labels are one and the same, delivered again."""
        return self.key, self.created_at, self.value_hash


def checked_label(position: int, row: Mapping[str, Any], job_id: str | None) -> Label:
    """Return the label in ``row``, the one at ``position`` of those given together.

    Raises:
        InvalidInput: a column is missing, unknown or cannot be stored.
    """
    where = f"labels.{position}"
    if unknown := sorted(set(row) - _COLUMNS):
        raise InvalidInput(f"{where}.{unknown[0]}", "is not a column of a label")
    if missing := sorted(_REQUIRED - set(row)):
        raise InvalidInput(f"{where}.{missing[0]}", "is missing")
    if "value" not in row and row.get("event") is None:
        raise InvalidInput(f"{where}.value", "is missing")
    source, job = row.get("source"), row.get("job_id", job_id)
    return Label(
        posting_id=checked_id(f"{where}.posting_id", row["posting_id"]),
        kind=checked_id(f"{where}.kind", row["kind"]),
        annotator=checked_text(f"{where}.annotator", row.get("annotator") or UNKNOWN_ANNOTATOR),
        value=checked_json(f"{where}.value", row.get("value")),
        source=_optional(checked_text, f"{where}.source", source),
        job_id=_optional(checked_id, f"{where}.job_id", job),
        created_at=checked_timestamp(f"{where}.created_at", row.get("created_at")),
        query=_optional(checked_text, f"{where}.query", row.get("query")),
        event=_optional(checked_id, f"{where}.event", row.get("event")),
        shown_rank=_optional(_checked_rank, f"{where}.shown_rank", row.get("shown_rank")),
        seconds_spent=_optional(_checked_s, f"{where}.seconds_spent", row.get("seconds_spent")),
        strategy=_optional(checked_text, f"{where}.strategy", row.get("strategy")),
        chosen_by=_optional(checked_text, f"{where}.chosen_by", row.get("chosen_by")),
        model_version=_optional(checked_text, f"{where}.model_version", row.get("model_version")),
    )


def columns(table: Table) -> list[Column[Any]]:
    """Return the columns of ``table``, or of its history, in the order of a label's fields."""
    return [table.c[name] for name in _COLUMN_ORDER]


def as_row(label: Label) -> dict[str, Any]:
    """Return a label in force as it is written."""
    return asdict(label) | {"label_key": label.key}


def as_history(label: Label) -> dict[str, Any]:
    """Return a replaced label as it is written."""
    row = as_row(label) | {"value_hash": label.value_hash}
    del row["change_seq"]
    return row


def _optional(check: Callable[[str, object], T], field: str, value: object) -> T | None:
    return None if value is None else check(field, value)


def _checked_rank(field: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_SHOWN_RANK:
        raise InvalidInput(field, f"must be a whole number from 1 to {MAX_SHOWN_RANK:,}")
    return value


def _checked_s(field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(field, "must be a number of seconds")
    if not 0 <= value <= MAX_SECONDS_SPENT:
        raise InvalidInput(field, f"must be 0 to {MAX_SECONDS_SPENT:,.0f} seconds")
    return float(value)


def _hashed(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
