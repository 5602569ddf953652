"""Labels that people and rules gave to postings, and what they replaced.

One label counts for each posting, kind, query and annotator: the newest by its own time, in
whatever order the labels arrive. Replaced and late ones go to the history. A repeat changes
nothing. Feedback on a search has a query, and may be an event in the place of a value.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, TypeVar

from sqlalchemy import Column, Connection, Select, Table, func, select

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.feedback import MAX_SHOWN_RANK
from jobsentinel.contract.limits import MAX_SECONDS_SPENT
from jobsentinel.contract.text import normalise
from jobsentinel_workers.store import changes
from jobsentinel_workers.store.checks import checked_id, checked_json, checked_text, chunks
from jobsentinel_workers.store.schema import label_history, labels, postings
from jobsentinel_workers.store.timestamps import checked_timestamp
from jobsentinel_workers.store.upserts import insert_new, insert_or_update

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


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A training example: a label with the model text of its posting."""

    posting_id: str
    text: str
    value: Any
    annotator: str
    created_at: str


@dataclass(slots=True)
class _Judgement:
    """Labels in force and in history for the postings at hand, and what is to be written."""

    in_force: dict[str, Label]
    past: set[Occurrence]
    changed: dict[str, Label] = field(default_factory=dict)
    replaced: list[Label] = field(default_factory=list)

    def take(self, label: Label) -> bool:
        """Note ``label``; true when the value in force changes."""
        present = self.in_force.get(label.key)
        if label.occurrence in self.past:
            return False
        if present is None:
            return self._put(label)
        if label.value_hash == present.value_hash:
            if label.created_at > present.created_at:
                self._put(label)
            return False
        if label.created_at < present.created_at:
            self.replaced.append(label)
            return False
        self.replaced.append(present)
        return self._put(label)

    def _put(self, label: Label) -> bool:
        self.in_force[label.key] = self.changed[label.key] = label
        return True


def add(
    connection: Connection, rows: Sequence[Mapping[str, Any]], *, job_id: str | None = None
) -> int:
    """Add labels and return how many values in force changed.

    Rows hold ``posting_id, kind, value`` and, where known, ``annotator, source, created_at``; those
    of feedback ``query`` and ``shown_rank`` too, and perhaps an ``event`` instead of the value;
    ``seconds_spent, strategy, chosen_by, model_version`` tell how the label came about.
    Give ``created_at`` where the label was made: without it a label counts as made now, and one
    delivered again would look newer than it is.

    Raises:
        InvalidInput: a column is missing, unknown or cannot be stored.
    """
    given = [_checked(i, row, job_id) for i, row in enumerate(rows)]
    judgement = _judgement(connection, {label.posting_id for label in given})
    changed = sum(map(judgement.take, given))
    _write(connection, list(judgement.changed.values()), judgement.replaced)
    return changed


def find(
    connection: Connection,
    *,
    kind: str | None = None,
    posting_id: str | None = None,
    since: int = 0,
    limit: int = 1_000,
) -> list[Label]:
    """Return up to ``limit`` labels in force after the change number ``since``, oldest first."""
    columns = [*_columns(labels), labels.c.change_seq]
    chosen: Select[Any] = select(*columns).where(labels.c.change_seq > since)
    if kind is not None:
        chosen = chosen.where(labels.c.kind == kind)
    if posting_id is not None:
        chosen = chosen.where(labels.c.posting_id == posting_id)
    rows = connection.execute(chosen.order_by(labels.c.change_seq).limit(limit))
    return [Label(*row) for row in rows]


def count_by_kind(connection: Connection, *, since: int = 0) -> dict[str, int]:
    """Return how many labels of each kind are in force and newer than ``since``."""
    chosen = (
        select(labels.c.kind, func.count().label("number"))
        .where(labels.c.change_seq > since)
        .group_by(labels.c.kind)
        .order_by(labels.c.kind)
    )
    return {row.kind: row.number for row in connection.execute(chosen)}


def history(connection: Connection, posting_id: str, kind: str) -> list[Label]:
    """Return the labels that were replaced or came late, oldest first."""
    chosen = select(*_columns(label_history)).where(
        label_history.c.posting_id == posting_id, label_history.c.kind == kind
    )
    rows = connection.execute(chosen.order_by(label_history.c.created_at))
    return [Label(*row) for row in rows]


def training_texts(connection: Connection, kind: str) -> Iterator[LabelledText]:
    """Yield the labels of ``kind`` whose posting is stored, with its text, oldest first.

    Those that belong to a query are not among them: they say nothing of the posting alone.
    """
    chosen = (
        select(
            labels.c.posting_id,
            postings.c.text,
            labels.c.value,
            labels.c.annotator,
            labels.c.created_at,
        )
        .join(postings, postings.c.id == labels.c.posting_id)
        .where(labels.c.kind == kind, labels.c.query.is_(None))
        .order_by(labels.c.change_seq)
    )
    for row in connection.execute(chosen):
        yield LabelledText(*row)


def _checked(position: int, row: Mapping[str, Any], job_id: str | None) -> Label:
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


def _judgement(connection: Connection, posting_ids: Iterable[str]) -> _Judgement:
    judgement = _Judgement({}, set())
    for chunk in chunks(sorted(posting_ids)):
        mine = select(*_columns(labels)).where(labels.c.posting_id.in_(chunk))
        found = [Label(*row) for row in connection.execute(mine)]
        judgement.in_force.update((label.key, label) for label in found)
        old = select(*_columns(label_history)).where(label_history.c.posting_id.in_(chunk))
        judgement.past.update(Label(*row).occurrence for row in connection.execute(old))
    return judgement


def _write(connection: Connection, changed: list[Label], replaced: list[Label]) -> None:
    first = changes.allocate(connection, len(changed)) if changed else 0
    numbered = [replace(label, change_seq=first + i) for i, label in enumerate(changed)]
    insert_new(connection, label_history, [_as_history(label) for label in replaced])
    insert_or_update(connection, labels, [_as_row(label) for label in numbered])


def _as_row(label: Label) -> dict[str, Any]:
    return asdict(label) | {"label_key": label.key}


def _as_history(label: Label) -> dict[str, Any]:
    row = _as_row(label) | {"value_hash": label.value_hash}
    del row["change_seq"]
    return row


def _columns(table: Table) -> list[Column[Any]]:
    return [table.c[name] for name in _COLUMN_ORDER]


def _hashed(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
