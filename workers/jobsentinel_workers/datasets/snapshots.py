"""Snapshots of the stored labels: what people said up to a moment, as a dataset that stays.

One row a text, in the order in which the texts got the labels in force. Where several people
answered one question about a text, the newest answer counts, as in `labels.training_texts`. Of
feedback on searches there is one row a query and text (see `relevance`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, or_, select

from jobsentinel.contract.base import Message, dump
from jobsentinel.contract.datasets import (
    MULTI_TASK,
    ROW_OF_DATASET,
    TARGET_OF,
    DatasetDigest,
    DatasetTask,
)
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.feedback import RELEVANCE
from jobsentinel.contract.limits import MAX_TEXT_CHARS, MAX_TRAINING_ROWS, MIN_TRAINING_ROWS
from jobsentinel.contract.text import normalise
from jobsentinel_workers.datasets.relevance import relevance_rows
from jobsentinel_workers.datasets.stored import StoredDataset
from jobsentinel_workers.datasets.summaries import Summary
from jobsentinel_workers.store import changes, datasets
from jobsentinel_workers.store.schema import labels, postings

RERANKER: Final = "reranker"
FIELD_OF_KIND: Final = {
    "category": "category",
    "salary": "salary_year_usd",
    "scam": "scam",
    "match": "match",
}
"""Where a multi-task row has the labels of a kind; other kinds answer the task of their name."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Labels as rows, not stored yet."""

    digest: DatasetDigest
    rows: tuple[Message, ...]
    origin: dict[str, Any]
    last_label_seq: int


@dataclass(frozen=True, slots=True)
class _Label:
    posting_id: str
    text: str
    kind: str
    value: Any


def snapshot_labels(
    connection: Connection,
    kinds: str | Sequence[str],
    *,
    since: int | None = None,
    task: DatasetTask | None = None,
) -> StoredDataset:
    """Store the labels in force as a sealed dataset and return it.

    Args:
        connection: of a write transaction. With tens of thousands of labels, call `read_labels`
            and then `save_snapshot`, so that only the latter keeps other writers waiting.
        kinds: several kinds make multi-task rows; one, given as text, rows of a single question.
        since: the ``last_label_seq`` of an earlier snapshot: only labels given later, or whose
            posting came or changed later.
        task: of one kind, ``classification`` or ``regression``; None tells it by the values. The
            kind ``relevance`` makes rows for a ``reranker``.

    Raises:
        InvalidInput: a label does not fit the task, or there are too few or too many to learn from.
    """
    return save_snapshot(connection, read_labels(connection, kinds, since=since, task=task))


def read_labels(
    connection: Connection,
    kinds: str | Sequence[str],
    *,
    since: int | None = None,
    task: DatasetTask | None = None,
) -> Snapshot:
    """Return the labels as `snapshot_labels` stores them; one read transaction is enough."""
    wanted = [kinds] if isinstance(kinds, str) else list(kinds)
    found = list(_labels(connection, wanted, since))
    rows: list[Message]
    if kinds == RELEVANCE and task in {None, RERANKER}:
        task, rows = RERANKER, list[Message](relevance_rows(connection, since))
    elif isinstance(kinds, str):
        task = task or _task_of(found)
        rows = _single_rows(found, task)
    else:
        task, rows = MULTI_TASK, _multi_task_rows(found)
    if not MIN_TRAINING_ROWS <= len(rows) <= MAX_TRAINING_ROWS:
        raise InvalidInput("dataset", _wrong_number(wanted, since, len(rows)))
    digest = DatasetDigest(task)
    for row in rows:
        digest.add(row)
    if since is None:
        digest.check()  # new labels may be all alike: a training sees older ones beside them
    origin = {"labels": wanted, "since": since}
    return Snapshot(digest, tuple(rows), origin, changes.current(connection))


