"""Labels that people and rules gave to postings, and what they replaced.

One label counts for each posting, kind, query and annotator: the newest by its own time, in
whatever order the labels arrive. Replaced and late ones go to the history. A repeat changes
nothing. Feedback on a search has a query, and may be an event in the place of a value.

How a posting was chosen for labelling stays known: a label that does not tell takes it from the
annotator's reservation, or from the label of the same annotator that it replaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Select, func, select

from jobsentinel_workers.store import changes, reservations
from jobsentinel_workers.store.checks import chunks
from jobsentinel_workers.store.label_rows import (
    UNKNOWN_ANNOTATOR,
    Label,
    Occurrence,
    as_history,
    as_row,
    checked_label,
    columns,
)
from jobsentinel_workers.store.schema import label_history, labels, postings
from jobsentinel_workers.store.upserts import insert_new, insert_or_update

__all__ = [
    "UNKNOWN_ANNOTATOR",
    "Label",
    "LabelledText",
    "Occurrence",
    "add",
    "count_by_kind",
    "find",
    "history",
    "training_texts",
]


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
                self._put(_confirmed(label, present))
            return False
        if label.created_at < present.created_at:
            self.replaced.append(label)
            return False
        self.replaced.append(present)
        return self._put(_with_origin(label, present))

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
    given = [checked_label(i, row, job_id) for i, row in enumerate(rows)]
    held = reservations.take(connection, given)
    given = [_with_origin(label, held.get(label.key)) for label in given]
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
    chosen: Select[Any] = select(*columns(labels), labels.c.change_seq).where(
        labels.c.change_seq > since
    )
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
    chosen = select(*columns(label_history)).where(
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


def _with_origin(label: Label, known: Label | reservations.Reservation | None) -> Label:
    """Return ``label``; where it does not tell what chose its posting, with what is known."""
    if known is None or label.strategy is not None:
        return label
    return replace(
        label,
        strategy=known.strategy,
        chosen_by=label.chosen_by or known.chosen_by,
        model_version=label.model_version or known.model_version,
    )


def _confirmed(label: Label, present: Label) -> Label:
    """Return ``label``, which says the same once more, with what only ``present`` tells."""
    spent = present.seconds_spent if label.seconds_spent is None else label.seconds_spent
    return replace(_with_origin(label, present), seconds_spent=spent)


def _judgement(connection: Connection, posting_ids: Iterable[str]) -> _Judgement:
    judgement = _Judgement({}, set())
    for chunk in chunks(sorted(posting_ids)):
        mine = select(*columns(labels)).where(labels.c.posting_id.in_(chunk))
        found = [Label(*row) for row in connection.execute(mine)]
        judgement.in_force.update((label.key, label) for label in found)
        old = select(*columns(label_history)).where(label_history.c.posting_id.in_(chunk))
        judgement.past.update(Label(*row).occurrence for row in connection.execute(old))
    return judgement


def _write(connection: Connection, changed: list[Label], replaced: list[Label]) -> None:
    first = changes.allocate(connection, len(changed)) if changed else 0
    numbered = [replace(label, change_seq=first + i) for i, label in enumerate(changed)]
    insert_new(connection, label_history, [as_history(label) for label in replaced])
    insert_or_update(connection, labels, [as_row(label) for label in numbered])
