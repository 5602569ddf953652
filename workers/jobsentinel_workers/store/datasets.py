"""Datasets for training: rows that come in chunks, and a seal once all are there.

Until it is sealed a dataset is an upload, which no training reads. Rows are written once, so a
chunk that comes twice, or cut otherwise, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store.checks import checked_id, checked_json, checked_text
from jobsentinel_workers.store.schema import dataset_rows, datasets
from jobsentinel_workers.store.timestamps import utc_now, utc_text
from jobsentinel_workers.store.upserts import insert_new

UPLOADS_KEPT_S: Final = 7 * 24 * 3600
"""For so long an upload that nobody goes on with is kept."""

_ROWS_A_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is known of a dataset without its rows; ``sealed_at`` is None of an upload.

    Attributes:
        origin: where the rows come from; empty for those that a producer sent.
        summary: what the rows hold, such as how many of each class.
        last_label_seq: of a snapshot of labels, the store's change number at which it was taken.
    """

    sha256: str
    task: str
    name: str | None
    total_rows: int
    origin: dict[str, Any]
    summary: dict[str, Any]
    last_label_seq: int | None
    created_at: str
    updated_at: str
    sealed_at: str | None


def open_upload(
    connection: Connection,
    sha256: str,
    task: str,
    total_rows: int,
    *,
    name: str | None = None,
    origin: Mapping[str, Any] | None = None,
    last_label_seq: int | None = None,
) -> Dataset:
    """Begin an upload, or go on with one, and return it; a sealed dataset stays as it is.

    Raises:
        InvalidInput: there is another dataset or upload of this id, which is somebody's mistake.
    """
    now = utc_now()
    new = {
        "sha256": checked_id("sha256", sha256),
        "task": checked_id("task", task),
        "name": None if name is None else checked_text("name", name),
        "total_rows": total_rows,
        "origin": checked_json("origin", dict(origin or {})),
        "summary": {},
        "last_label_seq": last_label_seq,
        "created_at": now,
        "updated_at": now,
        "sealed_at": None,
    }
    insert_new(connection, datasets, [new])
    found = find(connection, sha256)
    assert found is not None  # by the line before, in the same transaction
    if (found.task, found.total_rows) != (task, total_rows):
        problem = f"is stored as {found.total_rows:,} rows for {found.task}; delete it first"
        raise InvalidInput("sha256", problem)
    return found


def put_rows(
    connection: Connection, sha256: str, first_row: int, rows: Sequence[Mapping[str, Any]]
) -> int:
    """Write rows of an upload and return how many were not there yet."""
    connection.execute(_of(sha256, update(datasets)).values(updated_at=utc_now()))
    made = [
        {
            "sha256": sha256,
            "position": position,
            "content": checked_json(f"rows.{position - first_row}", dict(row)),
        }
        for position, row in enumerate(rows, start=first_row)
    ]
    return insert_new(connection, dataset_rows, made)


def seal(connection: Connection, sha256: str, summary: Mapping[str, Any]) -> bool:
    """Make an upload visible, and return whether all its rows are there for that.

    The caller has compared their hash; rows never change, so only their number can be another now.
    """
    found = find(connection, sha256)
    if found is None or count_rows(connection, sha256) != found.total_rows:
        return False
    if found.sealed_at is None:
        values = {"summary": checked_json("summary", dict(summary)), "sealed_at": utc_now()}
        connection.execute(_of(sha256, update(datasets)).values(**values))
    return True


def note_label_seq(connection: Connection, sha256: str, last_label_seq: int) -> None:
    """Note that a snapshot of the labels, taken at this change number, has these rows."""
    connection.execute(_of(sha256, update(datasets)).values(last_label_seq=last_label_seq))


def find(connection: Connection, sha256: str) -> Dataset | None:
    """Return a dataset, sealed or not, or None."""
    row = connection.execute(select(datasets).where(datasets.c.sha256 == sha256)).one_or_none()
    return None if row is None else Dataset(*row)


def newest(
    connection: Connection, *, prefix: str = "", sealed: bool | None = True, limit: int = 1_000
) -> list[Dataset]:
    """Return up to ``limit`` datasets whose id begins with ``prefix``, newest first.

    ``sealed`` chooses datasets, False uploads, None both.
    """
    order = datasets.c.created_at.desc(), datasets.c.sha256
    chosen = select(datasets).order_by(*order).limit(limit)
    if prefix:
        chosen = chosen.where(datasets.c.sha256.startswith(prefix, autoescape=True))
    if sealed is not None:
        chosen = chosen.where(datasets.c.sealed_at.is_not(None) if sealed else _is_upload())
    return [Dataset(*row) for row in connection.execute(chosen)]


def rows_of(connection: Connection, sha256: str) -> Iterator[dict[str, Any]]:
    """Yield the rows that are there, in their order, a page at a time in memory."""
    after = -1
    while page := _page(connection, sha256, after):
        yield from (content for _, content in page)
        after = page[-1][0]


def count_rows(connection: Connection, sha256: str) -> int:
    """Return how many rows are there."""
    chosen = select(func.count()).select_from(dataset_rows).where(dataset_rows.c.sha256 == sha256)
    return connection.execute(chosen).scalar_one()


def missing(connection: Connection, sha256: str, total_rows: int) -> list[tuple[int, int]]:
    """Return which rows lack, as pairs of the first and the one behind the last."""
    chosen = select(dataset_rows.c.position).where(dataset_rows.c.sha256 == sha256)
    gaps: list[tuple[int, int]] = []
    expected = 0
    for position in connection.execute(chosen.order_by(dataset_rows.c.position)).scalars():
        if position > expected:
            gaps.append((expected, position))
        expected = position + 1
    return [*gaps, (expected, total_rows)] if expected < total_rows else gaps


def delete_dataset(connection: Connection, sha256: str) -> bool:
    """Delete a dataset or an upload with its rows, and return whether it was there."""
    connection.execute(delete(dataset_rows).where(dataset_rows.c.sha256 == sha256))
    return connection.execute(_of(sha256, delete(datasets))).rowcount > 0


def remove_stale_uploads(connection: Connection, *, older_than_s: float = UPLOADS_KEPT_S) -> int:
    """Delete uploads that got no row for so long, and return how many those were."""
    since = utc_text(datetime.now(UTC) - timedelta(seconds=older_than_s))
    stale = select(datasets.c.sha256).where(_is_upload(), datasets.c.updated_at < since)
    found = connection.execute(stale).scalars().all()
    return sum(delete_dataset(connection, sha256) for sha256 in found)


def _is_upload() -> ColumnElement[bool]:
    return datasets.c.sealed_at.is_(None)


def _of(sha256: str, statement: Any) -> Any:
    return statement.where(datasets.c.sha256 == sha256)


def _page(connection: Connection, sha256: str, after: int) -> list[tuple[int, dict[str, Any]]]:
    chosen = (
        select(dataset_rows.c.position, dataset_rows.c.content)
        .where(dataset_rows.c.sha256 == sha256, dataset_rows.c.position > after)
        .order_by(dataset_rows.c.position)
        .limit(_ROWS_A_PAGE)
    )
    return [(row.position, row.content) for row in connection.execute(chosen)]