def save_snapshot(connection: Connection, snapshot: Snapshot) -> StoredDataset:
    """Store a snapshot in this write transaction; one that is there already stays as it is.

    What is returned has the number of this snapshot; the store keeps that of the first of this id,
    so that no later training misses a label.
    """
    digest, rows = snapshot.digest, [dump(row) for row in snapshot.rows]
    sha256, seq = digest.hexdigest(), snapshot.last_label_seq
    found = datasets.open_upload(
        connection,
        sha256,
        digest.task,
        digest.rows,
        origin=snapshot.origin,
        last_label_seq=seq,
    )
    if found.sealed_at is None:
        datasets.put_rows(connection, sha256, 0, rows)
        datasets.seal(connection, sha256, _summary(snapshot))
    if found.last_label_seq is None:
        datasets.note_label_seq(connection, sha256, seq)
    return StoredDataset(sha256, digest.task, found.name, tuple(rows), seq, found.origin)


def _labels(connection: Connection, kinds: Sequence[str], since: int | None) -> Iterator[_Label]:
    chosen = (
        select(labels.c.posting_id, postings.c.text, labels.c.kind, labels.c.value)
        .join(postings, postings.c.id == labels.c.posting_id)
        # What belongs to a query says nothing of the posting alone.
        .where(labels.c.kind.in_(kinds), labels.c.query.is_(None))
        .order_by(labels.c.change_seq)
    )
    if since is not None:
        # A label may come before its posting; a training up to `since` has not seen it then.
        chosen = chosen.where(or_(labels.c.change_seq > since, postings.c.change_seq > since))
    for posting_id, text, kind, value in connection.execute(chosen):
        yield _Label(posting_id, text[:MAX_TEXT_CHARS], kind, value)


def _task_of(found: Sequence[_Label]) -> DatasetTask:
    numbers = all(_is_number(label.value) for label in found)
    return "regression" if numbers and found else "classification"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _single_rows(found: Sequence[_Label], task: DatasetTask) -> list[Message]:
    make = _TARGETS.get(task)
    if make is None:
        raise InvalidInput("task", f"is {task!r}; labels of one kind are classes or numbers")
    # Texts that differ in case or blanks are one to a training, which takes one label of each.
    newest = {normalise(label.text).casefold(): label for label in found}
    field = TARGET_OF[task]
    return [
        _row(task, label, {"text": label.text, field: make(label.value)})
        for label in newest.values()
    ]


def _class_name(value: Any) -> Any:
    """As `JobMatchingDataset` names classes that are numbers or truth values."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, bool | int) else value


_TARGETS: Final[dict[str, Callable[[Any], Any]]] = {
    "classification": _class_name,
    "regression": lambda value: value,
}


def _multi_task_rows(found: Sequence[_Label]) -> list[Message]:
    known: dict[str, dict[str, Any]] = {}
    newest: dict[str, _Label] = {}
    for label in found:
        row = known.setdefault(label.text, {"text": label.text, "labels": {}})
        field = FIELD_OF_KIND.get(label.kind)
        if field is None:
            row["labels"][label.kind] = label.value
        else:
            row[field] = label.value
        newest[label.text] = label
    return [_row(MULTI_TASK, newest[text], row) for text, row in known.items()]


def _row(task: DatasetTask, label: _Label, data: dict[str, Any]) -> Message:
    try:
        return ROW_OF_DATASET[task].parse(data)
    except InvalidInput as error:
        where = f"labels of {label.posting_id}, {error.field}"
        raise InvalidInput(where, error.problem) from None


def _wrong_number(kinds: Sequence[str], since: int | None, found: int) -> str:
    new = "" if since is None else "new "
    counted = f"the store has {found:,} {new}labelled postings for {', '.join(kinds)}"
    return f"{counted}; it must be {MIN_TRAINING_ROWS} to {MAX_TRAINING_ROWS:,}"


def _summary(snapshot: Snapshot) -> dict[str, Any]:
    summary = Summary(snapshot.digest.task)
    for row in snapshot.rows:
        summary.add(row)
    return summary.as_json()
