"""Postings that somebody was handed to label: nobody else gets them until then, or until a label.

One reservation counts for each posting and kind. It says what had chosen the posting, so that a
label need not. One that has run out is free for whoever asks first, and kept until then, since
its annotator's label may still come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store.checks import checked_id, checked_number, checked_text, chunks
from jobsentinel_workers.store.label_rows import Label
from jobsentinel_workers.store.schema import labels, postings
from jobsentinel_workers.store.schema import reservations as table
from jobsentinel_workers.store.timestamps import checked_timestamp, utc_text
from jobsentinel_workers.store.upserts import insert_new

KEPT_DAYS: Final = 90
"""How long one that ran out is kept for a late label."""

_REQUIRED: Final = (
    "posting_id",
    "kind",
    "batch_id",
    "position",
    "strategy",
    "chosen_by",
    "score",
    "reason",
)
_COLUMNS: Final = frozenset((*_REQUIRED, "model_version"))


@dataclass(frozen=True, slots=True)
class Reservation:
    """A posting in somebody's hands.

    Attributes:
        position: its place in the batch, from 0, in the order in which to label.
        strategy: what was asked to choose, as ``chosen_by`` is what did; ``random`` is the part
            that was drawn evenly.
        model_version: whose view of the posting counted, as ``name@version``.
        score: the acquisition score, with its ``reason``.
    """

    posting_id: str
    kind: str
    annotator: str
    reserved_until: str
    batch_id: str
    position: int
    strategy: str
    chosen_by: str
    model_version: str | None
    score: float
    reason: str


def reserve(
    connection: Connection,
    rows: Sequence[Mapping[str, Any]],
    *,
    annotator: str,
    until: datetime | str,
    now: datetime | None = None,
) -> list[str]:
    """Reserve postings and return the ids of those granted, in the order of ``rows``.

    Not granted are those that another annotator holds, that have a label of the kind, or that are
    not stored. The annotator's own are renewed. Who asks first gets a posting, whatever others do
    at the same time.

    Args:
        connection: in a write transaction.
        rows: ``posting_id, kind, batch_id, position, strategy, chosen_by, score, reason`` and,
            where a model was asked, ``model_version``.
        until: when the reservation runs out.
        now: by default the present.

    Raises:
        InvalidInput: a row cannot be stored or is there twice, or ``until`` is not after ``now``.
    """
    present, end = _moment(now), checked_timestamp("until", until)
    if end <= present:
        raise InvalidInput("until", f"must be later than now, {present}, not {end}")
    same = {"annotator": _checked_annotator(annotator), "reserved_until": end}
    given = [_checked(i, row) | same for i, row in enumerate(rows)]
    _refuse_twins(given)
    connection.execute(delete(table).where(table.c.reserved_until < _long_before(present)))
    granted: set[str] = set()
    for kind in sorted({row["kind"] for row in given}):
        wanted = {row["posting_id"]: row for row in given if row["kind"] == kind}
        for chunk in chunks(sorted(wanted)):
            granted |= _take_over(connection, kind, [wanted[id_] for id_ in chunk], present)
    return [row["posting_id"] for row in given if row["posting_id"] in granted]


def find(
    connection: Connection,
    *,
    annotator: str | None = None,
    kind: str | None = None,
    now: datetime | None = None,
) -> list[Reservation]:
    """Return what is reserved and still to be labelled, in the order in which it was handed out.

    Those that ran out are not among them, nor those whose posting was labelled or removed since.
    """
    chosen = select(table).where(
        table.c.reserved_until > _moment(now),
        *_of(annotator, kind),
        _can_be_labelled(table.c.posting_id, table.c.kind),
    )
    order = table.c.reserved_until, table.c.batch_id, table.c.position
    return [Reservation(*row) for row in connection.execute(chosen.order_by(*order))]


def held_by_others(
    connection: Connection, kind: str, annotator: str, *, now: datetime | None = None
) -> set[str]:
    """Return the ids of postings that others than ``annotator`` hold for this kind of label."""
    theirs = select(table.c.posting_id).where(
        table.c.reserved_until > _moment(now), table.c.kind == kind, table.c.annotator != annotator
    )
    return set(connection.scalars(theirs))


def release(
    connection: Connection,
    *,
    annotator: str,
    kind: str | None = None,
    posting_ids: Iterable[str] | None = None,
) -> int:
    """Give back what ``annotator`` holds, all of it or these postings, and return how many."""
    mine = and_(*_of(annotator, kind))
    if posting_ids is None:
        return _deleted(connection, mine)
    wanted = chunks(sorted(set(posting_ids)))
    return sum(_deleted(connection, and_(mine, table.c.posting_id.in_(ids))) for ids in wanted)


def take(connection: Connection, given: Sequence[Label]) -> dict[str, Reservation]:
    """End the reservations that these labels answer, and return them by the labels' keys.

    A label answers the reservation of its annotator only, run out or not.
    """
    answered: dict[str, Reservation] = {}
    keys = {
        (label.posting_id, label.kind, label.annotator): label.key
        for label in given
        if label.query is None
    }
    for chunk in chunks(sorted({posting_id for posting_id, _, _ in keys})):
        for row in connection.execute(select(table).where(table.c.posting_id.in_(chunk))):
            held = Reservation(*row)
            key = keys.get((held.posting_id, held.kind, held.annotator))
            if key is not None:
                answered[key] = held
    _end(connection, answered.values())
    return answered


def _end(connection: Connection, held: Iterable[Reservation]) -> None:
    by_owner: dict[tuple[str, str], list[str]] = {}
    for each in held:
        by_owner.setdefault((each.annotator, each.kind), []).append(each.posting_id)
    for (annotator, kind), ids in by_owner.items():
        release(connection, annotator=annotator, kind=kind, posting_ids=ids)


def _take_over(connection: Connection, kind: str, rows: list[dict[str, Any]], now: str) -> set[str]:
    """Put in the rows that nobody else holds; return the posting ids that are the annotator's."""
    free = and_(table.c.kind == kind, table.c.posting_id.in_([row["posting_id"] for row in rows]))
    mine = table.c.annotator == rows[0]["annotator"]
    connection.execute(delete(table).where(free, or_(mine, table.c.reserved_until <= now)))
    there = _labellable(connection, kind, rows)
    # The key decides who was first, even against writers that do not wait for their turn.
    insert_new(connection, table, [row for row in rows if row["posting_id"] in there])
    return set(connection.scalars(select(table.c.posting_id).where(free, mine)))


