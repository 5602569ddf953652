"""Reading the log as it lies in the store, whatever somebody has made of it.

Columns are read as bytes: SQLite would refuse text with a damaged byte, and the entry that holds it
could not be named.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, LargeBinary, Text, cast, func, select

from jobsentinel_workers.audit.entries import Entry, Head
from jobsentinel_workers.store.schema import audit, audit_head

_BATCH: Final = 1_000
_MOST_DIGITS: Final = 19


def read_entries(
    connection: Connection,
    *,
    since: str | None = None,
    limit: int | None = None,
    newest_first: bool = False,
) -> Iterator[Entry]:
    """Yield the entries in the order of their numbers, or backwards.

    Args:
        since: only entries whose time, as the store writes it, is this or later.
    """
    columns = [raw(connection, each) for each in audit.c if each is not audit.c.seq]
    chosen = select(audit.c.seq, *columns).limit(limit)
    if since is not None:
        chosen = chosen.where(audit.c.at >= since)
    ordered = chosen.order_by(audit.c.seq.desc() if newest_first else audit.c.seq)
    for seq, *texts in connection.execute(ordered.execution_options(yield_per=_BATCH)):
        yield Entry(seq, *map(decoded, texts))


def read_head(connection: Connection, *, lock: bool = False) -> Head | None:
    """Return the head, or None; with ``lock``, no other transaction changes it meanwhile."""
    chosen = select(*(raw(connection, each) for each in audit_head.c if each.name != "id"))
    row = connection.execute(chosen.with_for_update() if lock else chosen).first()
    if row is None:
        return None
    seq, *texts = map(decoded, row)
    is_number = seq.isascii() and seq.isdecimal() and len(seq) <= _MOST_DIGITS
    return Head(int(seq) if is_number else -1, *texts)  # what is no number fits no seal


def newest_seq(connection: Connection) -> int:
    """Return the number of the last entry there is; 0 when there is none."""
    newest: int | None = connection.execute(select(func.max(audit.c.seq))).scalar_one()
    return newest or 0


def count_entries(connection: Connection) -> int:
    """Return how many entries there are."""
    return connection.execute(select(func.count()).select_from(audit)).scalar_one()


def raw(connection: Connection, column: Column[Any]) -> ColumnElement[bytes]:
    """Return a column as the bytes of its text."""
    if connection.dialect.name == "postgresql":
        return func.convert_to(cast(column, Text), "UTF8", type_=LargeBinary())
    return cast(column, LargeBinary)


def decoded(content: bytes) -> str:
    """Return bytes as text from which the same bytes can be made again."""
    return bytes(content).decode("utf-8", "surrogateescape")
