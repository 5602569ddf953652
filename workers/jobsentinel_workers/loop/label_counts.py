"""How many labels of a kind there are, and how many a training has not seen yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from jobsentinel.contract.feedback import RELEVANCE
from jobsentinel_workers.store.schema import labels, postings


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Labels of one kind whose postings are stored, each posting and query counted once.

    Attributes:
        total: all of them.
        new: those given, or whose posting came or changed, after the number asked for.
        classes: how many different values there are.
    """

    total: int
    new: int
    classes: int


def count_labels(connection: Connection, kind: str, since: int) -> LabelCounts:
    """Count the labels that a training on ``kind`` would read, as `snapshot_labels` does."""
    is_new = or_(labels.c.change_seq > since, postings.c.change_seq > since)
    values = _of(kind, select(func.count(labels.c.value.distinct())))
    return LabelCounts(
        total=_count(connection, kind),
        new=_count(connection, kind, is_new),
        classes=connection.execute(values).scalar_one(),
    )


def newest_label(connection: Connection, kind: str | None = None) -> int:
    """Return the change number of the newest label, of one kind or of any; 0 without any."""
    chosen = select(func.max(labels.c.change_seq))
    if kind is not None:
        chosen = chosen.where(labels.c.kind == kind)
    return connection.execute(chosen).scalar_one() or 0


def are_numbers(connection: Connection, kind: str) -> bool:
    """Return whether all labels of a kind are numbers, so that they are values and no classes."""
    chosen = _of(kind, select(labels.c.value).distinct())
    values = [row.value for row in connection.execute(chosen)]
    return bool(values) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )


def _count(connection: Connection, kind: str, *conditions: ColumnElement[bool]) -> int:
    rows = _of(kind, select(labels.c.posting_id, labels.c.query).distinct()).where(*conditions)
    return connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one()


def _of(kind: str, chosen: Select[Any]) -> Select[Any]:
    of_a_query = labels.c.query.is_not(None) if kind == RELEVANCE else labels.c.query.is_(None)
    joined = chosen.select_from(labels.join(postings, postings.c.id == labels.c.posting_id))
    return joined.where(labels.c.kind == kind, of_a_query)