def _labellable(connection: Connection, kind: str, rows: list[dict[str, Any]]) -> set[str]:
    stored = select(postings.c.id).where(
        postings.c.id.in_([row["posting_id"] for row in rows]), ~_has_label(postings.c.id, kind)
    )
    return set(connection.scalars(stored))


def _can_be_labelled(posting_id: ColumnElement[str], kind: Any) -> ColumnElement[bool]:
    return and_(exists().where(postings.c.id == posting_id), ~_has_label(posting_id, kind))


def _has_label(posting_id: ColumnElement[str], kind: Any) -> ColumnElement[bool]:
    return exists().where(
        labels.c.posting_id == posting_id, labels.c.kind == kind, labels.c.query.is_(None)
    )


def _of(annotator: str | None, kind: str | None) -> Iterator[ColumnElement[bool]]:
    if annotator is not None:
        yield table.c.annotator == annotator
    if kind is not None:
        yield table.c.kind == kind


def _deleted(connection: Connection, chosen: ColumnElement[bool]) -> int:
    count = connection.execute(select(func.count()).select_from(table).where(chosen)).scalar_one()
    connection.execute(delete(table).where(chosen))
    return count


def _checked(position: int, row: Mapping[str, Any]) -> dict[str, Any]:
    where = f"rows.{position}"
    if unknown := sorted(set(row) - _COLUMNS):
        raise InvalidInput(f"{where}.{unknown[0]}", "is not a column of a reservation")
    if missing := [name for name in _REQUIRED if row.get(name) is None]:
        raise InvalidInput(f"{where}.{missing[0]}", "is missing")
    model = row.get("model_version")
    return {
        "posting_id": checked_id(f"{where}.posting_id", row["posting_id"]),
        "kind": checked_id(f"{where}.kind", row["kind"]),
        "batch_id": checked_id(f"{where}.batch_id", row["batch_id"]),
        "position": _checked_position(f"{where}.position", row["position"]),
        "strategy": checked_text(f"{where}.strategy", row["strategy"]),
        "chosen_by": checked_text(f"{where}.chosen_by", row["chosen_by"]),
        "model_version": None if model is None else checked_text(f"{where}.model_version", model),
        "score": _checked_score(f"{where}.score", row["score"]),
        "reason": checked_text(f"{where}.reason", row["reason"]),
    }


def _checked_annotator(annotator: object) -> str:
    text = checked_text("annotator", annotator)
    if not text:
        raise InvalidInput("annotator", "is empty: a reservation belongs to somebody")
    return text


def _checked_position(field: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidInput(field, "must be a whole number, 0 or more")
    return value


def _checked_score(field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(field, f"must be a number, not {type(value).__name__}")
    return checked_number(field, float(value))


def _refuse_twins(rows: list[dict[str, Any]]) -> None:
    seen: set[tuple[str, str]] = set()
    for position, row in enumerate(rows):
        key = row["posting_id"], row["kind"]
        if key in seen:
            raise InvalidInput(f"rows.{position}.posting_id", f"{key[0]!r} is there twice")
        seen.add(key)


def _moment(now: datetime | None) -> str:
    return checked_timestamp("now", now)


def _long_before(moment: str) -> str:
    return utc_text(datetime.fromisoformat(moment).astimezone(UTC) - timedelta(days=KEPT_DAYS))
